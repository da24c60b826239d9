#!/usr/bin/env bash
# Tries Debian's unmodified toxic 0.11.1 against the real server, over TLS on port 443, in a network
# of its own: a registered name must be found, an unknown one refused.
#
# usage: SEALBOOK=target/ci/sealbook tests/toxic.sh
# Needs toxic, tmux, openssl, iproute2, and a Python with PyNaCl (PYTHON, else target/pyenv).
# Exit code: 0 works, 1 does not, 77 the system allows no namespaces.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
HOST=example.test
WAIT_S=${WAIT_S:-30}

fail() {
  echo "toxic.sh: $1" >&2
  if [ -n "${screen:-}" ]; then
    echo "--- toxic's screen" >&2
    $tmux capture-pane -p -t "$screen" >&2 || true
  fi
  echo "--- the server's last lines" >&2
  tail -n 20 "$BOX/server.log" >&2 || true
  exit 1
}

# Waits until toxic's screen shows a text.
expect() {
  local end=$((SECONDS + WAIT_S))
  until $tmux capture-pane -p -t "$screen" | grep -qF -- "$1"; do
    [ $SECONDS -lt $end ] || fail "no \"$1\" within $WAIT_S s"
    sleep 0.2
  done
}

type_line() {
  $tmux send-keys -t "$screen" -l -- "$1"
  $tmux send-keys -t "$screen" Enter
}

# Runs inside the box, with the server up.
inside() {
  local client=("$PYTHON" "$root/tests/clients/toxme_client.py" --ca "$BOX/ca.pem" "https://$HOST")
  "${client[@]}" register alice --bio hi --key "$BOX/alice" || fail "alice was not registered"
  local key
  key=$("${client[@]}" pk | python3 -c 'import json, sys; print(json.load(sys.stdin)["key"])')
  echo "$HOST $key" > "$BOX/nameservers"

  export HOME=$BOX TERM=xterm-256color LC_ALL=C.UTF-8
  mkdir -p "$BOX/.config/tox"
  tmux="tmux -S $BOX/tmux"
  $tmux -f /dev/null new-session -d -s toxic -x 120 -y 40 \
    "exec toxic --noconnect --namelist $BOX/nameservers --file $BOX/profile.tox"
  screen=toxic
  # kill-server ends the server of this socket only, and toxic with it.
  trap '$tmux kill-server 2>/dev/null || true' EXIT
  expect "encrypt it"
  type_line n
  expect "/help"
  type_line "/add alice@$HOST \"hi\""
  expect "Friend request sent."
  type_line "/add nobody@$HOST \"hi\""
  expect "Bad response."
  local version
  version=$(toxic --version 2>&1 | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1)
  echo "ok: toxic $version finds a name, and takes no for an answer"
}

outside() {
  : "${SEALBOOK:?set SEALBOOK to the path of the sealbook binary}"
  local tool
  for tool in toxic tmux openssl ip unshare; do
    command -v "$tool" >/dev/null || { echo "toxic.sh: $tool is not installed" >&2; exit 1; }
  done
  SEALBOOK=$(realpath "$SEALBOOK")
  export PYTHON=${PYTHON:-$root/target/pyenv/bin/python}
  BOX=$(mktemp -d)
  export BOX
  trap 'rm -rf "$BOX"' EXIT
  # $BOX_CERT and $BOX_KEY are the box's own.
  local set="--set server.listen=127.0.0.1:443 --set server.public_url=https://$HOST"
  set="$set --set server.data_dir=$BOX/data"
  set="$set --set server.tls_cert=\$BOX_CERT --set server.tls_key=\$BOX_KEY"
  (
    cd "$BOX"
    SERVER_CMD="'$SEALBOOK' serve $set >'$BOX/server.log' 2>&1" \
      "$root/tests/tools/netbox.sh" "$root/tests/toxic.sh" --inside
  )
}

case "${1:-}" in
  --inside) inside ;;
  "") outside ;;
  *) echo "usage: SEALBOOK=… tests/toxic.sh" >&2; exit 2 ;;
esac
