"""The installed wheel works in an empty folder: its labs, programs and templates travel with it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Labctl

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The python of an environment with the built wheel, its dependencies taken from ours."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    source = folder / "source"
    shutil.copytree(PROJECT, source, ignore=shutil.ignore_patterns(".*", "__pycache__", "tests"))
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source)]
    subprocess.run(build, check=True)
    environment = folder / "venv"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    (wheel,) = folder.glob("labctl-*.whl")
    install = [*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@pytest.fixture
def labctl(tmp_path: Path, installed: Path) -> Iterator[Labctl]:
    folder = tmp_path / "empty"
    folder.mkdir()
    runner = Labctl(state=tmp_path / "state", folder=folder, python=installed)
    yield runner
    runner("cloud", "stop", ok=False)


def test_numbers_runs_from_the_wheel_and_leaves_the_folder_empty(
    labctl: Labctl, installed: Path
) -> None:
    where = [str(installed), "-c", "import labctl; print(labctl.__file__)"]
    place = subprocess.run(where, capture_output=True, text=True, cwd=labctl.folder, check=True)
    assert str(installed.parents[1]) in place.stdout
    assert (Path(place.stdout.strip()).parent / "_data" / "profiles" / "learner-lab.yaml").is_file()
    assert "numbers" in labctl("list").stdout
    last = labctl.json("run", "numbers", "--set", "jobs=20", "--down", "--yes")[-1]
    assert last["ok"]
    assert list(labctl.folder.iterdir()) == []


def test_a_new_lab_is_ready_to_run(labctl: Labctl) -> None:
    labctl("new", "mine")
    assert labctl("validate", "./mine").returncode == 0
    last = labctl.json("run", "./mine", "--set", "jobs=10", "--down", "--yes")[-1]
    assert (last["ok"], last["lab"]) == (True, "mine")
    assert labctl("new", "mine", ok=False).returncode == 2
    assert labctl("new", "../mine", ok=False).returncode == 2
