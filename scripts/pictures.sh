#!/usr/bin/env bash
# Recreates the documentation's pictures: docs/demo.svg, a recording of the demo, and
# docs/dashboard.png, the dashboard while one of three upstreams is down. Needs Chromium and
# Python.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/need.sh
need chromium chromium
need python3 python3
temp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$temp"' EXIT
go build -o "$temp/goodgate" ./cmd/goodgate
(cd tools/pictures && go build -o "$temp/pictures" .)

"$temp/pictures" -o docs/demo.svg -skip 2s -for 40s -- "$temp/goodgate" demo --listen 127.0.0.1:8080

for port in 3001 3002 3003; do
  python3 -m http.server --directory docs --bind 127.0.0.1 "$port" >"$temp/$port.log" 2>&1 &
  last=$!
done
cat >"$temp/goodgate.yaml" <<'YAML'
listeners: ["127.0.0.1:8080"]
admin: {address: "127.0.0.1:9900"}
log: {level: error, sample: 0}
pools:
  shop: {upstreams: ["http://127.0.0.1:3001", "http://127.0.0.1:3002", "http://127.0.0.1:3003"]}
YAML
"$temp/goodgate" run --config "$temp/goodgate.yaml" 2>"$temp/goodgate.log" &
sleep 2
"$temp/goodgate" bench http://127.0.0.1:8080/ --rate 40 --for 90s >"$temp/bench.log" 2>&1 &
sleep 60
kill "$last"
sleep 15
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1280,760 --virtual-time-budget=4000 \
  --screenshot="$PWD/docs/dashboard.png" http://127.0.0.1:9900/ 2>"$temp/chromium.log"
