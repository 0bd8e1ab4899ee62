"""Stop, start, reboot, terminate: the emulator only changes a word; here the machine follows,
and the word changes when it has."""

from __future__ import annotations

from typing import Any

from labctl.cloud.patches.answers import Action, Answer, Params, refused, shown
from labctl.cloud.patches.fleet import PENDING, SHUTTING_DOWN, STOPPING, Fleet, Record

# What a state becomes; a state that is not listed refuses the action.
_Becomes = dict[str, Record | None]
_STOPS: _Becomes = {"pending": STOPPING, "running": STOPPING, "stopping": None, "stopped": None}
_STARTS: _Becomes = {"stopped": PENDING, "pending": None, "running": None}
_REBOOTS: _Becomes = {"pending": None, "running": None}
_TERMINATES: _Becomes = {"shutting-down": None, "terminated": None}
_TERMINATES |= dict.fromkeys(("pending", "running", "stopping", "stopped"), SHUTTING_DOWN)


def mend(ec2: Any, ssm: Any, fleet: Fleet) -> None:  # noqa: ANN401 - the emulator ships no types
    """Replace the four actions, and refuse to delete a group that a machine uses."""
    actions = Lifecycle(ec2, fleet)
    ec2._ACTION_MAP["StopInstances"] = actions.stop
    ec2._ACTION_MAP["StartInstances"] = actions.start
    ec2._ACTION_MAP["RebootInstances"] = actions.reboot
    ec2._ACTION_MAP["TerminateInstances"] = actions.terminate
    delete_as_was: Action = ec2._ACTION_MAP["DeleteSecurityGroup"]

    def delete_group(params: Params) -> Answer:
        number = actions.group_of(params)
        if number and actions.uses(number):
            text = f"resource {number} has a dependent object"
            return refused(ec2, "DependencyViolation", text)
        return delete_as_was(params | {"GroupId": [number]} if number else params)

    ec2._ACTION_MAP["DeleteSecurityGroup"] = delete_group


class Lifecycle:
    """The actions that change what an instance should be."""

    def __init__(self, ec2: Any, fleet: Fleet) -> None:  # noqa: ANN401 - as above
        self._ec2 = ec2
        self._fleet = fleet

    def stop(self, params: Params) -> Answer:
        """Stop instances; their disk stays."""
        return self._change(params, _STOPS, "StopInstancesResponse")

    def start(self, params: Params) -> Answer:
        """Start stopped instances."""
        return self._change(params, _STARTS, "StartInstancesResponse", boots=True)

    def terminate(self, params: Params) -> Answer:
        """Terminate instances; done again, it is fine."""
        return self._change(params, _TERMINATES, "TerminateInstancesResponse")

    def reboot(self, params: Params) -> Answer:
        """Reboot running instances."""
        answer = self._change(params, _REBOOTS, "RebootInstancesResponse", boots=True)
        if answer[0] != 200:
            return answer
        return shown(self._ec2, "RebootInstancesResponse", "<return>true</return>")

    def group_of(self, params: Params) -> str:
        """Return the id of the group that a request names, by id or by name."""
        number = str(self._ec2._p(params, "GroupId"))
        name = self._ec2._p(params, "GroupName")
        named = [
            group["GroupId"]
            for group in self._ec2._security_groups.values()
            if name and group["GroupName"] == name
        ]
        return number or (named[0] if named else "")

    def uses(self, group: str) -> bool:
        """Tell whether a machine that is not gone is in a group."""
        return any(
            group in [used["GroupId"] for used in record["SecurityGroups"]]
            for record in self._ec2._instances.values()
            if record["State"]["Name"] != "terminated"
        )

    def _change(
        self, params: Params, becomes: _Becomes, root: str, *, boots: bool = False
    ) -> Answer:
        ec2 = self._ec2
        ids = ec2._parse_member_list(params, "InstanceId")
        for number in ids:
            refusal = self._refusal(number, becomes)
            if refusal:
                return refusal
        items = "".join(self._apply(ec2._instances[number], becomes, boots=boots) for number in ids)
        self._fleet.on_change()
        return shown(ec2, root, f"<instancesSet>{items}</instancesSet>")

    def _refusal(self, number: str, becomes: _Becomes) -> Answer | None:
        ec2 = self._ec2
        record = ec2._instances.get(number)
        if record is None:
            text = f"The instance ID '{number}' does not exist"
            return refused(ec2, "InvalidInstanceID.NotFound", text)
        state = record["State"]["Name"]
        if state not in becomes:
            text = f"The instance '{number}' is not in a state from which it can do that: {state}"
            return refused(ec2, "IncorrectInstanceState", text)
        return None

    def _apply(self, record: Record, becomes: _Becomes, *, boots: bool) -> str:
        previous = record["State"]
        following = becomes[previous["Name"]]
        if following is not None:
            record["State"] = dict(following)
        if boots and (following is not None or becomes is _REBOOTS):
            self._fleet.mine(record)["boots"] += 1
        if following is SHUTTING_DOWN:
            association = self._ec2._find_active_iam_instance_profile_association(
                record["InstanceId"]
            )
            if association:
                self._ec2._mark_iam_instance_profile_association_disassociated(association)
        states = (("previousState", previous), ("currentState", record["State"]))
        changes = "".join(
            f"<{tag}><code>{state['Code']}</code><name>{state['Name']}</name></{tag}>"
            for tag, state in states
        )
        return f"<item><instanceId>{record['InstanceId']}</instanceId>{changes}</item>"
