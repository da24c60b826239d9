#!/usr/bin/env bash
# From no key to a GitHub account that is shown to belong to it, against a GitHub of its own: a folder
# served on this machine in the shape of api.github.com. With the real one, leave out the upstream, and
# make the gist by hand.
#
# usage: examples/proof-github.sh     the server is that of the variable SEALBOOK, else `sealbook`
# Needs curl, and python3 as a web server for files.
set -euo pipefail
SEALBOOK=${SEALBOOK:-sealbook}
login=alice
gist=0123456789abcdef

work=$(mktemp -d)
pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait; rm -rf "$work"' EXIT

# Prints the first line of a file that matches, as soon as there is one.
wait_for() {
  for _ in {1..300}; do
    grep -m1 -o "$2" "$1" 2>/dev/null && return
    sleep 0.1
  done
  echo "nothing like $2 in $1:" >&2
  cat "$1" >&2
  return 1
}

# A GitHub with no gist yet.
mkdir -p "$work/github/gists"
python3 -u -m http.server 0 --bind 127.0.0.1 --directory "$work/github" >"$work/github.log" 2>&1 &
pids+=($!)
github=$(wait_for "$work/github.log" 'http://127.0.0.1:[0-9]*')

# A directory that asks that GitHub, and may therefore reach this machine.
"$SEALBOOK" serve --set "server.data_dir=$work/data" --set server.listen=127.0.0.1:0 \
  --set "upstreams.github_api=$github" --set "upstreams.github_gist_raw=$github/raw" \
  --set outbound.allow_private=true >"$work/serve.out" 2>"$work/serve.log" &
pids+=($!)
url=$(wait_for "$work/serve.out" 'http://127.0.0.1:[0-9]*')
prove=("$SEALBOOK" prove)
where=(--key "$work/avatar.json" --url "$url")

echo "== start: makes a key, and the file for the gist"
"${prove[@]}" start github "$login" "${where[@]}" --state "$work/state" --out "$work/proof.json"
avatar=$(grep -o '0x[0-9a-f]\{66\}' "$work/proof.json" | head -1)

echo "== not posted yet: the server refuses"
if "${prove[@]}" check github "$login" --location "$gist" "${where[@]}" --state "$work/state"; then
  echo "a gist that is not there was accepted" >&2
  exit 1
fi

echo "== post: what GitHub answers for a gist with that file"
content=$(sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/\t/\\t/g' "$work/proof.json" | sed -e ':a' -e 'N' -e '$!ba' -e 's/\n/\\n/g')
cat >"$work/github/gists/$gist" <<JSON
{"id": "$gist", "public": true, "owner": {"login": "$login", "id": 1, "type": "User"},
 "files": {"$avatar.json": {"filename": "$avatar.json", "truncated": false, "content": "$content"}}}
JSON

echo "== check: the server looks, and adds the link to the chain"
"${prove[@]}" check github "$login" --location "$gist" "${where[@]}" --state "$work/state"

echo "== what anybody sees"
curl -fsS "$url/v1/proof?platform=github&identity=$login&exact=true"
echo
"${prove[@]}" list "${where[@]}"

echo "== the whole chain, checked against the log"
"$SEALBOOK" chain "$avatar" --verify --url "$url" --state "$work/state"

echo "== given up"
"${prove[@]}" delete github "$login" "${where[@]}"
curl -fsS "$url/v1/proof?platform=github&identity=$login&exact=true"
echo
"$SEALBOOK" chain "$avatar" --verify --url "$url" --state "$work/state"
