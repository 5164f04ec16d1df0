# Which loopback ports a stack has. They are written down when chosen, because a server that is
# stopped and started again (a drill, a fault test) must be found where it was.
# shellcheck shell=bash

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

# A stranger on a port is told apart from a server that fails for reasons of its own.
ports_free() {
  local name
  for name in "${port_names[@]}"; do
    [[ $name == "$1"* ]] || continue
    while port_answers "${port[$name]}"; do
      ports_redraw "$1" || port_taken "$1" "${port[$name]}"
    done
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
