"""The Linux calls behind instances with their own root and network; standard library only."""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

NEW_MOUNTS, NEW_NAME, NEW_IPC = 0x20000, 0x4000000, 0x8000000
NEW_USER, NEW_PIDS, NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000
NOSUID, NODEV, NOEXEC = 2, 4, 8
REMOUNT, BIND, RECURSIVE, SLAVE = 32, 4096, 16384, 1 << 19
_DETACH = 2
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41}
_MOUNT_SETATTR = 442  # the same on every machine
_AT_EMPTY_PATH, _AT_RECURSIVE = 0x1000, 0x8000
_READ_ONLY = 1 | NOSUID | NODEV
_PARENT_DEATH_SIGNAL, _DUMPABLE, _NAME, _NO_NEW_PRIVILEGES = 1, 4, 15, 38
_CAPABILITIES_VERSION = 0x20080522


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the named namespaces for new ones."""
    _checked(_libc().unshare(flags), "unshare")


def mount(source: str, target: str, kind: str = "", *, flags: int = 0, options: str = "") -> None:
    """Mount, as mount(2)."""
    words = [os.fsencode(word) if word else None for word in (source, target, kind)]
    data = options.encode() if options else None
    _checked(_libc().mount(*words, ctypes.c_ulong(flags), data), f"mount {kind or source}")


def make_read_only(folder: int) -> None:
    """Let nothing be written below a mounted folder, nor below what is mounted in it."""
    attributes = struct.pack("QQQQ", _READ_ONLY, 0, 0, 0)
    flags = _AT_EMPTY_PATH | _AT_RECURSIVE
    # Variable arguments: plain numbers would travel as 32 bits.
    numbers = [ctypes.c_long(number) for number in (_MOUNT_SETATTR, folder)]
    more: list[Any] = [b"", ctypes.c_long(flags), attributes, ctypes.c_long(len(attributes))]
    _checked(_libc().syscall(*numbers, *more), "mount_setattr")


def change_root(folder: str) -> None:
    """Make a mounted folder the root, and let go of the one that was."""
    os.chdir(folder)
    number = _PIVOT_ROOT.get(platform.machine())
    if number is None:
        raise OSError(f"no pivot_root on {platform.machine()}")
    _checked(_libc().syscall(ctypes.c_long(number), b".", b"."), "pivot_root")
    _checked(_libc().umount2(b".", _DETACH), "umount")
    os.chdir("/")


def map_ids(
    pid: int, users: list[tuple[int, int]], groups: list[tuple[int, int]], *, forgo_groups: bool
) -> None:
    """Name the users and groups of a process's user namespace: (inside, outside) each.

    `forgo_groups` is the price for an ordinary user to map groups at all.
    """
    folder = Path(f"/proc/{pid}")
    if forgo_groups:
        (folder / "setgroups").write_text("deny")
    for name, pairs in (("uid_map", users), ("gid_map", groups)):
        # In one write: the kernel takes no second one.
        (folder / name).write_text("".join(f"{inside} {outside} 1\n" for inside, outside in pairs))


def become(user: int) -> None:
    """Become a user (and the group of the same number) of this namespace; powers stay."""
    with suppress(PermissionError):  # who gave up groups cannot leave them either
        os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def give_up_powers() -> None:
    """Drop every capability, for this process and all that it will start.

    Who has this process's user cannot look into it: it was made by another, outside.
    """
    _checked(_libc().prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "no_new_privs")
    header = struct.pack("Ii", _CAPABILITIES_VERSION, 0)
    _checked(_libc().capset(header, bytes(24)), "capset")
    _checked(_libc().prctl(_DUMPABLE, 0, 0, 0, 0), "dumpable")


def call_itself(name: str) -> None:
    """Be listed under a name among the processes."""
    _checked(_libc().prctl(_NAME, name.encode(), 0, 0, 0), "name")


def end_with_parent(number: int) -> None:
    """Have this process killed by a signal when its parent ends; forgotten by `become`."""
    _checked(_libc().prctl(_PARENT_DEATH_SIGNAL, number, 0, 0, 0), "pdeathsig")
