"""A student's playbook against instances of the tier `net`: Ansible as it is installed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cloud.running import Cloud

PAGE = "It is {{ inventory_hostname }}.\n"
UNIT = "[Service]\nExecStart=/usr/bin/env python3 -m http.server 80\nWorkingDirectory=/srv/www\n"
UNIT += "[Install]\nWantedBy=multi-user.target\n"
PLAY = """\
- hosts: all
  tasks:
    - ansible.builtin.ping:
    - ansible.builtin.file: {path: /srv/www, state: directory, mode: "0755"}
      become: true
    - ansible.builtin.template: {src: page.j2, dest: /srv/www/page, mode: "0640"}
      become: true
    - ansible.builtin.copy: {src: web.service, dest: /etc/systemd/system/, mode: "0644"}
      become: true
    - ansible.builtin.systemd: {name: web, state: started, enabled: true, daemon_reload: true}
      become: true
    - ansible.builtin.uri: {url: "http://localhost/page", return_content: true}
      register: page
      until: page.status == 200
      retries: 60
      delay: 0.1
    - ansible.builtin.assert: {that: "'It is ' ~ inventory_hostname ~ '.' in page.content"}
"""


@pytest.mark.skipif(
    importlib.util.find_spec("ansible") is None, reason="ansible-core is not installed"
)
def test_a_playbook_sets_up_a_service(net_cloud: Cloud, tmp_path: Path) -> None:
    numbers = net_cloud.launch(2)
    lines = ["[all:vars]", "ansible_python_interpreter=/usr/bin/python3", "[all]"]
    for number in numbers:
        _, *options, _, port, login = net_cloud.ssh_command(number)
        user, _, address = login.partition("@")
        lines.append(
            f"{number} ansible_host={address} ansible_port={port} ansible_user={user}"
            f' ansible_ssh_common_args="{" ".join(options)}"'
        )
    texts = {"hosts": "\n".join(lines), "page.j2": PAGE, "web.service": UNIT, "play.yaml": PLAY}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)

    def play() -> str:
        done = subprocess.run(
            [sys.executable, "-m", "ansible", "playbook", "-i", "hosts", "play.yaml"],
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.pathsep.join(sys.path),
                "HOME": str(tmp_path),
                "LANG": "C.UTF-8",
                "ANSIBLE_HOME": str(tmp_path / "ansible"),
                "ANSIBLE_SSH_CONTROL_PATH_DIR": "/tmp",  # a socket's path must be short
            },
            capture_output=True,
            timeout=200,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    first, second = play(), play()
    for number in numbers:
        assert "changed=4 " in _summary(first, number)
        assert "changed=0 " in _summary(second, number), second
        assert net_cloud.out(number, "systemctl is-enabled web") == "enabled"
    net_cloud.client("ec2").terminate_instances(InstanceIds=numbers)


def _summary(output: str, host: str) -> str:
    return next(line for line in output.splitlines()[::-1] if line.startswith(host))
