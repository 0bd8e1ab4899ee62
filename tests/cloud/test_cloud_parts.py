"""The parts of the cloud that stand alone: user data, addresses, ports, logs, messages."""

from __future__ import annotations

import asyncio
import base64
import gzip
import os
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.cloud.daemon import MOST_LOG_BYTES, shorten
from labctl.cloud.images import login_users
from labctl.cloud.patches.fleet import Fleet
from labctl.cloud.probes import has_loopback_aliases
from labctl.cloud.ssh_server import SshServer, store_host_key
from labctl.cloud.user_data import read_user_data
from labctl.cloud.wire import Message, Wire


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@given(st.one_of(st.text(), st.binary().map(encoded), st.text().map(encoded)))
def test_no_user_data_raises(data: str) -> None:
    read_user_data(data)


@given(st.text().map(lambda text: encoded("#cloud-config\n" + text)))
def test_no_cloud_config_raises(data: str) -> None:
    read_user_data(data)


@pytest.mark.parametrize(
    "config",
    [
        "write_files: 3",
        "write_files: [{content: x}]",
        "write_files: [{path: /x, permissions: rwx}]",
        "write_files: [{path: /x, encoding: b64, content: '*'}]",
        "write_files: [{path: /x, encoding: gz, content: no}]",
        "runcmd: 7",
        "ssh_keys: []",
        "ssh_authorized_keys: 1",
        "a: !!python/object/apply:os.system [echo]",
        "x: [" * 5000,
    ],
)
def test_what_is_not_understood_is_noted(config: str) -> None:
    found = read_user_data(encoded(f"#cloud-config\n{config}\n"))
    assert found.notes
    assert not found.scripts


def test_packed_user_data_is_unpacked_within_bounds() -> None:
    script = b"#!/bin/sh\ntrue\n"
    assert read_user_data(encoded(gzip.compress(script))).scripts == [script.decode()]
    bomb = gzip.compress(b"#!" + bytes(50_000_000))
    assert "4 MiB" in read_user_data(encoded(bomb)).notes[0]


def fleet(monkeypatch: pytest.MonkeyPatch, network: str, used: list[str]) -> Fleet:
    monkeypatch.setenv("LABCTL_NETWORK", network)
    taken = {("a", "r", str(n)): {"PublicIpAddress": each} for n, each in enumerate(used)}
    return Fleet(
        SimpleNamespace(
            _instances=SimpleNamespace(_data=taken), _addresses=SimpleNamespace(_data={})
        )
    )


def test_addresses_are_not_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    found = fleet(monkeypatch, "127.88.16.0", ["127.88.16.1", "127.88.16.3"])
    assert [found.address() for _ in range(3)] == ["127.88.16.2", "127.88.16.4", "127.88.16.5"]


def test_where_there_is_one_address_all_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = fleet(monkeypatch, "127.0.0.1", ["127.0.0.1"])
    assert found.address() == found.address() == "127.0.0.1"


def test_a_system_without_aliases_is_noticed() -> None:
    assert has_loopback_aliases("127.0.0.1")
    assert not has_loopback_aliases("192.0.2.1")  # an address that is nobody's


def test_servers_that_share_an_address_take_different_ports(tmp_path: Path) -> None:
    async def listen() -> tuple[int, int, int]:
        servers = []
        for name in ("one", "two"):
            store_host_key_in(tmp_path / name)
            server = SshServer(
                tmp_path / name, ("ubuntu",), own_network=False, lets_in=lambda caller: True
            )
            await server.listen("127.0.0.1", 0)
            servers.append(server)
        one, two = (server.port for server in servers)
        servers[0].close()
        await servers[0].listen("127.0.0.1", one)  # the one it had, again
        again = servers[0].port
        for server in servers:
            server.close()
        return one, two, again

    one, two, again = asyncio.run(listen())
    assert one != two
    assert again == one


def store_host_key_in(root: Path) -> None:
    (root / "etc/ssh").mkdir(parents=True)
    store_host_key(root, "no key at all")
    assert (root / "etc/ssh/ssh_host_ed25519_key").stat().st_mode & 0o777 == 0o600


def test_packages_are_looked_for_and_never_installed() -> None:
    found = read_user_data(encoded("#cloud-config\npackages: [sh, [no-such-package, '1.0']]\n"))
    assert [note.split(":")[1].split(" on ")[0] for note in found.notes] == [
        " sh is there, as this machine's own",
        " no-such-package is not",
    ]


def test_a_long_log_keeps_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("ab") as writer:
        writer.write(b"old\n" + b"x" * MOST_LOG_BYTES + b"\nlast\n")
        writer.flush()
        shorten(log)
        writer.write(b"after\n")
    assert log.stat().st_size < MOST_LOG_BYTES
    assert log.read_bytes().endswith(b"\nlast\nafter\n")
    assert b"old" not in log.read_bytes()


def test_unknown_images_let_in_the_usual_users() -> None:
    assert set(login_users("ami-00000000")) == {"ubuntu", "ec2-user", "admin"}


def test_messages_arrive_whole_with_their_files() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender, receiver = Wire(ours), Wire(theirs)
        reader, writer = os.pipe()
        sender.send({"op": "first"}, [writer])
        sender.send({"op": "second", "text": "ü\n" * 1000})
        os.close(writer)
        found: list[tuple[Message, list[int]]] = []
        while len(found) < 2:
            found += receiver.receive() or []
        (first, fds), (second, none) = found
        assert first == {"op": "first"}
        assert second["text"] == "ü\n" * 1000
        assert none == []
        assert not os.get_inheritable(fds[0])
        os.write(fds[0], b"through")
        os.close(fds[0])
        assert os.read(reader, 100) == b"through"
        os.close(reader)
        ours.shutdown(socket.SHUT_WR)
        assert receiver.receive() is None
