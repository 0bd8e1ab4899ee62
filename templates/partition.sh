# Cuts the machine off from `addresses` by dropping packets, or undoes that: `doing` is try, begin
# or end. The SSH connection that it came by stays, whoever is cut off.
need_root
chain=LABCTL-FAULT
rules() { as_root iptables -w 10 "$@"; }
has_iptables() { as_root sh -c 'command -v iptables' >/dev/null 2>&1; }

# passes ADDRESS PORT: let SSH between a client and this machine's port through
passes() {
  rules -A "$chain" -p tcp -s "$1" --dport "$2" -j RETURN
  rules -A "$chain" -p tcp -d "$1" --sport "$2" -j RETURN
}

if [ "$doing" = end ]; then
  has_iptables || exit 0   # then it cannot have begun
  for above in INPUT OUTPUT; do
    while rules -D "$above" -j "$chain" 2>/dev/null; do :; done
  done
  rules -F "$chain" 2>/dev/null || exit 0
  rules -X "$chain"
  exit 0
fi

has_iptables || refuse "there is no iptables to cut it off with" \
  "install it on the machine: sudo apt-get install iptables"
rules -nL >/dev/null 2>&1 || refuse "iptables does not work on it" \
  "look at it: sudo iptables -nL"
[ "$doing" = begin ] || exit 0

rules -N "$chain" 2>/dev/null || rules -F "$chain"
read -r client _ _ port <<SSH
${SSH_CONNECTION:-}
SSH
case $client in *.*) passes "$client" "$port" ;; esac
for address in $addresses; do
  rules -A "$chain" -s "$address" -j DROP
  rules -A "$chain" -d "$address" -j DROP
done
for above in INPUT OUTPUT; do
  rules -C "$above" -j "$chain" 2>/dev/null || rules -I "$above" 1 -j "$chain"
done
