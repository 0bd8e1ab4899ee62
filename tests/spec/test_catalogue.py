"""The catalogue is found where a user expects it, is quick, and finds labs by name or path."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from labctl.errors import SpecError, UsageError
from labctl.paths import shipped
from labctl.spec.catalogue import Defaults, Entry, find_lab, load_catalogue
from labctl.spec.catalogue_hosts import catalogue_hosts

BUILT_IN = ["numbers", "images", "db-scaling", "db-patterns"]
OWN = """\
apiVersion: labctl/v1
labs:
  - {path: mine, title: My own, course: test}
  - {path: other/special.yaml, title: Another}
  - {name: renamed, path: ./deep/down, title: A third}
defaults: {target: aws, region: us-west-2, profile: lab, ttl: 90m, owner: me}
"""


def write(folder: Path, text: str, name: str = "labs.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_built_in_catalogue_is_the_last_resort(tmp_path: Path) -> None:
    catalogue = load_catalogue(folder=tmp_path)
    assert catalogue.path == shipped("labs.yaml")
    numbers = catalogue.labs["numbers"]
    assert numbers.built_in
    assert numbers.path.is_file()
    assert numbers.title == "Number statistics over two queues"


def test_every_built_in_lab_has_its_file_and_says_the_same_there(tmp_path: Path) -> None:
    for entry in load_catalogue(folder=tmp_path).labs.values():
        text = entry.path.read_text()
        assert f"\nname: {entry.name}\n" in text
        assert f"\ntitle: {entry.title}\n" in text
        assert f"\ncourse: {entry.course}\n" in text
        assert (entry.path.parent / "README.md").is_file()


def test_a_catalogue_above_the_working_folder_is_found(tmp_path: Path) -> None:
    path = write(tmp_path, OWN)
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    catalogue = load_catalogue(folder=deep)
    assert catalogue.path == path
    assert list(catalogue.labs) == ["mine", "special", "renamed", *BUILT_IN]
    assert catalogue.labs["mine"] == Entry(
        "mine", tmp_path / "mine" / "lab.yaml", "My own", "test", built_in=False
    )
    assert catalogue.labs["special"].path == tmp_path / "other" / "special.yaml"
    assert catalogue.labs["renamed"].path == tmp_path / "deep" / "down" / "lab.yaml"
    assert catalogue.defaults == Defaults("aws", "us-west-2", "lab", 5400.0, "me")


def test_a_named_catalogue_wins(tmp_path: Path) -> None:
    write(tmp_path, OWN)
    named = write(tmp_path, "apiVersion: labctl/v1\n", "named.yaml")
    catalogue = load_catalogue(named, folder=tmp_path)
    assert catalogue.path == named
    assert list(catalogue.labs) == BUILT_IN
    assert catalogue.defaults == Defaults()


def test_a_lab_of_the_same_name_shadows_the_built_in_one(tmp_path: Path) -> None:
    write(tmp_path, OWN.replace("path: mine", "path: numbers"))
    catalogue = load_catalogue(folder=tmp_path)
    assert catalogue.labs["numbers"].title == "My own"
    assert not catalogue.labs["numbers"].built_in


def test_a_missing_catalogue_that_was_named_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="No such file"):
        load_catalogue(tmp_path / "nothing.yaml")


def test_every_mistake_of_a_catalogue_is_told_with_its_place(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """\
apiVersion: labctl/v3
lab: []
labs:
  - just a text
  - {path: a, titel: b}
  - {path: c, title: [x]}
  - {path: Bad Name, title: x}
  - {path: d, title: x}
  - {path: e/d, title: x}
