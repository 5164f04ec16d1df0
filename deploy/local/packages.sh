# What the host itself has to have.
# shellcheck shell=bash

# install_package NAME WHY: as root on Debian and its like; otherwise says what to do.
install_package() {
  if [[ $EUID == 0 ]] && command -v apt-get >/dev/null; then
    say "Installing $1 with apt: $2 …"
    mkdir -p "$logs"
    { apt-get update -q && apt-get install -q -y --no-install-recommends "$1"; } >"$logs/apt.log" 2>&1 ||
      die "apt-get install $1 failed: $(tail -n 3 "$logs/apt.log")"
  else
    die "missing: $2. On Debian: sudo apt-get install $1"
  fi
}
