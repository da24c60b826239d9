#!/usr/bin/env bash
# What Prometheus and systemd say of what is shipped for them: the metrics of a server that was used, the
# alerts, and the unit.
#
# usage: SEALBOOK=PATH tests/metrics.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
sealbook=$(realpath "${SEALBOOK:-target/debug/sealbook}")
promtool=$(command -v promtool || echo "$PWD/target/tools/promtool")
place=$(mktemp -d "${TMPDIR:-/tmp}/sealbook-metrics.XXXXXX")
server=

finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  wait || true
  rm -rf "$place"
}
trap finish EXIT

unit() {
  command -v systemd-analyze >/dev/null || { echo "systemd-analyze is missing: unit not checked"; return 0; }
  # With the binary that is here, and without the manual page, which is not installed.
  sed -e "s|/usr/local/bin/sealbook|$sealbook|" -e '/^Documentation=/d' \
    contrib/systemd/sealbook.service >"$place/sealbook.service"
  local said
  said=$(systemd-analyze verify "$place/sealbook.service" 2>&1) || { echo "$said"; return 1; }
  [ -z "$said" ] || { echo "$said"; return 1; }
}

scrape() {
  (cd "$place" && HOME=$place exec "$sealbook" --json serve --set server.listen=127.0.0.1:0 >out 2>err) &
  server=$!
  for _ in {1..600}; do
    [ ! -s "$place/out" ] || break
    sleep 0.1
  done
  local url
  url=$(sed -n 's/.*"listening":"\([^"]*\)".*/\1/p' "$place/out")
  (cd "$place" && HOME=$place "$sealbook" key new && HOME=$place "$sealbook" push alice --url "$url") >/dev/null
  curl -fsS "$url/pk" >/dev/null
  curl -sS "$url/nothing" >/dev/null
  curl -fsS "$url/metrics" >"$place/metrics"
}

unit
echo "the unit is good"
[ -x "$promtool" ] || { echo "promtool is missing: metrics and alerts not checked"; exit 0; }
"$promtool" check rules contrib/prometheus/alerts.yml
scrape
"$promtool" check metrics <"$place/metrics"
echo "the metrics are good: $(grep -c '^[^#]' "$place/metrics") series"
