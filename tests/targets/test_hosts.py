"""Existing machines: what may be said of them, and the machines that they become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from labctl.spec.hosts import HostModel
from labctl.targets.hosts import machines_from_hosts

_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


def host(**fields: Any) -> HostModel:  # noqa: ANN401 - as in a lab file
    given = {"address": "lab1.example.org", "user": "student", "host_key": _KEY, **fields}
    return HostModel.model_validate({key: value for key, value in given.items() if value != ""})


def test_hosts_become_the_machines_of_a_role_in_their_order() -> None:
    first, second = machines_from_hosts(
        "worker",
        [host(key="~/.ssh/lab", host_key=f"{_KEY} comment"), host(address="[::1]", port=2222)],
    )
    assert first.name == "worker.0"
    assert (first.address, first.port, first.user) == ("lab1.example.org", 22, "student")
    assert first.key_file == Path("~/.ssh/lab").expanduser()
    assert first.host_keys == (_KEY,)
    assert (second.name, second.address, second.port) == ("worker.1", "::1", 2222)
    assert second.key_file is None


def test_two_servers_on_one_address_are_two_machines() -> None:
    machines = machines_from_hosts("worker", [host(), host(port=2222)])
    assert len({machine.id for machine in machines}) == 2


def test_the_host_key_is_known_or_trust_is_asked_for() -> None:
    with pytest.raises(ValidationError, match="trust_first_use"):
        host(host_key="")
    (machine,) = machines_from_hosts("worker", [host(host_key="", trust_first_use=True)])
    assert machine.trust_first_use
    assert machine.host_keys == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"address": "-oProxyCommand=id"},
        {"address": "a b"},
        {"address": "a\nb"},
        {"user": "-l"},
        {"user": "a;b"},
        {"user": "root\nHost *"},
        {"port": 0},
        {"port": 65536},
        {"host_key": "not a key"},
        {"host_key": f"{_KEY}\nssh-ed25519 AAAA"},
        {"password": "secret"},
    ],
)
def test_what_could_reach_a_command_line_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        host(**fields)
