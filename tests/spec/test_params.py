"""Parameters hold their type and bounds, from the file and from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from labctl.errors import SpecError, UsageError
from labctl.spec.params import Param, Scalar, read_setting
from labctl.spec.quantities import duration_s, size_bytes, spelled
from tests.spec.vocabularies import HEAD, load


def param(text: str) -> Param:
    return Param.model_validate_json(text)


@pytest.mark.parametrize(
    ("declared", "text", "value"),
    [
        ('{"type": "integer", "default": 1}', "7", 7),
        ('{"type": "integer", "default": 1}', " -7 ", -7),
        ('{"type": "number", "default": 1}', "1.5", 1.5),
        ('{"type": "number", "default": 1}', "1e3", 1000.0),
        ('{"type": "boolean", "default": true}', "false", False),
        ('{"type": "string", "default": ""}', "any ${x.y} text", "any ${x.y} text"),
        ('{"type": "string", "default": ""}', "5", "5"),
        ('{"type": "duration", "default": "5s"}', "2m", "2m"),
        ('{"type": "size", "default": "5MiB"}', "1GiB", "1GiB"),
        ('{"type": "choice", "default": "a", "choices": ["a", "b"]}', "b", "b"),
        ('{"type": "choice", "default": 1, "choices": [1, 2]}', "2", 2),
        ('{"type": "integer", "default": 1, "min": 1, "max": 9}', "9", 9),
        ('{"type": "duration", "default": "5s", "max": "1h"}', "60m", "60m"),
    ],
)
def test_a_setting_is_read_by_its_type(declared: str, text: str, value: Scalar) -> None:
    read = read_setting(param(declared), text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("declared", "text", "why"),
    [
        ('{"type": "integer", "default": 1}', "1.5", "'1.5' is not a whole number"),
        ('{"type": "integer", "default": 1}', "", "'' is not a whole number"),
        ('{"type": "integer", "default": 1}', "9" * 30, "is not a whole number"),
        ('{"type": "integer", "default": 1}', "\u0663", "is not a whole number"),
        ('{"type": "number", "default": 1}', "nan", "'nan' is not a number"),
        ('{"type": "number", "default": 1}', "1e999", "'inf' is not a number"),
        ('{"type": "number", "default": 1}', "1.2.3", "is not a number"),
        ('{"type": "boolean", "default": true}', "yes", "'yes' is not true or false"),
        ('{"type": "string", "default": ""}', "\x1b[2J", "control characters"),
        ('{"type": "duration", "default": "5s"}', "5", "a duration is a number with its unit"),
        (
            '{"type": "duration", "default": "5s", "max": "1h"}',
            "61m",
            "61m is more than the most, 1h",
        ),
        (
            '{"type": "size", "default": "5MiB", "min": "1MB"}',
            "1B",
            "1B is less than the least, 1MB",
        ),
        (
            '{"type": "choice", "default": "a", "choices": ["a", "b"]}',
            "c",
            "none of its choices: a, b",
        ),
        (
            '{"type": "integer", "default": 1, "min": 1, "max": 9}',
            "0",
            "0 is less than the least, 1",
        ),
    ],
)
def test_a_wrong_setting_says_why(declared: str, text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_setting(param(declared), text)


@pytest.mark.parametrize(
    "declared",
    [
        '{"type": "integer", "default": 1.5}',
        '{"type": "integer", "default": true}',
        '{"type": "number", "default": "1"}',
        '{"type": "boolean", "default": 1}',
        '{"type": "string", "default": 1}',
        '{"type": "string", "default": "a", "max": 5}',
        '{"type": "duration", "default": 5}',
        '{"type": "duration", "default": "5s", "max": 5}',
        '{"type": "size", "default": "5s"}',
        '{"type": "integer", "default": 1, "min": 2}',
        '{"type": "integer", "default": 1, "min": "0"}',
        '{"type": "integer", "default": 1, "choices": [1]}',
        '{"type": "choice", "default": "a"}',
        '{"type": "choice", "default": "a", "choices": []}',
    ],
)
def test_a_parameter_agrees_with_itself(declared: str) -> None:
    with pytest.raises(ValidationError):
        param(declared)


@given(st.integers(-(10**17), 10**17))
def test_any_whole_number_is_read(number: int) -> None:
    assert read_setting(param('{"type": "integer", "default": 1}'), str(number)) == number


@given(st.text(max_size=20))
def test_any_text_is_read_or_a_value_error(text: str) -> None:
    for declared in (
        '"integer", "default": 1',
        '"number", "default": 1',
        '"size", "default": "1B"',
    ):
        try:
            read_setting(param(f'{{"type": {declared}}}'), text)
        except ValueError:
            continue


@given(st.integers(1, 10**9), st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_a_duration_is_spelled_as_it_is_read(number: int, unit: str) -> None:
    seconds = duration_s(f"{number}{unit}")
    if unit != "ms":
        assert duration_s(spelled(seconds, like="1s")) == seconds


@given(st.integers(1, 10**9), st.sampled_from(["B", "KB", "MB", "GB", "KiB", "MiB", "GiB"]))
def test_a_size_is_spelled_as_it_is_read(number: int, unit: str) -> None:
    amount = size_bytes(f"{number}{unit}")
    assert size_bytes(spelled(amount, like="1B")) == amount


LAB = (
    HEAD
    + """
