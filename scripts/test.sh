#!/usr/bin/env bash
# Runs all tests that a change must pass. On Debian, installs missing programs that the
# tests need (for example nginx, HAProxy, Node, Python and Chromium), and lintian for the
# packages.
#
#   scripts/test.sh            everything except the packages
#   scripts/test.sh quick      without the race detector and the end-to-end tests
#   scripts/test.sh packages   the packages: their build, one .deb, the chart
#   scripts/test.sh long       everything, with the long simulations and comparisons with
#                              other programs; about 40 minutes
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/need.sh

tool() { go tool -modfile=tools/go.mod "$@"; }

packages() {
  step 'packaging'
  for os in darwin freebsd windows; do GOOS=$os go vet ./cmd/goodgate; done
  (cd packaging && go vet ./... && go fix -diff ./... && go mod tidy -diff)
  need lintian lintian
  need shellcheck shellcheck
  shellcheck --external-sources scripts/*.sh
  for script in packaging/scripts/{deb,rpm,apk}-*.sh; do # as in a package
    { printf '#!/bin/sh\nset -e\n'; cat packaging/scripts/common.sh "$script"; } | shellcheck --exclude=SC2317 -
  done
  step 'a package: build, install, upgrade under load, remove'
  temp=$(mktemp -d)
  trap 'rm -rf "$temp"' EXIT
  (cd packaging && go run . -only deb -out "$temp" && go test -count=1 ./checks -run '^Test(Deb|Lintian|Chart|Manifests|Examples)' -dist "$temp")
}

if [ "${1:-}" = packages ]; then
  packages
  exit
fi

step 'gofmt'
unformatted=$(git ls-files -z '*.go' | xargs -0 gofmt -l)
[ -z "$unformatted" ] || { echo "$unformatted"; exit 1; }
step 'go vet'
go vet ./...
step 'the other systems, and the minimal edition'
# Without the parts that take long to compile; scripts/test.sh packages covers the whole program.
for os in darwin freebsd windows; do GOOS=$os go vet -tags minimal ./cmd/goodgate; done
go vet -tags minimal ./cmd/goodgate ./internal/config
go vet -tags man ./cmd/goodgate
step 'go fix'
go fix -diff ./...
step 'go mod tidy'
go mod tidy -diff
step 'staticcheck'
tool staticcheck ./...
for script in scripts/*.sh; do bash -n "$script"; done
for script in packaging/scripts/*.sh packaging/checks/testdata/systemctl; do sh -n "$script"; done
step 'the minimal edition has the same metrics'
go test -tags minimal ./internal/metrics
step 'govulncheck'
set +e
tool govulncheck ./... >/tmp/goodgate-vuln.$$ 2>&1
code=$?
set -e
case $code in
  0) echo 'no known vulnerability' ;;
  3) cat /tmp/goodgate-vuln.$$; rm -f /tmp/goodgate-vuln.$$; exit 1 ;;
  *) echo 'skipped: govulncheck could not run, perhaps because it could not get the vulnerability data' ;;
esac
rm -f /tmp/goodgate-vuln.$$

if [ "${1:-}" = quick ]; then
  step 'tests, quick'
  go list ./... | grep -v /e2e | xargs go test
  exit
fi
need nginx nginx
need haproxy haproxy
need gunicorn gunicorn
need node nodejs
need python3 python3
need prometheus prometheus # with promtool
need chromium chromium
need curl curl
need redis-server redis-server
need etcd etcd-server
need rsyslogd rsyslog
need logrotate logrotate
if [ "${1:-}" = long ]; then
  need redis-sentinel redis-sentinel
  need podman podman
  step 'tests, long'
  go test -count=1 -run TestSlowClients ./e2e # measures memory, without the race detector
  GOODGATE_LONG=1 GOODGATE_E2E=all go test -race -count=1 -timeout 40m ./...
  (cd e2e/fleet && GOODGATE_LONG=1 GOODGATE_E2E=all go test -race -count=1 -timeout 20m ./...)
  exit
fi
step 'tests'
export GORACE=atexit_sleep_ms=0 # otherwise every test binary sleeps for a second when it exits
# -count=1: the end-to-end tests build the binary, which the test cache does not track.
GOODGATE_E2E=all go test -race -count=1 -timeout 14m ./...
# The same suite behind goodgate's own server, with the plain relay and with httputil's.
for front in inbound inbound-httputil; do
  step "tests of the proxy behind $front"
  go test -race -count=1 ./proxy -front "$front"
done
