# Prints {"state": ..., "restarts": n, "pid": n} of the service `name`.
about() { systemctl show "$name.service" -p "$1" --value 2>/dev/null || true; }
need_systemd
state=$(about ActiveState)
restarts=$(about NRestarts)
pid=$(about MainPID)
printf '{"state": "%s", "restarts": %s, "pid": %s}\n' \
  "${state:-unknown}" "${restarts:-0}" "${pid:-0}"
