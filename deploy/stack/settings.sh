# Where a stack lives and what it may be told. Sourced by every script of the stack.
# shellcheck shell=bash disable=SC2034 # each script reads some of these

stack_home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
clone=$(cd "$stack_home/../.." && pwd)

# One stack per state directory. Everything a stack writes is below it.
state=$(realpath --canonicalize-missing "${MILLRACE_STATE:-$clone/.millrace}")
run=$state/run   # pid files, ports
logs=$state/logs # one file a server; the previous run's beside it as .old
data=$state/data # what the servers keep, bind-mounted into their root

servers=(postgres nats redis)
port_base=${MILLRACE_PORT_BASE:-8080}
# The user the servers run as inside the private root, outside the ranges that Debian hands out.
server_uid=47017
testing=${MILLRACE_STACK_TEST:-}
start_deadline=${MILLRACE_START_DEADLINE:-60} # seconds

say() { printf '%s\n' "$*" >&2; }
die() {
  say "error: $*"
  exit 1
}

[[ $port_base == auto || $port_base =~ ^[0-9]{1,5}$ ]] ||
  die "MILLRACE_PORT_BASE is a port number or 'auto', not '$port_base'"
[[ $port_base == auto ]] || ((10#$port_base > 0 && 10#$port_base <= 65512)) ||
  die "MILLRACE_PORT_BASE must leave room for 23 more ports: 1 to 65512, not $port_base"
