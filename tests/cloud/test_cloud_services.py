"""Services of an instance, driven by the commands that a student types."""

from __future__ import annotations

import os
import signal
import subprocess
import textwrap
from pathlib import Path

import pytest

from labctl.cloud.processes import alive, descendants
from tests.cloud.running import Cloud, wait_for


class Services:
    """Unit files and systemctl of one instance."""

    def __init__(self, cloud: Cloud, instance: str) -> None:
        self._cloud = cloud
        self.instance = instance
        self.root = cloud.root(instance)

    def write(self, name: str, text: str) -> None:
        path = self.root / f"etc/systemd/system/{name}.service"
        path.write_text(textwrap.dedent(text))

    def ctl(self, arguments: str) -> subprocess.CompletedProcess[bytes]:
        return self._cloud.ssh(self.instance, f"systemctl {arguments}")

    def show(self, name: str, what: str) -> str:
        return self.ctl(f"show -p {what} --value {name}").stdout.decode().strip()

    def pid(self, name: str) -> int:
        return int(self.show(name, "MainPID"))

    def log(self, name: str) -> str:
        path = self.root / f"var/log/{name}.log"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def services(cloud: Cloud, instance: str) -> Services:
    return Services(cloud, instance)


WORKER = """
[Unit]
Description=A worker
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
User=ubuntu
WorkingDirectory=%h
Environment=GREETING="hello world" PERCENT=100%%
EnvironmentFile=-/etc/absent
EnvironmentFile=/etc/present
ExecStart=/bin/sh -c 'echo "$$GREETING $$PERCENT $$MORE $$PWD"; exec sleep 1000'
Restart=always
RestartSec=50ms
TimeoutStopSec=5
StandardOutput=append:/var/log/worker.log
StandardError=inherit

[Install]
WantedBy=multi-user.target
"""


@pytest.fixture
def worker(services: Services) -> Services:
    """An instance with the worker running and enabled."""
    (services.root / "etc/present").write_text("# comment\nMORE='more'\n")
    services.write("worker", WORKER)
    done = services.ctl("daemon-reload && sudo -n systemctl enable --now worker.service")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: services.log("worker"))
    return services


def test_a_unit_runs_as_it_says(worker: Services) -> None:
    home = f"{worker.root}/home/ubuntu"
    assert worker.log("worker") == f"hello world 100% more {home}\n"
    assert worker.ctl("is-active worker").stdout == b"active\n"
    assert worker.ctl("is-enabled worker").stdout == b"enabled\n"
    status = worker.ctl("status worker --no-pager")
    assert status.returncode == 0
    assert b"active (running)" in status.stdout
    assert b"hello world" in status.stdout


def test_a_crash_is_followed_by_a_restart(worker: Services) -> None:
    first = worker.pid("worker")
    os.kill(first, signal.SIGKILL)
    second = wait_for(lambda: pid if (pid := worker.pid("worker")) not in (0, first) else None)
    assert alive(second)
    assert worker.show("worker", "NRestarts") == "1"
    wait_for(lambda: worker.log("worker").count("hello") == 2)


def test_stop_ends_it_for_good(worker: Services) -> None:
    pid = worker.pid("worker")
    assert worker.ctl("stop worker").returncode == 0
    assert not alive(pid)
    inactive = worker.ctl("is-active worker")
    assert (inactive.returncode, inactive.stdout) == (3, b"inactive\n")
    assert worker.ctl("try-restart worker").returncode == 0
    assert worker.pid("worker") == 0
    assert worker.ctl("restart worker").returncode == 0
    assert worker.pid("worker") not in (0, pid)


def test_enabled_services_run_again_after_a_reboot(cloud: Cloud, worker: Services) -> None:
    worker.write("other", "[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=a.target\n")
    assert worker.ctl("start other").returncode == 0
    init = int(cloud.out(worker.instance, "echo $PPID"))
    cloud.client("ec2").reboot_instances(InstanceIds=[worker.instance])
    wait_for(lambda: not alive(init))
    wait_for(lambda: worker.ctl("is-active worker").stdout == b"active\n")
    assert worker.ctl("is-active other").stdout == b"inactive\n"
    assert worker.ctl("disable worker").returncode == 0
    assert worker.ctl("is-enabled worker").stdout == b"disabled\n"


