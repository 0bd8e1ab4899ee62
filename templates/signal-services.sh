# Sends `signal` to every process of each of `services` that runs; with `stop` they then stay down.
need_root
need_systemd
for name in $services; do
  case $(systemctl is-active "$name.service" || true) in inactive | failed | unknown) continue ;; esac
  as_root systemctl kill --signal="$signal" "$name.service" >&2 ||
    refuse "the processes of $name cannot be signalled" "look at it: systemctl status $name"
  if [ -n "$stop" ]; then
    as_root systemctl stop "$name.service" >&2 ||
      refuse "the service $name does not stay down" "look at it: systemctl status $name"
  fi
done
