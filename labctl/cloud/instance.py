"""One instance on the host: its disk, its first boot, its machine and its SSH server."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from labctl.cloud.beneath import open_file, open_folder, read_bytes, with_mode, write_bytes
from labctl.cloud.images import login_users
from labctl.cloud.inside.guest import Guest
from labctl.cloud.inside.units import mapped
from labctl.cloud.layout import Layout, Reached, publish_place
from labctl.cloud.ssh_server import HostKeyError, SshServer, store_host_key
from labctl.cloud.tier import Description, Machine, Tier
from labctl.cloud.user_data import FileToWrite, UserData, read_user_data

_FOLDERS = ("tmp", "var/log", "var/lib/cloud", "etc/systemd/system", "etc/ssh", "run", "opt")
_BOOTED = "var/lib/cloud/first-boot"  # its content is where SSH was reached last
_SYSTEM = [(name,) for name in ("usr", "bin", "sbin", "lib", "lib64", "proc", "dev", "sys")]
_SCRIPT = "var/lib/cloud/script-{}"
_SCRIPT_LOG = "var/log/cloud-init-output.log"
_PROFILE = """# The system's own profile sets PATH anew: the instance's commands come first again.
[ -z "$LABCTL_ROOT" ] || case "$PATH" in
  "$LABCTL_ROOT/bin":*) ;;
  *) export PATH="$LABCTL_ROOT/bin:$PATH" ;;
