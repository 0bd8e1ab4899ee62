"""Machines and databases in the hands of a user without any power, where root runs the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.remote.aws import ROOT

WHO = "nobody"
WHAT = (
    "tests/cloud/test_net_ansible.py",
    "tests/cloud/test_net_escapes.py",
    "tests/cloud/test_net_faults.py",
    "tests/cloud/test_net_instances.py",
    "tests/cloud/test_net_ssh.py",
    "tests/cloud/test_prepared.py",
    "tests/remote/test_mariadb_node.py",  # every topology of database servers
)


SYSTEMS_OWN = Path("/usr/bin/python3")


def closed_folder(way: Path) -> Path | None:
    """Return a folder on the way to a file that others may not enter."""
    folders = [above for path in (way, way.resolve()) for above in path.parents]
    return next((folder for folder in folders if folder.stat().st_mode & 0o5 != 0o5), None)


def python() -> Path:
    """Return an interpreter that others may run: this one, else the system's of its version."""
    if closed_folder(Path(sys.executable)) is None:
        return Path(sys.executable)
    minor = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    if SYSTEMS_OWN.resolve().name != minor:
        pytest.skip(f"other users may not run {sys.executable}")
    return SYSTEMS_OWN


@pytest.mark.skipif(os.getuid() != 0, reason="who runs these tests is an ordinary user already")
@pytest.mark.timeout(600)
def test_an_ordinary_user_gets_the_same_machines() -> None:
    if closed := closed_folder(ROOT / "tests"):
        pytest.skip(f"other users may not enter {closed}")
    user = pwd.getpwnam(WHO)
    home = Path(tempfile.mkdtemp(prefix="labctl-"))  # pytest's own folder is closed to others
    os.chown(home, user.pw_uid, user.pw_gid)
    done = subprocess.run(
        [
            *(str(python()), "-B", "-m", "pytest", "-n", "2", "--dist", "loadfile"),
            *("-p", "no:cacheprovider", "--basetemp", str(home / "tests")),
            *WHAT,
        ],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": next(path for path in sys.path if path.endswith("site-packages")),
            "HOME": str(home),
            "USER": WHO,
            "LANG": "C.UTF-8",
        },
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=500,
    )
    shutil.rmtree(home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout, done.stdout
