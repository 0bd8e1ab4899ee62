"""Which machines get a file of keys: those that no instance profile serves."""

from __future__ import annotations

import pytest

from labctl.engine.vocabulary import vocabulary
from labctl.engine.worker_keys import are_pushed
from labctl.paths import shipped
from labctl.spec.load import load_lab


@pytest.mark.parametrize(
    ("profile", "target", "pushed"),
    [
        ("", "aws", True),
        ("LabInstanceProfile", "aws", False),  # a file would come before the profile
        ("LabInstanceProfile", "local", True),  # no metadata service serves it there
        ("", "local", True),
    ],
)
def test_a_file_is_pushed_where_nothing_else_gives_keys(
    profile: str, target: str, pushed: bool
) -> None:
    file = shipped("labs", "numbers", "lab.yaml")
    lab = load_lab(file, vocabulary(), settings={"profile": profile} if profile else {})
    assert are_pushed(lab, "worker", target=target) is pushed


def test_machines_without_agents_get_none() -> None:
    lab = load_lab(shipped("labs", "numbers", "lab.yaml"), vocabulary())
    assert not are_pushed(lab, "archive", target="local")
