# Shortcuts. Each target runs one command, which works without make too.

.PHONY: help build run demo check test quick bench cost peers campaign overload caddy conformance fuzz schema

help: ## prints this list
	@awk -F":.*## " "/^[a-z]+:.*## /{printf \"  %-11s %s\\n\", \$$1, \$$2}" Makefile

build: ## builds the binary, ./goodgate
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o goodgate ./cmd/goodgate

run: build ## runs the proxy with CONFIG=file (config.example.yaml)
	./goodgate run --config $(or $(CONFIG),config.example.yaml)

demo: ## shows goodgate in front of built-in backends that fail
	go run ./cmd/goodgate demo

check: ## checks a configuration, CONFIG=file (config.example.yaml)
	go run ./cmd/goodgate check $(or $(CONFIG),config.example.yaml)

test: ## runs all tests that a change must pass
	scripts/test.sh

quick: ## runs the tests without the race detector and the end-to-end tests
	scripts/test.sh quick

bench: ## runs the micro-benchmarks, into bench.txt for benchstat
	go test -run '^$$' -bench . -benchmem -count 10 ./balancer ./health ./internal/... ./proxy | tee bench.txt

peers: ## measures the cost of requests, for goodgate, nginx, HAProxy, Caddy and httputil, into peers.json and peers.html
	go run ./benchmarks/peers -json peers.json -html peers.html $(PEERS)

cost: ## measures only the CPU time of a small GET, for the same proxies
	go run ./benchmarks/peers -cases get1k -rounds 5

campaign: ## measures the effect of failing backends on clients, for goodgate, nginx, HAProxy and Caddy, into campaign.html
	go run ./benchmarks/campaign -html campaign.html

overload: ## measures the capacity that a pool keeps under overload, for goodgate, nginx, HAProxy and Caddy
	go run ./benchmarks/overload

caddy: ## installs Caddy for the campaign into the user's cache
	GOBIN=$${XDG_CACHE_HOME:-$$HOME/.cache}/goodgate go install github.com/caddyserver/caddy/v2/cmd/caddy@latest

conformance: ## runs h2spec, gRPC's interoperability tests, WebSocket and malformed messages
	scripts/conformance.sh

fuzz: ## runs each fuzz target for FUZZTIME (30s)
	scripts/fuzz.sh $(or $(FUZZTIME),30s)

schema: ## generates the configuration's JSON Schema and reference, and the admin API's OpenAPI description
	go run ./cmd/goodgate schema > goodgate.schema.json
	go run ./cmd/goodgate schema --api > docs/openapi.json
	go run ./cmd/goodgate schema --markdown > docs/reference.md
