# Prints, between NULs, of each of `services`: name, state, pid, CPU ticks since its start, ticks
# a second, KiB of memory, and the end of its log. One call to systemctl each: it may be slow.
hz=$(getconf CLK_TCK 2>/dev/null || echo 100)
for name in $services; do
  state=unknown pid=0 ticks=0 memory=0
  while IFS='=' read -r key value; do
    case $key in ActiveState) state=$value ;; MainPID) pid=$value ;; esac
  done <<SHOWN
$(systemctl show "$name.service" -p ActiveState -p MainPID 2>/dev/null || true)
SHOWN
  if [ "${pid:-0}" != 0 ] && stat=$(cat "/proc/$pid/stat" 2>/dev/null); then
    set -- ${stat##*) }   # behind the program's name, which may hold blanks
    ticks=$((${12:-0} + ${13:-0}))
    while read -r key value _; do
      if [ "$key" = VmRSS: ]; then memory=$value; fi
    done <"/proc/$pid/status" || true
  fi
  printf '\0%s\0%s\0%s\0%s\0%s\0%s\0' "$name" "$state" "${pid:-0}" "$ticks" "$hz" "$memory"
  tail -c 6000 -- "$root/var/log/labctl/$name.log" 2>/dev/null | tail -n "$lines" | tr -d '\000' || true
done
printf '\0'
