# Moves the machine's deadline: does again, as root, what its first boot did (`deadline`).
need_root
as_root bash -c "$deadline" >&2 ||
  refuse "its deadline cannot be moved" "look at it: systemctl status labctl-deadline.timer"
