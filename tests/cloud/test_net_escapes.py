"""What an instance of the tier `net` cannot reach: the host's files, processes and the daemon."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.cloud import beneath, launch
from tests.cloud.running import Cloud, wait_for

CANARY = "the-canary-of-the-host"


@pytest.fixture(scope="module")
def inmate(net_cloud: Cloud) -> Iterator[str]:
    (number,) = net_cloud.launch()
    net_cloud.place(number)
    yield number
    net_cloud.client("ec2").terminate_instances(InstanceIds=[number])


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the host that anybody there may read."""
    path = tmp_path_factory.mktemp("host") / "secret"
    path.write_text(CANARY)
    return path


def test_the_hosts_files_are_not_there(net_cloud: Cloud, inmate: str, secret: Path) -> None:
    assert net_cloud.ssh(inmate, f"cat {secret}").returncode != 0
    assert net_cloud.ssh(inmate, f"ls {net_cloud.layout.folder}").returncode != 0
    assert net_cloud.ssh(inmate, "cat /etc/shadow /etc/machine-id").stdout == b""
    assert net_cloud.out(inmate, "ls /home") == "ubuntu"


def test_what_is_the_systems_cannot_be_changed(net_cloud: Cloud, inmate: str) -> None:
    for path in ("/usr/labctl-test", "/opt/labctl/bin/x", "/usr/bin/env", "/proc/sys/kernel/x"):
        assert net_cloud.ssh(inmate, f"echo x > {path}").returncode != 0
    for setting in ("kernel/core_pattern", "net/ipv4/ip_forward"):
        assert net_cloud.ssh(inmate, f"echo 1 > /proc/sys/{setting}").returncode != 0
    for power in ("mount -t tmpfs none /mnt", "umount /usr", "hostname other", "unshare -Ur id"):
        assert net_cloud.ssh(inmate, power).returncode != 0
    assert not Path("/usr/labctl-test").exists()


def test_links_over_sftp_lead_into_the_instance_only(
    net_cloud: Cloud, inmate: str, secret: Path, tmp_path: Path
) -> None:
    net_cloud.out(inmate, f"ln -sfn {secret} ~/file; ln -sfn / ~/root; ln -sfn /proc/1/root ~/up")
    got = tmp_path / "got"
    batch = "".join(f"-get {path} {got}\n" for path in ("file", f"root{secret}", f"up{secret}"))
    command = net_cloud.ssh_command(inmate)
    place = command[-3:]
    done = subprocess.run(
        ["sftp", *command[1:-3], "-P", place[1], "-b", "-", place[2]],
        input=batch.encode(),
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert not got.exists()


def test_only_its_own_processes_are_there(net_cloud: Cloud, inmate: str) -> None:
    seen = net_cloud.out(inmate, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert str(os.getpid()) not in net_cloud.out(inmate, "echo /proc/[0-9]*")
    assert "labctl.cloud.emulator" not in seen
    assert "pytest" not in seen
    for look in ("cat /proc/1/environ", "ls /proc/1/fd/", "ls /proc/1/root/", "ls /proc/1/cwd/"):
        assert net_cloud.ssh(inmate, look).returncode != 0
    assert net_cloud.ssh(inmate, "kill -9 1; test -d /proc/1").returncode == 0


def test_the_daemons_environment_is_unknown_inside(
    tmp_path: Path, net_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    monkeypatch.setenv("LABCTL_CANARY", CANARY)
    own = Cloud(tmp_path / "state", tmp_path / "key")
    launch.ensure_started(own.state, tier="net")
    try:
        (number,) = own.launch()
        found = own.out(number, "env; cat /proc/*/environ 2>&- | tr '\\0' '\\n'; true")
        assert "LABCTL_INSTANCE" in found
        assert CANARY not in found
        assert own.info.secret_key not in found
    finally:
        launch.stop(own.state)


def test_the_control_socket_serves_its_own_instance_only(net_cloud: Cloud, inmate: str) -> None:
    code = (
        "import json, socket\n"
        "s = socket.socket(socket.AF_UNIX); s.connect('/run/init.sock')\n"
        "for op in ('spawn', 'halt', 'boot', 'socket', '__class__'):\n"
        "    s.sendall(json.dumps({'op': op, 'id': 1}).encode() + b'\\n'); print(s.recv(999))\n"
    )
    answers = net_cloud.ssh(inmate, "python3 -", stdin=code.encode()).stdout.decode().splitlines()
    assert len(answers) == 5
    assert all("unknown request" in answer for answer in answers)
    assert net_cloud.ssh(inmate, "systemctl start ../../../escape").returncode != 0
    assert net_cloud.out(inmate, "find / -xdev -type s 2>&-; true") == "/run/init.sock"


def test_the_host_follows_no_link_of_an_instance(
    net_cloud: Cloud, inmate: str, secret: Path
) -> None:
    """Whatever it puts in the place of what the daemon reads or writes at the next boot."""
    secret.chmod(0o666)
    (number,) = net_cloud.launch()
    traps = ("~/.labctl", "~/.ssh/authorized_keys", "/etc/ssh/ssh_host_ed25519_key")
    more = ("/var/lib/cloud/first-boot", "/var/lib/labctl", "/etc/passwd", "/run", "/bin")
    net_cloud.out(number, "cp ~/.ssh/authorized_keys /tmp/keys; true")
    command = "; ".join(f"rm -rf {trap}; ln -s {secret} {trap}" for trap in (*traps, *more))
    net_cloud.ssh(number, f"{command}; sync")
    net_cloud.client("ec2").reboot_instances(InstanceIds=[number])
    wait_for(lambda: "cannot become running" in net_cloud.layout.daemon_log.read_text())
    assert secret.read_text() == CANARY
    net_cloud.client("ec2").terminate_instances(InstanceIds=[number])
    net_cloud.becomes(number, "terminated")
    assert secret.read_text() == CANARY


def test_a_path_beneath_a_folder_follows_no_link(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    outside.mkdir()
    root.mkdir()
    (outside / "file").write_text(CANARY)
    (root / "link").symlink_to(outside)
    (root / "name").symlink_to(outside / "file")
    os.mkfifo(root / "pipe")
    for path in ("link/file", "name", "../outside/file", "pipe", "link/new"):
        with pytest.raises(OSError, match=r".+"):
            beneath.read_bytes(root, path)
        with pytest.raises(OSError, match=r".+"):
            beneath.write_bytes(root, path, b"")
    beneath.write_bytes(root, "/deep/er/file", b"1", mode=0o640)
    assert beneath.read_bytes(root, "deep/er/file") == b"1"
    assert (root / "deep/er/file").stat().st_mode & 0o777 == 0o640
    assert [path.name for path in outside.iterdir()] == ["file"]
