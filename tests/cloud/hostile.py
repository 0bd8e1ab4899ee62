"""A program that does what it can to outlive its instance."""

from __future__ import annotations

HOSTILE = """
import os, signal, sys, time
for name in ("TERM", "HUP", "INT"):
    signal.signal(getattr(signal, "SIG" + name), signal.SIG_IGN)
def detach():
    if os.fork(): os._exit(0)
    os.setsid()
    if os.fork(): os._exit(0)
for n in range(5):
    if os.fork() == 0:
        detach()
        os.environ.clear()
        if n % 2:  # respawn: a child for every one that dies
            while True:
                child = os.fork()
                if child == 0:
                    time.sleep(1000)
                os.waitpid(child, 0)
        os.execve("/bin/sh", ["sh", "-c", "trap '' TERM HUP; while :; do sleep 1; done"], {})
print("ready", flush=True)
time.sleep(1000)
"""
