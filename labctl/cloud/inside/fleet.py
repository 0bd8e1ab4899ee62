"""The zygote of instances with a network and a root of their own, all in one namespace.

Needs no root: in a user namespace of its own an ordinary user may set up networks and mounts.
Each instance gets one more, so that its programs have no power over what is set up here.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import IO, NoReturn

from labctl.cloud.inside import namespaces
from labctl.cloud.inside.detour import Delay, Detour, try_detour
from labctl.cloud.inside.firewall import Opening, let_pass
from labctl.cloud.inside.guest import SPARE_ID
from labctl.cloud.inside.memory import limit_memory
from labctl.cloud.inside.netlink import Netlink
from labctl.cloud.inside.rootfs import bind_system, mount_kernel_folders
from labctl.cloud.inside.zygote import Zygote
from labctl.cloud.processes import become_subreaper
from labctl.cloud.wire import Message, Wire

USER_ID = 1000  # of an instance's user, inside
METADATA_ADDRESS = "169.254.169.254"
_ROUTER = "169.254.1.1"
_STRAIGHT = 100  # metric of an instance's own route: a detour's is preferred
_MOST_PROCESSES = 1024
_SPACES = (
    namespaces.NEW_USER
    | namespaces.NEW_MOUNTS
    | namespaces.NEW_PIDS
    | namespaces.NEW_NETWORK
    | namespaces.NEW_NAME
    | namespaces.NEW_IPC
)
_SETTINGS = {
    "net/ipv4/ip_unprivileged_port_start": "0",
    "net/ipv4/ping_group_range": f"{USER_ID} {USER_ID}",
    "user/max_user_namespaces": "0",
}


class Fleet(Zygote):
    """Forks inits into namespaces of their own, joined by a router in this process's."""

    def __init__(self, host: Wire) -> None:
        super().__init__(host)
        self._is_root = os.getuid() == 0
        self._failure = ""
        self._detours: dict[str, Detour] = {}  # by the address that they lead to
        try:
            _enter_own_space()
            _set("net/ipv4/ip_forward", "1")
            with Netlink() as network:
                network.raise_link("lo")
                network.add_address("lo", METADATA_ADDRESS)
        except OSError as error:
            self._failure = str(error)  # told to whoever asks for something

    def serve(self, message: Message, fds: list[int]) -> None:
        """Boot an instance, let pass what groups open, delay it, or hand out a router's socket."""
        answer: Message = {"id": message["id"]}
        if self._failure:
            self.host.send(answer | {"error": self._failure})
            return
        if message["op"] == "boot":
            super().serve(message, fds)
            return
        if message["op"] == "socket":
            with socket.socket() as fresh:
                self.host.send(answer, [fresh.fileno()])
            return
        try:
            (self._delay if message["op"] == "delay" else _let_pass)(message)
        except OSError as error:
            answer["error"] = str(error)
        self.host.send(answer)

    def helpers(self) -> set[int]:
        """Return the processes that delay packets."""
        return {detour.pid for detour in self._detours.values() if detour.runs}

    def _delay(self, message: Message) -> None:
        """Delay what goes to an instance, if it is connected; without an address only try."""
        address, (delay_ms, jitter_ms) = message["address"], message["delay_ms"]
        if not address:
            try_detour()
            return
        before = self._detours.pop(address, None)
        if before is not None:
            before.end()
        link = _link_to(address)
        if (delay_ms or jitter_ms) and link in {name for _, name in socket.if_nameindex()}:
            delay = Delay(address, link, delay_ms, jitter_ms)
            self._detours[address] = Detour(delay, forget=self.host.close)

    def fork_init(self, message: Message, run: Callable[[], NoReturn]) -> int:
        """Fork an init that is the first process of new namespaces; raises `OSError`."""
        reader, tell = os.pipe()
        wait, writer = os.pipe()
        helper = os.fork()
        if helper == 0:
            os.close(reader)
            os.close(writer)
            _become_helper(message, run, tell, wait)
        os.close(tell)
        os.close(wait)
        pid = None
        with os.fdopen(reader) as answers, os.fdopen(writer, "wb", 0) as allow:
            try:
                _answered(answers)
                inner = [(USER_ID, USER_ID if self._is_root else 0)]
                namespaces.map_ids(helper, inner, inner, forgo_groups=False)
                allow.write(b".")
                pid = int(_answered(answers))
                os.waitpid(helper, 0)
                _join(message["address"], pid)
                allow.write(b".")
                _answered(answers)
            except OSError:
                _end(pid or helper)
                raise
        return pid


