# Installs the service `name` from its `unit` text, `requirements` and `packages` (lines of a package
# of the system, the program it is known by, and its own service), and starts it if it must.
# Prints {"changed": ..., "state": ...}; changes nothing when all is as it should be.
need_root
need_systemd
venv=$HOME/.labctl/venv
kept=$HOME/.labctl/services
log=$root/var/log/labctl/$name.log
target=$root/etc/systemd/system/$name.service
changed=false
mkdir -p -- "$kept"

# Local instances bring an interpreter that has labctl's own packages; nothing is installed there.
check_provided() {
  missing=$("$venv/bin/python3" -c '
import importlib.metadata, re, sys
for line in sys.argv[1].splitlines():
    try:
        importlib.metadata.version(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0])
    except importlib.metadata.PackageNotFoundError:
        print(line, end=" ")
' "$requirements")
  [ -z "$missing" ] || refuse "$name requires what labctl's own environment lacks: $missing" \
    "add it to the environment that labctl runs in, or run the lab on --target aws"
}

make_venv() {
  [ -x "$venv/bin/pip" ] && return
  rm -rf -- "$venv"
  if ! python3 -m venv "$venv" >/dev/null 2>&1; then
    # Ubuntu's Python comes without ensurepip; a machine that boots may hold apt's lock.
    command -v apt-get >/dev/null 2>&1 ||
      refuse "python3 -m venv does not work" "install Python 3 with its venv module"
    rm -rf -- "$venv"
    { as_root apt-get -q -o DPkg::Lock::Timeout=180 update &&
      as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qy -o DPkg::Lock::Timeout=180 install python3-venv; } >&2 ||
      refuse "python3-venv cannot be installed" "does the machine reach its package mirror?"
    python3 -m venv "$venv" >&2
  fi
}

install_requirements() {
  make_venv
  wanted=$venv/.labctl-requirements-$name
  if [ -e "$wanted" ] && [ "$(cat "$wanted")" = "$requirements" ]; then return; fi
  if [ -n "$requirements" ]; then
    printf '%s\n' "$requirements" >"$wanted.new"
    "$venv/bin/python3" -m pip install -q --disable-pip-version-check -r "$wanted.new" >&2 ||
      refuse "the Python packages of $name cannot be installed" \
        "does the machine reach the package index, and do its requirements exist?"
    rm -f -- "$wanted.new"
  fi
  printf '%s' "$requirements" >"$wanted"
  changed=true
}

install_packages() {
  lacking=
  while read -r package program service; do
    case $program in
      '') continue ;;
      /*) if [ -e "$program" ]; then continue; fi ;;
      *) if PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null; then continue; fi ;;
    esac
    lacking="$lacking $package"
    # Its own service would run beside ours; where the package was there already, it is not ours.
    if [ -n "$service" ]; then as_root systemctl mask "$service.service" >&2; fi
  done <<END
$packages
END
  [ -n "$lacking" ] || return 0
  command -v apt-get >/dev/null 2>&1 ||
    refuse "$name needs what is not on the machine:$lacking" "use an image with apt, or install it"
  # shellcheck disable=SC2086 - a list of words
  { as_root apt-get -q -o DPkg::Lock::Timeout=180 update &&
    as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get -qy --no-install-recommends -o DPkg::Lock::Timeout=180 install $lacking; } >&2 ||
    refuse "the packages of $name cannot be installed:$lacking" \
      "does the machine reach its package mirror?"
}

if [ -e "$venv/PROVIDED" ]; then
  check_provided
else
  # Two services of one machine share the environment; they must not fill it at the same time.
  exec 9>"$kept/.lock"
  flock 9
  install_packages
  install_requirements
  exec 9>&-
fi

if [ -e "$target" ] && ! head -n 1 "$target" | grep -q '^# Written by labctl'; then
  refuse "there is a service $name that labctl did not make" "give the agent another name"
fi
if [ "$(cat "$target" 2>/dev/null)" != "$unit" ]; then
  as_root mkdir -p -- "$(dirname -- "$target")"
  printf '%s\n' "$unit" | as_root tee "$target.new" >/dev/null
  as_root chmod 0644 "$target.new"
  as_root mv -f -- "$target.new" "$target"
  as_root systemctl daemon-reload
  as_root systemctl enable "$name.service" >/dev/null 2>&1 ||
    refuse "the service $name cannot be enabled" "look at it: systemctl status $name"
  changed=true
fi

# What runs is known by the unit it was last started with: labctl may have died in between.
if [ "$(cat "$kept/$name.started" 2>/dev/null)" != "$unit" ]; then changed=true; fi
state=$(systemctl is-active "$name.service" || true)
if [ "$changed" = true ] || [ "$state" != active ]; then
  changed=true
  as_root mkdir -p -- "$(dirname -- "$log")"
  as_root touch -- "$log"
  as_root chown "$(id -u):$(id -g)" "$log"
  rm -f -- "$kept/$name.started"
  as_root systemctl stop "$name.service" >/dev/null 2>&1 || true
  # Readiness is what the log says from here on.
  wc -c <"$log" | tr -d ' ' >"$kept/$name.offset"
  as_root systemctl start "$name.service" >&2 ||
    refuse "the service $name does not start" "read its log: labctl logs"
  printf '%s\n' "$unit" >"$kept/$name.started"
  state=$(systemctl is-active "$name.service" || true)
fi
printf '{"changed": %s, "state": "%s"}\n' "$changed" "${state:-unknown}"
