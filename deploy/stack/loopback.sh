# Asking servers on this machine, with what every bash has; curl may be missing.
# shellcheck shell=bash

port_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# port_taken WHO PORT
port_taken() {
  die "port $2 on 127.0.0.1, for $1, is used by another program. \
Move everything with MILLRACE_PORT_BASE (now $port_base), for example MILLRACE_PORT_BASE=18080."
}

# http_get PORT PATH: the status code on a line, then the head and the body.
http_get() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit
    printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' "$2" >&3
    read -t 10 -r _ code _ <&3 && printf '%s\n' "$code" && timeout 10 cat <&3
  ) 2>/dev/null
}

http_ok() { [[ $(http_get "$1" "$2" | head -n 1) == 200 ]]; }
