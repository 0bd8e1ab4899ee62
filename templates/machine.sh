# What every script that labctl runs on a machine begins with; its variables stand above.
set -eu
umask 022
root=${LABCTL_ROOT:-}   # set on local instances only: their system folders lie below it

# refuse MESSAGE HINT: end with a failure that is told in these words
refuse() { printf '\n%s\n%s\n' "$1" "$2" >&2; exit 70; }

# at_home PATH: the absolute path that a `~/` path or a relative one means
at_home() {
  case $1 in
    /*) printf '%s' "$1" ;;
    '~/'*) printf '%s' "$HOME/${1#'~/'}" ;;
    *) printf '%s' "$HOME/$1" ;;
  esac
}

# move_over FROM TO: rename, also when TO is a link to a folder (GNU and BSD name that apart)
move_over() { mv -fT -- "$1" "$2" 2>/dev/null || mv -fh -- "$1" "$2"; }

as_root() {
  if command -v sudo >/dev/null 2>&1; then sudo -n "$@"; else "$@"; fi
}

need_root() {
  if command -v sudo >/dev/null 2>&1; then
    sudo -n true 2>/dev/null ||
      refuse "sudo asks $(id -un) for a password" \
        "allow it without one: a line '$(id -un) ALL=(ALL) NOPASSWD: ALL' in /etc/sudoers.d/labctl"
  elif [ "$(id -u)" != 0 ]; then
    refuse "there is no sudo, and $(id -un) is not root" \
      "install sudo and allow it without a password, or log in as root"
  fi
}

need_systemd() {
  command -v systemctl >/dev/null 2>&1 ||
    refuse "there is no systemd to run a service" "labctl needs a machine with systemd"
}
