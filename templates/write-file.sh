# Writes its input to the file `path` with `mode`, only if all `size` bytes arrived.
path=$(at_home "$path")
if [ -d "$path" ]; then refuse "$path is a folder" "name a file"; fi
folder=$(dirname -- "$path")
mkdir -p -- "$folder"
scratch=$(mktemp "$folder/.labctl.XXXXXX")
trap 'rm -f -- "$scratch"' EXIT
exec 3>"$scratch"   # opened before the mode, which may forbid its owner to write
chmod "$mode" "$scratch"
cat >&3
exec 3>&-
if [ "$(wc -c <"$scratch" | tr -d ' ')" != "$size" ]; then
  refuse "only a part of $path arrived" "run the command again"
fi
mv -f -- "$scratch" "$path"
