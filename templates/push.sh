# Puts a bundle in place: `name`, `digest`; says `cue` when it wants the archive on its input.
agents=$HOME/.labctl/agents
folder=.$name-$digest
umask 077
mkdir -p -- "$agents"
cd -- "$agents"

previous=$(readlink "$name" || true)
if [ "$previous" = "$folder" ] && [ -d "$folder" ]; then exit 0; fi

if [ ! -d "$folder" ]; then
  scratch=$(mktemp -d ".$name-scratch.XXXXXX")
  trap 'rm -rf -- "$scratch"' EXIT
  printf '%s\n' "$cue"
  status=0
  tar -xzof - -C "$scratch" || status=$?
  cat >/dev/null   # what tar left of the input, as the sender expects
  if [ "$status" != 0 ]; then exit "$status"; fi
  # Another push of the same content may have been quicker; then its folder stays.
  mv -T -- "$scratch" "$folder" 2>/dev/null || [ -d "$folder" ] || mv -- "$scratch" "$folder"
fi

# A folder of somebody's where the link must be is kept, but not in the way.
if [ -e "$name" ] && [ ! -L "$name" ]; then
  mv -- "$name" "$(mktemp -d ".$name-aside.XXXXXX")/"
fi
link=.$name-link.$$
ln -s -- "$folder" "$link"
move_over "$link" "$name"

# The one before stays for a service that still runs from it.
for old in ".$name-"*; do
  digits=${old#".$name-"}
  case $digits in *[!0-9a-f]*) continue ;; esac
  if [ "$old" != "$folder" ] && [ "$old" != "$previous" ]; then rm -rf -- "$old"; fi
done
