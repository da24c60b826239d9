#!/usr/bin/env bash
# Runs CLIENT_SCRIPT in a private network and mount namespace in which
#   * every *.test name, and any host listed in EXTRA_HOSTS ("toxme.io keybase.io"), is 127.0.0.1,
#   * a throw-away CA is trusted by the system's store, and named by SSL_CERT_FILE and
#     NODE_EXTRA_CA_CERTS,
#   * nothing outside loopback can be reached.
# So clients that insist on a host name, on port 443 and on a valid certificate can be tried
# unmodified.
#
# usage: SERVER_CMD='…' netbox.sh CLIENT_SCRIPT [ARGUMENT…]
# SERVER_CMD is started inside first; it may use $BOX_CERT and $BOX_KEY (a leaf for *.test,
# localhost, 127.0.0.1 and EXTRA_HOSTS) and may bind any port. It is ready when TCP
# ${READY_PORT:-443} accepts. BOX is a folder for the files of the box; it is made when not given,
# and left to the caller. Exit code: that of the script; 77 when namespaces are not to be had.
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: SERVER_CMD='…' netbox.sh CLIENT_SCRIPT [ARGUMENT…]" >&2; exit 2; }
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export HERE BOX=${BOX:-$(mktemp -d)} EXTRA_HOSTS=${EXTRA_HOSTS:-} READY_PORT=${READY_PORT:-443}

make_certificates() {
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$BOX/ca.key" -out "$BOX/ca.pem" -days 30 \
    -subj "/CN=netbox CA" -addext basicConstraints=critical,CA:TRUE \
    -addext keyUsage=critical,keyCertSign 2>/dev/null
  local names=DNS:example.test,DNS:*.example.test,DNS:localhost,IP:127.0.0.1 host
  for host in $EXTRA_HOSTS; do names=$names,DNS:$host; done
  printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\n' "$names" > "$BOX/ext"
  openssl req -newkey rsa:2048 -nodes -keyout "$BOX/leaf.key" -out "$BOX/leaf.csr" \
    -subj "/CN=example.test" 2>/dev/null
  openssl x509 -req -in "$BOX/leaf.csr" -CA "$BOX/ca.pem" -CAkey "$BOX/ca.key" -CAcreateserial \
    -days 30 -extfile "$BOX/ext" -out "$BOX/leaf.pem" 2>/dev/null
}

[ -e "$BOX/leaf.pem" ] || make_certificates
export BOX_CERT=$BOX/leaf.pem BOX_KEY=$BOX/leaf.key NODE_EXTRA_CA_CERTS=$BOX/ca.pem

# Root may make namespaces; others may where the system lets them become root of their own.
for flags in "-n -m" "-r -n -m"; do
  # shellcheck disable=SC2086
  if unshare $flags true 2>/dev/null; then namespaces=$flags; break; fi
done
[ -n "${namespaces:-}" ] || { echo "netbox: this system allows no namespaces" >&2; exit 77; }

# shellcheck disable=SC2086,SC2016
exec unshare $namespaces bash -c '
  set -euo pipefail
  pids=
  finish() {
    code=$?
    for pid in $pids; do kill "$pid" 2>/dev/null || true; done
    for pid in $pids; do wait "$pid" 2>/dev/null || true; done
    exit "$code"
  }
  trap finish EXIT
  ip link set lo up
  cp /etc/hosts "$BOX/hosts"
  echo "127.0.0.1 example.test alice.example.test id.example.test openpgpkey.example.test" \
    "plc.example.test $EXTRA_HOSTS" >> "$BOX/hosts"
  mount --bind "$BOX/hosts" /etc/hosts
  [ -d "$BOX/certs" ] || cp -rL /etc/ssl/certs "$BOX/certs" 2>/dev/null || true
  cat "$BOX/ca.pem" >> "$BOX/certs/ca-certificates.crt"
  mount --bind "$BOX/certs" /etc/ssl/certs
  echo "nameserver 127.0.0.1" > "$BOX/resolv.conf"
  mount --bind "$BOX/resolv.conf" /etc/resolv.conf
  export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
  python3 "$HERE/dns_stub.py" & pids=$!
  if [ -n "${SERVER_CMD:-}" ]; then
    bash -c "exec $SERVER_CMD" & server=$!
    pids="$pids $server"
    for _ in $(seq 1 300); do
      kill -0 "$server" 2>/dev/null || { echo "netbox: the server ended early" >&2; exit 1; }
      if (exec 3<>"/dev/tcp/127.0.0.1/$READY_PORT") 2>/dev/null; then ready=1; break; fi
      sleep 0.1
    done
    [ -n "${ready:-}" ] || { echo "netbox: nothing accepts on port $READY_PORT" >&2; exit 1; }
  fi
  bash "$@"
' netbox "$@"
