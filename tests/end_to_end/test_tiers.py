"""The same lab on each tier of the local cloud, and a lab that only one of them can have."""

from __future__ import annotations

import json

import pytest

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
    labctl("down", "./pair.yaml", "--yes")
