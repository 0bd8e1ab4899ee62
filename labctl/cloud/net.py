"""The net tier: an instance has its own root, processes, address, ports and metadata service.

Made of Linux namespaces by an ordinary user. It keeps files, processes and network apart; it is
no boundary against code that attacks the kernel.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import labctl
from labctl.cloud.beneath import with_mode, write_bytes
from labctl.cloud.doors import Doors
from labctl.cloud.inside.fleet import METADATA_ADDRESS, USER_ID
from labctl.cloud.inside.guest import SPARE_ID, Guest
from labctl.cloud.inside.rootfs import make_top_links
from labctl.cloud.layout import REGION
from labctl.cloud.machines import InitMachine, Zygotes
from labctl.cloud.metadata import Metadata, RoleKeys
from labctl.cloud.passes import Passes, passes_of
from labctl.cloud.prepared import SEEN_AS, give_to_instances
from labctl.cloud.programs import (
    names,
    package_folders,
    provide_python,
    shell,
    write_programs,
)
from labctl.cloud.relay import listen, relaying
from labctl.cloud.ssh_server import SSH_PORT
from labctl.cloud.tier import Ask, Description

METADATA_PORT = 80
_MOST_DOORS = 100  # of one rule: a wider one is meant for other instances
_PROGRAMS = "/opt/labctl/bin"
_PATH = f"{_PROGRAMS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NSSWITCH = "passwd: files\ngroup: files\nhosts: files\n"
_PROFILE = f"""case "$PATH" in {_PROGRAMS}:*) ;; *) export PATH="{_PATH}" ;; esac
"""


_log = logging.getLogger("labctl.net")


class NetTier:
    """Instances in namespaces of their own; `endpoint` is what they reach of this machine."""

    name = "net"
    own_network = True

    def __init__(
        self,
        environment: Mapping[str, str],
        own_children: Callable[[], set[int]],
        *,
        programs: Path,
        fetched: Path,
        prepared: Path,
        endpoint: tuple[str, int],
        role_keys: Callable[[], RoleKeys],
    ) -> None:
        self.reason = ""
        self._programs = programs
        self._fetched = fetched
        self._prepared = prepared
        self._endpoint = endpoint
        owner = SPARE_ID if os.getuid() == 0 else None
        self._zygotes = Zygotes("labctl.cloud.inside.fleet", environment, own_children, owner=owner)
        self._role_keys = role_keys
        self._metadata: dict[str, Metadata] = {}  # by private address
        self._doors: dict[str, Doors] = {}  # likewise
        self._service: asyncio.Server | None = None
        self._serving = asyncio.Lock()
        self._served: int | None = None  # the zygote whose router the service listens on
        self._roles: dict[str, str] = {}  # by instance
        self._addresses: dict[str, str] = {}
        self.cannot: Mapping[str, str] = {}
        self._passes = Passes()
        self._groups_hold = True
        self._passing = asyncio.Lock()
        self._in_force: tuple[int | None, Passes] = None, Passes()
        self._tasks: set[asyncio.Task[None]] = set()  # or they would be collected
        programs.mkdir(exist_ok=True)
        write_programs(programs, seen_as=_PROGRAMS)
        programs.chmod(0o755)  # instances of a cloud that root started are another user
        prepared.mkdir(exist_ok=True)
        prepared.chmod(0o755)

    @property
    def pid(self) -> int | None:
        """The zygote's process id."""
        return self._zygotes.pid

    def outfit(self, description: Description, *, disk: Path, user: str, first: bool) -> Guest:
        """Furnish the disk before its first boot; later it is the instance's alone."""
        home = f"/home/{user}"
        if first:
            make_top_links(disk)
            _write_system_files(disk, description, user)
            wrapper = f'#!/bin/sh\nexec {_PROGRAMS}/python3 "$@"\n'
            provide_python(disk, home, wrapper)
            # On EC2 clients know the endpoints by themselves; here they find ours by this.
            host, port = self._endpoint
            config = f"[default]\nregion = {REGION}\nendpoint_url = http://{host}:{port}\n"
            write_bytes(disk, f"{home}/.aws/config", config.encode())
        environment = {
            "HOME": home,
            "USER": user,
            "LOGNAME": user,
            "SHELL": shell(),
            "PATH": _PATH,
            "LANG": "C.UTF-8",
            "LABCTL_INSTANCE": description.id,
        }
        return Guest(description.id, Path("/"), user, home, environment)

    def hand_over(self, disk: Path) -> None:
        """Give the disk to the user that instances are when root started the cloud."""
        give_to_instances(disk)

    async def boot(
        self, description: Description, guest: Guest, ask: Ask, *, disk: Path
    ) -> InitMachine:
        """Fork an init in new namespaces and connect it with the emulator."""
        machine = await self._zygotes.boot(
            guest,
            ask,
            disk=str(disk),
            address=description.private_address,
            hostname=hostname(description),
            exposed=self._exposed(),
            covers=self._covers(),
        )
        try:
            await self._let_pass(fresh=description.private_address)
            await self._serve_metadata()
            emulator = await listen(
                await machine.new_socket(), self._endpoint, relaying(self._endpoint)
            )
        except OSError:
            await machine.halt(grace_s=0)
            raise
        self._metadata[description.private_address] = Metadata(
            description,
            role=lambda: self._roles.get(description.id, ""),
            keys=self._role_keys(),
        )
        doors = Doors(machine, outside=description.address, inside=description.private_address)
        self._doors[description.private_address] = doors
        await self._open_doors()
        self._keep(self._close_after(machine, emulator, description.private_address))
        return machine

    def learn(self, machines: list[dict[str, Any]]) -> None:
        """Take over the roles of all instances, and what their security groups open."""
        self._roles = {machine["id"]: machine["role"] for machine in machines}
        self._addresses |= {
            machine["id"]: machine["private_address"]
            for machine in machines
            if "private_address" in machine
        }
        passes = passes_of(machines, self._addresses)
        if passes != self._passes:
            self._passes = passes
            self._keep(self._open_doors())
            if self.pid is not None:
                self._keep(self._let_pass_soon())

    def lets_in(self, private_address: str, caller: str) -> bool:
        """Tell whether an instance's groups let an address of this machine in by SSH."""
        return not self._groups_hold or any(
            ports is None or ports[0] <= SSH_PORT <= ports[1]
            for ports in self._open_to(private_address, caller)
        )

    def _open_to(self, private_address: str, caller: str) -> Iterator[list[int] | None]:
        """Yield the TCP ports, first and last (None: all), that are open to a caller."""
        for target, source, protocol, ports in self._passes.openings:
            if (
                target == private_address
                and ipaddress.ip_address(caller) in ipaddress.ip_network(source)
                and protocol in (None, socket.IPPROTO_TCP)
            ):
                yield ports

    async def _open_doors(self) -> None:
        """Let this machine reach what the groups of each instance open to it, besides SSH."""
        for address, doors in list(self._doors.items()):
            found = {
                port
                for ports in self._open_to(address, "127.0.0.1")
                if ports is not None and ports[1] - ports[0] < _MOST_DOORS
                for port in range(ports[0], ports[1] + 1)
            }
            await doors.open_only(found - {SSH_PORT})

    async def _let_pass(self, *, fresh: str = "") -> None:
        """Let pass what is to now, if that is not in force already; raises `OSError`.

        `fresh` is the address of an instance that has just been connected.
        """
        async with self._passing:
            wanted, (pid, now) = self._passes, self._in_force
            now = now if pid == self.pid else Passes()
            if self._groups_hold and (pid, now.gates) != (self.pid, wanted.gates):
                openings, cuts = wanted.gates
                await self._zygotes.tell("openings", openings=openings, cuts=cuts)
            if "delay" not in self.cannot:
                for address in {*now.delays, *wanted.delays}:
                    delay_ms = wanted.delays.get(address, [0, 0])
                    if address == fresh or now.delays.get(address, [0, 0]) != delay_ms:
                        await self._zygotes.tell("delay", address=address, delay_ms=delay_ms)
            self._in_force = self.pid, wanted

    async def _serve_metadata(self) -> None:
        """Listen where every instance finds its metadata, on this router if not done yet."""
        async with self._serving:
            if self._served == self.pid:
                return
            if self._service is not None:
                self._service.close()
            answer = await self._zygotes.tell("socket")
            sock = socket.socket(fileno=answer["fds"][0])
            place = (METADATA_ADDRESS, METADATA_PORT)
            self._service = await listen(sock, place, self._tell_metadata)
            self._served = self.pid

    async def _tell_metadata(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        # No instance can send from another's address: none may change or forge its own.
        metadata = self._metadata.get(writer.get_extra_info("peername")[0])
        if metadata is None:
            writer.close()
        else:
            await metadata.serve(reader, writer)

    async def _let_pass_soon(self) -> None:
        try:
            await self._let_pass()
        except (OSError, ConnectionError) as error:
            _log.error("what the security groups open is not in force: %s", error)

    async def try_router(self) -> None:
        """Find out whether security groups can be made to hold, and traffic delayed."""
        try:
            await self._zygotes.tell("openings", openings=[], cuts=[])
        except OSError as error:
            self._groups_hold = False
            self.reason = f"; security groups have no effect ({error})"
            self.cannot = {"cut": f"this kernel filters nothing for us ({error})"}
        try:
            await self._zygotes.tell("delay", address="", delay_ms=[0, 0])
        except OSError as error:
            delay = f"this system has no TUN devices to delay packets with ({error})"
            self.cannot = {**self.cannot, "delay": delay}

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _exposed(self) -> dict[str, str]:
        more = [str(self._fetched)] if self._fetched.exists() else []
        return {path: path for path in (*exposed(), *more)} | {
            _PROGRAMS: str(self._programs),
            str(SEEN_AS): str(self._prepared),
        }

    def _covers(self) -> dict[str, str]:
        return {
            f"/usr/{folder}/{name}": str(self._programs / name)
            for folder in ("bin", "sbin")
            for name in names()
        }

    async def _close_after(
        self, machine: InitMachine, emulator: asyncio.Server, address: str
    ) -> None:
        doors = self._doors[address]
        await machine.died.wait()
        emulator.close()
        doors.close()
        if self._doors[address] is doors:  # it may have been booted again
            del self._doors[address]

    async def close(self) -> None:
        """End every machine."""
        await self._zygotes.close()


def hostname(description: Description) -> str:
    """Return the name that EC2 gives an instance by its address."""
    return f"ip-{description.private_address.replace('.', '-')}"


def exposed() -> list[str]:
    """Return the folders of this program and its interpreter that are not the system's."""
    program = Path(sys.executable).resolve().parents[1]
    paths = [sys.prefix, sys.base_prefix, str(program), str(Path(labctl.__file__).parent)]
    # Packages may lie elsewhere, too: a user's own, or those that a .pth file names.
    paths += package_folders()
    found: list[str] = []
    for path in sorted(set(paths)):
        inside = any(path.startswith(f"{above}/") for above in (*found, "/usr"))
        if path != "/usr" and not inside:
            found.append(path)
    return found


def _write_system_files(disk: Path, description: Description, user: str) -> None:
    host = hostname(description)
    texts = {
        "passwd": f"root:x:0:0:root:/root:/bin/sh\n"
        f"{user}:x:{USER_ID}:{USER_ID}::/home/{user}:{shell()}\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        "group": f"root:x:0:\n{user}:x:{USER_ID}:\nnogroup:x:65534:\n",
        "hostname": f"{host}\n",
        "hosts": f"127.0.0.1 localhost\n{description.private_address} {host}.ec2.internal {host}\n",
        "nsswitch.conf": _NSSWITCH,
        "os-release": f'NAME="labctl local instance"\nID=labctl\nIMAGE_ID={description.image}\n',
        "profile": _PROFILE,
    }
    for name, text in texts.items():
        write_bytes(disk, f"etc/{name}", text.encode(), mode=0o644)
    for folder in ("", "root", "srv", "usr", "proc", "dev", "mnt", "etc", "home", "var"):
        with_mode(disk, folder, 0o755)
    with_mode(disk, "tmp", 0o1777)