params:
  jobs: {type: integer, default: 10, min: 1, max: 99}
  hidden: {type: duration, default: 30s, max: 12h}
  big: {type: boolean, default: false}
  label: {type: string, default: "x${y}"}
resources:
  a: {kind: sqs.queue, visibility_timeout: "${params.hidden}", fifo: "${params.big}"}
  b: {kind: s3.bucket, notes: {n: "${params.label}/${a.url}", o: "${params.label}"}}
  w: {kind: ec2.instance}
agents:
  p:
    on: w
    program: numbers_worker
    args: ["${params.jobs}", 2, true]
    env: {JOBS: "${params.jobs}"}
outputs: {jobs: "${params.jobs}"}
"""
).replace("A small lab", '"${params.jobs} jobs, $${not} ${params.label}"')


def test_a_parameter_alone_keeps_its_type_and_is_part_of_a_text_otherwise(tmp_path: Path) -> None:
    lab = load(tmp_path, LAB, jobs="12", hidden="2m", big="true")
    queue, bucket = lab.resources["a"], lab.resources["b"]
    assert queue.model_dump()["visibility_timeout"] == 120.0
    assert queue.model_dump()["fifo"] is True
    assert lab.title == "12 jobs, ${not} x${y}"
    assert lab.settings == {"jobs": 12, "hidden": "2m", "big": True, "label": "x${y}"}
    assert lab.agents["p"].args == ("12", "2", "true")
    assert lab.agents["p"].env == {"JOBS": "12"}
    assert lab.outputs == {"jobs": "12"}
    resolved = lab.resolve(bucket, lambda scope, attribute: f"<{scope}.{attribute}>")
    assert resolved.model_dump()["notes"] == {"n": "x${y}/<a.url>", "o": "x${y}"}


@given(st.text(alphabet="${}ab.x ", max_size=12))
def test_no_setting_becomes_a_reference(
    tmp_path_factory: pytest.TempPathFactory, label: str
) -> None:
    lab = load(tmp_path_factory.mktemp("lab"), LAB, label=label)
    resolved = lab.resolve(lab.resources["b"], lambda scope, attribute: "URL")
    assert resolved.model_dump()["notes"] == {"n": f"{label}/URL", "o": label}


def test_wrong_settings_are_told_together_with_the_nearest_names(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, LAB, job="1", jobs="100", hidden="x", zzz="1")
    assert caught.value.message == (
        "--set hidden: a duration is a number with its unit, such as 30s; "
        "--set jobs: 100 is more than the most, 99; "
        "the lab has no parameter 'job' (did you mean jobs?); "
        "the lab has no parameter 'zzz' (valid: big, hidden, jobs, label)"
    )


def test_a_mistake_in_the_file_goes_before_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="unknown key 'titel'"):
        load(tmp_path, LAB + "titel: x\n", jobs="1000")


def test_a_wrong_parameter_is_one_mistake_wherever_it_is_used(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load(tmp_path, LAB.replace("default: 10,", "default: ten,"))
    assert [mistake.message for mistake in caught.value.mistakes] == [
        "'jobs': 'ten' is not a whole number"
    ]


def test_a_setting_that_the_lab_cannot_bear_is_a_mistake_where_it_is_used(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load(tmp_path, LAB.replace("max: 12h", "max: 2d"), hidden="1d")
    (mistake,) = caught.value.mistakes
    assert mistake.message == "'visibility_timeout' must be at most 12h, not 1d"
    assert LAB.split("\n")[mistake.line - 1][mistake.column - 1 :].startswith('"${params.hidden}"')


def test_a_fraction_of_a_unit_is_rounded_to_whole_bytes() -> None:
    assert size_bytes("2.01KB") == 2010
    assert duration_s("1.5h") == 5400.0
