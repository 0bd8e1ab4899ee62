"""Keys that must be seen nowhere: planting them, spelling them, looking for them everywhere."""

from __future__ import annotations

import base64
import os
import secrets
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

_WINDOW, _STEP = 24, 8  # of a leaked secret with 32 characters a window is found wherever it begins


@dataclass(frozen=True)
class Canary:
    """Session keys; `repr` does not show them, for pytest prints it."""

    access_key: str
    secret: str
    token: str

    def __repr__(self) -> str:
        return "Canary(...)"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_SESSION_TOKEN": self.token,
        }

    @property
    def profile(self) -> str:
        return "".join(f"{name.lower()} = {value}\n" for name, value in self.environment.items())

    def spelled(self) -> list[str]:
        """Return every spelling in which secret and token are looked for, and said."""
        pair = f"{self.access_key}:{self.secret}"
        return [
            form
            for value in (self.secret, self.token)
            for form in (
                value,
                quote(value, safe=""),
                quote(value, safe="").replace("%2B", "%2b").replace("%2F", "%2f"),
                value.replace("/", "\\/"),
                value.replace("+", "\\u002b").replace("=", "\\u003d"),
                base64.b64encode(pair.encode()).decode(),
                base64.b64encode(f"user:{value}".encode()).decode(),
            )
        ]

    def windows(self) -> set[bytes]:
        """Return the pieces of which any betrays the secret or the token."""
        return {
            form[at : at + _WINDOW].encode()
            for form in self.spelled()
            for at in range(_lead(form), len(form) - _WINDOW + 1, _STEP)
        }


def _lead(form: str) -> int:
    """Of a base64 header the user's name and a few characters may stay."""
    try:
        decoded = base64.b64decode(form, validate=True)
    except ValueError:
        return 0
    return 32 if decoded[:4] in (b"user", b"ASIA") else 0


def new_canary() -> Canary:
    """Return keys whose secret and token hold every character that is spelled anew somewhere."""
    token = base64.b64encode(secrets.token_bytes(190)).decode()
    return Canary(
        "ASIA" + base64.b32encode(secrets.token_bytes(10)).decode(),
        base64.b64encode(secrets.token_bytes(27)).decode()[:32] + "a+b/c+d/",
        f"{token[:60]}+/{token[60:]}=",
    )


def found_in(data: bytes, canaries: Sequence[Canary]) -> list[bytes]:
    """Return the pieces of canaries that are in data."""
    return [piece for each in canaries for piece in each.windows() if piece in data]


def files_with(
    folder: Path, canaries: Sequence[Canary], *, but: Callable[[Path], bool]
) -> list[str]:
    """Return the files below a folder that hold a piece of a canary; `but` those that may."""
    return [
        f"{file.relative_to(folder)}"
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.is_symlink() and not but(file.relative_to(folder))
        if found_in(file.read_bytes(), canaries)
    ]


def child(work: Callable[[], object], said: Path) -> int:
    """Run work in a forked child that ends as the command does; all it prints goes to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process == 0:
        _become(said)
        status = 70
        try:
            work()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        except BaseException:
            sys.excepthook(*sys.exc_info())  # what the interpreter does at its end
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _become(said: Path) -> None:
    out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    signal.signal(signal.SIGINT, signal.default_int_handler)
