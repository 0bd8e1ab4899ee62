"""A machine is cut off and slowed down by its own means, and everything is as it was afterwards."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from labctl.errors import TransportError
from labctl.transport.network import cut_off, slow_down
from labctl.transport.ssh import SshTransport
from tests.transport.sshd import SshServer

SHIMS = Path(__file__).with_name("network_shims.py")
NOBODY: dict[str, list[str]] = {"INPUT": [], "OUTPUT": []}


class Network:
    """The network programs of a machine, and what they were told."""

    def __init__(self, server: SshServer) -> None:
        self._programs = Path(server.environment["PATH"].split(":")[0])
        self.folder = Path(server.environment["LABCTL_ROOT"]) / "run"
        for name in ("iptables", "tc"):
            self.program(name, f'exec {sys.executable} {SHIMS} {name} {self.folder} "$@"')
        self.program("ip", "echo default via 192.0.2.254 dev ens5 proto dhcp")
        self.program("modprobe", "exit 0")

    def program(self, name: str, body: str) -> None:
        path = self._programs / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    @property
    def chains(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = json.loads((self.folder / "iptables").read_text())
        return found

    @property
    def discipline(self) -> str:
        file = self.folder / "tc"
        return file.read_text() if file.exists() else ""


@pytest.fixture
def network(rooted: SshServer) -> Network:
    return Network(rooted)


def test_packets_of_the_others_are_dropped_and_ssh_from_here_is_not(
    rooted: SshServer, transport: SshTransport, network: Network
) -> None:
    machine = rooted.machine()
    cut_off(transport, machine, ["192.0.2.1"], doing="end")  # nothing was begun
    cut_off(transport, machine, ["192.0.2.1", "192.0.2.2"], doing="try")
    assert not (network.folder / "iptables").exists()
    for _ in range(2):
        cut_off(transport, machine, ["192.0.2.1", "192.0.2.2"], doing="begin")
        assert network.chains["INPUT"] == network.chains["OUTPUT"] == ["-j LABCTL-FAULT"]
        assert network.chains["LABCTL-FAULT"] == [
            f"-p tcp -s 127.0.0.1 --dport {machine.port} -j RETURN",
            f"-p tcp -d 127.0.0.1 --sport {machine.port} -j RETURN",
            "-s 192.0.2.1 -j DROP",
            "-d 192.0.2.1 -j DROP",
            "-s 192.0.2.2 -j DROP",
            "-d 192.0.2.2 -j DROP",
        ]
    for _ in range(2):
        cut_off(transport, machine, [], doing="end")
        assert network.chains == NOBODY


def test_what_somebody_else_rules_stays(
    rooted: SshServer, transport: SshTransport, network: Network
) -> None:
    others = {"INPUT": ["-j ufw"], "OUTPUT": [], "ufw": ["-s 192.0.2.9 -j DROP"]}
    (network.folder / "iptables").write_text(json.dumps(others))
    cut_off(transport, rooted.machine(), ["192.0.2.1"], doing="begin")
    assert network.chains["INPUT"] == ["-j LABCTL-FAULT", "-j ufw"]
    cut_off(transport, rooted.machine(), [], doing="end")
    assert network.chains == others


def test_a_machine_whose_iptables_does_not_work_says_so(
    rooted: SshServer, transport: SshTransport, network: Network
) -> None:
    network.program("iptables", "exit 3")
    with pytest.raises(TransportError, match="iptables does not work") as told:
        cut_off(transport, rooted.machine(), ["192.0.2.1"], doing="try")
    assert told.value.hint
    cut_off(transport, rooted.machine(), [], doing="end")


def test_what_it_sends_is_delayed_and_then_no_more(
    rooted: SshServer, transport: SshTransport, network: Network
) -> None:
    machine = rooted.machine()
    slow_down(transport, machine, delay_ms=0, jitter_ms=0, doing="end")
    slow_down(transport, machine, delay_ms=100, jitter_ms=10, doing="try")
    assert network.discipline == ""
    for _ in range(2):
        slow_down(transport, machine, delay_ms=100, jitter_ms=10, doing="begin")
        assert network.discipline == "qdisc netem 1abc: root limit 100000 delay 100ms 10ms"
    for _ in range(2):
        slow_down(transport, machine, delay_ms=0, jitter_ms=0, doing="end")
        assert network.discipline == ""


def test_what_somebody_else_shapes_is_left_alone(
    rooted: SshServer, transport: SshTransport, network: Network
) -> None:
    theirs = "qdisc htb 1: root refcnt 2"
    (network.folder / "tc").write_text(theirs)
    for doing in ("try", "begin"):
        with pytest.raises(TransportError, match="shapes its traffic already: qdisc htb 1:"):
            slow_down(transport, rooted.machine(), delay_ms=1, jitter_ms=0, doing=doing)
    slow_down(transport, rooted.machine(), delay_ms=0, jitter_ms=0, doing="end")
    assert network.discipline == theirs


@pytest.mark.skipif(
    Path("/sys/module/sch_netem").exists(), reason="this kernel has netem, nothing can be missing"
)
def test_a_kernel_that_cannot_delay_is_told_with_the_remedy(
    rooted: SshServer, transport: SshTransport, network: Network
) -> None:
    network.program("modprobe", "exit 1")
    with pytest.raises(TransportError, match="no netem") as told:
        slow_down(transport, rooted.machine(), delay_ms=100, jitter_ms=0, doing="try")
    assert "linux-modules-extra-" in told.value.hint
