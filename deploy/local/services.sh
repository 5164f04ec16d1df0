# The five services: where each listens, what it is told, and how it is known to be ready.
# shellcheck shell=bash

# In the order of their ports. Stopped from the front door inwards, so that what is in flight is finished.
services=(gateway auth ingest worker analytics)
stop_order=(gateway ingest analytics worker auth)

# With TLS the gateway tells its health, and sends everybody else to TLS, on a port beside the services'.
gateway_has_tls() { [[ -n ${MILLRACE_TLS_CERT-} ]]; }
plain_port() { printf '%s\n' $((10#$port_base + ${#services[@]})); }
# What people have in their browsers.
public_url() {
  local scheme=http host=127.0.0.1
  ! gateway_has_tls || scheme=https host=localhost
  printf '%s\n' "${MILLRACE_PUBLIC_URL:-$scheme://$host:$port_base}"
}

# Where a service tells its health.
health_port() {
  if [[ $1 == gateway ]] && gateway_has_tls; then plain_port; else service_port "$1"; fi
}

service_port() {
  local i
  for i in "${!services[@]}"; do [[ ${services[i]} != "$1" ]] || printf '%s\n' $((10#$port_base + i)); done
}

# Where a service listens for the gateway, if it does: half the work of a connection over the network. Its name must be
# shorter than what a socket's address holds.
service_socket() {
  local socket
  socket=$run/$1.sock
  case $1 in auth | ingest | analytics) ((${#socket} > 100)) || printf '%s\n' "$socket" ;; esac
}

# Exports what a service is told; for a subshell. None gets a secret it has no use for, neither from the
# shell that calls us, which may have read .millrace/env.
service_environment() {
  local variable value service socket
  unset MILLRACE_URL MILLRACE_PROJECT_ID MILLRACE_INGEST_KEY MILLRACE_READ_KEY "${!MILLRACE_ADMIN_@}" "${!MILLRACE_DEMO_@}"
  while IFS='=' read -r variable value; do export "$variable=$value"; done < <("$stack_home/stack" env)
  for service in "${services[@]:1}"; do
    socket=$(service_socket "$service")
    export "MILLRACE_${service^^}_URL=${socket:+unix:}${socket:-http://127.0.0.1:$(service_port "$service")}"
  done
  MILLRACE_SOCKET=$(service_socket "$1")
  export MILLRACE_SOCKET
  MILLRACE_BIND=127.0.0.1:$(service_port "$1")
  export MILLRACE_BIND MILLRACE_LOG="${MILLRACE_LOG:-info}"
  [[ $1 == auth ]] || unset MILLRACE_OIDC_CLIENT_SECRET
  case $1 in
  auth)
    export "MILLRACE_MASTER_KEY=$(secret MILLRACE_MASTER_KEY)"
    # The gateway, on this machine, and whoever is in front of it.
    export "MILLRACE_TRUSTED_PROXIES=127.0.0.1,::1${MILLRACE_TRUSTED_PROXIES:+,$MILLRACE_TRUSTED_PROXIES}"
    # Where links in mails lead, and whether session cookies are for TLS alone: the gateway must think the same.
    export "MILLRACE_PUBLIC_URL=$(public_url)"
    ;;
  analytics)
    # Memory that one thread has freed is there for the others: what questions use stays near what they were granted.
    export "MALLOC_ARENA_MAX=${MALLOC_ARENA_MAX:-2}"
    export "ANALYTICS_SQL_DATABASE_URL=$(sql_database_url)" "MILLRACE_WEBHOOK_KEY=$(secret MILLRACE_WEBHOOK_KEY)"
    [[ -z ${MILLRACE_SMTP_URL:-} ]] || export "MILLRACE_ALERT_MAILS=${MILLRACE_ALERT_MAILS:-true}"
    export "MILLRACE_TRUSTED_PROXIES=127.0.0.1,::1${MILLRACE_TRUSTED_PROXIES:+,$MILLRACE_TRUSTED_PROXIES}"
    ;;
  ingest)
    unset DATABASE_URL
    export "MILLRACE_TRUSTED_PROXIES=127.0.0.1,::1${MILLRACE_TRUSTED_PROXIES:+,$MILLRACE_TRUSTED_PROXIES}"
    ;;
  gateway) unset DATABASE_URL ;;
  esac
  [[ $1 == analytics ]] || unset ANALYTICS_SQL_DATABASE_URL MILLRACE_WEBHOOK_KEY
  if [[ $1 == gateway ]] && gateway_has_tls; then
    export "MILLRACE_PUBLIC_URL=$(public_url)" "MILLRACE_PLAIN_BIND=127.0.0.1:$(plain_port)"
  else
    unset "${!MILLRACE_TLS_@}" MILLRACE_PLAIN_BIND
  fi
  case $1 in
  # Where jobs read and write files: the same place for both.
  auth | worker) export "MILLRACE_EXPORTS=${MILLRACE_EXPORTS:-$state/exports}" ;;
  esac
  [[ $1 == auth ]] || unset "${!MILLRACE_SMTP_@}"
}

# The login that asks what projects ask in SQL. Of servers that are not ours, whoever runs them names it, or nobody.
sql_database_url() {
  if [[ -z ${ANALYTICS_SQL_DATABASE_URL-} && $DATABASE_URL == "postgres://millrace:$(secret POSTGRES_PASSWORD)@"* ]]; then
    printf 'postgres://millrace_sql:%s@%s\n' "$(secret SQL_PASSWORD)" "${DATABASE_URL#*@}"
  else
    printf '%s\n' "${ANALYTICS_SQL_DATABASE_URL-}"
  fi
}

# Another binary or another environment means another stamp, and a restart.
service_stamp() {
  stat -L -c '%i %s %Y' "$binaries/millrace-$1"
  env | grep -E '^(MILLRACE_|[A-Z_]*DATABASE_URL|NATS_|REDIS_|OTEL_|RUST_)' | sort | sha256sum
}

service_start() (
  [[ -x $binaries/millrace-$1 ]] || die "$binaries/millrace-$1 does not exist"
  service_environment "$1"
  stamp=$(service_stamp "$1")
  if process_alive "$1"; then
    [[ $stamp != "$(cat "$run/$1.stamp" 2>/dev/null)" ]] || return 0
    say "$1 has changed: restarting it"
    service_stop "$1"
  fi
  ! port_answers "$(service_port "$1")" || port_taken "$1" "$(service_port "$1")"
  process_start "$1" "$binaries/millrace-$1"
  printf '%s\n' "$stamp" >"$run/$1.stamp"
)

service_ready() { process_alive "$1" && http_ok "$(health_port "$1")" /health/ready; }

# Longer than the services give themselves to finish what is in flight.
service_stop() { ! process_recorded "$1" || process_stop "$1" TERM 40; }

services_up() {
  local service
  for service in "${services[@]}"; do service_start "$service"; done
  for service in "${services[@]}"; do
    until_true "$start_deadline" "$service" service_ready "$service" || service_failed "$service"
    say "$service: 127.0.0.1:$(service_port "$service")"
  done
}

service_failed() {
  say "error: $1 is not ready; the end of $logs/$1.log:"
  tail -n 20 "$logs/$1.log" >&2
  if process_alive "$1"; then
    say "$1 says of itself:"
    http_get "$(health_port "$1")" /health/ready | sed '1,/^\r*$/d' >&2
    say ""
  fi
  exit 1
}

services_stop() {
  local service
  for service in "${stop_order[@]}"; do service_stop "$service"; done
}

millrace_status() {
  local service address word code=0
  for service in "${services[@]}"; do
    address=127.0.0.1:$(service_port "$service")
    if service_ready "$service"; then
      word="ready    pid $(<"$run/$service.pid")  $address"
    elif process_alive "$service"; then
      word="not ready  pid $(<"$run/$service.pid")  $address/health/ready" code=1
    elif process_recorded "$service"; then
      word="died (see $logs/$service.log)" code=1
    else
      word=stopped code=1
    fi
    printf '%-9s %s\n' "$service" "$word"
  done
  "$stack_home/stack" status || code=1
  return "$code"
}
