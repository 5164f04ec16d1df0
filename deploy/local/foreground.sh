# What `run` does once everything is ready: shows the logs, and says so when something dies.
# shellcheck shell=bash

follow_logs() {
  local name alive files=() reported=' '
  for name in "${services[@]}"; do files+=("$logs/$name.log"); done
  tail -n 0 -F "${files[@]}" 2>/dev/null &
  follower=$!
  while sleep 1; do
    alive=
    for name in "${services[@]}" "${servers[@]}"; do
      if process_alive "$name"; then
        alive=1
      elif process_recorded "$name" && [[ $reported != *" $name "* ]]; then
        reported+="$name "
        say "error: $name died: $logs/$name.log"
      fi
    done
    [[ -n $alive ]] || die "nothing runs any more"
  done
}

stop_following() { [[ -z ${follower-} ]] || kill "$follower" 2>/dev/null || true; }
