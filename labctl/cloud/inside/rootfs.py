"""Gives an instance a root of its own: its disk, with the system's programs read-only in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from labctl.cloud.beneath import open_file, open_folder
from labctl.cloud.inside.namespaces import (
    BIND,
    NODEV,
    NOEXEC,
    NOSUID,
    RECURSIVE,
    REMOUNT,
    SLAVE,
    make_read_only,
    mount,
)

# What programs need that is the same on every machine like this one; nothing of a person's.
SYSTEM = (
    "/usr",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/pki/tls",
    "/etc/pki/ca-trust",
    "/etc/protocols",
    "/etc/services",
    "/etc/ssl",
)
# Links into /usr on most systems, folders on some.
_TOP = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def make_top_links(root: Path) -> None:
    """Make the links that the system's own root has into /usr."""
    for name in _TOP:
        there = Path("/", name)
        here = root / name
        if there.is_symlink() and not here.is_symlink():
            here.symlink_to(there.readlink())


def bind_system(root: Path, exposed: Mapping[str, str], covers: Mapping[str, str]) -> None:
    """Put the system and what else is exposed into a root, read-only.

    Both say what a path in the root shows; `covers` are programs in place of the system's.
    """
    mount("", "/", flags=RECURSIVE | SLAVE)
    mount(str(root), str(root), flags=BIND | RECURSIVE)
    mount("", str(root), flags=BIND | REMOUNT | NOSUID | NODEV)
    folders = [f"/{name}" for name in _TOP if not Path("/", name).is_symlink()]
    for path in (*SYSTEM, *folders):
        if Path(path).exists():
            _bind(path, root, path)
    for path, source in exposed.items():
        _bind(source, root, path)
    for path, source in covers.items():
        if Path(f"{root}{path}").is_file():
            with suppress(OSError):  # a link that leads elsewhere keeps the system's own program
                _bind(source, root, path)


def _bind(source: str, root: Path, path: str) -> None:
    """Mount at a path below the root, which no link in it can lead out of."""
    if Path(source).is_dir():
        target = open_folder(root, path, create=True)
    else:
        flags = os.O_RDONLY if Path(f"{root}{path}").exists() else os.O_RDONLY | os.O_CREAT
        target = open_file(root, path, flags, 0o644)
    try:
        mount(source, f"/proc/self/fd/{target}", flags=BIND | RECURSIVE)
    finally:
        os.close(target)
    mounted = os.open(f"{root}{path}", os.O_PATH | os.O_NOFOLLOW)
    try:
        make_read_only(mounted)
    finally:
        os.close(mounted)


def mount_kernel_folders() -> None:
    """Mount /proc of the own processes, and /dev with terminals and nothing of the machine's.

    Below the present folder: who runs this may not be allowed to walk to it by its path.
    """
    safe = NOSUID | NODEV | NOEXEC
    here = Path()
    for name in ("proc", "dev"):
        os.close(open_folder(here, name, create=True))
    mount("proc", "proc", "proc", flags=safe)
    mount("tmpfs", "dev", "tmpfs", flags=NOSUID, options="mode=755,size=1m")
    dev = here / "dev"
    for name in _DEVICES:
        (dev / name).touch()
        mount(f"/dev/{name}", f"dev/{name}", flags=BIND)
    (dev / "shm").mkdir()
    mount("tmpfs", "dev/shm", "tmpfs", flags=safe, options="mode=1777,size=64m")
    (dev / "pts").mkdir()
    options = "newinstance,ptmxmode=0666,mode=620"
    mount("devpts", "dev/pts", "devpts", flags=NOSUID | NOEXEC, options=options)
    (dev / "ptmx").symlink_to("pts/ptmx")
    (dev / "fd").symlink_to("/proc/self/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        (dev / name).symlink_to(f"/proc/self/fd/{number}")
