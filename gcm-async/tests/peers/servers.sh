#!/usr/bin/env bash
# Sends through real servers, each with the emulator behind it: nginx, haproxy, nghttpx, Node, and through squid and tinyproxy.
# Every message is accepted once, or reported as perhaps sent.
#
#   servers.sh BEHIND BLOCKING FOLDER
#
# BEHIND is gcm-async's example of that name, BLOCKING gcm-blocking's; FOLDER is for configurations, certificates and logs. The
# servers listen on loopback, from port 18000 on, and are ended with this script.

set -euo pipefail

behind=$1
blocking=$2
out=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
service=127.0.0.1:18001
started=()
trap 'for server in "${started[@]}"; do kill "$server" 2>/dev/null || true; done' EXIT

# start NAME COMMAND...: in the background, with its output in a file.
start() {
    local name=$1
    shift
    "$@" >"$out/$name.log" 2>&1 &
    started+=($!)
}

# through NAME OPTIONS...: sends, and says how it went.
through() {
    local name=$1 program=$behind
    shift
    if [ "$1" = --blocking ]; then
        program=$blocking
        shift
    fi
    printf '%s: ' "$name"
    timeout 300 "$program" --service "$service" "$@" || { echo "$name: FAILED"; exit 1; }
}

certificates() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout "$out/ca.key" -out "$out/ca.pem" \
        -addext basicConstraints=critical,CA:TRUE 2>/dev/null
    openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$out/host.key" -out "$out/host.csr" 2>/dev/null
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >"$out/names"
    openssl x509 -req -in "$out/host.csr" -CA "$out/ca.pem" -CAkey "$out/ca.key" -CAcreateserial -days 2 \
        -extfile "$out/names" -out "$out/host.pem" 2>/dev/null
    cat "$out/host.pem" "$out/host.key" >"$out/both.pem"
}

nginx_configuration() {
    local to='proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection "";'
    cat <<END
daemon off; pid $out/nginx.pid; error_log $out/nginx.err warn; worker_processes 1;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path $out/n1; proxy_temp_path $out/n2; fastcgi_temp_path $out/n3;
  uwsgi_temp_path $out/n4; scgi_temp_path $out/n5;
  upstream service { server $service; keepalive 64; }
  server { listen 127.0.0.1:18010 http2; keepalive_requests 10; location / { $to } }
  server { listen 127.0.0.1:18011 http2; keepalive_requests 1000; http2_max_concurrent_streams 1; location / { $to } }
  server { listen 127.0.0.1:18012 http2; http2_max_concurrent_streams 8; location / { $to } }
  server { listen 127.0.0.1:18013; keepalive_requests 10; location / { $to } }
}
END
}

haproxy_configuration() {
    cat <<END
global
  maxconn 1000
defaults
  timeout connect 2s
  timeout client 30s
  timeout server 30s
frontend tcp
  mode tcp
  bind 127.0.0.1:18020
  default_backend both
backend both
  mode tcp
  balance roundrobin
  server good $service
  server bad 127.0.0.1:18099
frontend http
  mode http
  bind 127.0.0.1:18021
  option http-server-close
  default_backend one
backend one
  mode http
  server good $service
END
}

certificates
nginx_configuration >"$out/nginx.conf"
start nginx nginx -c "$out/nginx.conf"
through 'nginx, keepalive_requests 10' --front http://127.0.0.1:18010 --http2
through 'nginx, keepalive_requests 10, singles' --front http://127.0.0.1:18010 --http2 --singles --messages 5000
through 'nginx, 1 stream' --front http://127.0.0.1:18011 --http2
through 'nginx, 8 streams' --front http://127.0.0.1:18012 --http2
through 'nginx, HTTP/1.1' --front http://127.0.0.1:18013
through 'nginx, HTTP/1.1, blocking' --blocking --front http://127.0.0.1:18013
(for _ in 1 2 3; do sleep 0.7; nginx -c "$out/nginx.conf" -s reload 2>/dev/null; done) &
through 'nginx, reload' --front http://127.0.0.1:18012 --http2 --singles --pause 40 --messages 6000
wait $!

haproxy_configuration >"$out/haproxy.cfg"
start haproxy haproxy -f "$out/haproxy.cfg"
through 'haproxy, TCP, one of two is bad' --front http://127.0.0.1:18020
through 'haproxy, TCP, one of two is bad, HTTP/2' --front http://127.0.0.1:18020 --http2
through 'haproxy, TCP, one of two is bad, blocking' --blocking --front http://127.0.0.1:18020
through 'haproxy, http-server-close' --front http://127.0.0.1:18021
through 'haproxy, http-server-close, blocking' --blocking --front http://127.0.0.1:18021

start nghttpx nghttpx --conf=/dev/null --workers=1 -f127.0.0.1,18030 "-b127.0.0.1,18001" \
    "$out/host.key" "$out/host.pem"
through 'nghttpx, TLS' --front https://localhost:18030 --roots "$out/ca.pem"
through 'nghttpx, TLS, blocking' --blocking --front https://localhost:18030 --roots "$out/ca.pem"

for code in 0 1 2 11; do
    start "node-$code" node "$here/goaway.js" "$((18040 + code))" 18001 goaway "$code"
    through "Node, goaway with $code" --front "http://127.0.0.1:$((18040 + code))" --http2 --messages 500
done
start node-settings node "$here/goaway.js" 18060 18001 settings
through 'Node, SETTINGS up and down' --front http://127.0.0.1:18060 --http2 --singles --pause 20
start node-window node "$here/goaway.js" 18061 18001 window
through 'Node, no window at first' --front http://127.0.0.1:18061 --http2

printf 'http_port 127.0.0.1:18070\nacl loopback dst 127.0.0.0/8\nhttp_access allow loopback\nhttp_access deny all\n' >"$out/squid.conf"
printf 'shutdown_lifetime 1 second\npid_filename %s/squid.pid\ncache_log %s/squid.cache\naccess_log none\ncache deny all\ncoredump_dir %s\n' \
    "$out" "$out" "$out" >>"$out/squid.conf"
start squid squid -N -f "$out/squid.conf"
printf 'Port 18071\nListen 127.0.0.1\nTimeout 60\nAllow 127.0.0.1\nBasicAuth anna secret\nMaxClients 50\n' >"$out/tinyproxy.conf"
start tinyproxy tinyproxy -d -c "$out/tinyproxy.conf"
for _ in $(seq 50); do
    if (exec 3<>/dev/tcp/127.0.0.1/18070 4<>/dev/tcp/127.0.0.1/18071) 2>/dev/null; then break; fi
    sleep 0.2
done
for proxy in http://127.0.0.1:18070 http://anna:secret@127.0.0.1:18071; do
    name=$([ "$proxy" = http://127.0.0.1:18070 ] && echo squid || echo tinyproxy)
    through "$name" --front https://localhost:18030 --roots "$out/ca.pem" --proxy "$proxy"
    through "$name, blocking" --blocking --front https://localhost:18030 --roots "$out/ca.pem" --proxy "$proxy"
done
printf 'tinyproxy, a wrong password: '
said=$("$behind" --service "$service" --front https://localhost:18030 --proxy http://anna:wrong@127.0.0.1:18071 --messages 1 || true)
echo "$said" | grep -o 'the proxy answered 401 to CONNECT: it wants a user name and a password in its URL' ||
    { echo "$said"; exit 1; }
