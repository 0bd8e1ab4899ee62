"""Checks what the parts of a lab say of each other: names, kinds, references, circles."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from labctl.spec.fields import ResourceModel, ResourceName, StrictModel
from labctl.spec.finding import Finding
from labctl.spec.graph import circles
from labctl.spec.lab import INSTANCE
from labctl.spec.nearest import nearest_hint
from labctl.spec.references import (
    PARAMS,
    SESSION,
    SESSION_ATTRIBUTES,
    Reference,
    references_in,
)
from labctl.spec.shapes import resource_names
from labctl.spec.vocabulary import Vocabulary
from labctl.spec.yaml_text import Route


@dataclass
class Crosscheck:
    """The names of one lab and what was found wrong between its parts.

    `kinds` has every resource of the file, with None for one whose kind is unknown;
    `models` has those without a mistake of their own, and the implied ones; `data` is the
    file's own text of the others.
    """

    vocabulary: Vocabulary
    kinds: dict[str, str | None]
    models: dict[str, ResourceModel]
    data: Mapping[str, object]
    hosts: Collection[str]
    findings: list[Finding] = field(default_factory=list)
    _needs: dict[str, dict[str, Route]] = field(default_factory=dict)

    def add_implied(self) -> None:
        """Add what the resources bring along; what the file has under the same name wins."""
        own = set(self.kinds)
        waiting = list(self.models.items())
        while waiting:
            name, model = waiting.pop(0)
            for brought, implied in model.implied(name).items():
                self._need(name, brought, ("resources", name))
                there = self.models.get(brought)
                if brought not in self.kinds:
                    self.kinds[brought] = implied.kind
                    self.models[brought] = implied
                    waiting.append((brought, implied))
                elif self.kinds[brought] not in (implied.kind, None) or (
                    brought not in own and there != implied
                ):
                    message = (
                        f"'{name}' brings along a {implied.kind} named '{brought}', "
                        f"and another {self.kinds[brought]} bears that name"
                    )
                    self._find(("resources", name), message, "rename one of them")

    def check_resources(self) -> None:
        """Check what the resources name and refer to, and that no two need each other."""
        for name, kind in self.kinds.items():
            route: Route = ("resources", name)
            part = self.models.get(name, self.data.get(name))
            if kind is not None:
                for needed in self.check_names(self.vocabulary.kinds[kind], part, route):
                    self._need(name, *needed)
            for needed in self.check_references(self.data.get(name, part), route):
                self._need(name, *needed)
        for circle in circles({name: self._needs.get(name, {}) for name in self.kinds}):
            message = f"these need each other in a circle: {' -> '.join(circle)}"
            self._find(self._needs[circle[0]][circle[1]], message)

    def dependencies(self) -> dict[str, frozenset[str]]:
        """Return the resources that each resource needs first."""
        return {name: frozenset(self._needs.get(name, {})) for name in self.models}

    def check_names(
        self, model: type[StrictModel], part: object, route: Route
    ) -> list[tuple[str, Route]]:
        """Check the fields that name a resource; return the names that are right, with routes."""
        right = []
        for where, name, wanted in resource_names(model, part, route):
            if name in self.kinds:
                if wanted.itself and route == ("resources", name):
                    continue
                if self._is_of(name, wanted):
                    right.append((name, where))
                else:
                    message = f"'{name}' is a {self.kinds[name]}; this must be {_a(wanted.kinds)}"
                    self._find(where, message, self._hint(name, wanted))
            elif wanted.besides and re.fullmatch(wanted.besides, name):
                continue
            elif name in self.hosts and INSTANCE in wanted.kinds:
                continue  # they stand in for the role
            elif name in self.hosts:
                self._find(where, f"'{name}' is given hosts, not a resource that is made")
            else:
                self._find(where, f"no resource '{name}'", self._hint(name, wanted))
        return right

    def check_references(self, part: object, route: Route) -> list[tuple[str, Route]]:
        """Check the references in a part; return the resources they rightly name, with routes."""
        right = []
        for where, reference in references_in(part, route):
            if reference.scope in self.kinds:
                right.append((reference.scope, where))
            message, hint = self._wrong(reference)
            if message:
                self._find(where, message, hint)
        return right

    def check_agent(
        self, route: Route, body: Mapping[str, object], programs: Collection[str]
    ) -> None:
        """Check that an agent's role and program exist."""
        role, program = body.get("on"), body.get("program")
        roles = {name for name, kind in self.kinds.items() if kind == INSTANCE} | set(self.hosts)
        if isinstance(role, str) and "${" not in role and role not in roles:
            kind = self.kinds.get(role, "")
            if kind:
                self._find((*route, "on"), f"'{role}' is a {kind}, and agents run on {INSTANCE}s")
            elif kind is not None:
                hint = nearest_hint(role, roles) or f"a role is an {INSTANCE} of the lab"
                self._find((*route, "on"), f"no role '{role}'", hint)
        if isinstance(program, str) and "${" not in program and program not in programs:
            hint = nearest_hint(program, programs)
            self._find((*route, "program"), f"no program '{program}'", hint)

    def check_secrets(self, route: Route, body: Mapping[str, object], declared: object) -> None:
        """Check that the lab has the secrets which an agent is to get."""
        known = [name for name in declared if isinstance(name, str)] if _is_list(declared) else []
        asked = body.get("secrets")
        for index, name in enumerate(asked if _is_list(asked) else []):
            if isinstance(name, str) and name not in known:
                hint = nearest_hint(name, known) or "the lab's `secrets:` names none"
                self._find((*route, "secrets", index), f"no secret '{name}'", hint)

    def _need(self, name: str, needed: str, route: Route) -> None:
        self._needs.setdefault(name, {}).setdefault(needed, route)

    def _find(self, route: Route, message: str, hint: str = "") -> None:
        self.findings.append(Finding(route, message, hint))

    def _is_of(self, name: str, wanted: ResourceName) -> bool:
        return self.kinds[name] is None or not wanted.kinds or self.kinds[name] in wanted.kinds

    def _hint(self, name: str, wanted: ResourceName) -> str:
        fitting = [known for known, kind in self.kinds.items() if kind in wanted.kinds]
        return nearest_hint(name, fitting) or f"the lab has no {' or '.join(wanted.kinds)}"

    def _wrong(self, reference: Reference) -> tuple[str, str]:
        """Return what is wrong with a reference and a hint; empty when nothing is."""
        scope, attribute = reference.scope, reference.attribute
        if scope == PARAMS:
            return "", ""  # filled in already, or said to be wrong
        if scope in self.hosts:
            return f"'{scope}' is given hosts, which have no outputs to refer to", ""
        if scope != SESSION and scope not in self.kinds:
            return f"no resource '{scope}'", nearest_hint(scope, [*self.kinds, PARAMS, SESSION])
        kind = self.kinds.get(scope)
        if scope == SESSION:
            valid: Collection[str] = SESSION_ATTRIBUTES
        elif kind is None:
            return "", ""
        else:
            valid = self.vocabulary.kind_outputs.get(kind, ())
        if attribute in valid:
            return "", ""
        what = "the session" if scope == SESSION else f"'{scope}' ({kind})"
        return f"{what} has no '{attribute}'", nearest_hint(attribute, valid)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _a(kinds: Collection[str]) -> str:
    return "a " + " or ".join(kinds)
