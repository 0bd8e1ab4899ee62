"""RunInstances: the emulator ignores the client token, MaxCount, unknown
groups and keys, the tags and size of volumes, and gives addresses that belong to strangers."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from labctl.cloud.patches.answers import Action, Answer, Params, refused, shown
from labctl.cloud.patches.fleet import PENDING, Fleet, Record

_MOST = 250  # alive at once; every one is real processes on this machine
_ROOT_DEVICES = ("/dev/sda1", "/dev/xvda")
_NOT_HERE = {
    "LaunchTemplate.LaunchTemplateId": "launch templates",
    "LaunchTemplate.LaunchTemplateName": "launch templates",
    "PrivateIpAddress": "a chosen private address",
    "InstanceMarketOptions.MarketType": "spot instances",
}


class Refused(Exception):
    """The request cannot be served; carries the error's code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def mend(ec2: Any, ssm: Any, fleet: Fleet) -> None:  # noqa: ANN401 - the emulator ships no types
    """Replace RunInstances and what it launches with, and give addresses that are ours."""
    launcher = Launcher(ec2, fleet)
    ec2._launch_instances_internal = launcher.launch
    ec2._ACTION_MAP["RunInstances"] = launcher.run
    original_address = ec2._random_ip
    ec2._random_ip = lambda prefix: (
        fleet.address() if prefix in ("52.", "54.") else original_address(prefix)
    )


