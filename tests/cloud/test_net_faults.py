"""The router of the tier `net` holds back what it is told to, and nothing else."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from labctl.cloud.holding import cut_in, delay_in, tags_of_cut, tags_of_delay
from labctl.cloud.plain import PlainTier
from labctl.errors import TargetError
from labctl.targets.local_router import LocalRouter
from tests.cloud.running import Cloud, wait_for
from tests.cloud.test_net_roles import FROM_HERE, LISTEN, address_of

ASK = "curl -s -o /dev/null -m {seconds} -w '%{{time_total}} %{{http_code}}' {address}:8000"


class Trio:
    """Three instances of one group: a server, a client and one more."""

    def __init__(self, cloud: Cloud, server: str, client: str, third: str) -> None:
        self._cloud = cloud
        self.server, self.client, self.third = server, client, third
        self.cannot = cloud.info.cannot
        self.router = LocalRouter(self.cannot, cloud.client("ec2"))

    def address(self, instance: str) -> str:
        return address_of(self._cloud, instance)

    def answer(self, instance: str, *, seconds: float = 0.7) -> tuple[float, str]:
        """Ask the server from an instance; the seconds it took, and the status."""
        asking = ASK.format(seconds=seconds, address=self.address(self.server))
        took, status = self._cloud.ssh(instance, asking).stdout.decode().split()
        return float(took), status

    def reaches(self, instance: str) -> bool:
        return self.answer(instance)[1] == "200"

    def reaches_services(self, instance: str) -> bool:
        """Whether an instance still gets at the emulator and at its metadata."""
        health = f"{self._cloud.info.endpoint}/_ministack/health"
        for url in (health, "http://169.254.169.254/"):
            asked = f"curl -s -o /dev/null -m 5 -w '%{{http_code}}' {url}"
            if self._cloud.out(instance, asked) == "000":
                return False
        return True


@pytest.fixture(scope="module")
def trio(net_cloud: Cloud) -> Iterator[Trio]:
    ec2 = net_cloud.client("ec2")
    group = ec2.create_security_group(GroupName="trio", Description="trio")["GroupId"]
    among = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[FROM_HERE, among])
    numbers = net_cloud.launch(3, SecurityGroupIds=[group])
    for number in numbers:
        net_cloud.place(number)
    found = Trio(net_cloud, *numbers)
    net_cloud.out(found.server, LISTEN.format(8000))
    wait_for(lambda: found.reaches(found.client))
    yield found
    ec2.terminate_instances(InstanceIds=numbers)


def test_who_is_cut_off_from_somebody_reaches_the_others_and_is_reached_by_us(trio: Trio) -> None:
    trio.router.refuse_cuts()
    trio.router.cut_off(trio.client, [trio.address(trio.server)])
    wait_for(lambda: not trio.reaches(trio.client))
    took, status = trio.answer(trio.client, seconds=1)
    assert (status, took >= 0.5) == ("000", True), "it vanishes: nobody refuses it"
    assert trio.reaches(trio.third)
    assert trio.reaches_services(trio.client)
    trio.router.cut_off(trio.server, [trio.address(trio.third)])
    wait_for(lambda: not trio.reaches(trio.third))
    trio.router.cut_off(trio.client, [])
    wait_for(lambda: trio.reaches(trio.client))
    assert not trio.reaches(trio.third)
    trio.router.cut_off(trio.server, [])
    wait_for(lambda: trio.reaches(trio.third))


def test_a_cut_tears_connections_that_stand(net_cloud: Cloud, trio: Trio) -> None:
    peer = f"/dev/tcp/{trio.address(trio.server)}/8000"
    request = r"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"
    script = (
        f"exec 3<>{peer}; touch ~/open; until [ -e ~/cut ]; do sleep 0.05; done; "
        f"printf '{request}' >&3; read -t 1 -r line <&3 && echo answered || echo silence"
    )
    net_cloud.ssh(trio.client, f"rm -f ~/cut; (bash -c {shlex.quote(script)} >~/said 2>&1 &)")
    wait_for(lambda: net_cloud.ssh(trio.client, "[ -e ~/open ]").returncode == 0)
    trio.router.cut_off(trio.server, [trio.address(trio.client)])
    wait_for(lambda: not trio.reaches(trio.client))
    net_cloud.out(trio.client, "touch ~/cut")
    said = wait_for(lambda: net_cloud.out(trio.client, "cat ~/said") or None)
    trio.router.cut_off(trio.server, [])
    assert said.strip() == "silence"


DELAY_MS = 300
TO_THE_CLIENT = 2 * DELAY_MS / 1000  # when it connects, and when it gets its answer
SEND = """
import socket, sys, time
out = socket.socket(type=socket.SOCK_DGRAM)
for number in range(400):
    out.sendto(str(number).encode(), (sys.argv[1], 9000))
    time.sleep(0.002)
