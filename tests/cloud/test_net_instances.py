"""An instance of the tier `net` is a machine: own root, processes, address, and an end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.cloud import launch
from labctl.cloud.processes import alive
from tests.cloud.hostile import HOSTILE
from tests.cloud.running import Cloud, in_space, wait_for

SERVE = "(setsid python3 -m http.server --bind 0.0.0.0 {0} >/dev/null 2>&1 </dev/null &)"


@pytest.fixture(scope="module")
def three(net_cloud: Cloud) -> Iterator[list[str]]:
    """Instances that SSH reaches, for all tests that leave them as they are."""
    ids = net_cloud.launch(3)
    for number in ids:
        net_cloud.place(number)
    yield ids
    net_cloud.client("ec2").terminate_instances(InstanceIds=ids)


@pytest.fixture
def machine(net_cloud: Cloud) -> Iterator[str]:
    """An instance to end."""
    (number,) = net_cloud.launch()
    net_cloud.place(number)
    yield number
    net_cloud.client("ec2").terminate_instances(InstanceIds=[number])


def private_address(cloud: Cloud, instance: str) -> str:
    found = cloud.client("ec2").describe_instances(InstanceIds=[instance])
    return str(found["Reservations"][0]["Instances"][0]["PrivateIpAddress"])


def test_it_has_its_own_names_and_numbers(net_cloud: Cloud, three: list[str]) -> None:
    address = private_address(net_cloud, three[0])
    assert address.startswith("172.31.")
    said = net_cloud.out(three[0], "whoami; id -u; hostname; pwd; cat /proc/1/comm; tty; true")
    assert said.splitlines() == [
        "ubuntu",
        "1000",
        f"ip-{address.replace('.', '-')}",
        "/home/ubuntu",
        "init",
        "not a tty",
    ]
    assert net_cloud.ssh(three[0], "tty", "-tt").stdout == b"/dev/pts/0\r\n"
    assert net_cloud.out(three[0], "python3 -c 'import boto3; print(1)'") == "1"


def test_three_use_the_same_port_and_call_each_other(net_cloud: Cloud, three: list[str]) -> None:
    addresses = [private_address(net_cloud, number) for number in three]
    for number in three:
        net_cloud.out(number, f"cd /tmp; echo {number} > me; {SERVE.format(5000)}")
    for number in three:
        for other, address in zip(three, addresses, strict=True):
            ask = f"curl -sf --retry 9 --retry-connrefused {address}:5000/me"
            assert net_cloud.out(number, ask) == other


def test_it_reaches_the_emulator_and_nothing_outside(net_cloud: Cloud, three: list[str]) -> None:
    endpoint = net_cloud.info.endpoint
    assert "services" in net_cloud.out(three[0], f"curl -sf {endpoint}/_ministack/health")
    refused = net_cloud.ssh(three[0], "curl -s --max-time 5 http://192.0.2.1")
    assert refused.returncode == 7  # at once, not by a timeout
    listener = f"python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {22}))'"
    assert net_cloud.ssh(three[0], listener).returncode == 0  # its own SSH server, not the host's


def test_a_service_may_listen_where_only_root_may(net_cloud: Cloud, three: list[str]) -> None:
    unit = "[Service]\nExecStart=/usr/bin/env python3 -m http.server 80\n"
    net_cloud.ssh(three[1], "sudo tee /etc/systemd/system/web.service", stdin=unit.encode())
    asked = "sudo systemctl start web && curl -sf --retry 9 --retry-connrefused localhost:80/"
    assert net_cloud.ssh(three[1], asked).returncode == 0
    assert net_cloud.out(three[1], "/usr/bin/systemctl is-active web") == "active"
    assert "Starting web" in net_cloud.out(three[1], "journalctl -u web")
    net_cloud.out(three[1], "systemctl stop web")


def test_it_sees_packages_that_were_fetched(net_cloud: Cloud) -> None:
    tool = net_cloud.layout.fetched / "usr/bin/tool"
    tool.parent.mkdir(parents=True)
    tool.write_text("#!/bin/sh\necho works\n")
    tool.chmod(0o755)
    (number,) = net_cloud.launch()
    assert net_cloud.out(number, str(tool)) == "works"
    assert net_cloud.ssh(number, f"rm {tool}").returncode != 0
    net_cloud.client("ec2").terminate_instances(InstanceIds=[number])


def test_stop_and_start_keep_the_disk(net_cloud: Cloud, machine: str) -> None:
    ec2 = net_cloud.client("ec2")
    before = net_cloud.place(machine), private_address(net_cloud, machine)
    net_cloud.out(machine, "echo word > ~/note; sudo mkdir /data; setsid sleep 1000 >&- 2>&- <&- &")
    space = net_cloud.out(machine, "readlink /proc/self/ns/pid")
    ec2.stop_instances(InstanceIds=[machine])
    net_cloud.becomes(machine, "stopped")
    assert in_space(space) == []
    ec2.start_instances(InstanceIds=[machine])
    net_cloud.becomes(machine, "running")
    assert (net_cloud.place(machine), private_address(net_cloud, machine)) == before
    assert net_cloud.out(machine, "cat ~/note; ls -d /data") == "word\n/data"
    net_cloud.ssh(machine, "sudo reboot")
    assert wait_for(lambda: _rebooted(net_cloud, machine, space))


def _rebooted(cloud: Cloud, instance: str, before: str) -> bool:
    said = cloud.ssh(instance, "readlink /proc/self/ns/pid").stdout.decode().strip()
    return said.startswith("pid:") and said != before


def test_terminate_ends_every_process(net_cloud: Cloud, machine: str) -> None:
    net_cloud.ssh(machine, "cat > hostile.py", stdin=HOSTILE.encode())
    running = subprocess.Popen(
        [*net_cloud.ssh_command(machine), "exec python3 hostile.py"], stdout=subprocess.PIPE
    )
    assert running.stdout is not None
    assert running.stdout.readline() == b"ready\n"
    # The shell, five detached programs, and the children that two of them respawn.
    found = wait_for(lambda: pids if len(pids := net_cloud.inhabitants(machine)) >= 9 else None)
    net_cloud.client("ec2").terminate_instances(InstanceIds=[machine])
    net_cloud.becomes(machine, "terminated")
    assert [pid for pid in found if alive(pid)] == []
    assert not net_cloud.root(machine).exists()
    running.wait()
    running.stdout.close()


def test_a_killed_daemon_leaves_nothing(tmp_path: Path, net_cloud: Cloud) -> None:
    own = Cloud(tmp_path / "state", tmp_path / "key")
    info = launch.ensure_started(own.state, tier="net")
    try:
        (number,) = own.launch()
        space = own.out(number, "setsid sleep 1000 >&- 2>&- <&- & readlink /proc/self/ns/pid")
        assert in_space(space)
        os.kill(info.daemon_pid, signal.SIGKILL)
        wait_for(lambda: in_space(space) == [])
        assert launch.ensure_started(own.state).tier == "net"  # what its instances were made for
        assert own.out(number, "echo back") == "back"
        assert launch.status(own.state) is not None
    finally:
        launch.stop(own.state)
    assert own.processes() == []


def test_a_leak_meets_its_limit(net_cloud: Cloud, three: list[str]) -> None:
    half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    leak = f"python3 -S -c 'x = bytearray({half})'"
    assert b"MemoryError" in net_cloud.ssh(three[0], leak).stderr
    assert net_cloud.out(three[0], "cat /proc/self/oom_score_adj") == "500"


def test_a_fork_bomb_meets_its_limit(net_cloud: Cloud, machine: str) -> None:
    bomb = "import os, time\nn = 0\ntry:\n"
    bomb += " while os.fork(): n += 1\n os.close(1); time.sleep(100)\nexcept OSError: print(n)\n"
    forked = int(net_cloud.out(machine, f"python3 -S -c '{bomb}' < /dev/null 2>&-"))
    assert 500 < forked <= 1024
