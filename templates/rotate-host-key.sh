# Gives the machine a new SSH host key in two phases, and prints its public line in each.
# stage: make it (or take the one on the input, when there is no ssh-keygen); switch: use it.
need_root
folder=$root/etc/ssh
key=$folder/ssh_host_ed25519_key
staged=$folder/.labctl-staged-key

restart_ssh() {
  as_root systemctl restart ssh >/dev/null 2>&1 || as_root systemctl restart sshd >/dev/null 2>&1
}

if [ "$phase" = stage ]; then
  umask 077
  as_root mkdir -p -- "$folder"
  as_root rm -f -- "$staged" "$staged.pub"
  if command -v ssh-keygen >/dev/null 2>&1; then
    as_root ssh-keygen -q -t ed25519 -N '' -C '' -f "$staged"
  else
    as_root sh -c 'umask 077; cat >"$1"' sh "$staged"
    printf '%s\n' "$spare_public" | as_root tee "$staged.pub" >/dev/null
  fi
  as_root chmod 0600 "$staged"
  as_root chmod 0644 "$staged.pub"
  as_root cat "$staged.pub"
  exit 0
fi

as_root test -e "$staged" ||
  refuse "the new host key is no longer there" "run the command again"
if as_root test -e "$key"; then
  as_root cp -p -- "$key" "$key.before"
  as_root cp -p -- "$key.pub" "$key.pub.before" 2>/dev/null || true
fi
as_root mv -f -- "$staged" "$key"
as_root mv -f -- "$staged.pub" "$key.pub"
if ! restart_ssh; then
  if as_root test -e "$key.before"; then as_root mv -f -- "$key.before" "$key"; fi
  if as_root test -e "$key.pub.before"; then as_root mv -f -- "$key.pub.before" "$key.pub"; fi
  refuse "the SSH server does not restart; its host key was left as it was" \
    "look at it: systemctl status ssh"
fi
as_root rm -f -- "$key.before" "$key.pub.before"
as_root cat "$key.pub"
