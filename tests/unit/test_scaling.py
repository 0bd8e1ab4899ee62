"""Which parameter scales a role, and what is refused before anything is asked of a target."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.engine.scaling import scale_setting
from labctl.engine.vocabulary import vocabulary
from labctl.errors import UsageError
from labctl.spec.lab import Lab
from labctl.spec.load import load_lab

FILE = """
apiVersion: labctl/v1
name: fleet
title: Roles whose numbers come from different places
params: {{workers: {{type: integer, default: 1, max: 4}}}}
resources:
  requests: {{kind: sqs.queue}}
  worker: {{kind: ec2.instance, count: {count}}}
  proxy: {{kind: ec2.instance}}
hosts:
  given: [{{address: 192.0.2.1, user: me, trust_first_use: true}}]
"""


def lab(folder: Path, count: str = '"${params.workers}"') -> Lab:
    file = folder / "lab.yaml"
    file.write_text(FILE.format(count=count))
    return load_lab(file, vocabulary())


def test_the_parameter_of_the_count_is_set(tmp_path: Path) -> None:
    assert scale_setting(lab(tmp_path), "worker", 3) == {"workers": "3"}


@pytest.mark.parametrize(
    ("role", "count", "told"),
    [
        ("worker", 5, "5 is more than the most, 4"),
        ("worker", 0, "at least one machine"),
        ("proxy", 2, "fixed in the lab file"),
        ("given", 2, "given by hosts"),
        ("requests", 2, "no role 'requests'"),
    ],
)
def test_what_no_parameter_gives_is_refused(
    tmp_path: Path, role: str, count: int, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        scale_setting(lab(tmp_path), role, count)


def test_a_number_in_the_file_is_fixed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fixed"):
        scale_setting(lab(tmp_path, "2"), "worker", 3)
