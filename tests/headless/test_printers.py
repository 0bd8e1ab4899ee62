"""Both printers say the same facts: for people in plain lines, for programs as JSON."""

from __future__ import annotations

import dataclasses
import io
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl import events as e
from labctl.headless.json_lines import JsonLines
from labctl.headless.plain import Plain
from labctl.headless.tables import table_lines
from labctl.telling import figure_lines, line_of, proof_lines, seconds
from labctl.text import keep_secret

RESULT = e.RunFinished(
    lab="numbers",
    session="numbers",
    ok=True,
    jobs={"submitted": 3, "done": 2, "failed": 1, "lost": 0, "duplicated": 0},
    jobs_per_s=12.5,
    latency_ms={"p50": 1.5, "p95": 20.0},
    phases_s={"plan": 0.25, "jobs": 75.0},
)
ESCAPES = "\x1b]52;c;aGk=\x07\x1b[31mred\u202e\x9b2J"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0851, "85 ms"), (3.24, "3.2 s"), (125.0, "2 min 5 s"), (4200.0, "1 h 10 min")],
)
def test_times_read_as_people_say_them(value: float, text: str) -> None:
    assert seconds(value) == text


def test_json_keeps_the_result_for_the_last_line() -> None:
    out = io.StringIO()
    printer = JsonLines(out)
    printer(1.0, RESULT)
    printer(2.0, e.SweepMade(sweep=1, found=()))
    printer.close()
    first, last = [json.loads(line) for line in out.getvalue().splitlines()]
    assert first == {"event": "SweepMade", "sweep": 1, "found": [], "at": 2.0}
    assert last["event"] == "RunFinished"
    assert "at" not in last


def test_json_hides_secrets() -> None:
    out = io.StringIO()
    keep_secret("a-canary-of-a-secret")
    JsonLines(out)(1.0, e.Warned(message="key a-canary-of-a-secret and AKIAIOSFODNN7EXAMPLE"))
    assert "canary" not in out.getvalue()
    assert "AKIA" not in out.getvalue()


def test_plain_lines_are_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    printer = Plain()
    printer(1.0, e.Warned(message=ESCAPES))
    printer(1.0, e.StepFailed(step="s", action="create", resource="r", message=ESCAPES, hint=""))
    printer(1.0, e.CheckFailed(check="c", say=ESCAPES, why=ESCAPES))
    printer.table(["name"], [[ESCAPES]])
    printer.say(ESCAPES)
    said = "".join(capsys.readouterr())
    assert "red" in said
    assert not any(char in said for char in "\x1b\x07\u202e\x9b")


def test_results_go_to_standard_output_also_beside_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")  # rich then takes the captured file for a terminal
    printer = Plain()
    printer(1.0, e.PhaseStarted(phase="plan"))
    printer.table(["name"], [["numbers"]])
    printer(1.0, e.PhaseStarted(phase="jobs"))
    printer(2.0, e.PhaseEnded(phase="jobs", seconds=1.0))
    said = capsys.readouterr()
    assert said.out.split() == ["NAME", "numbers"]
    assert said.err.rindex("jobs done in 1.0 s") > said.err.rindex(
        "\x1b[?25h"
    )  # the cursor is back


def test_a_plan_that_was_asked_for_is_shown_quietly_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    step = {"action": "create", "resource": "q", "kind": "sqs.queue", "reason": "not there yet"}
    quiet = Plain(quiet=True)
    made = e.PlanMade(steps=(step,), price_per_hour_usd=0.5)
    quiet(0.0, made)
    assert capsys.readouterr().out == ""
    quiet.plan(made)
    said = capsys.readouterr().out
    assert "1 to change; about 0.5000 USD" in said
    assert said.count("about") == 1  # of what nobody knows nothing is said
    quiet.plan(dataclasses.replace(made, expected_s=125.0))
    assert "about 2 min" in capsys.readouterr().out


def test_few_jobs_are_shown_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    def job(number: int) -> e.JobFinished:
        return e.JobFinished(
            job_id=f"job-{number}",
            body="1,2",
            sent_at=0.0,
            state="done",
            worker="i-1",
            attempt=1,
            latency_ms=12.0,
            answer="a\x1b[2Jb",
        )

    for total, shown in ((2, 2), (1000, 0)):
        printer = Plain()
        printer(0.0, e.JobsSent(count=2, total=total))
        for number in range(2):
            printer(0.0, job(number))
        said = capsys.readouterr().err
        assert said.count("done in 12 ms by i-1: ab") == shown


def test_figures_and_proof_name_everything() -> None:
    text = "\n".join(figure_lines(RESULT))
    for part in ("3 submitted", "2 done", "1 failed", "12.5 jobs", "p50 1.5 ms", "1 min 15 s"):
        assert part in text
    early = replace(RESULT, phases_s={"plan": 0.25})
    assert figure_lines(early) == ["time: plan 250 ms"]
    assert figure_lines(replace(RESULT, phases_s={})) == []
    proof = e.TeardownProved(
        lab="numbers",
        session="numbers",
        ok=False,
        deleted=("sqs.queue a",),
        looked_for=("sqs.queue",),
        left=("s3.bucket b",),
        seconds=1.0,
    )
    text = "\n".join(proof_lines(proof))
    for part in ("deleted 1", "sqs.queue a", "LEFT (1)", "s3.bucket b"):
        assert part in text


@given(st.lists(st.lists(st.text(max_size=30), min_size=2, max_size=2), max_size=5))
def test_a_table_has_a_line_a_row(rows: list[list[str]]) -> None:
    lines = table_lines(["one", "two"], rows)
    assert len(lines) == len(rows) + 1
    assert all(line == line.rstrip() and "\n" not in line for line in lines)


@pytest.mark.parametrize("name", sorted(e.Event.known))
def test_every_event_survives_its_record(name: str) -> None:
    kind = e.Event.known[name]
    samples = {
        "str": "x",
        "int": 3,
        "float": 1.5,
        "bool": True,
        "str | None": None,
        "float | None": 2.5,
        "tuple[str, ...]": ("a", "b"),
        "tuple[int, ...]": (7, 8),
        "tuple[Mapping[str, Any], ...]": ({"action": "keep"},),
        "Mapping[str, float]": {"p50": 1.0},
        "Mapping[str, int]": {"done": 1},
        "Mapping[str, Any]": {"cluster.0": {"Com_select": 7}},
        "Mapping[str, str]": {"numbers": "active"},
    }
    values = {field: samples[str(text)] for field, text in kind.__annotations__.items()}
    event = kind(**values)
    assert e.from_record(json.loads(json.dumps(e.as_record(event)))) == event


def test_an_unknown_event_is_passed_over() -> None:
    assert e.from_record({"event": "Invented"}) is None
    assert e.from_record({"event": "JobsSent"}) is None


def test_events_without_a_line_say_nothing() -> None:
    assert line_of(RESULT) is None
