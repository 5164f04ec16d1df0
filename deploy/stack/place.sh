# Where the servers run and how they see their data. Sets:
#   root    the file system they run in: a private Debian (`root`), or / where the host has them
#   inside  how to get there: mount, user, chroot or direct (see `enter`)
#   seen    the path of the data directory as the servers see it
#   owner   the user they run as
# shellcheck shell=bash

place() {
  seen=/mnt
  if host_has_servers; then
    root=/
    owner=$(id -u postgres)
  else
    [[ $EUID == 0 ]] || namespaces_allowed
    root=$("$stack_home/root")
    owner=$server_uid
  fi
  if [[ $EUID == 0 ]] && unshare --mount true 2>/dev/null; then
    inside=mount
  elif [[ $EUID == 0 ]]; then
    # Root without the right to mount, as in most containers: the data moves into the root instead.
    inside=chroot seen=/mnt/$(printf '%s' "$data" | sha256sum | head -c 16)
  elif [[ $root == / ]]; then
    inside=direct seen=$data
  else
    inside=user
  fi
  place_data
}

namespaces_allowed() {
  unshare --map-root-user --mount true 2>/dev/null || die "\
running the servers takes a user namespace, which this user may not create. Either
  - run as root, or allow them (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces,
    kernel.apparmor_restrict_unprivileged_userns), or
  - install Debian 13's postgresql-17-timescaledb, nats-server and redis-server, or
  - name running servers with DATABASE_URL, NATS_URL and REDIS_URL, or use docker compose."
}

host_has_servers() {
  [[ -x /usr/lib/postgresql/17/bin/postgres && -e /usr/lib/postgresql/17/lib/timescaledb.so ]] &&
    command -v nats-server redis-server >/dev/null
}

place_data() {
  mkdir -p "$state"
  if [[ $inside == chroot && ! -e $data ]]; then
    mkdir -p "${root%/}$seen"
    ln -sfn "${root%/}$seen" "$data"
  fi
  mkdir -p "$data"
  chmod 700 "$data/"
  if [[ $EUID == 0 ]]; then
    chown "$owner:$owner" "$data/"
  else
    [[ -O $data ]] || die "$data belongs to another user: run as that user, or delete it"
  fi
}

# Command line that runs "$@" inside, in the very process that is started (no fork: its pid is the server's).
enter() {
  [[ -v inside ]] || place
  case $inside in
  direct) command_line=("$@") ;;
  mount) command_line=(unshare --mount --propagation private -- "$stack_home/enter" mount "$root" "$data" "$owner" "$@") ;;
  user) command_line=(unshare --map-root-user --mount -- "$stack_home/enter" user "$root" "$data" "$owner" "$@") ;;
  chroot) command_line=(chroot --userspec="$owner:$owner" --groups="$owner" -- "$root" "$@") ;;
  esac
}
