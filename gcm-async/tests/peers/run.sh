#!/usr/bin/env bash
# Real clients of others talk to the emulator program over each protocol: curl, and with a folder the Python package
# firebase-admin and the Node package node-gcm, installed there.
#
# usage: run.sh EMULATOR [FOLDER]
#
# EMULATOR is the program, FOLDER has `venv` with firebase-admin and `node_modules` with node-gcm; `.ci/long peers` brings both.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
emulator=$1
folder=${2:+$(cd "$2" && pwd)}
out=$(mktemp -d)
servers=()
trap 'kill "${servers[@]}" 2>/dev/null || true; rm -rf "$out"' EXIT

# The emulator is on this machine: no proxy of the environment is to be asked for it.
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1

# start NAME OPTIONS...: an emulator, whose address is in `origin` then.
start() {
    local name=$1
    shift
    "$emulator" --log "$@" >"$out/$name" &
    servers+=($!)
    for _ in $(seq 100); do
        [ ! -s "$out/$name" ] || break
        sleep 0.1
    done
    origin=$(head -n 1 "$out/$name")
    origin=${origin%/gcm/send}
    [ -n "$origin" ] || {
        echo "error: the emulator does not start" >&2
        exit 1
    }
}

# answered NAME WIRE COUNT: so many requests of this wire got a 200.
answered() {
    local count
    count=$(grep -c " $2 .* 200$" "$out/$1" || true)
    [ "$count" = "$3" ] || {
        echo "error: $count requests of the $2 wire were answered 200, not $3; the log of $1:" >&2
        cat "$out/$1" >&2
        exit 1
    }
}

start clear
clear=$origin
start tls --tls --certificate "$out/authority.pem"
"$here/curl.sh" "$clear" "$origin" "$out/authority.pem"
for name in clear tls; do
    answered "$name" JSON 2
    answered "$name" plaintext 2
    answered "$name" v1 2
done
echo 'curl: 12 messages over HTTP/1.1 and HTTP/2, in clear and under TLS'
[ -n "$folder" ] || exit 0

"$folder/venv/bin/python" "$here/firebase.py" prepare "$out"
start firebase-clear --script "$out/script.json"
clear=$origin
start firebase-tls --script "$out/script.json" --tls --certificate "$out/firebase.pem"
# For requests, and for httpx.
REQUESTS_CA_BUNDLE=$out/firebase.pem SSL_CERT_FILE=$out/firebase.pem \
    "$folder/venv/bin/python" -W ignore::DeprecationWarning "$here/firebase.py" send "$out" "$clear" "$origin"

start node-clear --script "$here/node_gcm.json"
clear=$origin
start node-tls --script "$here/node_gcm.json" --tls --certificate "$out/node.pem"
NODE_PATH=$folder/node_modules NODE_EXTRA_CA_CERTS=$out/node.pem node "$here/node_gcm.js" "$clear" "$origin"
