"""What the kernel says about a worker's processes."""

from __future__ import annotations

from pathlib import Path

STUDIO = "images_worker.studio"


def studios_of(parent: int) -> list[int]:
    """Return the ids of the processes that a worker works its pictures in."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and _parent(entry) == parent and STUDIO in _command(entry):
            found.append(int(entry.name))
    return sorted(found)


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be counted does not."""
    return _status(Path("/proc") / str(pid)).get("State", "Z")[0] not in "ZX"


def memory_mib(pid: int, *, peak: bool = False) -> float:
    """Return how much memory a process has, or had at most; 0 when it is gone."""
    text = _status(Path("/proc") / str(pid)).get("VmHWM" if peak else "VmRSS", "0 kB")
    return int(text.split()[0]) / 1024


def _status(entry: Path) -> dict[str, str]:
    try:
        lines = (entry / "status").read_text().splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _parent(entry: Path) -> int:
    return int(_status(entry).get("PPid", "0"))


def _command(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