class Launcher:
    """Launches instances as EC2 would."""

    def __init__(self, ec2: Any, fleet: Fleet) -> None:  # noqa: ANN401 - as above
        self._ec2 = ec2
        self._fleet = fleet
        self._run_as_was: Action = ec2._ACTION_MAP["RunInstances"]
        self._launch_as_was = ec2._launch_instances_internal

    def launch(self, *args: Any, **kwargs: Any) -> list[Record]:  # noqa: ANN401 - passed on
        """Make instance records: pending, with an address and a public key of their own."""
        created: list[Record] = self._launch_as_was(*args, **kwargs)
        for index, record in enumerate(created):
            record["AmiLaunchIndex"] = index
            record["State"] = dict(PENDING)
            address = record["PublicIpAddress"]  # ours already: see `mend`
            record["PublicDnsName"] = address
            private = record["PrivateIpAddress"] = self._fleet.private_address(address)
            record["PrivateDnsName"] = f"ip-{private.replace('.', '-')}.ec2.internal"
            pair = self._ec2._key_pairs.get(record["KeyName"]) or {}
            self._fleet.mine(record)["public_key"] = pair.get("PublicKey", "")
        self._fleet.on_change()
        return created

    def run(self, params: Params) -> Answer:
        """Run instances, or return those that the same client token made before."""
        try:
            params = self._checked(params)
            answer = self._known(params)
            return answer if answer is not None else self._run(params)
        except Refused as refusal:
            return refused(self._ec2, refusal.code, refusal.message)

    def _run(self, params: Params) -> Answer:
        before = set(self._ec2._instances)
        answer = self._run_as_was(params)
        if answer[0] != 200:
            return answer
        created = [self._ec2._instances[key] for key in self._ec2._instances if key not in before]
        for record in created:
            kept = self._fleet.mine(record)
            kept["token"], kept["request"] = self._get(params, "ClientToken"), _digest(params)
            if self._get(params, "InstanceInitiatedShutdownBehavior") == "terminate":
                kept["at_shutdown"] = "terminate"
            kept["tokens"] = self._get(params, "MetadataOptions.HttpTokens") or "optional"
            kept["hops"] = self._get(params, "MetadataOptions.HttpPutResponseHopLimit") or "1"
            self._shape_volume(record, params)
        return self._shown(created)

    def _shown(self, records: list[Record]) -> Answer:
        items = "".join(map(self._ec2._instance_xml, records))
        reservation = f"r-{records[0]['InstanceId'][2:]}"
        inner = f"<instancesSet>{items}</instancesSet><reservationId>{reservation}</reservationId>"
        return shown(
            self._ec2,
            "RunInstancesResponse",
            f"{inner}<ownerId>{self._ec2.get_account_id()}</ownerId><groupSet/>",
        )

    def _known(self, params: Params) -> Answer | None:
        token = self._get(params, "ClientToken")
        same = [
            record
            for record in self._ec2._instances.values()
            if token and self._fleet.mine(record).get("token") == token
        ]
        if not same:
            return None
        if self._fleet.mine(same[0])["request"] != _digest(params):
            raise Refused(
                "IdempotentParameterMismatch",
                "The client token was used before with different parameters",
            )
        return self._shown(same)

    def _checked(self, params: Params) -> Params:
        for name, what in _NOT_HERE.items():
            if self._get(params, name):
                raise Refused("UnsupportedOperation", f"The local cloud does not have {what}")
        params = dict(params)
        device = self._get(params, "BlockDeviceMapping.1.DeviceName")
        if self._get(params, "BlockDeviceMapping.2.DeviceName") or (
            device and device not in _ROOT_DEVICES
        ):
            raise Refused("UnsupportedOperation", "A local instance has its root volume only")
        self._check_count(params)
        self._check_key(params)
        self._check_groups(params)
        return params

    def _check_count(self, params: Params) -> None:
        counts = [self._get(params, name) or "1" for name in ("MinCount", "MaxCount")]
        if not all(count.isdigit() and int(count) > 0 for count in counts):
            raise Refused("InvalidParameterValue", "MinCount and MaxCount are positive numbers")
        least, most = map(int, counts)
        if least > most:
            return  # refused by the emulator itself
        alive = sum(r["State"]["Name"] != "terminated" for _, r in self._fleet.items())
        room = _MOST - alive
        if least > room:
            raise Refused(
                "InstanceLimitExceeded",
                f"You have requested more instances ({least}) than the local cloud has room for"
                f" ({room} of {_MOST})",
            )
        params["MinCount"] = params["MaxCount"] = [str(min(most, room))]

    def _check_key(self, params: Params) -> None:
        key = self._get(params, "KeyName")
        if key and key not in self._ec2._key_pairs:
            raise Refused("InvalidKeyPair.NotFound", f"The key pair '{key}' does not exist")

    def _check_groups(self, params: Params) -> None:
        ec2 = self._ec2
        ids = ec2._parse_member_list(params, "SecurityGroupId")
        ids += ec2._parse_member_list(params, "NetworkInterface.1.SecurityGroupId")
        known = ec2._security_groups
        by_name = {group["GroupName"]: number for number, group in known.items()}
        for name in ec2._parse_member_list(params, "SecurityGroup"):
            if name not in by_name:
                raise Refused(
                    "InvalidGroup.NotFound", f"The security group '{name}' does not exist"
                )
            ids.append(by_name[name])
        for number in ids:
            if number not in known:
                raise Refused(
                    "InvalidGroup.NotFound", f"The security group '{number}' does not exist"
                )
        for index, number in enumerate(ids, 1):
            params[f"SecurityGroupId.{index}"] = [number]

    def _shape_volume(self, record: Record, params: Params) -> None:
        """Give the root volume the tags, size and fate that were asked for."""
        disk = record["BlockDeviceMappings"][0]
        volume = self._ec2._volumes[disk["Ebs"]["VolumeId"]]
        self._ec2._parse_tag_specs(params, "volume", volume["VolumeId"])
        device = self._get(params, "BlockDeviceMapping.1.DeviceName")
        if not device:
            return
        disk["DeviceName"] = record["RootDeviceName"] = device
        volume["Attachments"][0]["Device"] = device
        asked = "BlockDeviceMapping.1.Ebs."
        if size := self._get(params, f"{asked}VolumeSize"):
            volume["Size"] = int(size)
        volume["VolumeType"] = self._get(params, f"{asked}VolumeType") or volume["VolumeType"]
        volume["Encrypted"] = self._get(params, f"{asked}Encrypted") == "true"
        keeps = self._get(params, f"{asked}DeleteOnTermination") == "false"
        disk["Ebs"]["DeleteOnTermination"] = not keeps
        volume["Attachments"][0]["DeleteOnTermination"] = not keeps

    def _get(self, params: Params, name: str) -> str:
        return str(self._ec2._p(params, name))


def _digest(params: Params) -> str:
    asked = {key: value for key, value in params.items() if key != "ClientToken"}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
