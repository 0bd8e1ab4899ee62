"""Changing an instance that stands: the emulator knows neither of the two actions for it."""

from __future__ import annotations

from typing import Any

from labctl.cloud.patches.answers import Answer, Params, refused, shown
from labctl.cloud.patches.fleet import Fleet, Record


def mend(ec2: Any, ssm: Any, fleet: Fleet) -> None:  # noqa: ANN401 - the emulator ships no types
    """Add ModifyInstanceAttribute and ModifyInstanceMetadataOptions."""
    actions = _Modifying(ec2, fleet)
    ec2._ACTION_MAP["ModifyInstanceAttribute"] = actions.attribute
    ec2._ACTION_MAP["ModifyInstanceMetadataOptions"] = actions.metadata_options


class _Modifying:
    def __init__(self, ec2: Any, fleet: Fleet) -> None:  # noqa: ANN401 - as above
        self._ec2 = ec2
        self._fleet = fleet

    def attribute(self, params: Params) -> Answer:
        """Change the groups, or what a shutdown from inside does."""
        record = self._ec2._instances.get(self._get(params, "InstanceId"))
        if record is None:
            return self._missing(params)
        groups = self._ec2._parse_member_list(params, "GroupId")
        behaviour = self._get(params, "InstanceInitiatedShutdownBehavior.Value")
        unknown = [number for number in groups if number not in self._ec2._security_groups]
        if unknown:
            text = f"The security group '{unknown[0]}' does not exist"
            return refused(self._ec2, "InvalidGroup.NotFound", text)
        if groups:
            record["SecurityGroups"] = [
                {"GroupId": n, "GroupName": self._ec2._security_groups[n]["GroupName"]}
                for n in groups
            ]
        elif behaviour in ("stop", "terminate"):
            self._fleet.mine(record)["at_shutdown"] = behaviour
        else:
            text = "The local cloud changes groups and shutdown behaviour only"
            return refused(self._ec2, "UnsupportedOperation", text)
        return shown(self._ec2, "ModifyInstanceAttributeResponse", "<return>true</return>")

    def metadata_options(self, params: Params) -> Answer:
        """Change what the metadata service asks for."""
        record: Record | None = self._ec2._instances.get(self._get(params, "InstanceId"))
        if record is None:
            return self._missing(params)
        kept = self._fleet.mine(record)
        kept["tokens"] = self._get(params, "HttpTokens") or kept.get("tokens", "optional")
        kept["hops"] = self._get(params, "HttpPutResponseHopLimit") or kept.get("hops", "1")
        options = f"<state>applied</state><httpTokens>{kept['tokens']}</httpTokens>"
        options += f"<httpPutResponseHopLimit>{kept['hops']}</httpPutResponseHopLimit>"
        inner = f"<instanceId>{record['InstanceId']}</instanceId>"
        inner += f"<instanceMetadataOptions>{options}</instanceMetadataOptions>"
        return shown(self._ec2, "ModifyInstanceMetadataOptionsResponse", inner)

    def _missing(self, params: Params) -> Answer:
        text = f"The instance ID '{self._get(params, 'InstanceId')}' does not exist"
        return refused(self._ec2, "InvalidInstanceID.NotFound", text)

    def _get(self, params: Params, name: str) -> str:
        return str(self._ec2._p(params, name))