esac
[ -n "$BASH_VERSION" ] && [ -f ~/.bashrc ] && . ~/.bashrc
"""
_BASHRC = "PS1='\\u@'\"$LABCTL_INSTANCE\"':\\w\\$ '\n"
_log = logging.getLogger("labctl.instance")


class Instance:
    """Boots, halts and destroys one instance. `power` is told what it asks for from inside."""

    def __init__(
        self,
        layout: Layout,
        tier: Tier,
        description: Description,
        power: Callable[[str, str], Awaitable[str]],
    ) -> None:
        self._layout = layout
        self._tier = tier
        self._description = description
        self._power = power
        self._users = login_users(description.image)
        self._root = layout.instances / description.id
        self._server = SshServer(
            self._root,
            self._users,
            own_network=tier.own_network,
            lets_in=lambda caller: tier.lets_in(description.private_address, caller),
        )
        self._scripts: asyncio.Task[None] | None = None
        self.machine: Machine | None = None

    @property
    def root(self) -> Path:
        """The folder that is its disk."""
        return self._root

    @property
    def running(self) -> bool:
        """Whether its machine is up."""
        return self.machine is not None and not self.machine.died.is_set()

    async def boot(self) -> None:
        """Bring it up until SSH answers; raises `OSError` or `ConnectionError`."""
        self._down()
        first, guest = await asyncio.to_thread(self._prepare)
        self.machine = await self._tier.boot(self._description, guest, self._asked, disk=self._root)
        self._server.machine, self._server.home = self.machine, guest.home
        await self._server.listen(self._description.address, self._last_port())
        write_bytes(self._root, _BOOTED, str(self._server.port).encode())
        self._publish()
        await self.machine.start_services()
        if first is not None and (first.scripts or first.notes):
            self._scripts = asyncio.create_task(self._run_scripts(self.machine, first, guest.root))

    async def halt(self, *, grace_s: float) -> None:
        """Take it down; its disk stays."""
        self._down()
        machine, self.machine = self.machine, None
        if machine is not None:
            await machine.halt(grace_s=grace_s)
        self._server.drop()

    async def destroy(self, *, grace_s: float) -> None:
        """Take it down and delete its disk."""
        await self.halt(grace_s=grace_s)
        await asyncio.to_thread(remove_tree, self._root)

    def _down(self) -> None:
        (self._layout.places / f"{self._description.id}.json").unlink(missing_ok=True)
        if self._scripts is not None:
            self._scripts.cancel()
            self._scripts = None
        self._server.close()

    async def _asked(self, verb: str, name: str) -> str:
        if verb == "power":
            return await self._power(self._description.id, name)
        try:
            self._server.reload_host_key()
        except HostKeyError as error:
            return str(error)
        self._publish()
        return ""

    def _publish(self) -> None:
        place = Reached(
            instance=self._description.id,
            address=self._description.address,
            port=self._server.port,
            user=self._users[0],
            host_keys=(self._server.host_key,),
        )
        publish_place(self._layout, place)

    def _last_port(self) -> int:
        try:
            return int(read_bytes(self._root, _BOOTED) or 0)
        except (OSError, ValueError):
            return 0

    def _prepare(self) -> tuple[UserData | None, Guest]:
        """Make the disk; return what the user data asks for at the first boot only."""
        self._root.mkdir(parents=True, exist_ok=True)
        first = not (self._root / _BOOTED).exists()
        make_folders(self._root, self._users[0])
        guest = self._tier.outfit(
            self._description, disk=self._root, user=self._users[0], first=first
        )
        if not first:
            return None, guest
        asked = read_user_data(self._description.user_data)
        store_host_key(self._root, asked.host_key)
        keys = [self._description.public_key, *asked.authorized_keys]
        self._write_home(".ssh/authorized_keys", "".join(f"{key}\n" for key in keys if key))
        with_mode(self._root, f"home/{self._users[0]}/.ssh", 0o700)
        self._write_home(".profile", _PROFILE)
        self._write_home(".bashrc", _BASHRC)
        for file in asked.files:
            self._write_file(file, guest, asked.notes)
        for index, script in enumerate(asked.scripts):
            write_bytes(self._root, _SCRIPT.format(index), script.encode(), mode=0o700)
        write_bytes(self._root, _SCRIPT_LOG, b"", mode=0o644)
        write_bytes(self._root, _BOOTED, b"0")
        self._tier.hand_over(self._root)
        return asked, guest

    def _write_home(self, name: str, text: str) -> None:
        write_bytes(self._root, f"home/{self._users[0]}/{name}", text.encode())

    def _write_file(self, file: FileToWrite, guest: Guest, notes: list[str]) -> None:
        path = self._own_path(file.path, guest)
        if path is None:
            notes.append(f"write_files: {file.path} is not the instance's own: not written")
            return
        try:
            if file.append:
                with suppress(FileNotFoundError):
                    before = read_bytes(self._root, path)
                    file = replace(file, content=before + file.content)
            write_bytes(self._root, path, file.content, mode=file.mode)
        except OSError as error:
            notes.append(f"write_files: {error}")

    def _own_path(self, path: str, guest: Guest) -> str | None:
        """Return where on the disk a machine's path lies; None for what is not the instance's."""
        path = os.path.normpath(path)
        if guest.root == Path("/"):
            own = path.startswith("/") and Path(path).parts[1:2] not in _SYSTEM
            return path if own else None
        here = Path(os.path.normpath(mapped(self._root, path)))
        return str(here.relative_to(self._root)) if here.is_relative_to(self._root) else None

    async def _run_scripts(self, machine: Machine, asked: UserData, root: Path) -> None:
        log = open_file(self._root, _SCRIPT_LOG, os.O_WRONLY | os.O_APPEND)
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            for note in asked.notes:
                os.write(log, f"labctl: {note}\n".encode())
            for index, script in enumerate(asked.scripts):
                path = str(root / _SCRIPT.format(index))
                argv = [path] if script.startswith("#!") else ["/bin/sh", path]
                program = await machine.start_program(
                    argv, environment={}, stdio=[nothing, log, log]
                )
                status = await program.exited
                os.write(log, f"labctl: user data script ended with {status}\n".encode())
        except (OSError, ConnectionError) as error:
            os.write(log, f"labctl: {error}\n".encode())
        finally:
            os.close(log)
            os.close(nothing)


def make_folders(disk: Path, user: str) -> None:
    """Make the folders that every instance has."""
    for folder in (*_FOLDERS, f"home/{user}"):
        with suppress(OSError):  # somebody inside put something else there
            os.close(open_folder(disk, folder, create=True))


def remove_tree(folder: Path) -> None:
    """Delete a folder with all it holds, whatever the modes of what is inside."""
    if not folder.exists():
        return
    for path, folders, _ in os.walk(folder):
        for name in folders:
            inner = Path(path, name)
            if not inner.is_symlink():
                inner.chmod(0o700)
    shutil.rmtree(folder)
