"""The emulator's instances as the instance host needs them, and what the host reports back.

The emulator calls an instance running the moment it is asked for, with an address that
belongs to strangers. Here it is pending until its machine answers, and its address is ours.
"""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from labctl.cloud.patches.answers import Action, Answer, Params

Record = dict[str, Any]
Scoped = tuple[str, str, str]  # account, region, id

PENDING = {"Code": 0, "Name": "pending"}
RUNNING = {"Code": 16, "Name": "running"}
SHUTTING_DOWN = {"Code": 32, "Name": "shutting-down"}
TERMINATED = {"Code": 48, "Name": "terminated"}
STOPPING = {"Code": 64, "Name": "stopping"}
STOPPED = {"Code": 80, "Name": "stopped"}
_ALONE = "127.0.0.1"


class Fleet:
    """Every instance of every account and region of the emulator."""

    def __init__(self, ec2: Any) -> None:  # noqa: ANN401 - the emulator ships no types
        self._ec2 = ec2
        self._network = os.environ["LABCTL_NETWORK"]
        self._private_network = os.environ.get("LABCTL_PRIVATE_NETWORK", "")
        self._last = 0
        self.on_change: Callable[[], None] = lambda: None
        self.openings: Callable[[Scoped, Record], list[Any]] = lambda scope, record: []
        self.held_back: Callable[[Scoped], Record] = lambda scope: {}

    def items(self) -> Iterator[tuple[Scoped, Record]]:
        """Return all instances with their account and region."""
        return iter(list(self._ec2._instances._data.items()))

    def telling(self, action: Action) -> Action:
        """Return an action after which the instance host is told how all instances are."""

        def act(params: Params) -> Answer:
            answer = action(params)
            self.on_change()
            return answer

        return act

    def mine(self, record: Record) -> Record:
        """Return what labctl keeps about an instance; made when it has none yet."""
        kept: Record = record.setdefault("Labctl", {"boots": 1, "at_shutdown": "stop"})
        return kept

    def address(self) -> str:
        """Return a loopback address that no instance has; one for all where there is but one."""
        if self._network == _ALONE:
            return _ALONE
        used = {record["PublicIpAddress"] for _, record in self.items()}
        used |= {record["PublicIp"] for record in self._ec2._addresses._data.values()}
        hosts = ipaddress.ip_network(f"{self._network}/20").num_addresses - 2
        for _ in range(hosts):
            self._last = self._last % hosts + 1
            candidate = str(ipaddress.ip_address(self._network) + self._last)
            if candidate not in used:
                return candidate
        raise RuntimeError("every loopback address of this cloud is in use")

    def private_address(self, address: str) -> str:
        """Return the address that goes with a loopback address in the instances' own network.

        Where they have none, it is the same one.
        """
        if not self._private_network:
            return address
        number = int(ipaddress.ip_address(address)) - int(ipaddress.ip_address(self._network))
        return str(ipaddress.ip_address(self._private_network) + number)

    def snapshot(self, described: set[str]) -> list[Record]:
        """Return all instances; those not in `described` with all that a boot needs."""
        found = []
        for scope, record in self.items():
            number, kept = scope[2], self.mine(record)
            machine = {"id": number, "state": record["State"]["Name"], "boots": kept["boots"]}
            machine |= {"role": self._role(scope[0], record)}
            if self._private_network:
                machine |= {"openings": self.openings(scope, record), **self.held_back(scope)}
            if number not in described:
                machine |= {
                    "address": record["PublicIpAddress"],
                    "private_address": record["PrivateIpAddress"],
                    "image": record["ImageId"],
                    "type": record["InstanceType"],
                    "public_key": kept.get("public_key", ""),
                    "user_data": record.get("UserData") or "",
                }
            found.append(machine)
        return found

    def _role(self, account: str, record: Record) -> str:
        """Return the name of an instance's role; "" without one."""
        arn = (record.get("IamInstanceProfile") or {}).get("Arn", "")
        profiles = import_module("ministack.services.iam")._instance_profiles._data
        profile = profiles.get((account, arn.rsplit("/", 1)[-1])) or {}
        return str(next(iter(profile.get("Roles", [])), ""))

    def observed(self, number: str, state: str, boots: int) -> None:
        """Take over what the host reports: a machine is running, stopped or terminated."""
        for scope, record in self.items():
            if scope[2] == number:
                self._settle(scope, record, state, boots)

    def _settle(self, scope: Scoped, record: Record, state: str, boots: int) -> None:
        now = record["State"]["Name"]
        if state == "running" and now == "pending" and boots == self.mine(record)["boots"]:
            record["State"] = dict(RUNNING)
        elif state == "stopped" and now == "stopping":
            record["State"] = dict(STOPPED)
        elif state == "terminated" and now == "shutting-down":
            record["State"] = dict(TERMINATED)
            record["_terminated_at"] = time.time()
            self._drop_volumes(scope, record)
        else:
            return
        self.on_change()

    def _drop_volumes(self, scope: Scoped, record: Record) -> None:
        volumes = self._ec2._volumes._data
        kept_disks = {
            disk["Ebs"]["VolumeId"]
            for disk in record.get("BlockDeviceMappings", [])
            if not disk["Ebs"].get("DeleteOnTermination", True)
        }
        for key, volume in list(volumes.items()):
            attached = [a for a in volume.get("Attachments", []) if a["InstanceId"] == scope[2]]
            if not attached or key[:2] != scope[:2]:
                continue
            if key[2] in kept_disks or not attached[0].get("DeleteOnTermination"):
                volume["Attachments"], volume["State"] = [], "available"
            else:
                del volumes[key]
                self._ec2._tags._data.pop(key, None)
        record["BlockDeviceMappings"] = []

    def powered(self, number: str, action: str) -> None:
        """Do what a machine asked for from inside: `reboot`, or `off` (stop or terminate)."""
        for scope, record in self.items():
            if scope[2] != number or record["State"]["Name"] not in ("running", "pending"):
                continue
            kept = self.mine(record)
            if action == "reboot":
                kept["boots"] += 1
            else:
                ends = kept["at_shutdown"] == "terminate"
                record["State"] = dict(SHUTTING_DOWN if ends else STOPPING)
            self.on_change()
