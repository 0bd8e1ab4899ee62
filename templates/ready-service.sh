# Waits up to about `wait_s` seconds until the service `name` is ready: its log says `text` since
# labctl started it, or `port` is open at `host`. Prints {"ready": ..., "state": ..., "restarts": n}.
log=$root/var/log/labctl/$name.log
offset=$(cat "$HOME/.labctl/services/$name.offset" 2>/dev/null || echo 0)

is_ready() {
  if [ -n "$port" ]; then
    (exec 3<>"/dev/tcp/$host/$port") 2>/dev/null
  else
    [ -e "$log" ] || return 1
    if [ "$(wc -c <"$log")" -lt "$offset" ]; then offset=0; fi   # the log was cut
    tail -c "+$((offset + 1))" "$log" | grep -qF -- "$text"
  fi
}

about() { systemctl show "$name.service" -p "$1" --value 2>/dev/null || true; }

ready=false
for ((tries = 0; tries < wait_s * 10; tries++)); do
  if is_ready; then ready=true; break; fi
  if ((tries % 5 == 4)); then
    case $(about ActiveState) in failed | inactive) break ;; esac
  fi
  sleep 0.1
done
state=$(about ActiveState)
restarts=$(about NRestarts)
printf '{"ready": %s, "state": "%s", "restarts": %s}\n' \
  "$ready" "${state:-unknown}" "${restarts:-0}"
