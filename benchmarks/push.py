"""Pushes a program to 1, 8 and 32 machines and restarts it there: labctl, Ansible and pyinfra.

    python3 -m venv others && others/bin/pip install ansible-core==2.19.14 pyinfra==3.10.0
    .venv/bin/python benchmarks/push.py others

The program is 20 files of 10 KB, of which one changes each time. The three take turns on the same
machines of the local cloud, each as one command with its own defaults but for the number of
machines at a time (32 for all) and, for Ansible, pipelining. The others have an environment of
their own, for pyinfra takes an older paramiko.
"""

from __future__ import annotations

import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

SIZES = (1, 8, 32)
ROUNDS = 2
FILES, FILE_BYTES = 20, 10_000
LABCTL = Path(sys.executable).with_name("labctl")
LAB = """\
apiVersion: labctl/v1
name: push
title: A program on many machines
params: {machines: {type: integer, default: 1}}
resources:
  worker: {kind: ec2.instance, count: "${params.machines}"}
agents:
  payload: {on: worker, program: payload, ready: {log: ready}}
"""
PROGRAM = """\
import signal, sys
print("ready", flush=True)
signal.sigwait([signal.SIGTERM])
"""
UNIT = """\
[Service]
ExecStart=/usr/bin/env python3 /home/ubuntu/FOLDER/__main__.py
[Install]
WantedBy=multi-user.target
"""
PLAY = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.copy: {src: remote/payload/, dest: /home/ubuntu/by-ansible/}
    - ansible.builtin.copy: {src: by-ansible.service, dest: /etc/systemd/system/}
      become: true
    - ansible.builtin.systemd: {name: by-ansible, state: restarted, daemon_reload: true}
      become: true
"""
DEPLOY = """\
from pyinfra.operations import files, server
files.sync(src="remote/payload", dest="/home/ubuntu/by-pyinfra")
files.put(src="by-pyinfra.service", dest="/etc/systemd/system/by-pyinfra.service", _sudo=True)
server.shell(commands=["systemctl daemon-reload", "systemctl restart by-pyinfra"], _sudo=True)
"""


def commands(count: int, others: Path) -> dict[str, list[str]]:
    """Return each contender's command."""
    playbook, pyinfra = (str(others / "bin" / name) for name in ("ansible-playbook", "pyinfra"))
    return {
        "labctl": [str(LABCTL), "up", "./lab.yaml", "--set", f"machines={count}"],
        "ansible": [playbook, "-i", "hosts", "-f", "32", "play.yaml"],
        "pyinfra": [pyinfra, "-y", "--parallel", "32", "inventory.py", "deploy.py"],
    }


def write_inputs(folder: Path, environment: Mapping[str, str]) -> None:
    """Write what the others need to reach the machines that stand now."""
    asked = [str(LABCTL), "ssh-config", "./lab.yaml"]
    config = subprocess.run(
        asked, cwd=folder, env=environment, check=True, capture_output=True, text=True
    ).stdout
    (folder / "ssh_config").write_text(config)
    names = [line.split()[1] for line in config.splitlines() if line.startswith("Host ")]
    arguments = f"-F {folder / 'ssh_config'}"
    (folder / "hosts").write_text(
        "".join(f"{name} ansible_ssh_common_args='{arguments}'\n" for name in names)
        + "[all:vars]\nansible_python_interpreter=/usr/bin/python3\n"
    )
    data = {"ssh_config_file": str(folder / "ssh_config"), "ssh_strict_host_key_checking": "yes"}
    (folder / "inventory.py").write_text(f"machines = ({names!r}, {data!r})\n")


def prepare(folder: Path) -> None:
    program = folder / "remote/payload"
    program.mkdir(parents=True)
    (program / "__main__.py").write_text(PROGRAM)
    for number in range(FILES):
        (program / f"data{number}.txt").write_text(secrets.token_hex(FILE_BYTES // 2))
    (folder / "lab.yaml").write_text(LAB)
    (folder / "play.yaml").write_text(PLAY)
    (folder / "deploy.py").write_text(DEPLOY)
    for name in ("by-ansible", "by-pyinfra"):
        (folder / f"{name}.service").write_text(UNIT.replace("FOLDER", name))


def timed(command: list[str], folder: Path, environment: Mapping[str, str]) -> float:
    """Change the program, run the command and return its seconds."""
    (folder / "remote/payload/data0.txt").write_text(secrets.token_hex(FILE_BYTES // 2))
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900
    )
    taken = time.perf_counter() - began
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return taken


def measure(
    contenders: Mapping[str, list[str]], *, count: int, folder: Path, environment: Mapping[str, str]
) -> None:
    timed(contenders["labctl"], folder, environment)  # the machines come up
    write_inputs(folder, environment)
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for name in contenders:
        timed(contenders[name], folder, environment)  # what each does only once
    for round_ in range(ROUNDS):
        order = list(contenders) if round_ % 2 == 0 else list(contenders)[::-1]
        for name in order:
            taken[name].append(timed(contenders[name], folder, environment))
    own = statistics.median(taken["labctl"])
    for name, seconds in taken.items():
        median = statistics.median(seconds)
        sys.stdout.write(
            f"{count:3} machines  {name:8} {median:7.2f} s ({min(seconds):.2f} to"
            f" {max(seconds):.2f})  {median / own:5.1f} x labctl\n"
        )
    sys.stdout.flush()


def main(others: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="labctl-push-"))
    environment = {
        **os.environ,
        "LABCTL_STATE": str(folder / "state"),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_PIPELINING": "1",
    }
    prepare(folder)
    try:
        for count in SIZES:
            contenders = commands(count, Path(others).absolute())
            measure(contenders, count=count, folder=folder, environment=environment)
    finally:
        for words in (["down", "./lab.yaml", "--yes"], ["cloud", "stop"]):
            subprocess.run([LABCTL, *words], cwd=folder, env=environment, capture_output=True)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
