"""Profiles of account limits: those shipped are right, and a wrong one is told with its places."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.errors import SpecError
from labctl.paths import shipped
from labctl.spec.catalogue import limits_profiles, load_catalogue
from labctl.spec.limits import load_limits

SMALL = """\
apiVersion: labctl/v1
name: small
title: A small account
as_of: 2025-06-24
source: https://example.org/limits
instances: {running: 3}
"""


def catalogue(folder: Path, text: str) -> Path:
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "profiles" / "small.yaml").write_text(SMALL)
    (folder / "labs.yaml").write_text(f"apiVersion: labctl/v1\n{text}")
    return folder


@pytest.mark.parametrize("file", sorted(shipped("profiles").iterdir()), ids=lambda file: file.stem)
def test_every_profile_shipped_is_right_and_dated(file: Path) -> None:
    limits = load_limits(file)
    assert limits.as_of > "2025"
    assert limits.in_one_line().startswith(f"{file.stem} (as of {limits.as_of}): ")


def test_the_learner_lab_is_what_its_instructions_say() -> None:
    limits = load_limits(shipped("profiles", "learner-lab.yaml"))
    assert limits.regions == ("us-east-1", "us-west-2")
    assert (limits.instances.running, limits.instances.vcpus) == (9, 32)
    assert limits.instances.deactivates_at == 20
    assert limits.volumes.largest == 100 * 2**30
    assert not limits.iam.create
    assert limits.exists.instance_profile == "LabInstanceProfile"
    assert limits.session_life == 4 * 3600


def test_a_catalogue_names_limits_for_all_labs_and_for_one(tmp_path: Path) -> None:
    text = "labs: [{path: mine, title: Mine, limits: small}]\ndefaults: {limits: learner-lab}\n"
    found = load_catalogue(folder=catalogue(tmp_path, text))
    assert found.limits_file(found.labs["mine"].path) == tmp_path / "profiles" / "small.yaml"
    learner_lab = shipped("profiles", "learner-lab.yaml")
    assert found.limits_file(found.labs["numbers"].path) == learner_lab
    assert found.limits_file() == learner_lab
    assert load_catalogue(shipped("labs.yaml")).limits_file() is None


def test_an_own_profile_comes_before_the_one_shipped(tmp_path: Path) -> None:
    own = catalogue(tmp_path, "") / "profiles" / "learner-lab.yaml"
    own.write_text(SMALL.replace("name: small", "name: learner-lab"))
    assert limits_profiles(tmp_path)["learner-lab"] == own


def test_an_unknown_profile_is_an_error_with_the_valid_ones(tmp_path: Path) -> None:
    text = "labs: [{path: a, title: A, limits: tiny}]\ndefaults: {limits: learner-lob}\n"
    with pytest.raises(SpecError) as caught:
        load_catalogue(folder=catalogue(tmp_path, text))
    assert [str(each).rpartition("labs.yaml:")[2] for each in caught.value.mistakes] == [
        "2:36: no profile of limits 'tiny' (valid: learner-lab, small)",
        "3:20: no profile of limits 'learner-lob' (valid: learner-lab, small)",
    ]


def test_every_mistake_of_a_profile_is_told_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(
        SMALL.replace("name: small", "name: other")
        .replace("2025-06-24", "yesterday")
        .replace("running: 3", "runing: 3, vcpus: -1")
    )
    with pytest.raises(SpecError) as caught:
        load_limits(file)
    assert [str(each).removeprefix(f"{file}:") for each in caught.value.mistakes] == [
        "4:8: 'as_of': a date is written 2025-06-24",
        "6:13: unknown key 'runing' (did you mean running?)",
        "6:31: 'vcpus' must be at least 0, not -1",
    ]
    file.write_text(SMALL.replace("name: small", "name: other"))
    with pytest.raises(SpecError, match="the file's name says 'small'"):
        load_limits(file)
