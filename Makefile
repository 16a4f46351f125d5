# weir's developer commands. `make` alone prints them. CONTRIBUTING.md explains the tests.
SHELL := /bin/bash
.DEFAULT_GOAL := help

CACHE  := $(or $(WEIR_CACHE),$(HOME)/.cache/weir)
PREFIX ?= $(HOME)/.local
ARGS   ?=
PKG    ?= ./...
BENCH  ?= ./internal/avro ./internal/ingest ./internal/load ./internal/report ./cmd/loadgen ./tui

GOLANGCI_VERSION := v2.15.0
GOLANGCI := $(CACHE)/golangci-lint-$(GOLANGCI_VERSION)/golangci-lint

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The database engine is linked in through cgo, hence the two compilers.
.PHONY: tools
tools:
	@missing=; \
	command -v go  >/dev/null || missing="$$missing\n  go   1.26 or newer: https://go.dev/dl"; \
	command -v gcc >/dev/null || missing="$$missing\n  gcc  Debian, Ubuntu: apt-get install gcc; Fedora: dnf install gcc; macOS: xcode-select --install"; \
	command -v g++ >/dev/null || missing="$$missing\n  g++  Debian, Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++; macOS: xcode-select --install"; \
	if [ -n "$$missing" ]; then printf "weir needs, and does not find on the PATH:$$missing\n" >&2; exit 1; fi

.PHONY: demo
demo: tools ## load, ingest, verify and report in one process (ARGS="--help" prints its options)
	@go run ./cmd/pipeline demo $(ARGS)

.PHONY: build
build: tools ## build the programs into bin/
	@mkdir -p bin
	go build -trimpath -o bin/ ./cmd/...

.PHONY: install
install: build ## put the programs into PREFIX/bin (~/.local/bin)
	@install -d $(DESTDIR)$(PREFIX)/bin
	install -m 0755 bin/* $(DESTDIR)$(PREFIX)/bin/

.PHONY: test
test: tools ## the hermetic tests: no network, nothing to install
	go test -timeout 5m $(PKG)

.PHONY: test-protocol
test-protocol: tools ## 10,000 histories of the commit protocol under the race detector, and 200 kills at its named points
	go test -race -count=1 -timeout 15m -run Model ./internal/protocol -seeds 10000
	go test -count=1 -timeout 20m -run TestKilledAtNamedPoints ./cmd/pipeline -kills 200

.PHONY: test-real
test-real: tools ## the tests against a real Kafka, registry and Spark
	go test -tags real -count=1 -timeout 75m ./test/real/...

.PHONY: bench
bench: tools ## the benchmarks, each beside its reference in the same run (BENCH=./internal/avro for one package)
	@go test -run '^$$' -bench . $(BENCH) | grep -v '^ok\|^PASS\|^goos\|^goarch\|^cpu'
	@go test -tags real -run '^$$' -bench . -timeout 60m ./test/real/ | grep -v '^ok\|^PASS\|^goos\|^goarch\|^cpu'

# The version is pinned here and built from source into the cache, so that everybody gets the same findings.
$(GOLANGCI):
	@echo "building golangci-lint $(GOLANGCI_VERSION) (once, some minutes)" >&2
	@GOBIN=$(@D) GOFLAGS= go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

.PHONY: lint
lint: tools $(GOLANGCI) ## golangci-lint with .golangci.yml
	$(GOLANGCI) run $(PKG)

.PHONY: fmt
fmt: tools $(GOLANGCI) ## format the code
	$(GOLANGCI) fmt $(PKG)
