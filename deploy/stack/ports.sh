# Which loopback ports a stack has. They are written down when chosen, because a server that is
# stopped and started again (a drill, a fault test) must be found where it was.
# shellcheck shell=bash disable=SC2154 # run, port_base: settings.sh

declare -A port=()
port_names=(postgres nats nats_monitor redis)

ports_recorded() {
  local name number
  [[ -e $run/ports ]] || return 1
  while read -r name number; do port[$name]=$number; done <"$run/ports"
}

ports_record() {
  local name
  mkdir -p "$run"
  for name in "${port_names[@]}"; do printf '%s %s\n' "$name" "${port[$name]}"; done >"$run/ports.new"
  mv "$run/ports.new" "$run/ports"
}

# The ports this invocation asks for.
ports_wanted() {
  local i
  if [[ $port_base != auto ]]; then
    for i in "${!port_names[@]}"; do port[${port_names[i]}]=$((10#$port_base + 20 + i)); done
  elif ! ports_recorded; then
    for i in "${port_names[@]}"; do port_draw "$i"; done
  fi
}

# Below the range from which the kernel gives out ephemeral ports, or a client's connection could
# sit on the port by the time the server binds it.
port_draw() {
  local number
  while :; do
    number=$((10000 + (RANDOM * 32768 + RANDOM) % 22000))
    [[ " ${port[*]} " == *" $number "* ]] || port_answers "$number" || break
  done
  port[$1]=$number
}

port_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# http_status PORT PATH: the code of a GET, with what every bash has (curl may be missing).
http_status() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit
    printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' "$2" >&3
    read -t 5 -r _ code _ <&3 && printf '%s\n' "$code"
  ) 2>/dev/null
}

# A stranger on a port is told apart from a server that fails for reasons of its own.
port_free() {
  local name
  for name in "${port_names[@]}"; do
    [[ $name == "$1"* ]] && port_answers "${port[$name]}" || continue
    ports_redraw "$1" || port_taken "$1"
    port_free "$1"
    return
  done
}

ports_redraw() {
  local name
  [[ $port_base == auto ]] || return 1
  for name in "${port_names[@]}"; do
    [[ $name != "$1"* ]] || port_draw "$name"
  done
  ports_record
}

port_taken() {
  local name numbers=()
  for name in "${port_names[@]}"; do [[ $name != "$1"* ]] || numbers+=("${port[$name]}"); done
  die "port ${numbers[*]} on 127.0.0.1, for $1, is used by another program. \
Move everything with MILLRACE_PORT_BASE (now $port_base), for example MILLRACE_PORT_BASE=18080."
}
