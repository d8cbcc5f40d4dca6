#!/bin/sh
# Runs the crawler against the server that runs here (make run), with a token that lives as long as the crawl.
# Further flags go to the crawler: examples/crawler/demo.sh -workers 16
set -eu
cd "$(dirname "$0")/../.."
name="demo-$(date +%s)-$$"
token=$(bin/fetchq token create --name "$name" --rights admin)
trap 'bin/fetchq token revoke "$name" >/dev/null' EXIT
database=$(bin/fetchq db-url)
go build -o bin/crawler ./examples/crawler
bin/crawler -url "${FETCHQ_BASE_URL:-http://127.0.0.1:8080}" -token "$token" -database-url "$database" "$@"
bin/fetchq doctor
