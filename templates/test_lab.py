"""The lab works: up, its jobs answered, its checks held, and nothing left afterwards."""

import json
import subprocess
from pathlib import Path


def test_the_lab_runs_and_leaves_nothing() -> None:
    command = ["labctl", "run", str(Path(__file__).parent), "--down", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    last = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    assert last["ok"]
    assert last["jobs"]["lost"] == 0
