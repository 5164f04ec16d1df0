# What can be done to the servers of a stack, whichever they are. Each has, in a file of its name,
# _url, _prepare, _command, _answers, _after_start and _stop.
# shellcheck shell=bash

declare -A url_variable=([postgres]=DATABASE_URL [nats]=NATS_URL [redis]=REDIS_URL)

# A server that the environment names is used as it is, unless it is our own, as in a shell that has
# read .millrace/env (whose password may be that of before a reset).
external() {
  local given=${!url_variable[$1]-} own
  own=$("$1_url")
  [[ -n $given && ${given##*@} != "${own##*@}" ]]
}

stack_up() {
  local server
  ports_settle
  # What was started is stopped again if the rest does not come up.
  started=()
  trap 'servers_stop "${started[@]}"' EXIT
  for server in "${servers[@]}"; do
    if external "$server"; then
      say "$server: ${url_variable[$server]} is set, using that one"
    elif process_alive "$server"; then
      until_true "$start_deadline" "$server" "${server}_answers" || die "$server runs but does not answer: $logs/$server.log"
    else
      started+=("$server")
      server_start "$server"
    fi
  done
  trap - EXIT
}

# Servers that run elsewhere than this invocation wants them are moved.
ports_settle() {
  local before
  before=$(cat "$run/ports" 2>/dev/null) || true
  ports_wanted
  ports_record
  [[ $before == "$(<"$run/ports")" ]] || servers_stop "${servers[@]}"
}

server_start() {
  local attempt
  place
  mkdir -p "$run" "$logs"
  "$1_prepare"
  for attempt in {1..10}; do
    ports_free "$1"
    "$1_command"
    process_start "$1" "${command_line[@]}"
    if until_true "$start_deadline" "$1" "$1_answers" && "$1_after_start"; then
      say "$1: 127.0.0.1:${port[$1]}"
      return
    fi
    start_failed "$1" "$attempt"
  done
  die "$1 did not start"
}

# Returns if another attempt can help.
start_failed() {
  local log=$logs/$1.log
  if grep -qi 'address already in use' "$log"; then
    # Lost a race for the port. Those of `auto` are drawn again.
    server_stop "$1"
    ports_redraw "$1" || port_taken "$1" "${port[$1]}"
  elif grep -qE 'pre-existing shared memory block|lock file .* already exists' "$log"; then
    # Backends of a killed PostgreSQL that are in the middle of something.
    server_stop "$1"
    sleep 0.5
  else
    server_stop "$1"
    say "error: $1 did not start; the end of $log:"
    tail -n 20 "$log" >&2
    exit 1
  fi
}

server_stop() { ! process_recorded "$1" || "$1_stop"; }

servers_stop() {
  local server
  for server in "$@"; do server_stop "$server"; done
}

stack_down() {
  # The database last: it has the most to write.
  servers_stop redis nats postgres
  [[ $port_base != auto ]] || rm -f "$run/ports"
}

# The port of the last start.
stack_start() {
  ports_recorded || ports_settle
  process_alive "$1" || server_start "$1"
}

stack_stop() { server_stop "$1"; }

stack_status() {
  local server word code=0
  ports_recorded || ports_wanted
  for server in "${servers[@]}"; do
    if external "$server"; then
      word="named by ${url_variable[$server]}"
    elif process_alive "$server"; then
      word="running  pid $(<"$run/$server.pid")  127.0.0.1:${port[$server]}"
      "${server}_answers" || { word+="  does not answer" && code=1; }
    else
      word=stopped code=1
      process_recorded "$server" && word="died (see $logs/$server.log)"
    fi
    printf '%-9s %s\n' "$server" "$word"
  done
  return "$code"
}

stack_env() {
  local server variable
  ports_recorded || ports_wanted
  for server in "${servers[@]}"; do
    variable=${url_variable[$server]}
    if external "$server"; then
      printf '%s=%s\n' "$variable" "${!variable}"
    else
      printf '%s=%s\n' "$variable" "$("${server}_url")"
    fi
  done
}

stack_reset() {
  stack_down
  rm -rf "$(realpath --canonicalize-missing "$data")" "$data" "$run/ports"
  for server in "${servers[@]}"; do rm -f "$logs/$server".log{,.old}; done
  rm -f "$logs/initdb.log"
  secret_forget POSTGRES_PASSWORD
  secret_forget POSTGRES_SUPERUSER_PASSWORD
}