"""
TAKE = """
import socket
into = socket.socket(type=socket.SOCK_DGRAM)
into.bind(("0.0.0.0", 9000))
open("listens", "w").close()
into.settimeout(15)
got = []
while len(got) < 400:
    got.append(int(into.recv(100)))
print(got == sorted(got))
"""


@pytest.fixture
def slow(trio: Trio) -> Iterator[Trio]:
    """The trio, with a client to which everything comes late."""
    if "delay" in trio.cannot:
        pytest.skip(trio.cannot["delay"])
    trio.router.refuse_delays()
    trio.router.slow_down(trio.client, delay_ms=DELAY_MS, jitter_ms=0)
    wait_for(lambda: trio.answer(trio.client, seconds=5)[0] >= TO_THE_CLIENT)
    yield trio
    trio.router.slow_down(trio.client, delay_ms=0, jitter_ms=0)
    wait_for(lambda: trio.answer(trio.client, seconds=5)[0] < TO_THE_CLIENT)


def test_what_goes_to_one_is_delayed_and_then_no_more(slow: Trio) -> None:
    for _ in range(3):
        took, status = slow.answer(slow.client, seconds=10)
        assert (status, took >= TO_THE_CLIENT) == ("200", True)
    assert min(slow.answer(slow.third, seconds=10)[0] for _ in range(3)) < TO_THE_CLIENT
    assert slow.reaches_services(slow.client)
    slow.router.slow_down(slow.client, delay_ms=2 * DELAY_MS, jitter_ms=0)
    wait_for(lambda: slow.answer(slow.client, seconds=10)[0] >= 2 * TO_THE_CLIENT)


def test_no_packet_is_lost_or_overtaken(net_cloud: Cloud, slow: Trio) -> None:
    slow.router.slow_down(slow.client, delay_ms=200, jitter_ms=100)
    taking = f"cd; rm -f listens; python3 -c {shlex.quote(TAKE)} >got 2>&1 &"
    net_cloud.ssh(slow.client, taking)
    wait_for(lambda: net_cloud.ssh(slow.client, "[ -e ~/listens ]").returncode == 0)
    send = f"python3 -c {shlex.quote(SEND)} {slow.address(slow.client)}"
    net_cloud.out(slow.server, send)
    assert wait_for(lambda: net_cloud.out(slow.client, "cat ~/got") or None).strip() == "True"


def delaying(cloud: Cloud) -> list[int]:
    """The processes that delay packets."""
    found = []
    for pid in cloud.processes():
        with suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text() == "delay\n":
                found.append(pid)
    return found


def test_when_its_process_dies_packets_go_straight(net_cloud: Cloud, slow: Trio) -> None:
    (pid,) = delaying(net_cloud)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: slow.answer(slow.client, seconds=5)[0] < TO_THE_CLIENT)
    assert slow.reaches(slow.client)


def test_a_delay_ends_with_its_instance(net_cloud: Cloud, slow: Trio) -> None:
    (number,) = net_cloud.launch()
    net_cloud.place(number)
    slow.router.slow_down(number, delay_ms=100, jitter_ms=0)
    wait_for(lambda: len(delaying(net_cloud)) == 2)
    net_cloud.client("ec2").terminate_instances(InstanceIds=[number])
    wait_for(lambda: len(delaying(net_cloud)) == 1)
    assert slow.answer(slow.client, seconds=10)[1] == "200", "another's end changes nothing"


def test_where_instances_share_a_network_nothing_is_held_back() -> None:
    router = LocalRouter(PlainTier.cannot, None)
    for refuse in (router.refuse_cuts, router.refuse_delays):
        with pytest.raises(TargetError, match="share this machine's network") as told:
            refuse()
        assert told.value.hint


def test_tags_carry_any_number_of_addresses() -> None:
    addresses = [f"172.31.200.{number}" for number in range(1, 60)]
    tags = tags_of_cut(addresses)
    assert max(map(len, tags.values())) <= 256
    assert cut_in(tags) == sorted(addresses)
    assert cut_in({"labctl:cut-off-0": "10.0.0.1 nonsense 1.2.3", "Name": "10.0.0.2"}) == [
        "10.0.0.1"
    ]
    assert delay_in(tags_of_delay(250, 10)) == (250, 10)
    assert delay_in({"labctl:delay": "soon"}) == (0, 0)