def _let_pass(message: Message) -> None:
    openings = [
        Opening(target, source, protocol, (ports[0], ports[1]) if ports else None)
        for target, source, protocol, ports in message["openings"]
    ]
    let_pass(openings, cuts=[(one, other) for one, other in message["cuts"]])


def _answered(answers: IO[str]) -> str:
    """Return what the new process says: nothing but a line, or why it cannot go on."""
    line = answers.readline().rstrip("\n")
    kind, _, text = line.partition(" ")
    if kind != "good":
        raise OSError(text or "the instance's first process ended")
    return text


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _enter_own_space() -> None:
    """Get the powers over networks and mounts that an ordinary user does not have outside."""
    user, group = os.getuid(), os.getgid()
    spaces = namespaces.NEW_USER | namespaces.NEW_NETWORK | namespaces.NEW_MOUNTS
    if user != 0:
        namespaces.unshare(spaces)
        namespaces.map_ids(os.getpid(), [(0, user)], [(0, group)], forgo_groups=True)
        return
    # Two ids can be named from outside only.
    wait, allow = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.read(wait, 1)
            pairs = [(0, 0), (USER_ID, SPARE_ID)]
            namespaces.map_ids(os.getppid(), pairs, pairs, forgo_groups=False)
            status = 0
        finally:
            os._exit(status)
    namespaces.unshare(spaces)
    os.write(allow, b".")
    os.close(allow)
    os.close(wait)
    if os.waitpid(pid, 0)[1] != 0:
        raise OSError("the users of the namespace cannot be named")


def _link_to(address: str) -> str:
    return f"v{socket.inet_aton(address).hex()}"


def _join(address: str, pid: int) -> None:
    """Connect a new instance's network, of which `pid` is a process, with the others'."""
    name = _link_to(address)
    with Netlink() as network:
        network.remove_link(name)  # of its last life: the kernel takes its time
        network.add_pair(name, peer="eth0", peer_pid=pid)
        network.add_address(name, _ROUTER)
        network.raise_link(name)
        network.add_route(address, link=name, metric=_STRAIGHT)


def _become_helper(message: Message, run: Callable[[], NoReturn], tell: int, wait: int) -> NoReturn:
    """Make the namespaces and fork the init: who makes a process namespace does not enter it."""
    try:
        namespaces.unshare(_SPACES)
        os.write(tell, b"good\n")
        os.read(wait, 1)
        pid = os.fork()
        if pid != 0:
            os.write(tell, f"good {pid}\n".encode())
            os._exit(0)
        os.read(wait, 1)
        _settle(message)
        os.write(tell, b"good\n")
        os.close(tell)
        os.close(wait)
    except BaseException as error:
        os.write(tell, f"bad {error}\n".encode())
        os._exit(1)
    run()


def _settle(message: Message) -> None:
    """Make this process the first one of its machine: network, root, name, no powers."""
    with Netlink() as network:
        network.raise_link("lo")
        network.add_address("eth0", message["address"])
        network.raise_link("eth0")
        network.add_route(_ROUTER, link="eth0")
        network.add_route(None, link="eth0", gateway=_ROUTER)
    socket.sethostname(message["hostname"])
    os.umask(0o022)
    root = Path(message["disk"])
    bind_system(root, message["exposed"], message["covers"])
    os.chdir(root)
    namespaces.become(USER_ID)
    for name, value in _SETTINGS.items():
        _set(name, value)
    mount_kernel_folders()
    namespaces.call_itself("init")
    namespaces.change_root(".")
    resource.setrlimit(resource.RLIMIT_NPROC, (_MOST_PROCESSES, _MOST_PROCESSES))
    namespaces.give_up_powers()
    namespaces.end_with_parent(signal.SIGKILL)


def _set(name: str, value: str) -> None:
    Path("/proc/sys", name).write_text(value)


def main(descriptor: int) -> None:
    """Run the zygote on an inherited socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    become_subreaper()
    limit_memory()
    gc.freeze()  # collecting would touch, and so copy, every page the inits share
    Fleet(Wire(socket.socket(fileno=descriptor))).run()