def test_services_start_with_and_after_those_they_need(cloud: Cloud, services: Services) -> None:
    tell = "ExecStart=/bin/sleep 1000\n"
    install = "[Install]\nWantedBy=multi-user.target\n"
    needs = "[Unit]\nRequires=store.service\nWants=none.service\nAfter=store.service"
    services.write("app", f"{needs} network-online.target\n[Service]\n{tell}{install}")
    services.write("store", f"[Unit]\nBefore=early.service\n[Service]\n{tell}")
    services.write("early", f"[Service]\n{tell}{install}")
    assert services.ctl("start app").returncode == 0
    assert services.ctl("is-active store").returncode == 0
    assert services.ctl("is-active early").returncode != 0
    services.ctl("enable app early")
    init = int(cloud.out(services.instance, "echo $PPID"))
    cloud.client("ec2").reboot_instances(InstanceIds=[services.instance])
    wait_for(lambda: not alive(init))
    wait_for(lambda: services.ctl("is-active early").stdout == b"active\n")
    services.write("store", "[Unit]\nAfter=app.service\n[Service]\nExecStart=/bin/sleep 1000\n")
    circle = services.ctl("restart app")
    assert circle.returncode == 1
    assert b"the order is a circle" in circle.stderr
    services.write("app", "[Unit]\nRequires=none.service\n[Service]\nExecStart=/bin/sleep 1\n")
    missing = services.ctl("restart app")
    assert missing.returncode != 0
    assert b"none.service not found" in missing.stderr


def test_too_many_crashes_end_in_failure(services: Services) -> None:
    services.write(
        "broken",
        """
        [Unit]
        StartLimitBurst=3
        StartLimitIntervalSec=60
        [Service]
        ExecStart=/bin/sh -c "echo try; exit 9"
        Restart=on-failure
        RestartSec=10ms
        StandardOutput=append:/var/log/broken.log
        """,
    )
    services.ctl("start broken")
    wait_for(lambda: services.ctl("is-active broken").stdout == b"failed\n")
    assert services.log("broken") == "try\n" * 3
    assert services.show("broken", "Result") == "start-limit-hit"
    again = services.ctl("start broken")
    assert again.returncode == 1
    assert b"too quickly" in again.stderr


@pytest.mark.parametrize(
    ("policy", "code", "state"),
    [("no", 1, "failed"), ("no", 0, "inactive"), ("on-failure", 0, "inactive")],
)
def test_an_end_that_the_policy_accepts_is_left_alone(
    services: Services, policy: str, code: int, state: str
) -> None:
    services.write("once", f"[Service]\nExecStart=/bin/sh -c 'exit {code}'\nRestart={policy}\n")
    services.ctl("start once")
    wait_for(lambda: services.ctl("is-active once").stdout.decode().strip() == state)
    assert services.show("once", "NRestarts") == "0"
    assert services.show("once", "ExecMainStatus") == str(code)


def test_stop_reaches_detached_processes_and_deaf_ones(services: Services) -> None:
    services.write(
        "deaf",
        """
        [Service]
        ExecStart=/bin/sh -c "trap '' TERM; (setsid sh -c 'trap \\"\\" TERM; while :; do sleep 1; done' &) ; while :; do sleep 1; done"
        TimeoutStopSec=300ms
        """,  # noqa: E501 - one line of a unit file
    )
    services.ctl("start deaf")
    main = services.pid("deaf")
    init = int(services._cloud.out(services.instance, "echo $PPID"))
    before = wait_for(lambda: pids if len(pids := descendants(init)) >= 4 else None)
    assert services.ctl("stop deaf").returncode == 0
    assert not alive(main)
    assert [pid for pid in before if alive(pid)] == []
    assert services.show("deaf", "Result") == "timeout"


