# Random values made on first use and kept in a file that only the owner reads.
# shellcheck shell=bash

# secret NAME: 64 hexadecimal characters.
secret() {
  local file=$state/secrets line
  line=$(grep -s "^$1=" "$file") && {
    printf '%s\n' "${line#*=}"
    return
  }
  mkdir -p "$state"
  line=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
  (
    umask 077
    printf '%s=%s\n' "$1" "$line" >>"$file"
  )
  printf '%s\n' "$line"
}

# Forgets one, as when the data it opened is deleted.
secret_forget() {
  [[ ! -e $state/secrets ]] || sed -i "/^$1=/d" "$state/secrets"
}
