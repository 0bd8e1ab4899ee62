"""Checks the hosts of a catalogue, apart from it because only some commands pay for pydantic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from labctl.errors import SpecError
from labctl.spec.catalogue import Catalogue
from labctl.spec.fields import Name, StrictModel
from labctl.spec.finding import Finding
from labctl.spec.hosts import HostModel
from labctl.spec.wording import check


class _Hosts(StrictModel):
    hosts: dict[Name, Annotated[tuple[HostModel, ...], Field(min_length=1)]] = {}


def catalogue_hosts(catalogue: Catalogue) -> Mapping[str, tuple[HostModel, ...]]:
    """Return the machines that a catalogue gives to roles; raises `SpecError` for wrong ones."""
    data = catalogue.document.data
    section = {"hosts": data["hosts"]} if isinstance(data, dict) and "hosts" in data else {}
    findings: list[Finding] = []
    checked = check(_Hosts, section, findings)
    if checked is None:
        mistakes = [
            catalogue.document.mistake(finding.route, finding.message, finding.hint, at=finding.at)
            for finding in findings
        ]
        raise SpecError(sorted(mistakes, key=lambda mistake: (mistake.line, mistake.column)))
    return checked.hosts
