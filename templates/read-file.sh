# Writes the first `most` bytes of the file `path` to its output.
path=$(at_home "$path")
if [ -d "$path" ]; then refuse "$path is a folder" "name a file"; fi
if [ ! -e "$path" ]; then refuse "there is no file $path" "see what is there: ls -la $(dirname -- "$path")"; fi
head -c "$most" <"$path"
