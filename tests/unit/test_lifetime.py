"""How long a session lives: the chosen time, else the lab's, else the catalogue's, else 3 h."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.engine.choices import Choices
from labctl.engine.lifetime import ends_sooner, refuse_sooner, refuse_when_over
from labctl.engine.vocabulary import vocabulary
from labctl.errors import SpecError, UsageError
from labctl.session import Session
from labctl.spec.catalogue import load_catalogue
from labctl.spec.load import load_lab
from tests.ledger.test_sessions import record

LAB = """\
apiVersion: labctl/v1
name: mine
title: A queue
resources: {jobs: {kind: sqs.queue}}
"""
CATALOGUE = "apiVersion: labctl/v1\nlabs: []\ndefaults: {ttl: 2h}\n"


@pytest.mark.parametrize(
    ("limits", "catalogue", "chosen_s", "lives_s"),
    [
        ("", "", None, 3 * 3600),
        ("", CATALOGUE, None, 2 * 3600),
        ("limits: {budget_usd: 1}\n", CATALOGUE, None, 2 * 3600),
        ("limits: {ttl: 1h}\n", CATALOGUE, None, 3600),
        ("limits: {ttl: 1h}\n", CATALOGUE, 60.0, 60),
    ],
)
def test_the_nearest_word_holds(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limits: str,
    catalogue: str,
    chosen_s: float | None,
    lives_s: float,
) -> None:
    monkeypatch.setenv("LABCTL_STATE", str(tmp_path / "state"))
    (tmp_path / "lab.yaml").write_text(LAB + limits)
    (tmp_path / "labs.yaml").write_text(catalogue)
    file = tmp_path / "labs.yaml" if catalogue else None
    choices = Choices(catalogue_file=file, ttl_s=chosen_s)
    made = Session(str(tmp_path / "lab.yaml"), choices).record
    assert made.expires_at - made.created_at == lives_s


@pytest.mark.parametrize("ttl", ["0s", "999ms", "367d", "999999999999d"])
def test_a_life_that_no_machine_can_be_told_is_a_mistake(tmp_path: Path, ttl: str) -> None:
    (tmp_path / "lab.yaml").write_text(f"{LAB}limits: {{ttl: {ttl}}}\n")
    with pytest.raises(SpecError, match="a time to live is 1s to 366d"):
        load_lab(tmp_path / "lab.yaml", vocabulary())
    (tmp_path / "labs.yaml").write_text(CATALOGUE.replace("2h", ttl))
    with pytest.raises(SpecError, match="a time to live is 1s to 366d"):
        load_catalogue(tmp_path / "labs.yaml")


def test_a_sooner_end_is_refused_with_both_times() -> None:
    now = 1000.0
    standing = replace(record("numbers"), expires_at=now + 3600)
    for life_s in (3599.5, 3600, 7200):
        assert not ends_sooner(standing, life_s, now=now)
        refuse_sooner(standing, life_s, now=now)
    with pytest.raises(UsageError, match="would end in 10 min, not in 1 h 0 min"):
        refuse_sooner(standing, 600, now=now)


def test_a_session_whose_time_is_over_can_be_given_any() -> None:
    now = 1000.0
    refuse_sooner(replace(record("numbers"), expires_at=now - 1), 60, now=now)


def test_no_machine_is_added_to_a_session_whose_time_is_over() -> None:
    refuse_when_over(replace(record("numbers"), expires_at=time.time() + 60))
    with pytest.raises(UsageError) as caught:
        refuse_when_over(replace(record("numbers"), expires_at=time.time() - 60))
    assert "labctl up numbers" in caught.value.hint
