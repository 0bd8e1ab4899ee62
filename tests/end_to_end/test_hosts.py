"""Machines that exist already stand in for a role, and are left as they were."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.end_to_end.conftest import Labctl

MACHINE = """\
apiVersion: labctl/v1
name: machine
title: A machine that somebody has
resources: {box: {kind: ec2.instance}}
"""
NUMBERS = Path(__file__).parents[2] / "labs" / "numbers" / "lab.yaml"


def host_of(labctl: Labctl) -> str:
    """Bring a machine up and return it as a lab file names an existing host."""
    (labctl.folder / "machine.yaml").write_text(MACHINE)
    labctl("up", "./machine.yaml")
    config = labctl("ssh-config", "./machine.yaml").stdout
    said = dict(line.split(maxsplit=1) for line in config.splitlines())
    known_hosts = Path(said["UserKnownHostsFile"].strip('"')).read_text()
    key = shutil.copy(said["IdentityFile"].strip('"'), labctl.folder / "key.pem")
    Path(key).chmod(0o600)
    return (
        f"{{address: {said['HostName']}, port: {said['Port']}, user: {said['User']}, "
        f'key: {key}, host_key: "{known_hosts.split(maxsplit=1)[1].strip()}"}}'
    )


def test_a_lab_runs_on_given_machines_and_leaves_them_as_they_were(labctl: Labctl) -> None:
    host = host_of(labctl)
    lab = labctl.folder / "mine.yaml"
    lab.write_text(f"{NUMBERS.read_text()}\nhosts: {{worker: [{host}]}}\n")
    on_host = ("exec", "./machine.yaml", "box", "--")
    before = labctl(*on_host, "ls -A ~ ~/.aws 2>&1; systemctl is-active labctl-numbers", ok=False)
    last = labctl.json("run", "./mine.yaml", "--target", "hosts", "--set", "jobs=20")[-1]
    assert last["ok"]
    assert "active" in labctl(*on_host, "systemctl is-active labctl-numbers").stdout
    proof = labctl.json("down", "./mine.yaml", "--target", "hosts", "--yes")[-1]
    assert (proof["ok"], proof["left"]) == (True, [])
    after = labctl(*on_host, "ls -A ~ ~/.aws 2>&1; systemctl is-active labctl-numbers", ok=False)
    assert after.stdout == before.stdout


def test_without_given_machines_the_target_is_refused(labctl: Labctl) -> None:
    refused = labctl("up", "numbers", "--target", "hosts", ok=False)
    assert refused.returncode == 3
    assert "hosts:" in refused.stderr


def test_a_host_with_another_key_is_refused(labctl: Labctl) -> None:
    host = host_of(labctl)
    wrong = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGNvbXBsZXRlbHkgd3Jvbmcga2V5IG1hdGVyaWFs"
    start = host.index('host_key: "')
    lab = labctl.folder / "mine.yaml"
    lab.write_text(
        f"{NUMBERS.read_text()}\nhosts: {{worker: [{host[:start]}host_key: {wrong}}}]}}\n"
    )
    refused = labctl("up", "./mine.yaml", "--target", "hosts", ok=False)
    assert refused.returncode == 3
    assert "host key" in refused.stderr
    labctl("down", "./mine.yaml", "--target", "hosts", "--yes")
