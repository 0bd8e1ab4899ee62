# Shows the last `lines` lines of the log of the service `name`, and with `follow` what comes.
log=$root/var/log/labctl/$name.log
if [ "$follow" = yes ]; then exec tail -n "$lines" -F -- "$log" 2>/dev/null; fi
if [ ! -e "$log" ]; then refuse "$name has no log yet" "has its agent been started? see labctl status"; fi
exec tail -n "$lines" -- "$log"
