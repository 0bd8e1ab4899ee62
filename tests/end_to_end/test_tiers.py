"""The same lab on each tier of the local cloud, and a lab that only one of them can have."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cloud.running import wait_for
from tests.end_to_end.conftest import Labctl

PAIR = """\
apiVersion: labctl/v1
name: pair
title: Machines that call each other
requires: [private-address, same-port]
resources:
  worker: {kind: ec2.instance, count: 2, image: ubuntu-24.04, ingress: [{port: 22, from: me}]}
"""


def start(labctl: Labctl, tier: str) -> None:
    """Start the cloud with a tier, where this system can have it."""
    done = labctl("cloud", "start", "--tier", tier, ok=False)
    if "is not possible here" in done.stderr:
        pytest.skip(done.stderr.splitlines()[0])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("tier", ["net", "plain"])
def test_numbers_runs_on_both(labctl: Labctl, tier: str) -> None:
    start(labctl, tier)
    assert json.loads(labctl("cloud", "status", "--json").stdout)["tier"] == tier
    run = labctl("run", "numbers", "--set", "jobs=40", "--set", "workers=2")
    assert "40 done, 0 failed, 0 lost, 0 duplicated" in run.stdout
    said = labctl("exec", "numbers", "worker", "--", "cat /etc/hostname; echo $LABCTL_ROOT").stdout
    assert ("ip-172-31-0-" in said) is (tier == "net")
    other = "plain" if tier == "net" else "net"
    assert f"with the tier '{tier}'" in labctl("cloud", "start", "--tier", other, ok=False).stderr
    labctl("cloud", "stop")
    refused = labctl("cloud", "start", "--tier", other, ok=False)
    assert refused.returncode == 3
    assert f"has instances of the tier '{tier}'" in refused.stderr
    assert "nothing is left" in labctl("down", "numbers", "--yes").stdout


def test_a_lab_that_requires_a_network_is_refused_without(labctl: Labctl) -> None:
    (labctl.folder / "pair.yaml").write_text(PAIR)
    start(labctl, "plain")
    done = labctl("up", "./pair.yaml", ok=False)
    assert done.returncode == 3
    assert "it requires private-address: the tier is 'plain'" in done.stderr
    labctl("cloud", "stop")
    start(labctl, "net")
    labctl("up", "./pair.yaml")
    page = "(setsid python3 -m http.server 80 >log 2>&1 </dev/null &)"
    serve = f"cd /tmp; echo page > page; {page}"
    labctl("exec", "./pair.yaml", "worker.1", "--", serve)
    assert page_of(labctl, "worker.1", labctl.folder / "shown") == "page\n"
    labctl("down", "./pair.yaml", "--yes")


def page_of(labctl: Labctl, machine: str, shown: Path) -> str:
    """Return what a browser gets that `forward --open` was told to show the page in."""
    browser = labctl.folder / "browser"
    fetch = 'curl -sf --retry 9 --retry-all-errors "$1/page"'
    browser.write_text(f"#!/bin/sh\n{fetch} > {shown}.part && mv {shown}.part {shown}\n")
    browser.chmod(0o755)
    forward = subprocess.Popen(
        labctl.command("forward", "./pair.yaml", machine, "80", "--here", "0", "--open"),
        cwd=labctl.folder,
        env={**labctl.environment, "BROWSER": str(browser)},
        stdout=subprocess.DEVNULL,
    )
    try:
        return wait_for(lambda: shown.read_text() if shown.exists() else None)
    finally:
        forward.send_signal(signal.SIGINT)
        forward.wait(30)
