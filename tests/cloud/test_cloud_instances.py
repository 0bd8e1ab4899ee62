"""What an instance is: a machine that boots once, keeps its disk, and ends with all it started."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.cloud import launch
from labctl.cloud.processes import alive, descendants, marked
from tests.cloud.hostile import HOSTILE
from tests.cloud.running import Cloud, wait_for


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


@pytest.fixture
def hostile(cloud: Cloud, instance: str) -> Iterator[list[int]]:
    """The process ids of hostile programs in the instance: detached, deaf, unmarked."""
    script = cloud.root(instance) / "hostile.py"
    script.write_text(HOSTILE)
    running = subprocess.Popen(
        [*cloud.ssh_command(instance), f"exec python3 {script}"], stdout=subprocess.PIPE
    )
    assert running.stdout is not None
    assert running.stdout.readline() == b"ready\n"
    leader = wait_for(lambda: next(iter(marked([f"LABCTL_INSTANCE={instance}"])), None))
    init = parent(leader)
    # The shell, five detached programs, and the children that two of them respawn.
    found = wait_for(lambda: pids if len(pids := descendants(init)) >= 9 else None)
    yield found
    running.kill()
    running.wait()
    running.stdout.close()


def test_terminate_ends_every_process(cloud: Cloud, instance: str, hostile: list[int]) -> None:
    assert len(hostile) >= 9
    cloud.client("ec2").terminate_instances(InstanceIds=[instance])
    cloud.becomes(instance, "terminated")
    assert [pid for pid in hostile if alive(pid)] == []
    assert not cloud.root(instance).exists()


def test_a_killed_init_leaves_nothing_and_the_machine_comes_back(
    cloud: Cloud, instance: str, hostile: list[int]
) -> None:
    init = parent(hostile[0])
    os.kill(init, signal.SIGKILL)
    wait_for(lambda: not any(alive(pid) for pid in hostile))
    assert wait_for(lambda: cloud.ssh(instance, "echo back").stdout or None) == b"back\n"


def test_a_stopped_init_still_ends(cloud: Cloud, instance: str) -> None:
    shell = int(cloud.out(instance, "echo $PPID"))
    os.kill(shell, signal.SIGSTOP)
    cloud.client("ec2").terminate_instances(InstanceIds=[instance])
    cloud.becomes(instance, "terminated")
    assert not alive(shell)


def test_a_killed_zygote_is_replaced(own_cloud: Cloud) -> None:
    (number,) = own_cloud.launch()
    init = int(own_cloud.out(number, "echo kept > ~/note; setsid sleep 1000 >&- 2>&- & echo $PPID"))
    old = descendants(init)
    zygote = parent(init)
    os.kill(zygote, signal.SIGKILL)
    wait_for(lambda: not any(alive(pid) for pid in [init, *old]))
    assert wait_for(lambda: own_cloud.ssh(number, "cat ~/note").stdout or None) == b"kept\n"


def test_stop_and_start_keep_the_disk_and_the_address(cloud: Cloud, instance: str) -> None:
    ec2 = cloud.client("ec2")
    program = cloud.out(instance, "echo word > ~/note; setsid sleep 1000 >&- 2>&- <&- & echo $!")
    before = cloud.place(instance)
    ec2.stop_instances(InstanceIds=[instance])
    cloud.becomes(instance, "stopped")
    assert not alive(int(program))
    ec2.start_instances(InstanceIds=[instance])
    cloud.becomes(instance, "running")
    assert cloud.place(instance) == before
    assert cloud.out(instance, "cat ~/note") == "word"


def test_reboot_ends_the_programs_and_comes_back(cloud: Cloud, instance: str) -> None:
    init = int(cloud.out(instance, "echo $PPID"))
    cloud.client("ec2").reboot_instances(InstanceIds=[instance])
    wait_for(lambda: not alive(init))
    cloud.becomes(instance, "running")
    assert (
        wait_for(lambda: cloud.ssh(instance, "echo $PPID").stdout or None) != f"{init}\n".encode()
    )


def test_a_connection_ends_with_its_machine(cloud: Cloud, instance: str) -> None:
    held = subprocess.Popen(
        cloud.ssh_command(
            instance, "-N", "-o", "PermitLocalCommand=yes", "-o", "LocalCommand=echo up"
        ),
        stdout=subprocess.PIPE,
    )
    assert held.stdout is not None
    assert held.stdout.readline() == b"up\n"  # connected, with no program that could end it
    cloud.client("ec2").terminate_instances(InstanceIds=[instance])
    assert held.wait(30) == 255
    held.stdout.close()


@pytest.mark.parametrize(
    ("behaviour", "command", "state"),
    [
        ("stop", "shutdown -h now", "stopped"),
        ("terminate", "poweroff", "terminated"),
    ],
)
def test_an_instance_can_end_itself(cloud: Cloud, behaviour: str, command: str, state: str) -> None:
    (number,) = cloud.launch(InstanceInitiatedShutdownBehavior=behaviour)
    # Were the instance's own command not found first, the real machine must not go down.
    own = f'case "$(command -v {command.split()[0]})" in "$LABCTL_ROOT"/*) sudo -n {command};; esac'
    cloud.ssh(number, own)
    cloud.becomes(number, state)
    cloud.client("ec2").terminate_instances(InstanceIds=[number])


def test_user_data_is_done_once(cloud: Cloud, tmp_path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", tmp_path / "host"],
        check=True,
    )
    private = textwrap.indent((tmp_path / "host").read_text(), "    ")
    public = (tmp_path / "host.pub").read_text().strip()
    encoded = base64.b64encode(b"binary\0").decode()
    config = f"""#cloud-config
