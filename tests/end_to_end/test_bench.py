"""A lab is measured by the command: rounds, verdicts, files, baselines, an end that cleans up."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.mini import write_mini_lab
from tests.end_to_end.conftest import Labctl
from tests.remote.waiting import eventually

USUAL = ("--set", "seconds=0.5s", "--set", "threads=1")  # whatever another test has set


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labctl]:
    """The lab in a folder of its own, brought up by the first that measures it."""
    folder = tmp_path_factory.mktemp("mini")
    write_mini_lab(folder / "home" / "mini")
    runner = Labctl(state=folder / "state", folder=folder / "home")
    yield runner
    runner("cloud", "stop", ok=False)


def what_is_left(labctl: Labctl) -> list[str]:
    """Return the files of runs on the machine, and the processes that work with them."""
    files = [str(path) for path in labctl.state.rglob(".labctl/bench-*")]
    ours = f"{labctl.state}/".encode()
    running = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = entry.read_bytes()
            if ours in words and b"/bench-" in words:
                running.append(words.decode())
    return files + running


def test_a_lab_is_measured_and_the_verdict_is_told(mini: Labctl) -> None:
    arguments = ("bench", "./mini", "waits", "--repeats", "4", "--out", "report")
    told = mini.json(*arguments, *USUAL)
    rounds = [each for each in told if each.get("event") == "BenchmarkRoundMeasured"]
    assert [each["subject"] for each in rounds] == ["quick", "slow", "slow", "quick"] * 2
    assert [each["round"] for each in rounds] == [1, 1, 2, 2, 3, 3, 4, 4]
    result = told[-1]["result"]
    quick, slow = result["standings"]
    assert quick["median_per_s"] > slow["median_per_s"] > 1
    assert slow["verdict"] == "really slower than quick"
    assert slow["latency_ms"]["p50"] > 150 > quick["latency_ms"]["p50"]
    assert result["figures"][0]["served"].keys() == {"web.0"}
    written = {path.name for path in (mini.folder / "report").iterdir()}
    assert written == {f"waits.{ending}" for ending in ("json", "csv", "md", "svg", "png")}
    assert json.loads((mini.folder / "report" / "waits.json").read_text())["figures"][0]["raw"]
    assert what_is_left(mini) == []

    shown = mini("bench", "./mini", "--show").stdout
    for text in ("really slower than quick", "Theirs, not ours: a report", "no warm-up", "12.5"):
        assert text in shown
    assert "\x1b" not in shown


def test_a_baseline_of_other_settings_is_not_compared(mini: Labctl) -> None:
    arguments = ("bench", "./mini", "waits", "--repeats", "1", "--compare", "slow,quick")
    told = mini.json(*arguments, "--save-baseline", "short", *USUAL)
    assert [each["subject"] for each in told[-1]["result"]["standings"]] == ["slow", "quick"]
    assert (
        "too few rounds to tell" in mini("bench", "./mini", "--show", "--against", "short").stdout
    )
    other = mini(*arguments, "--against", "short", "--set", "seconds=0.4s").stdout
    assert "not comparable: seconds is 0.4, was 0.5" in other


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("wait",), "did you mean 'waits'? valid: false-label, waits"),
        (("--compare", "quick,slov"), "did you mean 'slow'?"),
        (("--compare", "quick,other"), "labctl show tells what each compares"),
        (("--compare", "quick"), "--help"),
        (("--against", "nothing"), "baseline"),
        (("--save-baseline", "../x"), "letters, digits and dashes"),
        (("--repeats", "0"), "--help"),
    ],
)
def test_a_wrong_word_is_told_before_anything_is_done(
    mini: Labctl, arguments: tuple[str, ...], hint: str
) -> None:
    done = mini("bench", "./mini", *arguments, ok=False)
    assert done.returncode == 2
    assert hint in done.stderr
    assert "provision" not in done.stderr


def test_a_round_that_another_served_is_no_figure(mini: Labctl) -> None:
    done = mini("bench", "./mini", "false-label", *USUAL, ok=False)
    assert done.returncode == 1
    assert "'other' must be served by web, but stranger served it" in done.stderr
    assert mini("bench", "./mini", "false-label", "--show", ok=False).returncode == 2
    assert what_is_left(mini) == []


def test_ctrl_c_ends_the_load_and_cleans_up(mini: Labctl) -> None:
    arguments = ("bench", "./mini", "waits", "--set", "seconds=600s", "--json")
    with mini.started(*arguments) as running:
        assert running.stdout is not None
        told = events(running.stdout)
        next(each for each in told if each["event"] == "BenchmarkRoundStarted")
        eventually(lambda: what_is_left(mini), "the load is at work")
        running.send_signal(signal.SIGINT)
        last = [each for each in told if each["event"] == "BenchmarkFinished"]
        assert running.wait(timeout=60) == 130
    assert [each["ok"] for each in last] == [False]
    assert what_is_left(mini) == []


def events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in lines)
