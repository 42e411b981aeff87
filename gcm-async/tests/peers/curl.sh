#!/usr/bin/env bash
# Sends a message of each wire with curl over each protocol.
#
# usage: curl.sh CLEAR TLS AUTHORITY
#
# CLEAR and TLS are the emulator's address in clear and under TLS, AUTHORITY the PEM file of whom to trust.

set -euo pipefail
clear=$1
tls=$2
authority=$3

# send VERSION PATTERN OPTIONS...: the reply matches the pattern, and came over this version of HTTP.
send() {
    local version=$1 pattern=$2 reply
    shift 2
    reply=$(curl --silent --show-error --max-time 30 --cacert "$authority" --write-out ' %{http_version} %{response_code}' "$@")
    case $reply in
    *" $version 200") ;;
    *) echo "error: curl $*: $reply" >&2 && exit 1 ;;
    esac
    grep -q "$pattern" <<<"$reply" || {
        echo "error: curl $*: $reply" >&2
        exit 1
    }
}

# wires ORIGIN VERSION OPTION: a message of each wire.
wires() {
    local origin=$1 version=$2 option=$3
    send "$version" '"success":2' "$option" --header 'Authorization: key=curl' --header 'Content-Type: application/json' \
        --data '{"registration_ids":["4","8"],"data":{"score":"4x8"}}' "$origin/gcm/send"
    send "$version" '^id=' "$option" --header 'Authorization: key=curl' \
        --data registration_id=4 --data-urlencode 'data.score=4x8 & more' "$origin/gcm/send"
    send "$version" '"name": "projects/demo/messages/' "$option" --header 'Authorization: Bearer curl' \
        --header 'Content-Type: application/json' --data '{"message":{"token":"4","data":{"score":"4x8"}}}' \
        "$origin/v1/projects/demo/messages:send"
}

wires "$clear" 1.1 --http1.1
wires "$clear" 2 --http2-prior-knowledge
wires "$tls" 1.1 --http1.1
wires "$tls" 2 --http2
