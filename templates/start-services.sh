# Starts each of `services`; one that runs goes on.
need_root
need_systemd
for name in $services; do
  as_root systemctl start "$name.service" >&2 ||
    refuse "the service $name does not start" "read its log: labctl logs"
done
