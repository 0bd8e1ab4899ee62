# Ends the machine at its deadline, which terminates it, whatever became of labctl by then: at the
# first boot, and again when the deadline was moved. `ends_at_s` and `ends_at` stand above.
# A local instance has no timer of its own: its cloud ends it by what this file says.
if [ -n "${LABCTL_INSTANCE:-}${LABCTL_ROOT:-}" ]; then
  folder=${LABCTL_ROOT:-}/var/lib/labctl
  mkdir -p -- "$folder"
  echo "$ends_at_s" >"$folder/.ends-at.new" && mv -f -- "$folder/.ends-at.new" "$folder/ends-at"
  exit
fi
# Anywhere else than on EC2 it does nothing: it might be somebody's own machine.
grep -qis -e '^Amazon EC2' -e '^ec2' /sys/class/dmi/id/sys_vendor /sys/hypervisor/uuid \
  /sys/class/dmi/id/product_uuid || exit 0
if [ "$(date +%s)" -ge "$ends_at_s" ]; then shutdown -h now; exit 0; fi
cat >/etc/systemd/system/labctl-deadline.service <<'UNIT'
[Unit]
Description=labctl: the end of this machine's time to live

[Service]
Type=oneshot
ExecStart=/sbin/shutdown -h now
UNIT
cat >/etc/systemd/system/labctl-deadline.timer <<UNIT
[Unit]
Description=labctl: this machine ends at $ends_at

[Timer]
OnCalendar=$ends_at
Persistent=true
AccuracySec=1s

[Install]
WantedBy=timers.target
UNIT
# A timer that runs already takes a new date only when it is started anew.
systemctl daemon-reload && systemctl enable labctl-deadline.timer &&
  systemctl restart labctl-deadline.timer