def test_a_signal_reaches_every_process_of_a_service(services: Services) -> None:
    services.write(
        "family",
        """
        [Service]
        ExecStart=/bin/sh -c 'sleep 1000 & setsid sleep 1000 & wait'
        Restart=always
        RestartSec=50ms
        """,
    )
    services.ctl("start family")

    def family() -> list[int]:
        main = services.pid("family")
        return [main, *descendants(main)]

    def states(pids: list[int]) -> set[str]:
        stats = [Path(f"/proc/{pid}/stat").read_text() for pid in pids]
        return {stat[stat.rindex(")") + 2] for stat in stats}

    pids = wait_for(lambda: found if len(found := family()) == 3 else None)
    assert services.ctl("kill --signal=SIGSTOP family").returncode == 0
    wait_for(lambda: states(pids) == {"T"})
    assert services.ctl("kill -s CONT family.service").returncode == 0
    wait_for(lambda: states(pids) == {"S"})
    assert services.ctl("kill --signal=KILL family").returncode == 0
    wait_for(lambda: not any(alive(pid) for pid in pids))
    assert len(wait_for(lambda: found if len(found := family()) == 3 else None)) == 3
    assert services.ctl("kill -s NONSENSE family").returncode != 0
    assert services.ctl("kill absent").returncode != 0


def test_a_restart_waits_for_the_end(services: Services) -> None:
    services.write(
        "slow",
        """
        [Service]
        ExecStart=/bin/sh -c "trap 'sleep 0.3; echo ended; exit 0' TERM; echo began; while :; do sleep 0.05; done"
        KillMode=mixed
        StandardOutput=append:/var/log/slow.log
        """,  # noqa: E501 - one line of a unit file
    )
    services.ctl("start slow")
    wait_for(lambda: services.log("slow") == "began\n")
    assert services.ctl("restart slow").returncode == 0
    wait_for(lambda: services.log("slow") == "began\nended\nbegan\n")


def test_journalctl_shows_the_log(services: Services) -> None:
    lines = "for n in 1 2 3; do echo line $n; done; exec sleep 1000"
    services.write("talker", f'[Service]\nExecStart=/bin/sh -c "{lines}"\n')
    services.ctl("start talker")
    journal = services.root / "var/log/journal/talker.log"
    wait_for(lambda: journal.exists() and "line 3" in journal.read_text())
    cloud, number = services._cloud, services.instance
    assert cloud.out(number, "journalctl -u talker -n 2 --no-pager") == "line 2\nline 3"
    assert "Starting talker" in cloud.out(number, "journalctl -u talker.service")
    follow = subprocess.Popen(
        [*cloud.ssh_command(number), "journalctl -f -n1 -u talker"], stdout=subprocess.PIPE
    )
    assert follow.stdout is not None
    assert follow.stdout.readline() == b"line 3\n"
    with journal.open("a") as file:
        file.write("later\n")
    assert follow.stdout.readline() == b"later\n"
    follow.kill()
    follow.wait()
    follow.stdout.close()
    assert cloud.ssh(number, "journalctl -k").returncode == 78


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ("start absent", 5, "not found"),
        ("is-active absent", 4, ""),
        ("mask worker", 78, "not supported"),
        ("start --force worker", 78, "not supported"),
        ("stop ssh", 1, "how this instance is reached"),
        ("start ../../../etc/passwd", 1, "no unit name"),
    ],
)
def test_what_is_not_supported_says_so(
    services: Services, arguments: str, status: int, said: str
) -> None:
    done = services.ctl(arguments)
    assert done.returncode == status
    assert said in done.stderr.decode()


def test_an_unsupported_directive_warns(services: Services) -> None:
    services.write("extra", "[Service]\nExecStart=/bin/sleep 1000\nPrivateTmp=yes\nUser=mysql\n")
    done = services.ctl("start extra")
    assert done.returncode == 0
    assert b"PrivateTmp= has no effect" in done.stderr
    assert b"User=mysql" in done.stderr


def test_a_unit_that_cannot_run_says_why(services: Services) -> None:
    services.write("absent-program", "[Service]\nExecStart=/no/such/program\n")
    done = services.ctl("start absent-program")
    assert done.returncode == 1
    assert b"No such file" in done.stderr
    services.write("forking", "[Service]\nExecStart=/bin/true\nType=forking\n")
    assert b"Type=forking" in services.ctl("start forking").stderr
