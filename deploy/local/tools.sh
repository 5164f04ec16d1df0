# What it takes to have binaries: a Rust toolchain, a C compiler, a build.
# shellcheck shell=bash

# MILLRACE_BIN names a folder of binaries built elsewhere.
binaries=${MILLRACE_BIN:-${CARGO_TARGET_DIR:-$clone/target}/release}

tools_ready() {
  [[ -z ${MILLRACE_BIN-} ]] || return 0
  command -v cargo >/dev/null || PATH=$PATH:$HOME/.cargo/bin
  command -v cargo >/dev/null ||
    die "cargo is missing. Install Rust with rustup, open a new shell, and try again."
  command -v cc >/dev/null || install_package build-essential "a C compiler, which some dependencies are built with"
}

binaries_ready() {
  local package packages=()
  [[ -z ${MILLRACE_BIN-} ]] || return 0
  for package in cli "${services[@]}"; do packages+=(--package "millrace-$package"); done
  say "Building (the first time takes several minutes) …"
  interruptible cargo build --manifest-path "$clone/Cargo.toml" --release --locked --bins "${packages[@]}"
}

# cli ARGUMENT…: the command `millrace`, knowing what .millrace/env says.
cli() { interruptible cli_exec "$@" || die "millrace $1 failed"; }

cli_exec() {
  set -a
  # shellcheck source=/dev/null
  . "$env_file"
  MILLRACE_MASTER_KEY=$(secret MILLRACE_MASTER_KEY) && export MILLRACE_MASTER_KEY
  ANALYTICS_SQL_DATABASE_URL=$(sql_database_url) && export ANALYTICS_SQL_DATABASE_URL
  # A certificate that was made for this machine is nobody else's to vouch for.
  if gateway_has_tls; then
    cat /etc/ssl/certs/ca-certificates.crt "$MILLRACE_TLS_CERT" >"$state/trusted.pem" && export SSL_CERT_FILE=$state/trusted.pem
  fi
  exec "$binaries/millrace" "$@"
}
