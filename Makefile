# `make help` lists everything.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
CONFIG  := github.com/lectiospace/lectern/internal/config
LDFLAGS := -X $(CONFIG).version=$(VERSION) -X $(CONFIG).commit=$(COMMIT)

.PHONY: help build demo test lint fuzz lessons bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/gateway and bin/syncer, static
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

demo: ## run the gateway with sample lessons; nothing to prepare
	go run ./cmd/gateway demo

test: ## install what the tests need where it is missing, and run them all
	./scripts/test

lint: ## run golangci-lint, which has to be installed
	golangci-lint run ./...

fuzz: ## run every fuzz target for FUZZTIME (10s)
	./scripts/fuzz $(FUZZTIME)

lessons: ## make the demo's lessons anew (needs ffmpeg)
	./scripts/make-lessons.sh

bench: ## compare with nginx, Varnish and rclone on this machine; QUICK=1 for a first look
	go run ./bench $(if $(QUICK),-quick) $(BENCHFLAGS)

clean: ## remove what build and demo leave
	rm -rf bin
