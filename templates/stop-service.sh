# Stops the service `name`, and waits until it has ended.
need_root
need_systemd
as_root systemctl stop "$name.service" >&2 ||
  refuse "the service $name does not stop" "read its log: labctl logs"
