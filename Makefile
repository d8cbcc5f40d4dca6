# make help says what there is. Everything runs from this folder, with Go, Node and make alone.

VERSION = $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LINTER  = go tool -modfile=tools/go.mod golangci-lint
TEMPL   = go tool -modfile=tools/go.mod templ
ASSETS  = web/static/dist/manifest.json

# The race detector needs a C compiler; where there is none, the tests run without it.
RACE = $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)

# Targets run one after the other, also with -j: they share two cores and one Postgres.
.NOTPARALLEL:
.DEFAULT_GOAL = help

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.* ## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{printf "make %-12s %s\n", $$1, $$2}'

run: bin/fetchq node_modules/.package-lock.json ## build what changed and serve on 127.0.0.1:8080, with a private Postgres in ./data
	@scripts/run bin/fetchq serve

build: bin/fetchq ## build bin/fetchq

assets: $(ASSETS) ## build the style sheet, scripts and icons of the pages

generate: ## make the Go code of the templates
	@scripts/need go
	$(TEMPL) generate -path web/templates -log-level error

demo: bin/fetchq ## crawl Go's own sources through the server that make run started, and prove the sums
	examples/crawler/demo.sh

test: $(ASSETS) lint vet fresh test-18 bugs browser prometheus faults bench-once test-15 ## everything: lint, all tests on Postgres 18 and 15, pages in Chromium, crashes, benchmarks once

# What is left out has nothing that is short, and drives Chromium, which takes long to compile. make lint and make test vet.
test-fast: $(ASSETS) ## the short tests, on Postgres 18
	scripts/on-postgres 18 go test -short -vet=off -timeout 3m $$(go list ./... | grep -v -e /test/faults -e /test/browser -e /test/image)

lint: ## golangci-lint, from source at the version in tools/go.mod
	@scripts/need go
	$(LINTER) run

check: lint ## lint with gosec, and ask Go's and npm's databases of known holes about our libraries
	scripts/check

fmt: ## format the Go files
	$(LINTER) fmt

bench: bin/fetchq ## measure what docs/performance.md reports, in four or five minutes
	go run ./test/bench/start
	go test -count=1 -v ./internal/queue -run 'ItIsUsed$$|LimitsAllow$$' -alone
	scripts/bench --suite docs

# make bench-long SCALE=0.01 PLANS=200000 tries it small. PLANS is in how many documents the plans are looked at.
SCALE = 1
PLANS = 10000000
bench-long: bin/fetchq ## millions of documents, a thousand queues, two nodes, plans: an hour
	scripts/bench --suite long --scale $(SCALE)
	go run ./test/bench/nodes
	go test ./internal/queue -run TestThePlansOfHotStatements -count 1 -timeout 1h -documents $(PLANS)

bench-backup: bin/fetchq ## backups beside pg_dump and a working queue; a million documents there and back
	go run ./test/bench/backup -documents 1000000 -span 20s
	scripts/on-postgres 18 go test ./internal/backup -run 'TestWhatIsRestoredFromAFolderIsEqual|TestWhatIsEncrypted' -count 1 -timeout 1h -documents 1000000

# make fuzz-long FUZZ=30s tries it short.
FUZZ = 10m
fuzz-long: $(ASSETS) ## every parser of outside input, fuzzed for ten minutes each: three to four hours; writes docs/fuzzing.md
	scripts/fuzz $(FUZZ)

bench-peers: bin/fetchq ## the same work by River, graphile-worker and pg-boss; writes the table into docs/performance.md
	bench/peers/run $(PEERS)

# The parts of make test. macOS is not tested, but what is built for it is checked.
vet:
	go vet ./...
	GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 go vet ./...

fresh: generate
	go mod tidy -diff
	@git diff --exit-code --stat -- '*_templ.go' || { echo "the code of the templates was not fresh; commit what make generate made" >&2; exit 1; }

test-18:
	@$(if $(RACE),,echo "no C compiler here: testing without the race detector" >&2)
	scripts/on-postgres 18 go test $(RACE) -timeout 10m $$(go list ./... | grep -v -e /test/faults -e /test/browser -e /test/prometheus)

# What differs between two versions of Postgres is tried by the packages that hold SQL, those whose tests take a database of dbtest, and
# by the commands and the API, which start and call all of it; pages, scrapes and workloads ask Postgres nothing of their own.
test-15:
	scripts/on-postgres 15 go test -timeout 10m $$(go list -f '{{.ImportPath}} {{.TestImports}} {{.XTestImports}}' ./... | \
		sed -n 's, .*/internal/dbtest.*,,p' | grep -v -e /test/ -e /internal/web -e /internal/scrape -e /internal/bench)

bugs: ## fifty scripts of each property test; plant bugs in the engine, one at a time, and see that the scripts find each
	scripts/on-postgres 18 go test -count=1 -timeout 15m ./internal/queue -run 'TheTableOfStatesSays|PlantedBugs|TestABatchOfAnOperation' -bugs -rapid.checks=50

browser: $(ASSETS) ## the pages in Chromium: flows, accessibility, hostile texts
	scripts/with-chromium scripts/on-postgres 18 go test -count=1 -timeout 10m ./test/browser

prometheus: $(ASSETS) ## /metrics, dashboards and alerts with a real Prometheus
	scripts/with-prometheus scripts/on-postgres 18 go test -count=1 -timeout 5m ./test/prometheus

screenshots: $(ASSETS) ## pictures of all pages, light, dark and on a phone, with contact sheets, into tmp/screenshots
	scripts/with-chromium scripts/on-postgres 18 go test -count=1 -timeout 10m ./test/browser -run TestPictures -screenshots tmp/screenshots

faults:
	scripts/on-postgres 18 go test -count=1 -timeout 15m ./test/faults -faults.kills=20

bench-once:
	scripts/on-postgres 18 go test -run '^$$' -bench . -benchtime 1x $$(grep -rl --include='*_test.go' '^func Benchmark' internal | xargs -n 1 dirname | sort -u | sed 's,^,./,')

program: # the program alone, where the assets are built already
	go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/fetchq ./cmd/web

# go build knows better than make what changed, and does nothing where nothing did.
bin/fetchq: $(ASSETS) FORCE
	@scripts/need go
	@$(MAKE) --no-print-directory program

$(ASSETS): node_modules/.package-lock.json scripts/assets.mjs $(wildcard web/static/css/* web/static/js/* web/static/*.svg web/templates/*.templ internal/web/*.go)
	node scripts/assets.mjs

node_modules/.package-lock.json: package.json package-lock.json .npmrc
	@scripts/need npm
	npm ci
	@touch $@

FORCE:

.PHONY: help run build program assets generate demo test test-fast lint check fmt bench bench-long bench-backup bench-peers fuzz-long vet fresh test-18 test-15 bugs browser screenshots prometheus faults bench-once FORCE
