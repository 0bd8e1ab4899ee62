"""Kinds of benchmark are found by their files, and a wrong name lists the right ones."""

from __future__ import annotations

import pytest

from labctl.benchmarks.registry import benchmark, benchmarks
from labctl.errors import UsageError


def test_every_kind_is_found_with_what_it_says_of_itself() -> None:
    assert list(benchmarks()) == ["http", "oltp", "sysbench"]
    for name, kind in benchmarks().items():
        assert kind.model.model_fields["kind"].default == name
        assert " per s" in kind.unit


def test_an_unknown_kind_lists_the_valid_ones() -> None:
    with pytest.raises(UsageError) as caught:
        benchmark("sysbensh")
    assert caught.value.hint == "did you mean 'sysbench'? valid: http, oltp, sysbench"
