# NATS with JetStream: the log of events.
# shellcheck shell=bash

nats_url() { printf 'nats://127.0.0.1:%s\n' "${port[nats]}"; }

nats_prepare() {
  mkdir -p "$data/nats"
  [[ $EUID != 0 ]] || chown "$owner" "$data/nats"
  cp "$stack_home/../nats.conf" "$data/"
  [[ -z $testing ]] || nats_test_accounts >>"$data/nats.conf"
}

# Subjects and streams have fixed names, so tests that run side by side each get an account: `t00:t00@` to `t31:t31@`.
nats_test_accounts() {
  local slot
  printf '\nno_auth_user: main\naccounts {\n  MAIN { jetstream: enabled, users: [{ user: main, password: main }] }\n'
  for slot in {00..31}; do
    printf '  T%s { jetstream: enabled, users: [{ user: t%s, password: t%s }] }\n' "$slot" "$slot" "$slot"
  done
  printf '}\n'
}

nats_command() {
  local binary=/usr/sbin/nats-server
  [[ -e ${root%/}$binary ]] || binary=$(command -v nats-server)
  # Tests make a stream each, and the streams' limits add up though their bytes do not.
  export MILLRACE_NATS_MAX_FILE_STORE=${MILLRACE_NATS_MAX_FILE_STORE:-${testing:+1TB}}
  : "${MILLRACE_NATS_MAX_FILE_STORE:=20GB}"
  enter "$binary" --config "$seen/nats.conf" --addr 127.0.0.1 --port "${port[nats]}" \
    --http_port "${port[nats_monitor]}" --store_dir "$seen/nats"
}

# JetStream itself, not only the socket.
nats_answers() { http_ok "${port[nats_monitor]}" '/healthz?js-enabled-only=true'; }

nats_after_start() { :; }

nats_stop() { process_stop nats INT 30; }
