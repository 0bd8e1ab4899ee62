# Removes the service `name`, its `bundle` and log; with the last one all that labctl put there.
target=$root/etc/systemd/system/$name.service
home=$HOME/.labctl
credentials=$HOME/.aws/credentials

if [ -e "$target" ] && head -n 1 "$target" | grep -q '^# Written by labctl'; then
  need_root
  as_root systemctl stop "$name.service" >&2 ||
    refuse "the service $name does not stop" "look at it: systemctl status $name"
  as_root systemctl disable "$name.service" >/dev/null 2>&1 || true
  as_root rm -f -- "$target"
  as_root systemctl daemon-reload
fi
if [ -e "$root/var/log/labctl/$name.log" ]; then
  need_root
  as_root rm -f -- "$root/var/log/labctl/$name.log"
  as_root rmdir -- "$root/var/log/labctl" 2>/dev/null || true
fi
rm -f -- "$home/services/$name.started" "$home/services/$name.offset"
rm -rf -- "$home/secrets/$name"
rmdir -- "$home/secrets" 2>/dev/null || true
if [ -d "$home/agents" ]; then
  cd -- "$home/agents"
  [ ! -L "$bundle" ] || rm -f -- "$bundle"
  for old in ".$bundle-"*; do
    digits=${old#".$bundle-"}
    case $digits in *[!0-9a-f]*) continue ;; esac
    rm -rf -- "$old"
  done
  cd -- "$HOME"
fi

# Another service may still need what they share.
for other in "$home/services/"*.started; do
  if [ -e "$other" ]; then exit 0; fi
done
if [ -e "$credentials" ] && head -n 1 "$credentials" | grep -q '^# Written by labctl'; then
  rm -f -- "$credentials"
  rmdir -- "$HOME/.aws" 2>/dev/null || true
fi
rm -rf -- "$home/services" "$home/data"
rmdir -- "$home/agents" 2>/dev/null || true
if [ ! -e "$home/venv/PROVIDED" ]; then rm -rf -- "$home/venv"; fi
rmdir -- "$home" 2>/dev/null || true
