# Delays what the machine sends by `ms` milliseconds, give or take `jitter`, or undoes that: `doing`
# is try, begin or end.
need_root
own=1abc:   # by this handle it is known
device=$(ip -4 route show default 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
control() { as_root tc qdisc "$@"; }
now() { control show dev "$device" root 2>/dev/null | head -n 1; }

if [ "$doing" = end ]; then
  case $(now) in "qdisc netem $own"*) control del dev "$device" root ;; esac
  exit 0
fi

[ -n "$device" ] || refuse "it has no network device to delay" "look at it: ip route"
as_root sh -c 'command -v tc' >/dev/null 2>&1 ||
  refuse "there is no tc to delay packets with" "install it: sudo apt-get install iproute2"
case $(now) in
  '' | 'qdisc mq '* | 'qdisc fq_codel '* | 'qdisc fq '* | 'qdisc pfifo_fast '* | 'qdisc noqueue '*) ;;
  "qdisc netem $own"*) ;;
  *) refuse "somebody shapes its traffic already: $(now)" "delay another machine" ;;
esac
as_root modprobe -q sch_netem 2>/dev/null || [ -d /sys/module/sch_netem ] ||
  grep -qs '/sch_netem\.ko' "/lib/modules/$(uname -r)/modules.builtin" ||
  refuse "its kernel has no netem to delay packets with" \
    "install it: sudo apt-get install linux-modules-extra-$(uname -r)"
[ "$doing" = begin ] || exit 0

control replace dev "$device" root handle "$own" netem limit 100000 \
  delay "${ms}ms" "${jitter}ms" >&2 ||
  refuse "its traffic cannot be delayed" "look at it: tc qdisc show dev $device"