defaults: {targt: aws, ttl: 3, region: 5}
""",
    )
    with pytest.raises(SpecError) as caught:
        load_catalogue(folder=tmp_path)
    assert [str(mistake).removeprefix(f"{path}:") for mistake in caught.value.mistakes] == [
        "1:13: 'apiVersion' must be labctl/v1",
        "2:1: unknown key 'lab' (did you mean labs?)",
        "4:5: a lab of the catalogue is a mapping: path, title, course",
        "5:5: a lab of the catalogue needs a title",
        "5:15: unknown key 'titel' (did you mean title?)",
        "6:5: a lab of the catalogue needs a title",
        "6:22: 'title' must be one line of text",
        "7:5: 'Bad Name' is no name for a lab "
        "(lower-case letters, digits and '-', a letter first; or give a name)",
        "9:5: two labs are named 'd'",
        "10:12: unknown key 'targt' (did you mean target?)",
        "10:29: 'ttl': a duration is a number with its unit, such as 30s",
        "10:40: 'region' must be one line of text",
    ]


@pytest.mark.parametrize("text", ["[]", "5", "labs: {}\napiVersion: labctl/v1", "a: &x 1", ""])
def test_a_file_that_is_no_catalogue_is_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(SpecError):
        load_catalogue(folder=tmp_path)


def test_hosts_of_a_catalogue_are_checked_when_they_are_asked_for(tmp_path: Path) -> None:
    hosts = "hosts: {worker: [{address: 10.0.0.1, user: me, trust_first_use: true}]}\n"
    path = write(tmp_path, OWN + hosts)
    (host,) = catalogue_hosts(load_catalogue(folder=tmp_path))["worker"]
    assert (host.address, host.port, host.user) == ("10.0.0.1", 22, "me")
    path.write_text(OWN + hosts.replace("user: me", "port: 0"))
    with pytest.raises(SpecError) as caught:
        catalogue_hosts(load_catalogue(folder=tmp_path))
    assert [str(mistake).removeprefix(f"{path}:") for mistake in caught.value.mistakes] == [
        "7:18: 'user' is missing in entry 1 in 'worker'",
        "7:44: 'port' must be at least 1, not 0",
    ]
    path.write_text(OWN)
    assert catalogue_hosts(load_catalogue(folder=tmp_path)) == {}


def test_a_lab_is_found_by_name_file_or_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = load_catalogue(folder=tmp_path)
    lab = write(tmp_path, "x", "mine/lab.yaml")
    assert find_lab("numbers", catalogue) == shipped("labs", "numbers", "lab.yaml")
    assert find_lab(str(lab), catalogue) == lab
    assert find_lab(str(lab.parent), catalogue) == lab
    monkeypatch.chdir(tmp_path)
    assert find_lab("./mine", catalogue).resolve() == lab
    assert find_lab("mine/lab.yaml", catalogue).resolve() == lab


def test_a_lab_that_is_not_there_is_a_usage_error_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, OWN)
    write(tmp_path, "x", "folder/lab.yaml")
    catalogue = load_catalogue()
    for asked, message, hint in (
        ("numbrs", "there is no lab 'numbrs'", "did you mean numbers?"),
        (
            "zzz",
            "there is no lab 'zzz'",
            "valid: db-patterns, db-scaling, images, mine, numbers, renamed, special",
        ),
        ("folder", "there is no lab 'folder'", "for the folder, say ./folder"),
        ("./zzz", "there is no lab file at ./zzz", "a lab is a name of `labctl list` too"),
        ("x" * 5000, "there is no lab 'xxx", "valid: "),
        ("./" + "x" * 5000, "there is no lab file at ./xxx", "a lab is"),
        ("./a\0b", "there is no lab file at", "a lab is"),
        ("", "there is no lab ''", "valid: "),
    ):
        with pytest.raises(UsageError) as caught:
            find_lab(asked, catalogue)
        assert caught.value.message.startswith(message)
        assert caught.value.hint.startswith(hint)
    with pytest.raises(UsageError, match="the lab 'mine' has no file"):
        find_lab("mine", catalogue)


def test_listing_labs_imports_nothing_heavy() -> None:
    script = (
        "import sys; from labctl.spec.catalogue import load_catalogue; load_catalogue()\n"
        "heavy = {'pydantic', 'boto3', 'botocore', 'paramiko', 'rich', 'textual', 'platformdirs'}\n"
        "sys.exit(' '.join(heavy & sys.modules.keys()) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
