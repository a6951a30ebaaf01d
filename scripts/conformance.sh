#!/usr/bin/env bash
# Runs third-party test suites and programs against the built goodgate: h2spec, gRPC's
# interoperability tests, WebSocket, an ACME server, curl, wrk and h2load. Also runs the
# corpus of malformed messages. Installs missing programs on Debian. Prints the counts;
# docs/conformance.md explains them. Takes about two minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/need.sh

need curl curl
need wrk wrk
need h2load nghttp2-client
need named bind9
need nsupdate bind9-dnsutils

go test -count=1 -run 'TestMalformed' -v ./internal/gate | grep -E '^(---|ok|FAIL)|requests:|responses:'
cd e2e/conformance
go vet ./...
go test -count=1 -timeout 10m -v . | grep -E '^(---|ok|FAIL)|h2spec over|fails:|passes:|cases'
