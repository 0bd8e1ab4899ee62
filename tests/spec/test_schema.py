"""The JSON Schema takes what the loader takes, refuses what is misshapen, and explains itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from labctl.spec.schema import DIALECT, lab_schema
from labctl.spec.yaml_text import load_text
from tests.spec.hostile import MISSHAPEN
from tests.spec.test_load import GOOD, HOSTS
from tests.spec.test_params import LAB
from tests.spec.vocabularies import VOCABULARY, load

SCHEMA = lab_schema(VOCABULARY)
VALIDATOR = Draft202012Validator(SCHEMA)

WITH_REFERENCES = (
    GOOD.replace("kind: sqs.queue}", 'kind: sqs.queue, visibility_timeout: "${params.t}"}')
    + "params: {t: {type: duration, default: 30s}, n: {type: integer, default: 2}}\n"
    + 'panels: [log]\nlimits: {ttl: "${params.t}", budget_usd: "${params.n}"}\n'
    + 'workload: {kind: numbers, send: requests, collect: dead, results: t, jobs: "${params.n}"}\n'
    + 'checks: [{id: a, say: "${params.n}!", that: {jobs: {done: "${params.n}"}}, within: 5s}]\n'
    + 'outputs: {n: 5, m: true, o: "${session.id}"}\n'
).replace("  archive:", "  t: {kind: dynamodb.table, key: {id: string}}\n  archive:")


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == DIALECT


@pytest.mark.parametrize("text", [GOOD, GOOD + HOSTS, LAB, WITH_REFERENCES])
def test_what_the_loader_takes_the_schema_takes(tmp_path: Path, text: str) -> None:
    load(tmp_path, text)
    data = load_text(text, file="x").data
    assert [error.message for error in VALIDATOR.iter_errors(data)] == []


@pytest.mark.parametrize("name", MISSHAPEN)
def test_what_is_misshapen_the_schema_refuses(name: str) -> None:
    assert not VALIDATOR.is_valid(load_text(MISSHAPEN[name], file="x").data)


def properties(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: ANN401 - JSON
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield from schema["properties"].items()
        for part in schema.values():
            yield from properties(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from properties(part)


def test_what_the_models_explain_the_schema_explains() -> None:
    queue = SCHEMA["$defs"]["Queue"]["properties"]
    assert queue["visibility_timeout"]["description"] == "How long a message stays hidden."
    own = {name for name, part in SCHEMA["properties"].items() if "description" not in part}
    assert own == {"apiVersion"}
    for name in ("Agent", "Limits", "Param", "HostModel", "CheckEntry", "Ready"):
        for key, part in SCHEMA["$defs"][name]["properties"].items():
            assert "description" in part, f"{name}.{key}"


def test_no_default_is_a_value_that_the_schema_refuses() -> None:
    for name, part in properties(SCHEMA):
        if "default" in part:
            part = {**part, "$defs": SCHEMA["$defs"]}
            assert Draft202012Validator(part).is_valid(part["default"]), name


def test_a_kind_is_offered_by_name_and_has_only_its_own_keys() -> None:
    (resource,) = SCHEMA["properties"]["resources"]["patternProperties"].values()
    assert resource["properties"]["kind"]["enum"] == list(VOCABULARY.kinds)
    assert len(resource["oneOf"]) == len(VOCABULARY.kinds)
    assert SCHEMA["$defs"]["Bucket"]["properties"]["kind"] == {"const": "s3.bucket"}
