"""The lab works: up, its jobs answered, its checks held, and nothing left afterwards."""

import json
import subprocess
from pathlib import Path


def test_the_lab_runs_and_leaves_nothing() -> None:
    folder = Path(__file__).parent
    # A session of its own, so that a lab which is up meanwhile stays up.
    command = ["labctl", "run", str(folder), "--name", f"{folder.name}-test", "--down", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    last = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    assert last["ok"]
    assert last["jobs"]["lost"] == 0
