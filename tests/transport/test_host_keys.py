"""Host keys: made, and exchanged on a machine without ever losing the way to it."""

from __future__ import annotations

import shutil
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.errors import HostKeyChanged, TransportError
from labctl.transport.host_keys import new_client_key, new_host_key, rotate_host_key
from labctl.transport.ssh import SshTransport
from tests.transport.sshd import SshServer


def key_file(server: SshServer) -> Path:
    return Path(server.environment["LABCTL_ROOT"]) / "etc/ssh/ssh_host_ed25519_key"


def serve(server: SshServer) -> None:
    """Let the server show the key that was put in place, as a restart would."""
    server.stop()
    shutil.copy(key_file(server), server.folder / "host_key")
    server.start()


def test_keys_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "client"
    public = new_client_key(path)
    assert public.startswith("ssh-ed25519 AAAA")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert new_host_key() != new_host_key()


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen to compare with")
def test_openssh_reads_them_alike(tmp_path: Path) -> None:
    public = new_client_key(tmp_path / "client")
    read = subprocess.run(
        ["ssh-keygen", "-y", "-f", str(tmp_path / "client")], capture_output=True, check=True
    )
    assert read.stdout.decode().split()[:2] == public.split()


@pytest.mark.parametrize("with_keygen", [True, False])
def test_a_machine_gets_a_key_of_its_own(
    rooted: SshServer, transport: SshTransport, with_keygen: bool
) -> None:
    if not with_keygen:
        _hide_ssh_keygen(rooted)
    machine = rooted.machine()
    told: list[str] = []
    public = rotate_host_key(transport, machine, before_switch=told.append)
    assert told == [public]
    assert public != rooted.host_key
    assert stat.S_IMODE(key_file(rooted).stat().st_mode) == 0o600
    assert key_file(rooted).with_suffix(".pub").read_text().split()[:2] == public.split()
    assert sorted(path.name for path in key_file(rooted).parent.iterdir()) == [
        "ssh_host_ed25519_key",
        "ssh_host_ed25519_key.pub",
    ]
    serve(rooted)
    assert transport.run(replace(machine, host_keys=(public,)), "true").status == 0
    with pytest.raises(HostKeyChanged):
        transport.run(machine, "true")
    assert rotate_host_key(transport, replace(machine, host_keys=(public,))) != public


def _hide_ssh_keygen(server: SshServer) -> None:
    programs = Path(server.environment["PATH"].split(":")[0])
    for name in (
        "sh",
        "bash",
        "cat",
        "chmod",
        "cp",
        "id",
        "mkdir",
        "mv",
        "rm",
        "tee",
        "test",
        "true",
    ):
        found = shutil.which(name, path="/usr/bin:/bin")
        assert found is not None
        (programs / name).symlink_to(found)
    server.environment["PATH"] = str(programs)
    server.stop()
    server.start()


def test_a_kill_before_the_switch_leaves_the_old_key(
    rooted: SshServer, transport: SshTransport
) -> None:
    def killed(public: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotate_host_key(transport, rooted.machine(), before_switch=killed)
    assert not key_file(rooted).exists()
    assert rotate_host_key(transport, rooted.machine())


def test_a_server_that_does_not_restart_keeps_its_key(
    rooted: SshServer, transport: SshTransport
) -> None:
    before = rotate_host_key(transport, rooted.machine())
    private = key_file(rooted).read_text()
    (Path(rooted.environment["LABCTL_ROOT"]) / "run" / "ssh-is-broken").write_text("")
    with pytest.raises(TransportError, match="does not restart") as told:
        rotate_host_key(transport, rooted.machine())
    assert told.value.hint
    assert key_file(rooted).with_suffix(".pub").read_text().split()[:2] == before.split()
    assert key_file(rooted).read_text() == private
