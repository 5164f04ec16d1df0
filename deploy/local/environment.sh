# .millrace/env: KEY=value lines that a shell can source, for people, scripts and the command line tool.
# shellcheck shell=bash

env_file=$state/env

# environment_put KEY VALUE: in place of an older value.
environment_put() {
  (
    umask 077
    touch "$env_file"
    {
      grep -v "^$1=" "$env_file" || true
      printf '%s=%q\n' "$1" "$2"
    } >"$env_file.new"
  )
  mv "$env_file.new" "$env_file"
}

# Where the servers and the gateway are. The keys and the password are put there by `millrace admin bootstrap`.
environment_servers() {
  local variable value
  environment_put MILLRACE_URL "$(public_url)"
  while IFS='=' read -r variable value; do environment_put "$variable" "$value"; done < <("$stack_home/stack" env)
}

welcome() (
  # shellcheck source=/dev/null
  . "$env_file"
  cat <<TEXT

Millrace is ready.

  API               $MILLRACE_URL
  sign in           ${MILLRACE_ADMIN_EMAIL-}   ${MILLRACE_ADMIN_PASSWORD-}
  project           ${MILLRACE_PROJECT_ID-}
    ingest key      ${MILLRACE_INGEST_KEY-}
    read key        ${MILLRACE_READ_KEY-}
  demo project      ${MILLRACE_DEMO_PROJECT_ID-}
    read key        ${MILLRACE_DEMO_READ_KEY-}

All of it is in ${env_file#"$PWD/"}, logs are in ${logs#"$PWD/"}. \`make down\` stops everything and keeps the data.

TEXT
)
