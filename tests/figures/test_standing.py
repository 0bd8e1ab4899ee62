"""What may be said of subjects beside each other, and beside an earlier measurement."""

from __future__ import annotations

import pytest
from hypothesis import given

from labctl.figures.records import Result
from labctl.figures.standing import against, standings, summary, verdict, verdict_against
from labctl.figures.tables import about_lines, beside_baseline, headline, rows, served_lines
from tests.figures.results import node, result, results

SLOW, FAST = [100.0, 101, 99, 102], [200.0, 210, 190, 205]


def test_a_clear_difference_is_said_and_a_small_one_is_not() -> None:
    base, other = standings(result({"one": SLOW, "many": FAST}))
    assert base.comparison is None
    assert verdict(other, comparisons=1) == "really faster than one"
    _, other = standings(result({"one": SLOW, "many": [100.5, 99.5, 101.5, 98.5]}))
    assert verdict(other, comparisons=1) == "no difference from one is shown"


def test_few_rounds_say_how_many_it_takes() -> None:
    _, other = standings(result({"one": SLOW[:2], "many": FAST[:2]}))
    assert verdict(other, comparisons=1) == "too few rounds to tell: it takes 4 of each"


@given(results)
def test_every_subject_has_a_row_and_the_first_is_the_base(made: Result) -> None:
    found = summary(made)
    assert [row["subject"] for row in found] == [each.name for each in made.subjects]
    assert "ratio" not in found[0]
    assert all(row["compared_with"] == made.subjects[0].name for row in found[1:])
    assert len(rows(made)) == len(found)


def test_what_nodes_counted_is_added_up_over_the_rounds() -> None:
    (line,) = served_lines(result({"one": SLOW}))
    assert line == "one was served by: one.0 Com_select 560, Com_insert 40"


def test_a_baseline_on_the_same_ground_is_compared() -> None:
    (found,) = against(result({"one": FAST}), result({"one": SLOW}))
    assert verdict_against(found) == "really faster"
    (found,) = against(result({"one": SLOW}), result({"one": SLOW}))
    assert verdict_against(found) == "no difference is shown"


@pytest.mark.parametrize("what", ["version", "settings", "machine", "target", "tool"])
def test_a_baseline_on_other_ground_is_not_compared(what: str) -> None:
    now = before = result({"one": FAST})
    subject = before.subjects[0]
    changed: dict[str, dict[str, object]] = {
        "version": {"nodes": (subject.nodes[0].model_copy(update={"version": "10.6.4"}),)},
        "settings": {"nodes": (subject.nodes[0].model_copy(update={"settings": {"x": "2"}}),)},
        "machine": {"client": subject.nodes[0].model_copy(update={"machine": "64 cores"})},
        "target": {},
        "tool": {"tool": "sysbench 1.1"},
    }
    before = before.model_copy(update={"subjects": (subject.model_copy(update=changed[what]),)})
    if what == "target":
        before = before.model_copy(update={"target": "aws"})
    (found,) = against(now, before)
    assert found.comparison is None
    assert verdict_against(found).startswith("not comparable: ")
    assert what in verdict_against(found) or what == "settings"


def test_another_benchmark_is_no_baseline() -> None:
    other = result({"one": SLOW}).model_copy(update={"benchmark": "read-only"})
    assert beside_baseline(result({"one": FAST}), [other]) == []


def test_subjects_of_unequal_settings_are_told() -> None:
    made = result({"one": SLOW, "many": FAST})
    assert not [line for line in about_lines(made) if "differ also" in line]
    one, many = made.subjects
    other = many.nodes[0].model_copy(update={"settings": {"flush at commit": "2"}})
    made = made.model_copy(update={"subjects": (one, many.model_copy(update={"nodes": (other,)}))})
    (told,) = [line for line in about_lines(made) if "differ also" in line]
    assert told == "note: the subjects differ also in flush at commit (1 or 2)"


def test_nodes_that_are_alike_share_a_line_and_the_tool_heads_the_table() -> None:
    made = result({"one": SLOW})
    subject = made.subjects[0].model_copy(update={"nodes": (node("a.0"), node("a.1"))})
    made = made.model_copy(update={"subjects": (subject,)})
    assert [line for line in about_lines(made) if line.startswith("  a.0, a.1: MariaDB InnoDB")]
    assert "transactions per s by sysbench 1.0.20; threads 4" in headline(made)
