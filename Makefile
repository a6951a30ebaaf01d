# For people; everything here is one command that works by itself too.

.PHONY: build run demo check test quick bench cost peers campaign overload caddy conformance fuzz schema

help: ## this list
	@awk -F":.*## " "/^[a-z]+:.*## /{printf \"  %-11s %s\\n\", \$$1, \$$2}" Makefile

build: ## the binary, into ./goodgate
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o goodgate ./cmd/goodgate

run: build ## the proxy, with CONFIG=file
	./goodgate run --config $(or $(CONFIG),config.example.yaml)

demo: ## the main job on embedded backends
	go run ./cmd/goodgate demo

check: ## a configuration, CONFIG=file
	go run ./cmd/goodgate check $(or $(CONFIG),config.example.yaml)

test: ## everything that has to hold
	scripts/test.sh

quick: ## the same without the race detector and the end-to-end tests
	scripts/test.sh quick

bench: ## micro benchmarks, ready for benchstat, into bench.txt
	go test -run '^$$' -bench . -benchmem -count 10 ./balancer ./health ./internal/... ./proxy | tee bench.txt

peers: ## goodgate beside nginx, HAProxy, Caddy and httputil, into peers.json and peers.html
	go run ./benchmarks/peers -json peers.json -html peers.html $(PEERS)

cost: ## of that, the CPU per request alone
	go run ./benchmarks/peers -cases get1k -rounds 5

campaign: ## what clients see while backends go bad, beside nginx, HAProxy and Caddy, into campaign.html
	go run ./benchmarks/campaign -html campaign.html

overload: ## what is left of a pool's capacity when too much is asked of it, beside nginx, HAProxy and Caddy
	go run ./benchmarks/overload

caddy: ## Caddy for the campaign, into the user's cache
	GOBIN=$${XDG_CACHE_HOME:-$$HOME/.cache}/goodgate go install github.com/caddyserver/caddy/v2/cmd/caddy@latest

conformance: ## h2spec, gRPC's interoperability tests, WebSocket, malformed messages
	scripts/conformance.sh

fuzz: ## each fuzz target for FUZZTIME (30s)
	scripts/fuzz.sh $(or $(FUZZTIME),30s)

schema: ## the JSON Schema and the reference of the configuration, and the description of the admin API
	go run ./cmd/goodgate schema > goodgate.schema.json
	go run ./cmd/goodgate schema --api > docs/openapi.json
	go run ./cmd/goodgate schema --markdown > docs/reference.md
