"""What an account allows, as a dated profile in YAML says it: `profiles/learner-lab.yaml`."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from labctl.errors import SpecError
from labctl.spec.fields import Duration, Name, Size, StrictModel
from labctl.spec.finding import Finding
from labctl.spec.wording import check
from labctl.spec.yaml_text import load_file

_GIB = 2**30
_Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+=,.@_-]{1,128}$")]
_OneLine = Annotated[str, StringConstraints(pattern=r"^[^\r\n]*$", min_length=1, max_length=200)]


def _date(value: str) -> str:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError("a date is written 2025-06-24")
    date.fromisoformat(value)
    return value


class InstanceLimits(StrictModel):
    """What instances may run in one region, whoever started them; None and () allow anything."""

    sizes: tuple[_Word, ...] = ()
    running: Annotated[int | None, Field(ge=0)] = None
    vcpus: Annotated[int | None, Field(ge=0)] = None
    deactivates_at: Annotated[int | None, Field(ge=1)] = None  # as many at once end the account


class VolumeLimits(StrictModel):
    """What volumes there may be."""

    types: tuple[_Word, ...] = ()
    largest: Size | None = None


class IamLimits(StrictModel):
    """Whether roles and instance profiles can be made."""

    create: bool = True


class Existing(StrictModel):
    """What the account comes with."""

    role: _Word | None = None
    instance_profile: _Word | None = None
    key_pair: _Word | None = None


class AccountLimits(StrictModel):
    """The limits of a kind of account: dated, and with the place where they are written down."""

    apiVersion: Literal["labctl/v1"]
    name: Name
    title: _OneLine
    as_of: Annotated[str, AfterValidator(_date)]
    source: Annotated[str, StringConstraints(pattern=r"^https://[^\s]+$")]
    regions: tuple[_Word, ...] = ()
    instances: InstanceLimits = InstanceLimits()
    volumes: VolumeLimits = VolumeLimits()
    iam: IamLimits = IamLimits()
    exists: Existing = Existing()
    session_life: Duration | None = None  # how long the account's keys usually live, in seconds

    def in_one_line(self) -> str:
        """Return what a person is to know of the limits in force."""
        instances, largest = self.instances, self.volumes.largest
        parts = [
            " or ".join(self.regions),
            f"sizes {', '.join(instances.sizes)}" if instances.sizes else "",
            f"{instances.running} running in a region" if instances.running is not None else "",
            f"{instances.vcpus} vCPUs" if instances.vcpus is not None else "",
            f"volumes up to {largest // _GIB} GiB" if largest else "",
            "" if self.iam.create else "no new roles",
        ]
        return f"{self.name} (as of {self.as_of}): {'; '.join(part for part in parts if part)}"


def load_limits(file: Path) -> AccountLimits:
    """Return the limits that a profile's file gives; raises `SpecError` with every mistake."""
    document = load_file(file)
    findings: list[Finding] = []
    limits = check(AccountLimits, document.data, findings)
    if limits is not None and limits.name != file.stem:
        findings.append(Finding(("name",), f"the file's name says '{file.stem}'"))
    mistakes = [
        document.mistake(finding.route, finding.message, finding.hint, at=finding.at)
        for finding in findings
    ]
    if mistakes or document.mistakes or limits is None:
        found = {*document.mistakes, *mistakes}
        raise SpecError(sorted(found, key=lambda mistake: (mistake.line, mistake.column)))
    return limits
