"""One instance on the host: its disk, its first boot, its machine and its SSH server."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from labctl.cloud.images import login_users
from labctl.cloud.inside.guest import Guest
from labctl.cloud.inside.units import mapped
from labctl.cloud.layout import Layout, Reached, publish_place
from labctl.cloud.programs import python_wrapper, write_programs
from labctl.cloud.ssh_server import HostKeyError, SshServer, store_host_key
from labctl.cloud.ssh_session import shell
from labctl.cloud.tier import Machine, Tier
from labctl.cloud.user_data import FileToWrite, UserData, read_user_data

_FOLDERS = ("tmp", "var/log", "var/lib/cloud", "etc/systemd/system", "etc/ssh", "run", "bin", "opt")
_BOOTED = "var/lib/cloud/first-boot"  # its content is where SSH was reached last
_SCRIPT_LOG = "var/log/cloud-init-output.log"
_PROFILE = """# The system's own profile sets PATH anew: the instance's commands come first again.
case "$PATH" in "$LABCTL_ROOT/bin":*) ;; *) export PATH="$LABCTL_ROOT/bin:$PATH" ;; esac
[ -n "$BASH_VERSION" ] && [ -f ~/.bashrc ] && . ~/.bashrc
"""
_BASHRC = "PS1='\\u@'\"$LABCTL_INSTANCE\"':\\w\\$ '\n"
_log = logging.getLogger("labctl.instance")


@dataclass(frozen=True)
class Description:
    """What EC2 knows about an instance."""

    id: str
    address: str
    image: str
    public_key: str
    user_data: str  # base64


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
        self._home = self._root / "home" / self._users[0]
        self._server = SshServer(self._root, self._home, self._users)
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
        first = await asyncio.to_thread(self._prepare)
        self.machine = await self._tier.boot(self._guest(), self._asked)
        self._server.machine = self.machine
        await self._server.listen(self._description.address, self._last_port())
        (self._root / _BOOTED).write_text(str(self._server.port))
        self._publish()
        await self.machine.start_services()
        if first is not None and (first.scripts or first.notes):
            self._scripts = asyncio.create_task(self._run_scripts(self.machine, first))

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

    def _guest(self) -> Guest:
        folder = self._root / "bin"
        environment = {
            "HOME": str(self._home),
            "USER": self._users[0],
            "LOGNAME": self._users[0],
            "SHELL": shell(),
            "PATH": f"{folder}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "TMPDIR": str(self._root / "tmp"),
            "LABCTL_ROOT": str(self._root),
            "LABCTL_INSTANCE": self._description.id,
        }
        return Guest(self._description.id, self._root, self._users[0], str(self._home), environment)

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
            return int((self._root / _BOOTED).read_text() or 0)
        except (OSError, ValueError):
            return 0

    def _prepare(self) -> UserData | None:
        """Make the disk; return what the user data asks for at the first boot only."""
        for folder in _FOLDERS:
            (self._root / folder).mkdir(parents=True, exist_ok=True)
        (self._root / "run").chmod(0o700)
        self._home.mkdir(parents=True, exist_ok=True)
        write_programs(self._root / "bin")
        self._provide_python()
        if (self._root / _BOOTED).exists():
            return None
        asked = read_user_data(self._description.user_data)
        store_host_key(self._root, asked.host_key)
        keys = [self._description.public_key, *asked.authorized_keys]
        self._write_home(".ssh/authorized_keys", "".join(f"{key}\n" for key in keys if key))
        (self._home / ".ssh").chmod(0o700)
        self._write_home(".profile", _PROFILE)
        self._write_home(".bashrc", _BASHRC)
        for file in asked.files:
            self._write_file(file, asked.notes)
        (self._root / _BOOTED).write_text("0")
        return asked

    def _write_home(self, name: str, text: str) -> None:
        path = self._home / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)

    def _provide_python(self) -> None:
        """Put labctl's own interpreter where agents look for theirs."""
        folder = self._home / ".labctl/venv"
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        path = folder / "bin/python3"
        path.write_text(python_wrapper())
        path.chmod(0o755)
        (folder / "PROVIDED").write_text(
            "This is labctl's own Python; nothing is installed here.\n"
        )

    def _write_file(self, file: FileToWrite, notes: list[str]) -> None:
        path = Path(os.path.normpath(mapped(self._root, os.path.normpath(file.path))))
        if not path.is_relative_to(self._root):
            notes.append(f"write_files: {file.path} is not the instance's own: not written")
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab" if file.append else "wb") as target:
                target.write(file.content)
            path.chmod(file.mode)
        except OSError as error:
            notes.append(f"write_files: {error}")

    async def _run_scripts(self, machine: Machine, asked: UserData) -> None:
        log = os.open(self._root / _SCRIPT_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            for note in asked.notes:
                os.write(log, f"labctl: {note}\n".encode())
            for index, script in enumerate(asked.scripts):
                path = self._root / f"var/lib/cloud/script-{index}"
                path.write_text(script)
                path.chmod(0o700)
                argv = [str(path)] if script.startswith("#!") else ["/bin/sh", str(path)]
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
