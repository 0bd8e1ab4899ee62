"""The router of the tier `net` holds back what it is told to, and nothing else."""

from __future__ import annotations

import shlex
import struct
from collections.abc import Iterator

import pytest

from labctl.cloud.holding import cut_in, delay_in, tags_of_cut, tags_of_delay
from labctl.cloud.inside.netlink import Netlink
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
        self.router = LocalRouter(cloud.info.cannot, cloud.client("ec2"))

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
    took, status = trio.answer(trio.client, seconds=0.5)
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


def test_traffic_is_delayed_where_the_kernel_can(net_cloud: Cloud, trio: Trio) -> None:
    if "delay" in net_cloud.info.cannot:
        with pytest.raises(TargetError, match="no netem to delay packets with") as told:
            trio.router.refuse_delays()
        assert told.value.hint
        return
    before = min(trio.answer(trio.client, seconds=5)[0] for _ in range(3))
    trio.router.slow_down(trio.client, delay_ms=300, jitter_ms=0)
    wait_for(lambda: trio.answer(trio.client, seconds=5)[0] > before + 0.25)
    trio.router.slow_down(trio.client, delay_ms=0, jitter_ms=0)
    wait_for(lambda: trio.answer(trio.client, seconds=5)[0] < before + 0.25)


class Written(Netlink):
    """Writes down what the kernel would be asked."""

    def _ask(self, kind: int, body: bytes, *, flags: int = 0) -> None:
        self.asked = (kind, flags, body)


def test_the_kernel_is_asked_for_a_delay_as_tc_asks_it() -> None:
    # As strace shows `tc qdisc replace dev lo root handle 1abc: netem limit 100000 delay 100ms
    # 10ms` of iproute2 6.1, behind the header.
    tc = bytes.fromhex(
        "00000000 01000000 0000bc1a ffffffff 00000000"
        "0a000100 6e6574656d00 0000"
        "1c000200 84d71700a0860100000000000000000000000000 5a620200"
    )
    network = Written()
    with network:
        network.delay("lo", delay_ms=100, jitter_ms=10)
    kind, flags, body = network.asked
    assert (kind, flags) == (36, 0x400 | 0x100)
    index = struct.pack("=i", 1)
    assert body == tc[:4] + index + tc[8:]


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
