"""The numbers lab is right in the real vocabulary: kinds, workloads, checks and programs."""

from __future__ import annotations

from pathlib import Path

from jsonschema import Draft202012Validator

from labctl.actions.registry import actions
from labctl.benchmarks.registry import benchmarks
from labctl.checks.registry import checks
from labctl.engine.vocabulary import PANELS
from labctl.kinds.registry import kinds
from labctl.paths import shipped
from labctl.spec.load import load_lab
from labctl.spec.schema import lab_schema
from labctl.spec.vocabulary import Vocabulary
from labctl.spec.yaml_text import load_file
from labctl.workloads.registry import workloads

LAB = shipped("labs", "numbers", "lab.yaml")


def vocabulary() -> Vocabulary:
    return Vocabulary(
        kinds={name: kind.model for name, kind in kinds().items()},
        kind_outputs={name: kind.outputs for name, kind in kinds().items()},
        workloads={name: workload.model for name, workload in workloads().items()},
        actions={name: action.model for name, action in actions().items()},
        benchmarks={name: each.model for name, each in benchmarks().items()},
        checks={name: check.model for name, check in checks().items()},
        panels=PANELS,
        programs=_programs,
    )


def _programs(folder: Path) -> list[str]:
    return [path.parent.name for path in shipped("remote").glob("*/__main__.py")]


def test_the_lab_loads_and_its_plan_is_ordered() -> None:
    lab = load_lab(LAB, vocabulary(), settings={"workers": "3", "jobs": "200"})
    assert lab.dependencies["requests"] == {"dead"}
    assert lab.agent_needs("numbers") == {"worker", "requests", "responses", "results", "archive"}
    worker = lab.resources["worker"].model_dump()
    assert (worker["count"], worker["profile"]) == (3, "")
    assert {lab.resources[name].kind for name in lab.dependencies["worker"]} == {
        "ec2.key_pair",
        "ec2.security_group",
    }
    assert lab.workload is not None
    assert lab.workload.model_dump()["jobs"] == 200
    assert [check.form for check in lab.checks] == ["jobs", "queue", "object"]


def test_the_schema_of_the_real_vocabulary_takes_the_lab() -> None:
    schema = lab_schema(vocabulary())
    Draft202012Validator.check_schema(schema)
    errors = Draft202012Validator(schema).iter_errors(load_file(LAB).data)
    assert [error.message for error in errors] == []


def test_an_editor_finds_the_schema_from_the_first_line() -> None:
    first = LAB.read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=../../schemas/lab.schema.json"


def test_nobody_on_the_internet_may_log_in() -> None:
    lab = load_lab(LAB, vocabulary())
    groups = [model for model in lab.resources.values() if model.kind == "ec2.security_group"]
    rules = [rule for group in groups for rule in group.model_dump()["ingress"]]
    assert [(rule["port"], rule["source"]) for rule in rules] == [(22, "me")]
