"""One SSH session with an instance: a command, a shell on a terminal, or SFTP.

Ends as OpenSSH's does: without a terminal when the program has ended and every copy of its
output is closed; with one when the program has ended.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import struct
import termios
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

import asyncssh
from asyncssh.sftp import run_sftp_server

from labctl.cloud.probes import sftp_server
from labctl.cloud.programs import shell
from labctl.cloud.tier import Machine, Program

if TYPE_CHECKING:
    from asyncssh.stream import SSHReader, SSHWriter

_BLOCK = 2**16
_MOST_WAITING = 2**18  # input that the program has not taken yet, in bytes
_PASSED_ON = ("LANG", "TERM", "COLORTERM")
_log = logging.getLogger("labctl.ssh")


class Session(asyncssh.SSHServerSession[bytes]):
    """Connects one channel to one program."""

    def __init__(self, machine: Machine, home: str, *, built_in_sftp: bool) -> None:
        self._machine = machine
        self._home = home
        self._built_in_sftp = built_in_sftp  # it works on this machine's files
        self._loop = asyncio.get_running_loop()
        self._channel: asyncssh.SSHServerChannel[bytes]
        self._terminal = False
        self._argv: list[str] = []
        self._sftp: _SftpStream | None = None
        self._task: asyncio.Task[None] | None = None
        self._input: int | None = None
        self._outputs: dict[int, int | None] = {}  # descriptor -> SSH data type
        self._waiting = bytearray()
        self._input_ended = False
        self._paused = False
        self._program: Program | None = None
        self._drained = asyncio.Event()

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        """Take the channel."""
        self._channel = chan

    def pty_requested(
        self, term_type: str, term_size: tuple[int, int, int, int], term_modes: Mapping[int, int]
    ) -> bool:
        """Agree to a terminal."""
        self._terminal = True
        return True

    def shell_requested(self) -> bool:
        """Agree to a login shell."""
        self._argv = [shell(), "-l"]
        return True

    def exec_requested(self, command: str) -> bool:
        """Agree to a command."""
        self._argv = [shell(), "-c", command]
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        """Agree to SFTP, by this machine's own server or the built-in one."""
        if subsystem != "sftp":
            return False
        program = sftp_server()
        if program:
            self._argv = [program]
        elif not self._built_in_sftp:
            return False
        else:
            self._sftp = _SftpStream(self._channel)
        return True

    def session_started(self) -> None:
        """Start the program."""
        if self._sftp is None:
            self._task = self._loop.create_task(self._run())
        else:
            server = _HomeSftp(self._channel, self._home)
            self._task = self._loop.create_task(self._sftp.serve(server))

    async def _run(self) -> None:
        theirs: list[int] = []
        try:
            theirs = await self._open_terminal() if self._terminal else self._open_pipes()
            self._program = await self._machine.start_program(
                self._argv,
                environment=self._environment(),
                stdio=theirs,
                terminal=self._terminal,
            )
        except (OSError, ConnectionError) as error:
            self._channel.write(f"labctl: {error}\n".encode(), asyncssh.EXTENDED_DATA_STDERR)
            self._close_files()
            self._channel.exit(255)
            return
        finally:
            for fd in set(theirs):
                os.close(fd)
        for fd in self._outputs:
            self._loop.add_reader(fd, self._read_output, fd)
        self._write_input()
        status = await self._program.exited
        if self._terminal:
            self._read_rest()
        else:
            await self._drained.wait()
        self._close_files()
        self._tell_exit(status)

    def _open_pipes(self) -> list[int]:
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        ours_err, theirs_err = os.pipe()
        self._input = ours_in
        self._outputs = {ours_out: None, ours_err: asyncssh.EXTENDED_DATA_STDERR}
        for fd in (ours_in, ours_out, ours_err):
            os.set_blocking(fd, False)
        return [theirs_in, theirs_out, theirs_err]

    async def _open_terminal(self) -> list[int]:
        ours, theirs = await self._machine.open_terminal()
        os.set_blocking(ours, False)
        self._input = ours
        self._outputs = {ours: None}
        self._resize(*self._channel.get_terminal_size())
        return [theirs, theirs, theirs]

    def _environment(self) -> dict[str, str]:
        asked = dict(self._channel.get_environment())
        kept = {name: value for name, value in asked.items() if name in _PASSED_ON}
        kept |= {name: value for name, value in asked.items() if name.startswith("LC_")}
        term = self._channel.get_terminal_type() if self._terminal else None
        return kept | ({"TERM": term} if term else {})

    def _read_output(self, fd: int) -> None:
        try:
            data = os.read(fd, _BLOCK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # a terminal whose last user is gone
            data = b""
        if data:
            self._channel.write(data, self._outputs[fd])
            return
        self._loop.remove_reader(fd)
        if fd != self._input:
            os.close(fd)
            del self._outputs[fd]
        if not self._outputs or self._terminal:
            self._drained.set()

    def _read_rest(self) -> None:
        """Read what a terminal still holds; programs left behind may keep it open."""
        for fd in self._outputs:
            while True:
                try:
                    data = os.read(fd, _BLOCK)
                except OSError:
                    break
                if not data:
                    break
                self._channel.write(data, None)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Hand input on to the program, as fast as it takes it."""
        if self._sftp is not None:
            self._sftp.feed(data)
            return
        self._waiting += data
        if len(self._waiting) > _MOST_WAITING:
            self._channel.pause_reading()
        if self._program is not None:
            self._write_input()

    def eof_received(self) -> bool:
        """Close the program's input once it has taken everything; its output goes on."""
        if self._sftp is not None:
            self._sftp.feed(b"")
            return True
        self._input_ended = True
        if self._program is not None:
            self._write_input()
        return True

    def _write_input(self) -> None:
        fd = self._input
        if fd is None:
            self._waiting.clear()
            return
        try:
            while self._waiting:
                del self._waiting[: os.write(fd, self._waiting[:_BLOCK])]
        except (BlockingIOError, InterruptedError):
            self._loop.add_writer(fd, self._write_input)
            return
        except OSError:  # nobody reads it any more
            self._waiting.clear()
        self._loop.remove_writer(fd)
        if self._input_ended and not self._terminal:
            os.close(fd)
            self._input = None
        else:
            self._channel.resume_reading()  # last: it may come back here with more

    def pause_writing(self) -> None:
        """Stop reading output: the client is slower than the program."""
        for fd in self._outputs:
            self._loop.remove_reader(fd)

    def resume_writing(self) -> None:
        """Go on reading output."""
        for fd in self._outputs:
            self._loop.add_reader(fd, self._read_output, fd)

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        """Pass a new window size on."""
        self._resize(width, height, pixwidth, pixheight)

    def _resize(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        if self._terminal and self._input is not None:
            size = struct.pack("HHHH", height, width, pixwidth, pixheight)
            fcntl.ioctl(self._input, termios.TIOCSWINSZ, size)

    def signal_received(self, signal_name: str) -> None:
        """Pass a signal on to the program."""
        number = getattr(signal, f"SIG{signal_name}", None)
        if self._program is not None and number is not None:
            self._program.send_signal(int(number))

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the program: a terminal hangs up, pipes break; nothing else happens to it."""
        self._close_files()
        self._drained.set()
        if self._task is not None and self._program is None:
            self._task.cancel()

    def _close_files(self) -> None:
        for fd in {*self._outputs, *([] if self._input is None else [self._input])}:
            self._loop.remove_reader(fd)
            self._loop.remove_writer(fd)
            os.close(fd)
        self._outputs, self._input = {}, None

    def _tell_exit(self, status: int) -> None:
        if self._channel.is_closing():
            return
        if status < 0:
            name = signal.Signals(-status).name.removeprefix("SIG")
            self._channel.exit_with_signal(name, False, "", "")
        else:
            self._channel.exit(status)


class _HomeSftp(asyncssh.SFTPServer):
    """The built-in SFTP server: it starts in the instance's home."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], home: str) -> None:
        super().__init__(channel)
        self._home = os.fsencode(home)

    def map_path(self, path: bytes) -> bytes:
        """Take relative paths as relative to the home."""
        return super().map_path(path if path.startswith(b"/") else self._home + b"/" + path)


class _SftpStream:
    """The little of a reader and a writer that the built-in SFTP server uses."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes]) -> None:
        self.channel = channel
        self._reader = asyncio.StreamReader()
        self.logger = channel.logger
        self.readexactly = self._reader.readexactly
        self.get_extra_info: Callable[..., object] = channel.get_extra_info

    def feed(self, data: bytes) -> None:
        """Take what the client sent; nothing means the end."""
        if data:
            self._reader.feed_data(data)
        else:
            self._reader.feed_eof()

    def write(self, data: bytes) -> None:
        """Send to the client."""
        self.channel.write(data)

    def close(self) -> None:
        """End the session."""
        if not self.channel.is_closing():
            self.channel.exit(0)

    async def serve(self, server: asyncssh.SFTPServer) -> None:
        """Serve until the client ends."""
        reader, writer = cast("SSHReader[bytes]", self), cast("SSHWriter[bytes]", self)
        await run_sftp_server(server, reader, writer, 3)
