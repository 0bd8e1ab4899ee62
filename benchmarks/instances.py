"""Compares what local instances cost, by tier, with one OpenSSH server for each instance.

    PYTHONPATH=. .venv/bin/python benchmarks/instances.py

All in one run: the time until the last of N instances takes SSH logins, the memory they share out
(PSS), and the time of one command on a connection that stands.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncssh
import boto3

from labctl.cloud import launch
from labctl.cloud.images import IMAGES
from labctl.cloud.layout import Layout, read_place
from labctl.cloud.processes import descendants

COUNTS = (1, 8, 32)
COMMANDS = 50
SSHD = Path("/usr/sbin/sshd")


@dataclass(frozen=True)
class Cost:
    """Of N instances: seconds until all take logins, MiB in all, and a command's median ms."""

    ready_s: float
    memory_mib: float
    command_ms: float


def memory_mib(pids: list[int]) -> float:
    """Return the memory of processes, what they share counted in parts."""
    kib = 0
    for pid in pids:
        with suppress(OSError):
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            kib += sum(
                int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")
            )
    return kib / 1024


async def command_ms(host: str, port: int, user: str, key: Path) -> float:
    """Return the median time of `true` on one connection."""
    options = {"username": user, "client_keys": [str(key)], "known_hosts": None, "config": None}
    async with asyncssh.connect(host, port, **options) as connection:
        taken = []
        for _ in range(COMMANDS):
            began = time.perf_counter()
            await connection.run("true", check=True)
            taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.005)


def of_tier(tier: str, count: int, folder: Path) -> Cost:
    """Measure instances of a tier on a cloud of their own."""
    layout = Layout.of(folder / "state")
    info = launch.ensure_started(folder / "state", tier=tier)
    try:
        ec2 = boto3.client(
            "ec2",
            endpoint_url=info.endpoint,
            region_name=info.region,
            aws_access_key_id=info.access_key,
            aws_secret_access_key=info.secret_key,
        )
        pair = ec2.create_key_pair(KeyName="benchmark", KeyType="ed25519")
        key = folder / "key"
        key.touch(mode=0o600)
        key.write_text(pair["KeyMaterial"])
        before = memory_mib(descendants(info.daemon_pid))
        began = time.perf_counter()
        made = ec2.run_instances(
            ImageId=IMAGES[0].id, MinCount=count, MaxCount=count, KeyName="benchmark"
        )
        ids = [each["InstanceId"] for each in made["Instances"]]
        until(lambda: all(read_place(layout, number) for number in ids))
        ready_s = time.perf_counter() - began
        memory = memory_mib(descendants(info.daemon_pid)) - before
        place = read_place(layout, ids[0])
        assert place is not None
        return Cost(
            ready_s, memory, asyncio.run(command_ms(place.address, place.port, place.user, key))
        )
    finally:
        launch.stop(folder / "state")


@contextmanager
def servers(count: int, folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run one OpenSSH server for each instance, on ports from 24966 on."""
    running = []
    for index in range(count):
        host_key = folder / f"host-{index}"
        make_key(host_key)
        options = [f"AuthorizedKeysFile={folder}/key.pub", "StrictModes=no", "UsePAM=no"]
        options += ["ListenAddress=127.0.0.1", f"Port={24966 + index}", "PidFile=none"]
        words = [word for option in options for word in ("-o", option)]
        command = [str(SSHD), "-D", "-f", "/dev/null", "-h", str(host_key), *words]
        running.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
    try:
        yield running
    finally:
        for server in running:
            server.terminate()
            server.wait()


def make_key(path: Path) -> None:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(command, check=True)


def of_openssh(count: int, folder: Path) -> Cost:
    """Measure servers that stand for instances: no files, processes or network of their own."""
    make_key(folder / "key")
    began = time.perf_counter()
    with servers(count, folder) as running:
        for index in range(count):
            until(partial(answers, 24966 + index))
        ready_s = time.perf_counter() - began
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True)
        memory = memory_mib([server.pid for server in running])
        login = user.stdout.strip()
        return Cost(
            ready_s, memory, asyncio.run(command_ms("127.0.0.1", 24966, login, folder / "key"))
        )


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def main() -> None:
    contenders: dict[str, Callable[[int, Path], Cost]] = {
        "net": lambda count, folder: of_tier("net", count, folder),
        "plain": lambda count, folder: of_tier("plain", count, folder),
    }
    if SSHD.exists():
        contenders["sshd each"] = of_openssh
    sys.stdout.write("instances  contender   ready s  x plain        MiB each   ms a command\n")
    for count in COUNTS:
        costs = {}
        for name, measure in contenders.items():
            with tempfile.TemporaryDirectory(prefix="labctl-") as folder:
                costs[name] = measure(count, Path(folder))
        for name, cost in costs.items():
            each = cost.memory_mib / count
            ratio = cost.ready_s / costs["plain"].ready_s
            sys.stdout.write(
                f"{count:9}  {name:10} {cost.ready_s:8.2f} {ratio:8.2f} {each:14.1f}"
                f" {cost.command_ms:14.1f}\n"
            )


if __name__ == "__main__":
    main()