ssh_keys:
  ed25519_private: |
{private}
ssh_authorized_keys: ["{public}"]
write_files:
  - {{path: /etc/lab.conf, content: "a: 1\\n", permissions: "0600"}}
  - {{path: /opt/data, content: {encoded}, encoding: b64}}
  - {{path: /usr/lib/labctl-test, content: no}}
  - {{path: /etc/../../../escape, content: no}}
packages: [nginx]
runcmd:
  - echo ran >> $LABCTL_ROOT/var/ran; echo $USER
  - [sh, -c, "echo list >> $LABCTL_ROOT/var/ran"]
"""
    (number,) = cloud.launch(UserData=config)
    root = cloud.root(number)
    assert " ".join(cloud.place(number).host_keys[0].split()[:2]) == " ".join(public.split()[:2])
    wait_for(lambda: (root / "var/ran").exists() and "list" in (root / "var/ran").read_text())
    assert (root / "etc/lab.conf").read_text() == "a: 1\n"
    assert (root / "etc/lab.conf").stat().st_mode & 0o777 == 0o600
    assert (root / "opt/data").read_bytes() == b"binary\0"
    assert public in (root / "home/ubuntu/.ssh/authorized_keys").read_text()
    log = wait_for(lambda: _ended(root / "var/log/cloud-init-output.log"))
    for part in ("/usr/lib/labctl-test", "escape", "packages", "ubuntu"):
        assert part in log
    assert not Path("/usr/lib/labctl-test").exists()

    init = int(cloud.out(number, "echo $PPID"))
    cloud.client("ec2").reboot_instances(InstanceIds=[number])
    wait_for(lambda: not alive(init))
    assert wait_for(lambda: cloud.ssh(number, "sleep 0.3; echo up").stdout or None)
    assert (root / "var/ran").read_text() == "ran\nlist\n"
    cloud.client("ec2").terminate_instances(InstanceIds=[number])


def _ended(log: Path) -> str | None:
    text = log.read_text() if log.exists() else ""
    return text if "script ended" in text else None


def test_a_script_as_user_data_runs(cloud: Cloud) -> None:
    (number,) = cloud.launch(UserData="#!/bin/sh\necho hello > $HOME/said\n")
    said = cloud.root(number) / "home/ubuntu/said"
    wait_for(lambda: said.exists() and said.read_text() == "hello\n")
    cloud.client("ec2").terminate_instances(InstanceIds=[number])


def test_the_host_key_can_be_changed_from_inside(cloud: Cloud, instance: str) -> None:
    before = cloud.place(instance)
    held = subprocess.Popen(
        [*cloud.ssh_command(instance), "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert held.stdin is not None
    assert held.stdout is not None
    held.stdin.write(b"before\n")
    held.stdin.flush()
    assert held.stdout.readline() == b"before\n"
    key = "$LABCTL_ROOT/etc/ssh/ssh_host_ed25519_key"
    made = f"rm -f {key} && ssh-keygen -q -t ed25519 -N '' -f {key} && cat {key}.pub"
    public = cloud.out(instance, f"{made} && sudo -n systemctl restart ssh")
    after = cloud.place(instance)
    assert after.host_keys[0].split()[:2] == public.split()[:2]
    assert after.host_keys != before.host_keys
    assert cloud.out(instance, "echo new") == "new"  # the client pins the new key
    held.stdin.write(b"still here\n")
    held.stdin.close()
    assert held.stdout.read() == b"still here\n"
    assert held.wait(30) == 0
    held.stdout.close()

    broken = cloud.ssh(instance, f"echo no key > {key}; sudo -n systemctl restart ssh")
    assert broken.returncode == 1
    assert cloud.place(instance) == after
    assert cloud.out(instance, "echo old") == "old"


def test_an_instance_sees_only_its_own_environment(cloud: Cloud, instance: str) -> None:
    lines = cloud.out(instance, "env").splitlines()
    seen = {line.split("=")[0] for line in lines}
    own = {"HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "TMPDIR"}
    own |= {"LABCTL_ROOT", "LABCTL_INSTANCE", "LABCTL_ADDRESS"}
    assert seen <= own | {"PWD", "SHLVL", "_", "OLDPWD"}
    assert f"PATH={cloud.root(instance)}/bin:" in "\n".join(lines)


def test_agents_find_labctls_own_python(cloud: Cloud, instance: str) -> None:
    code = "import boto3, sys; print(sys.executable)"
    for program in ("python3", "~/.labctl/venv/bin/python3"):
        assert cloud.out(instance, f"{program} -c '{code}'") == sys.executable
    assert cloud.out(instance, "cat ~/.labctl/venv/PROVIDED")


def test_the_real_machine_is_not_changed_by_package_managers(cloud: Cloud, instance: str) -> None:
    done = cloud.ssh(instance, "sudo -n apt-get install -y no-such-package")
    assert done.returncode == 100
    assert b"installs no packages" in done.stderr
    assert cloud.ssh(instance, "sudo -u nobody true").returncode == 1
    assert cloud.ssh(instance, "sudo --unheard-of true").returncode == 78


def test_what_is_replaced_is_replaced_by_its_full_path_too(cloud: Cloud, instance: str) -> None:
    assert cloud.out(instance, "sudo -n /usr/bin/systemctl is-active ssh") == "active"


def test_state_folders_may_be_deep(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-folder-with-a-long name"] * 6)
    own = Cloud(deep / "state", tmp_path / "key")
    launch.ensure_started(own.state)
    try:
        (number,) = own.launch()
        unit = own.root(number) / "etc/systemd/system/sleeper.service"
        own.place(number)
        unit.write_text("[Service]\nExecStart=/bin/sleep 1000\n")
        assert own.out(number, "systemctl start sleeper && systemctl is-active sleeper") == "active"
    finally:
        launch.stop(own.state)
    assert own.processes() == []


def test_no_instance_is_forgotten_when_many_come_and_go(cloud: Cloud) -> None:
    ids = cloud.launch(12)
    for number in ids:
        cloud.place(number)
    cloud.client("ec2").terminate_instances(InstanceIds=ids[::2])
    for number in ids[::2]:
        cloud.becomes(number, "terminated")
    for number in ids[1::2]:
        assert cloud.state_of(number) == "running"
    cloud.client("ec2").terminate_instances(InstanceIds=ids)
    for number in ids:
        cloud.becomes(number, "terminated")
        assert not cloud.root(number).exists()
