"""Packages of the system without root: found, fetched from a real repository, unpacked."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from labctl.cloud.system_packages import fetch, place_of
from labctl.errors import TargetError

needs_apt = pytest.mark.skipif(
    shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None,
    reason="there is no apt-get or dpkg-deb",
)


def build(folder: Path, name: str, *, depends: str = "") -> str:
    """Make a package with a program of its name, and return its entry in a repository's list."""
    tree = folder / f"{name}.tree"
    program = tree / "usr/sbin" / name
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho here\n")
    program.chmod(0o755)
    control = (
        f"Package: {name}\nVersion: 1:2.0-1\nArchitecture: all\nMaintainer: labctl\n"
        + (f"Depends: {depends}\n" if depends else "")
        + "Description: a test's\n"
    )
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(control)
    archive = folder / f"{name}_2.0-1_all.deb"
    subprocess.run(["dpkg-deb", "--build", tree, archive], check=True, capture_output=True)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    size = archive.stat().st_size
    return f"{control}Filename: ./{archive.name}\nSize: {size}\nSHA256: {digest}\n\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two packages, which apt knows and nothing else."""
    folder, apt = tmp_path / "repository", tmp_path / "apt"
    folder.mkdir()
    (folder / "Packages").write_text(
        build(folder, "labctl-probe", depends="labctl-part") + build(folder, "labctl-part")
    )
    for each in ("lists/partial", "archives/partial", "etc/sources.list.d", "etc/preferences.d"):
        (apt / each).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb [trusted=yes] file:{folder} ./\n")
    (apt / "apt.conf").write_text(
        f'Dir::Etc "{apt}/etc"; Dir::Etc::sourcelist "{apt}/sources.list";\n'
        f'Dir::State "{apt}"; Dir::State::status "{apt}/status"; Dir::State::lists "{apt}/lists";\n'
        f'Dir::Cache "{apt}"; Debug::NoLocking "true"; APT::Sandbox::User "";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(apt / "apt.conf"))
    subprocess.run(["apt-get", "-qq", "update"], check=True, capture_output=True)
    return folder


@needs_apt
def test_what_lacks_is_fetched_with_what_it_depends_on(repository: Path, tmp_path: Path) -> None:
    fetched = tmp_path / "state/programs"
    assert not place_of("labctl-probe", fetched)
    said: list[str] = []
    fetch(["labctl-part"], fetched, progress=said.append)
    assert place_of("labctl-part", fetched)
    fetch(["labctl-probe"], fetched, progress=said.append)
    assert place_of("labctl-probe", fetched)
    assert place_of("/usr/sbin/labctl-part", fetched)
    assert "labctl-probe=1:2.0-1" in said[-1]
    assert "labctl-part" in said[-1]
    assert [path.name for path in fetched.parent.iterdir()] == ["programs"]


@needs_apt
def test_what_no_repository_has_is_told_and_nothing_is_left(
    repository: Path, tmp_path: Path
) -> None:
    fetched = tmp_path / "state/programs"
    with pytest.raises(TargetError, match="labctl-nowhere") as told:
        fetch(["labctl-nowhere"], fetched, progress=print)
    assert "apt-get update" in told.value.hint
    (repository / "labctl-part_2.0-1_all.deb").unlink()
    with pytest.raises(TargetError, match="apt-get failed"):
        fetch(["labctl-probe"], fetched, progress=print)
    assert list(fetched.parent.iterdir()) == []


def test_what_is_on_this_machine_is_there(tmp_path: Path) -> None:
    assert place_of("sh", tmp_path)
    assert place_of("/bin/sh", tmp_path)
    assert not place_of("labctl-no-such-program", tmp_path)
    assert not place_of("/usr/lib/labctl/no-such-file", tmp_path)
