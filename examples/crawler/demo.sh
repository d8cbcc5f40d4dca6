#!/bin/sh
# Runs the crawler against the server that runs here (make run, with the same FETCHQ_LISTEN or FETCHQ_BASE_URL), with a token that
# lives as long as the crawl.
# Further flags go to the crawler: examples/crawler/demo.sh -workers 16
set -eu
cd "$(dirname "$0")/../.."
url=${FETCHQ_BASE_URL:-http://${FETCHQ_LISTEN:-127.0.0.1:8080}}
if [ -z "${FETCHQ_BASE_URL:-}" ] && ! bin/fetchq health >/dev/null; then
  echo "start a server with make run, or say where it is: FETCHQ_LISTEN=127.0.0.1:8080 make demo" >&2
  exit 1
fi
name="demo-$(date +%s)-$$"
token=$(bin/fetchq token create --name "$name" --rights admin)
trap 'bin/fetchq token revoke "$name" >/dev/null' EXIT
database=$(bin/fetchq db-url)
go build -o bin/crawler ./examples/crawler
bin/crawler -url "$url" -token "$token" -database-url "$database" "$@"
bin/fetchq doctor
