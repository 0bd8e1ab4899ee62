"""The `benchmarks:` of a lab file are checked like every other part."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.errors import SpecError
from labctl.spec.references import references_in
from tests.spec.vocabularies import HEAD, load


def test_benchmarks_are_read_and_their_references_wait(tmp_path: Path) -> None:
    lab = load(
        tmp_path,
        f"{HEAD}resources: {{client: {{kind: ec2.instance}}}}\n"
        "benchmarks:\n"
        '  fast: {kind: load, say: x, on: client, seconds: 2s, to: "http://${client.addresses}/"}\n',
    )
    fast = lab.benchmarks["fast"]
    assert fast.model_dump()["seconds"] == 2
    assert [str(each) for _, each in references_in(fast)] == ["${client.addresses}"]


def test_mistakes_in_benchmarks_have_their_places(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load(
            tmp_path,
            f"{HEAD}resources: {{q: {{kind: sqs.queue}}}}\n"
            "benchmarks:\n"
            "  a: {kind: lod}\n"
            "  b: {kind: load, on: q}\n"
            "  c: {kind: load, say: x, on: clent}\n",
        )
    assert [(each.line, each.column, each.message) for each in caught.value.mistakes] == [
        (6, 13, "unknown kind 'lod'"),
        (7, 6, "'say' is missing in 'b'"),
        (7, 23, "'q' is a sqs.queue; this must be a ec2.instance"),
        (8, 31, "no resource 'clent'"),
    ]
