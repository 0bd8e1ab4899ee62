"""Reading instances back: the emulator forgets user data, shutdown behaviour, client token and
metadata options, and answers a filter that it does not know with every instance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

from labctl.cloud.patches.answers import Action, Answer, Params, refused, shown
from labctl.cloud.patches.fleet import Fleet, Record

_TAGS = ("tag-key", "tag-value")


def mend(ec2: Any, ssm: Any, fleet: Fleet) -> None:  # noqa: ANN401 - the emulator ships no types
    """Complete what is shown of an instance, and take filters at their word."""
    reader = Reader(ec2, fleet)
    ec2._instance_xml = reader.xml
    ec2._matches_filters = reader.matches
    ec2._ACTION_MAP["DescribeInstanceAttribute"] = reader.attribute
    describe_as_was: Action = ec2._ACTION_MAP["DescribeInstances"]

    def describe(params: Params) -> Answer:
        for name in ec2._parse_filters(params):
            if name not in reader.fields and not name.startswith("tag:") and name not in _TAGS:
                return refused(
                    ec2, "InvalidParameterValue", f"The filter '{escape(name)}' is invalid", 400
                )
        return describe_as_was(params)

    ec2._ACTION_MAP["DescribeInstances"] = describe


class Reader:
    """Shows instances as EC2 would."""

    def __init__(self, ec2: Any, fleet: Fleet) -> None:  # noqa: ANN401 - as above
        self._ec2 = ec2
        self._fleet = fleet
        self._xml_as_was: Callable[[Record], str] = ec2._instance_xml
        self._attribute_as_was: Action = ec2._ACTION_MAP["DescribeInstanceAttribute"]
        self.fields: dict[str, Callable[[Record], list[str]]] = {
            "instance-id": lambda record: [record["InstanceId"]],
            "instance-state-name": lambda record: [record["State"]["Name"]],
            "instance-state-code": lambda record: [str(record["State"]["Code"])],
            "instance-type": lambda record: [record["InstanceType"]],
            "image-id": lambda record: [record["ImageId"]],
            "key-name": lambda record: [record.get("KeyName", "")],
            "vpc-id": lambda record: [record["VpcId"]],
            "subnet-id": lambda record: [record["SubnetId"]],
            "availability-zone": lambda record: [record["Placement"]["AvailabilityZone"]],
            "ip-address": lambda record: [record["PublicIpAddress"]],
            "private-ip-address": lambda record: [record["PrivateIpAddress"]],
            "client-token": lambda record: [self._fleet.mine(record).get("token", "")],
            "instance.group-id": lambda record: [g["GroupId"] for g in record["SecurityGroups"]],
            "instance.group-name": lambda record: [
                g["GroupName"] for g in record["SecurityGroups"]
            ],
        }

    def matches(self, record: Record, filters: dict[str, list[str]]) -> bool:
        """Tell whether an instance matches every filter."""
        if not self._ec2._resource_matches_tag_filters(record["InstanceId"], filters):
            return False
        return all(
            any(
                self._ec2._glob_match(pattern, value)
                for pattern in wanted
                for value in self.fields[name](record)
            )
            for name, wanted in filters.items()
            if name in self.fields
        )

    def xml(self, record: Record) -> str:
        """Return an instance's element with what the emulator leaves out."""
        kept = self._fleet.mine(record)
        options = (
            f"<state>applied</state><httpTokens>{kept.get('tokens', 'optional')}</httpTokens>"
            f"<httpPutResponseHopLimit>{kept.get('hops', '1')}</httpPutResponseHopLimit>"
            "<httpEndpoint>enabled</httpEndpoint>"
        )
        more = f"<clientToken>{escape(kept.get('token') or '')}</clientToken>"
        more += f"<metadataOptions>{options}</metadataOptions></item>"
        body = self._xml_as_was(record).rstrip()
        return body.removesuffix("</item>") + more

    def attribute(self, params: Params) -> Answer:
        """Answer with the user data and the shutdown behaviour as they were given."""
        record = self._ec2._instances.get(self._ec2._p(params, "InstanceId"))
        asked = self._ec2._p(params, "Attribute")
        values = {}
        if record is not None:
            values["userData"] = record.get("UserData") or ""
            values["instanceInitiatedShutdownBehavior"] = self._fleet.mine(record)["at_shutdown"]
        if asked not in values:
            return self._attribute_as_was(params)
        value = f"<value>{escape(values[asked])}</value>" if values[asked] else ""
        number = self._ec2._p(params, "InstanceId")
        return shown(
            self._ec2,
            "DescribeInstanceAttributeResponse",
            f"<instanceId>{number}</instanceId><{asked}>{value}</{asked}>",
        )
