#!/usr/bin/env bash
# Builds a release in dist/: binaries, Linux packages, images, the Helm chart, a bill of
# materials, and checksums. docs/install.md explains the files.
#
#   scripts/release.sh           builds the release
#   scripts/release.sh --check   builds it twice, the second time in another folder with an
#                                empty compiler cache, and compares the checksums; then
#                                installs, upgrades, runs and removes the packages. Needs
#                                root on Debian
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/need.sh
dist=$PWD/dist

make() { # make SOURCE OUT ARGS...
  local source=$1 out=$2
  shift 2
  (cd "$source/packaging" && go run . -root .. -out "$out" "$@")
}

make . "$dist"
[ "${1:-}" = --check ] || exit 0

for program in lintian rpm skopeo umoci unzip debootstrap; do need "$program" "$program"; done
temp=$(mktemp -d)
trap 'chmod -R u+w "$temp"; rm -rf "$temp"' EXIT

step 'a second build gives the same bytes'
git diff --quiet HEAD || echo 'the second build lacks the uncommitted changes, so the checksums may differ'
git clone -q . "$temp/elsewhere"
GOCACHE=$temp/cache make "$temp/elsewhere" "$temp/again"
diff "$dist/SHA256SUMS" "$temp/again/SHA256SUMS"

step 'the packages, the images and the chart work'
make . "$temp/next" -only linux -version v999.0.0
lower=/
if debootstrap --variant=minbase "$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" "$temp/debian" >"$temp/debootstrap.log" 2>&1; then
  lower=$temp/debian
else
  tail -n 3 "$temp/debootstrap.log"
  echo 'debootstrap failed, so the packages are installed into a copy-on-write view of this machine'
fi
cd packaging
go test -count=1 -timeout 20m ./checks -dist "$dist" -next "$temp/next"
[ "$lower" = / ] || go test -count=1 -timeout 20m -run 'Test(Deb|Conffile|Downgrade|Owners|WithoutSystemd)$' ./checks -dist "$dist" -next "$temp/next" -lower "$lower"
