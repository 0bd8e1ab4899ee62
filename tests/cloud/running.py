"""A local cloud in the hands of a test: launch, look, reach by the real ssh client."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import boto3

from labctl.cloud import launch
from labctl.cloud.images import IMAGES
from labctl.cloud.layout import CloudInfo, Layout, Reached, read_place
from labctl.cloud.processes import marked
from labctl.cloud.session_mode import set_session_ttl

IMAGE = IMAGES[0].id
ACADEMY_TTL_S = 3600.0
Found = TypeVar("Found")


def wait_for(condition: Callable[[], Found | None], *, deadline_s: float = 30) -> Found:
    """Return what `condition` returns once that is neither None nor False."""
    ends = time.monotonic() + deadline_s
    pause = threading.Event()
    while True:
        found = condition()
        if found is not None and found is not False:
            return found
        assert time.monotonic() < ends, f"not within {deadline_s} s"
        pause.wait(0.02)


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def in_space(space: str) -> list[int]:
    """Return the processes whose process namespace is `space` (`pid:[1234]`)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if str((folder / "ns/pid").readlink()) == space:
                found.append(int(folder.name))
        except OSError:
            continue  # gone, or somebody else's
    return found


@dataclass
class Cloud:
    """A local cloud with a key pair to launch with."""

    state: Path
    key_file: Path
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        return Layout.of(self.state)

    @property
    def info(self) -> CloudInfo:
        return launch.ensure_started(self.state)

    def client(self, service: str) -> Any:  # noqa: ANN401 - the type depends on the service
        if service not in self._clients:
            # The stubs know each service by its literal name only.
            make: Any = boto3.client
            self._clients[service] = make(
                service,
                endpoint_url=self.info.endpoint,
                region_name=self.info.region,
                aws_access_key_id=self.info.access_key,
                aws_secret_access_key=self.info.secret_key,
            )
        return self._clients[service]

    def launch(self, count: int = 1, **options: Any) -> list[str]:  # noqa: ANN401 - boto3's
        """Launch instances that the key file opens; return their ids."""
        if not self.key_file.exists():
            pair = self.client("ec2").create_key_pair(KeyName="tests", KeyType="ed25519")
            self.key_file.touch(mode=0o600)
            self.key_file.write_text(pair["KeyMaterial"])
        answer = self.client("ec2").run_instances(
            **{"ImageId": IMAGE, "MinCount": count, "MaxCount": count, "KeyName": "tests"} | options
        )
        return [instance["InstanceId"] for instance in answer["Instances"]]

    def place(self, instance: str) -> Reached:
        """Return where an instance is reached, once it is."""
        return wait_for(lambda: read_place(self.layout, instance))

    def root(self, instance: str) -> Path:
        return self.layout.instances / instance

    def state_of(self, instance: str) -> str:
        found = self.client("ec2").describe_instances(InstanceIds=[instance])
        return str(found["Reservations"][0]["Instances"][0]["State"]["Name"])

    def becomes(self, instance: str, state: str) -> None:
        wait_for(lambda: self.state_of(instance) == state)

    def ssh_command(self, instance: str, *options: str) -> list[str]:
        """Return the real client's command line, with the published host key pinned."""
        place = self.place(instance)
        known = self.key_file.with_name(f"{instance}.known")
        line = f"[{place.address}]:{place.port} {place.host_keys[0]}\n"
        if not known.exists() or known.read_text() != line:  # others may read it right now
            known.write_text(line)
        strict = ["-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={known}"]
        quiet = ["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]
        key = ["-i", str(self.key_file), "-o", "IdentitiesOnly=yes"]
        where = ["-p", str(place.port), f"{place.user}@{place.address}"]
        return ["ssh", *quiet, *strict, *key, *options, *where]

    def ssh(
        self, instance: str, command: str, *options: str, stdin: bytes = b"", timeout_s: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self.ssh_command(instance, *options), command],
            input=stdin,
            capture_output=True,
            timeout=timeout_s,
        )

    def out(self, instance: str, command: str) -> str:
        """Run a command that must succeed; return what it printed, without the last newline."""
        done = self.ssh(instance, command)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().rstrip("\n")

    def inhabitants(self, instance: str) -> list[int]:
        """Return the ids of all processes in an instance's own process namespace."""
        space = self.out(instance, "readlink /proc/self/ns/pid")
        return in_space(space)

    def processes(self) -> list[int]:
        """Return the living processes of this cloud, by the mark in their environment."""
        return marked(self.layout.marks())


@contextmanager
def academy_cloud(folder: Path) -> Iterator[Cloud]:
    """Give a running cloud whose keys end, as those of an AWS Academy lab do."""
    running = Cloud(folder / "state", folder / "key")
    launch.ensure_started(running.state)
    set_session_ttl(running.state, ACADEMY_TTL_S)
    yield running
    launch.stop(running.state)
