# Redis: a memory of recent event ids, rate limits and cached answers. Nothing here is the truth, so
# nothing is written to disk; and nothing is evicted, because a forgotten id would have to be found
# again by the database: when the memory is full, writes fail and the services go on without it.
# shellcheck shell=bash

redis_url() { printf 'redis://127.0.0.1:%s\n' "${port[redis]}"; }

redis_prepare() {
  mkdir -p "$data/redis"
  [[ $EUID != 0 ]] || chown "$owner" "$data/redis"
}

redis_command() {
  enter /usr/bin/redis-server --bind 127.0.0.1 --port "${port[redis]}" --dir "$seen/redis" \
    --save '' --appendonly no --maxmemory 256mb --maxmemory-policy noeviction
}

redis_answers() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/${port[redis]}" || exit
    printf 'PING\r\n' >&3
    read -t 5 -r answer <&3 && [[ $answer == +PONG* ]]
  ) 2>/dev/null
}

redis_after_start() { :; }

redis_stop() { process_stop redis TERM 10; }
