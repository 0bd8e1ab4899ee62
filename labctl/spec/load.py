"""Loads a lab file: all of its mistakes at once, each with its place, or a `Lab` without any."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from labctl.errors import Mistake, SpecError, UsageError
from labctl.spec.crosscheck import Crosscheck
from labctl.spec.fields import ActionModel, BenchmarkEntry, ResourceModel, StrictModel
from labctl.spec.filling import Filled, fill, values_in_force
from labctl.spec.finding import Finding
from labctl.spec.hosts import HostModel
from labctl.spec.lab import INSTANCE, Lab, LabCheck, LabFile
from labctl.spec.nearest import nearest_hint
from labctl.spec.references import PARAMS, SESSION
from labctl.spec.vocabulary import Vocabulary
from labctl.spec.wording import check, given
from labctl.spec.yaml_text import Document, Route, load_file

MOST_MISTAKES = 100

M = TypeVar("M", bound=StrictModel)


def load_lab(
    path: Path,
    vocabulary: Vocabulary,
    *,
    settings: Mapping[str, str] | None = None,
    hosts: Mapping[str, tuple[HostModel, ...]] | None = None,
) -> Lab:
    """Return the lab of a file, `settings` (`--set`) in place of its parameters' defaults.

    `hosts` stand in for the instances of the roles they name, as the file's own hosts do.
    Raises `SpecError` with every mistake of the file, else `UsageError` for a wrong setting.
    """
    document = load_file(path)
    if not isinstance(document.data, dict):
        mistake = document.mistake((), "a lab file is a mapping: apiVersion, name, title, ...")
        raise SpecError([*document.mistakes, mistake])
    values = values_in_force(document.data.get("params"), settings or {})
    reading = _Reading(path, vocabulary, fill(document.data, values.values), dict(hosts or {}))
    lab_file = reading.read()
    if reading.findings or document.mistakes:
        raise SpecError(_mistakes(document, reading.findings))
    if values.refused:
        raise UsageError("; ".join(values.refused), f"labctl show {path} lists the parameters")
    assert lab_file is not None  # what is not there was found
    in_force = {name: value for name, value in values.values.items() if value is not None}
    return reading.lab(lab_file, in_force)


def _mistakes(document: Document, findings: list[Finding]) -> list[Mistake]:
    """Return the mistakes by place, each once; after the first hundred only that there are more."""
    found = [
        document.mistake(finding.route, finding.message, finding.hint, at=finding.at)
        for finding in findings[: 10 * MOST_MISTAKES]
    ]
    unique = sorted(
        {*document.mistakes, *found},
        key=lambda mistake: (mistake.line, mistake.column, mistake.message),
    )
    if len(unique) <= MOST_MISTAKES:
        return unique
    shown = unique[:MOST_MISTAKES]
    last = shown[-1]
    return [*shown, Mistake(last.file, last.line, last.column, "... and further mistakes")]


class _Reading:
    """One reading of one lab file: its parts as they are checked, and what was found."""

    def __init__(
        self,
        path: Path,
        vocabulary: Vocabulary,
        filled: Filled,
        hosts: dict[str, tuple[HostModel, ...]],
    ) -> None:
        self._path = path
        self._vocabulary = vocabulary
        self._data = filled.data
        self._spoilt = filled.spoilt
        self._hosts = hosts
        self._workload: StrictModel | None = None
        self._checks: dict[int, tuple[str, StrictModel]] = {}
        self._actions: dict[str, ActionModel] = {}
        self._benchmarks: dict[str, BenchmarkEntry] = {}
        self._cross = Crosscheck(
            vocabulary, kinds={}, models={}, data=self._section("resources"), hosts=()
        )
        self.findings = list(filled.findings)

    def read(self) -> LabFile | None:
        """Check the whole file; None when its outermost shape is wrong, which is then found."""
        lab_file = self._check(LabFile, self._data, ())
        own_hosts = self._section("hosts")
        self._cross.hosts = own_hosts.keys() | self._hosts.keys()
        for name, body in self._section("resources").items():
            self._read_resource(name, body)
        self._let_hosts_stand_in()
        self._cross.add_implied()
        self._cross.check_resources()
        self._read_agents()
        self._read_workload()
        self._read_checks()
        self._read_named("actions", self._vocabulary.actions, self._actions)
        self._read_named("benchmarks", self._vocabulary.benchmarks, self._benchmarks)
        self._read_panels()
        self._cross.check_references(self._section("outputs"), ("outputs",))
        self.findings += self._cross.findings
        return lab_file

    def lab(self, lab_file: LabFile, settings: Mapping[str, bool | int | float | str]) -> Lab:
        """Return the lab, when nothing was found."""
        left_out = frozenset(
            name for name, model in self._cross.models.items() if getattr(model, "count", 1) == 0
        )
        return Lab(
            path=self._path,
            name=lab_file.name,
            title=lab_file.title,
            course=lab_file.course,
            description=lab_file.description,
            params=lab_file.params,
            settings=settings,
            limits=lab_file.limits,
            resources={
                name: model for name, model in self._cross.models.items() if name not in left_out
            },
            left_out=left_out,
            hosts={**self._hosts, **lab_file.hosts},
            secrets=lab_file.secrets,
            agents={
                name: agent for name, agent in lab_file.agents.items() if agent.on not in left_out
            },
            workload=self._workload,
            checks=tuple(
                LabCheck(
                    entry.id,
                    entry.say,
                    *self._checks[index],
                    within=entry.within,
                    requires=entry.requires,
                )
                for index, entry in enumerate(lab_file.checks)
            ),
            actions=self._actions,
            benchmarks=self._benchmarks,
            panels=lab_file.panels,
            requires=lab_file.requires,
            outputs=lab_file.outputs,
            dependencies={
                name: needs - left_out
                for name, needs in self._cross.dependencies().items()
                if name not in left_out
            },
        )

    def _section(self, name: str) -> dict[str, Any]:
        section = self._data.get(name)
        return section if isinstance(section, dict) else {}

    def _find(self, route: Route, message: str, hint: str = "") -> None:
        if route not in self._spoilt:
            self.findings.append(Finding(route, message, hint))

    def _check(self, model: type[M], data: object, route: Route) -> M | None:
        found: list[Finding] = []
        checked = check(model, data, found, route)
        self.findings += [finding for finding in found if finding.route not in self._spoilt]
        return checked

    def _read_resource(self, name: str, body: object) -> None:
        route: Route = ("resources", name)
        self._cross.kinds[name] = None
        if name in (PARAMS, SESSION):
            self._find(route, f"no resource can be named '{name}': references use that name")
        model_class = self._chosen(body, route, self._vocabulary.kinds)
        if model_class is None or not isinstance(body, dict):
            return
        self._cross.kinds[name] = str(body["kind"])
        model = self._check(model_class, body, route)
        if isinstance(model, ResourceModel):
            self._cross.models[name] = model

    def _chosen(self, body: object, route: Route, models: Mapping[str, type[M]]) -> type[M] | None:
        """Return the model that a part's `kind` names."""
        if not isinstance(body, dict):
            return None  # its shape is found to be wrong elsewhere
        if "kind" not in body:
            self._find(route, f"'kind' is missing in '{route[-1]}'", nearest_hint("", models))
            return None
        kind = body["kind"]
        if isinstance(kind, str) and kind in models:
            return models[kind]
        message = f"unknown kind '{kind}'"
        if not isinstance(kind, str):
            message = f"'kind' must be text, not {given(kind)}"
        self._find((*route, "kind"), message, nearest_hint(str(kind), models))
        return None

    def _let_hosts_stand_in(self) -> None:
        for role in sorted(self._cross.hosts & self._cross.kinds.keys()):
            kind = self._cross.kinds[role]
            if kind is not None and kind != INSTANCE:
                place: Route = ("resources", role)
                self._find(place, f"'{role}' has hosts, and only {INSTANCE}s can be replaced so")
            self._cross.kinds.pop(role)
            self._cross.models.pop(role, None)

    def _read_agents(self) -> None:
        programs = self._vocabulary.programs(self._path.parent)
        for name, body in self._section("agents").items():
            route: Route = ("agents", name)
            if isinstance(body, dict):
                self._cross.check_agent(route, body, programs)
                self._cross.check_secrets(route, body, self._data.get("secrets"))
            self._cross.check_references(body, route)

    def _read_workload(self) -> None:
        body = self._data.get("workload")
        model_class = self._chosen(body, ("workload",), self._vocabulary.workloads)
        if model_class is not None:
            self._workload = self._read_part(model_class, body, ("workload",))

    def _read_checks(self) -> None:
        entries = self._data.get("checks")
        seen: set[object] = set()
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            if not isinstance(entry, dict):
                continue
            route: Route = ("checks", index)
            name = entry.get("id")
            if isinstance(name, str) and name in seen:
                self._find((*route, "id"), f"another check has the id '{name}' too")
            seen.add(name if isinstance(name, str) else None)
            self._read_that(index, entry.get("that"))

    def _read_that(self, index: int, that: object) -> None:
        if not isinstance(that, dict) or len(that) != 1:
            return
        ((form, body),) = that.items()
        route: Route = ("checks", index, "that", form)
        forms = self._vocabulary.checks
        if form not in forms:
            hint = nearest_hint(form, forms)
            self.findings.append(Finding(route, f"unknown check '{form}'", hint, at="key"))
        elif model := self._read_part(forms[form], body, route):
            self._checks[index] = (form, model)

    def _read_named(self, section: str, models: Mapping[str, type[M]], found: dict[str, M]) -> None:
        for name, body in self._section(section).items():
            route: Route = (section, name)
            model_class = self._chosen(body, route, models)
            model = self._read_part(model_class, body, route) if model_class else None
            if model is not None:
                found[name] = model

    def _read_part(self, model_class: type[M], body: object, route: Route) -> M | None:
        model = self._check(model_class, body, route)
        self._cross.check_names(model_class, body if model is None else model, route)
        self._cross.check_references(body, route)
        return model

    def _read_panels(self) -> None:
        panels = self._data.get("panels")
        for index, panel in enumerate(panels if isinstance(panels, list) else []):
            if isinstance(panel, str) and panel not in self._vocabulary.panels:
                hint = nearest_hint(panel, self._vocabulary.panels)
                self._find(("panels", index), f"unknown panel '{panel}'", hint)
