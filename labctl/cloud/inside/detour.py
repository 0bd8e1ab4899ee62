"""Holds back what goes to an instance: its route leads through a process that keeps each packet.

Many kernels lack their own way to do that, netem. Here a network device ends in a process (TUN),
and device and route end with the process, whatever it dies of: then the instance's own route is
the only one again.
"""

from __future__ import annotations

import fcntl
import os
import random
import select
import signal
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from labctl.cloud.inside import namespaces
from labctl.cloud.inside.netlink import Netlink

_DEVICE = "/dev/net/tun"
_MAKE, _POINT_TO_POINT, _BARE = 0x400454CA, 0x0001, 0x1000  # packets without a head of their own
_LARGEST = 2**16
_QUEUE = 10_000  # packets that the kernel keeps while this process is busy
_MOST_HELD = 100_000  # packets; more are lost
_AT_ONCE = 256
_END_S = 5.0


@dataclass(frozen=True)
class Delay:
    """How long each packet to an address waits, give or take; `link` is what leads there."""

    address: str
    link: str
    delay_ms: int
    jitter_ms: int


class Detour:
    """One process through which packets go, as its parent holds it."""

    def __init__(self, delay: Delay, *, forget: Callable[[], None]) -> None:
        """Have packets wait from now on; raises `OSError`. The process calls `forget` first."""
        answers, tell = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(answers)
            _become(delay, forget, tell)
        os.close(tell)
        self._process = os.pidfd_open(self.pid)  # a number may be another's by the time it is used
        with os.fdopen(answers) as reader:
            said = reader.read()
        if said != "good":
            self.end()
            raise OSError(said or "the process that delays packets ended")

    @property
    def runs(self) -> bool:
        """Whether the process is still there."""
        return not self._ended_within(0)

    def end(self) -> None:
        """Send what waits and let packets go straight."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, number)
            if self._ended_within(_END_S):
                break
        os.close(self._process)

    def _ended_within(self, seconds: float) -> bool:
        return bool(select.select([self._process], [], [], seconds)[0])


def try_detour() -> None:
    """Raise `OSError` where there can be none."""
    with suppress(FileExistsError):
        os.close(_open_device("trial"))


def _open_device(name: str) -> int:
    device = os.open(_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        asked = struct.pack("16sH22x", name.encode(), _POINT_TO_POINT | _BARE)
        fcntl.ioctl(device, _MAKE, asked)
    except OSError:
        os.close(device)
        raise
    return device


def _become(delay: Delay, forget: Callable[[], None], tell: int) -> NoReturn:
    status = 1
    try:
        forget()
        namespaces.end_with_parent(signal.SIGKILL)
        namespaces.call_itself("delay")
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGTERM, lambda number, frame: None)
        with _Carrier(delay) as carrier:
            os.write(tell, b"good")
            os.close(tell)
            carrier.run(woken)
        status = 0
    except OSError as error:
        with suppress(OSError):
            os.write(tell, str(error).encode())
    finally:
        os._exit(status)  # never back into the parent's loop


class _Carrier:
    """Takes packets from the device and puts them on the link when their time has come."""

    def __init__(self, delay: Delay) -> None:
        self._delay = delay
        self._held: deque[tuple[float, bytes]] = deque()
        self._latest = 0.0
        self._name = f"d{delay.link[1:]}"

    def __enter__(self) -> _Carrier:
        self._device = _open_device(self._name)
        # The kernel finds the neighbour by itself; the head of each packet stays as it is.
        self._out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        link = self._delay.link
        self._out.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.encode())
        # What comes from the instance does not come from where its route leads.
        Path(f"/proc/sys/net/ipv4/conf/{link}/rp_filter").write_text("2")
        with Netlink() as network:
            network.raise_link(self._name, queue=_QUEUE)
            network.add_route(self._delay.address, link=self._name)
        return self

    def __exit__(self, *_: object) -> None:
        self._out.close()
        os.close(self._device)

    def run(self, woken: int) -> None:
        """Carry until a signal comes; then nothing is held any more, and nothing was lost."""
        while True:
            wait_s = max(0.0, self._held[0][0] - time.monotonic()) if self._held else None
            ready, _, _ = select.select([self._device, woken], [], [], wait_s)
            if woken in ready:
                break
            self._take()
            self._send(until=time.monotonic())
        with Netlink() as network:
            network.remove_route(self._delay.address, link=self._name)
        while self._take():
            pass
        self._send(until=float("inf"))

    def _take(self) -> int:
        """Take some of the packets that are there; returns how many."""
        for number in range(_AT_ONCE):
            try:
                packet = os.read(self._device, _LARGEST)
            except BlockingIOError:
                return number
            if packet[0] >> 4 == 4 and len(self._held) < _MOST_HELD:
                jitter_ms = random.uniform(-1, 1) * self._delay.jitter_ms
                due = time.monotonic() + (self._delay.delay_ms + jitter_ms) / 1000
                self._latest = max(self._latest, due)  # none overtakes another
                self._held.append((self._latest, packet))
        return _AT_ONCE

    def _send(self, *, until: float) -> None:
        while self._held and self._held[0][0] <= until:
            with suppress(OSError):  # the instance may just end
                self._out.sendto(self._held.popleft()[1], (self._delay.address, 0))
