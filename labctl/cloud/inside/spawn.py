"""Starts one program in a session of its own, with given standard files and maybe a terminal."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import termios
from collections.abc import Mapping, Sequence
from typing import NoReturn

_ERRNO = struct.Struct("i")
# Python ignores these, and what is ignored stays ignored in the program that is started.
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def spawn(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    directory: str,
    stdio: tuple[int, int, int],
    terminal: bool = False,
) -> int:
    """Return the id of the started process, leader of a new session.

    `stdio` are open descriptors, which stay open here; with `terminal` the first becomes the
    controlling terminal. A missing directory falls back to `/`, as in a login. Raises `OSError`
    when the program cannot be run.
    """
    answer, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(argv, environment, directory, stdio, terminal, tell)
    os.close(tell)
    with os.fdopen(answer, "rb") as reader:
        failure = reader.read()
    if failure:
        os.waitpid(pid, 0)
        number = _ERRNO.unpack(failure)[0]
        raise OSError(number, os.strerror(number), argv[0])
    return pid


def _become(
    argv: Sequence[str],
    environment: Mapping[str, str],
    directory: str,
    stdio: tuple[int, int, int],
    terminal: bool,
    tell: int,
) -> NoReturn:
    number = 0
    try:
        os.setsid()
        for ignored in _IGNORED_BY_PYTHON:
            signal.signal(ignored, signal.SIG_DFL)
        # Copies above the standard ones first: the three may be given in any order.
        copies = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in stdio]
        for standard, fd in enumerate(copies):
            os.dup2(fd, standard)
        if terminal:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        try:
            os.chdir(directory)
        except OSError:
            os.chdir("/")
        os.umask(0o022)
        os.execvpe(argv[0], list(argv), dict(environment))
    except OSError as error:
        number = error.errno or 1
    except ValueError:  # a NUL in an argument
        number = 22
    finally:
        os.write(tell, _ERRNO.pack(number or 1))
        os._exit(127)
