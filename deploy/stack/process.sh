# Processes we start, and only those. A pid alone is no proof: it may have been given to
# somebody else since, so the start time is kept beside it and compared before any signal.
# shellcheck shell=bash

exit_on_signals() {
  trap 'exit 130' INT
  trap 'exit 143' TERM
  trap 'exit 129' HUP
}

# "<boot> <start time>" of a living process. Zombies are dead.
process_birth() {
  local stat boot
  { read -r stat <"/proc/$1/stat" && read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null || return 1
  # The command name, in parentheses, may itself hold blanks and parentheses.
  read -ra stat <<<"${stat##*) }"
  [[ ${stat[0]} != [ZX] ]] && printf '%s %s\n' "$boot" "${stat[19]}"
}

process_alive() {
  local pid birth
  { read -r pid <"$run/$1.pid" && read -r birth <"$run/$1.birth"; } 2>/dev/null || return 1
  [[ $(process_birth "$pid") == "$birth" ]]
}

process_recorded() { [[ -e $run/$1.pid ]]; }

process_forget() { rm -f "$run/$1".{pid,birth}; }

# process_start NAME COMMAND…: in a session of its own, so that it outlives the terminal.
process_start() {
  local name=$1 late=''
  shift
  mkdir -p "$run" "$logs"
  [[ ! -e $logs/$name.log ]] || mv -f "$logs/$name.log" "$logs/$name.log.old"
  # A signal between the fork and the pid file would leave a process nobody knows.
  trap 'late=130' INT
  trap 'late=143' TERM
  trap 'late=129' HUP
  setsid -- "$@" </dev/null >"$logs/$name.log" 2>&1 9>&- &
  printf '%s\n' "$!" >"$run/$name.pid"
  process_birth "$!" >"$run/$name.birth" || true
  disown "$!"
  exit_on_signals
  [[ -z $late ]] || exit "$late"
}

process_signal() { process_alive "$1" && kill -s "$2" "$(<"$run/$1.pid")" 2>/dev/null; }

# process_stop NAME SIGNAL SECONDS: ask, wait, and only then SIGKILL.
process_stop() {
  local name=$1 signal=$2 deadline=$((SECONDS + $3))
  process_signal "$name" "$signal" || true
  while process_alive "$name" && ((SECONDS < deadline)); do sleep 0.05; done
  if process_alive "$name"; then
    say "$name did not stop within $3 s of SIG$signal: SIGKILL"
    process_kill "$name"
  fi
  process_forget "$name"
}

process_kill() {
  process_signal "$1" KILL || true
  while process_alive "$1"; do sleep 0.02; done
}

# until_true SECONDS WHAT COMMAND…: polls, and gives up early when process WHAT is gone.
until_true() {
  local deadline=$((SECONDS + $1)) name=$2
  shift 2
  until "$@"; do
    process_alive "$name" && ((SECONDS < deadline)) || return 1
    sleep 0.05
  done
}

# interruptible COMMAND…: bash puts off a trap until the command in the foreground ends, which a build may
# take minutes to do. So the command gets a process group of its own, which a signal to us reaches whole.
interruptible() {
  local code=0
  set -m
  "$@" </dev/null 9>&- &
  interrupted=$!
  set +m
  trap 'interrupt 130' INT
  trap 'interrupt 143' TERM
  trap 'interrupt 129' HUP
  wait "$interrupted" || code=$?
  exit_on_signals
  return "$code"
}

interrupt() {
  kill -s INT -- "-$interrupted" 2>/dev/null || true
  wait "$interrupted" || true
  exit "$1"
}
