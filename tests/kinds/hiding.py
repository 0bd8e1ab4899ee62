"""A target whose EC2 shows instances late, as the real one may in the seconds after a launch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from labctl.targets.base import Target


class LateTarget:
    """Passes everything on; the next `looks` at instances do not show those in `hidden`."""

    def __init__(self, target: Target, *, looks: int, hidden: frozenset[str] | None = None) -> None:
        self._target = target
        self.looks = looks
        self.hidden = hidden  # None: all of them

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the target has
        return getattr(self._target, name)

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3's client
        client = self._target.client(service)
        return _LateEc2(client, self) if service == "ec2" else client

    def shows(self, instance: Mapping[str, Any]) -> bool:
        return self.looks < 0 or (
            self.hidden is not None and instance["InstanceId"] not in self.hidden
        )


class _LateEc2:
    def __init__(self, ec2: Any, late: LateTarget) -> None:  # noqa: ANN401 - boto3's client
        self._ec2 = ec2
        self._late = late

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any call of the client
        return getattr(self._ec2, name)

    def get_paginator(self, operation: str) -> Any:  # noqa: ANN401 - boto3's paginator
        paginator = self._ec2.get_paginator(operation)
        return _LatePages(paginator, self._late) if operation == "describe_instances" else paginator


class _LatePages:
    def __init__(self, paginator: Any, late: LateTarget) -> None:  # noqa: ANN401 - as above
        self._paginator = paginator
        self._late = late

    def paginate(self, **request: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 - as above
        self._late.looks -= 1
        for page in self._paginator.paginate(**request):
            for reservation in page["Reservations"]:
                reservation["Instances"] = [
                    each for each in reservation["Instances"] if self._late.shows(each)
                ]
            yield page
