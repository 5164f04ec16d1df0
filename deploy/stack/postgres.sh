# PostgreSQL with TimescaleDB: one database `millrace`, owned by the role `millrace`, which may create others, and logins.
# shellcheck shell=bash

postgres_bin=/usr/lib/postgresql/17/bin
postgres_url() { printf 'postgres://millrace:%s@127.0.0.1:%s/millrace\n' "$(secret POSTGRES_PASSWORD)" "${port[postgres]}"; }

postgres_prepare() {
  cp "$stack_home/postgresql.conf" "$data/"
  [[ ! -e $data/postgres ]] || return 0
  # Made beside and renamed: an interrupted initdb leaves nothing that looks like a cluster.
  rm -rf "$data/postgres.new"
  (umask 077 && secret POSTGRES_SUPERUSER_PASSWORD >"$data/password")
  [[ $EUID != 0 ]] || chown "$owner" "$data/password"
  enter "$postgres_bin/initdb" --pgdata="$seen/postgres.new" --username=postgres --pwfile="$seen/password" \
    --auth=scram-sha-256 --encoding=UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C \
    --data-checksums --no-instructions --set scram_iterations=1
  "${command_line[@]}" >"$logs/initdb.log" 2>&1 || die "initdb failed: $(tail -n 5 "$logs/initdb.log")"
  rm "$data/password"
  mv "$data/postgres.new" "$data/postgres"
}

# What the machine has, or the container where that is allowed less: /proc/meminfo tells of the machine alone, and a server
# that takes more than its container may is killed.
memory_mib() {
  local memory limit file
  memory=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
  for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
    [[ -r $file ]] || continue
    read -r limit <"$file" || continue
    # `max` is no limit.
    if [[ $limit =~ ^[0-9]{1,18}$ ]] && ((limit / 1048576 < memory)); then
      memory=$((limit / 1048576))
    fi
  done
  printf '%s\n' "$memory"
}

postgres_command() {
  local memory buffers
  memory=$(memory_mib)
  buffers=$((memory / 4 > 8192 ? 8192 : memory / 4))
  # In tests, TimescaleDB's workers would keep databases from being dropped; and a connection that was cut while it
  # signed in would keep everybody from dropping any, for the minute that it may take.
  enter "$postgres_bin/postgres" -D "$seen/postgres" -c config_file="$seen/postgresql.conf" \
    -c listen_addresses=127.0.0.1 -c port="${port[postgres]}" \
    -c shared_buffers="${buffers}MB" -c effective_cache_size="$((memory / 2))MB" \
    ${testing:+-c timescaledb.max_background_workers=0 -c authentication_timeout=5s} \
    ${MILLRACE_STACK_FSYNC:+-c fsync="$MILLRACE_STACK_FSYNC"}
  postgres_forget_stale_lock
}

# PostgreSQL refuses to start when the process named in its lock file exists, which after a crash may be
# another of our servers, or a zombie. The lock is stale when nobody is attached to the shared memory it
# names either: that is PostgreSQL's own guard against starting beside backends whose parent was killed,
# and those take a moment to notice.
postgres_forget_stale_lock() {
  local lock=$data/postgres/postmaster.pid deadline=$((SECONDS + 10)) line
  [[ -e $lock ]] || return 0
  mapfile -t line <"$lock"
  while shared_memory_attached "${line[6]-}"; do
    ((SECONDS < deadline)) || return 0
    sleep 0.1
  done
  rm -f "$lock"
}

# shared_memory_attached "KEY ID"
shared_memory_attached() {
  awk -v wanted="$1" '
    BEGIN { split(wanted, part, " ") }
    $1 == part[1] && $2 == part[2] && $7 > 0 { found = 1 }
    END { exit !found }' /proc/sysvipc/shm
}

postgres_answers() { psql postgres -c 'SELECT 1' 2>/dev/null; }

# Every statement may be run again: it is, after every start.
postgres_after_start() {
  psql postgres -v ON_ERROR_STOP=1 -v password="$(secret POSTGRES_PASSWORD)" <<'SQL' &&
SELECT 'CREATE ROLE millrace LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'millrace') \gexec
ALTER ROLE millrace CREATEDB CREATEROLE PASSWORD :'password';
SELECT 'CREATE DATABASE millrace OWNER millrace' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'millrace') \gexec
\connect millrace
CREATE EXTENSION IF NOT EXISTS timescaledb;
SQL
    # A newer root may bring a newer extension; this has to come first in its session.
    psql millrace -v ON_ERROR_STOP=1 -c 'ALTER EXTENSION timescaledb UPDATE'
}

# psql DATABASE OPTION…: as the superuser, inside.
psql() {
  local database=$1
  shift
  enter "$postgres_bin/psql" -X -q -w -h 127.0.0.1 -p "${port[postgres]}" -U postgres -d "$database" "$@"
  PGPASSWORD=$(secret POSTGRES_SUPERUSER_PASSWORD) PGCONNECT_TIMEOUT=5 PGOPTIONS='--client-min-messages=warning' \
    "${command_line[@]}" >/dev/null
}

postgres_stop() { process_stop postgres INT 60; } # "fast": roll back, flush, leave
