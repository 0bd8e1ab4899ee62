# Tells whether this machine can connect to $host at $port: open, or why not.
exec "$HOME/.labctl/venv/bin/python3" - "$host" "$port" <<'PYTHON'
import socket
import sys

try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2).close()
except TimeoutError:
    print("closed: no answer")
except OSError as error:
    print(f"closed: {error.strerror}")
else:
    print("open")
PYTHON
