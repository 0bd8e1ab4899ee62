"""User data: what cloud-init reads, and that it does nothing where it must not."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

from labctl.cloud.deadlines import passed_deadline
from labctl.transport.deadlines import deadline_script
from labctl.transport.host_keys import new_host_key
from labctl.transport.user_data import user_data

KEY = new_host_key()


def test_the_host_key_is_the_pinned_one() -> None:
    text = user_data(KEY, ends_at=None)
    assert text.startswith("#cloud-config\n")
    config = yaml.safe_load(text)
    assert config["ssh_deletekeys"] is True
    assert config["ssh_keys"]["ed25519_public"] == KEY.public
    private = load_ssh_private_key(config["ssh_keys"]["ed25519_private"].encode(), None)
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    assert public == KEY.public
    assert "runcmd" not in config
    assert base64.b64decode(KEY.public.split()[1])


@given(st.floats(min_value=0, max_value=4e9))
def test_the_deadline_is_a_date_in_utc_and_never_early(ends_at: float) -> None:
    [[shell, option, script]] = yaml.safe_load(user_data(KEY, ends_at=ends_at))["runcmd"]
    assert (shell, option) == ("bash", "-c")
    seconds = int(script.splitlines()[0].removeprefix("ends_at_s="))
    assert 0 <= seconds - ends_at <= 1
    assert script.splitlines()[1].endswith(" UTC'")


def test_it_fits_what_ec2_takes() -> None:
    assert len(user_data(KEY, ends_at=1.8e9)) < 16 * 1024


def program(folder: Path, name: str, body: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


def run_deadline(script: str, programs: Path, **more: str) -> None:
    """Run the script where every program it could use is a trap: no mistake ends this machine."""
    for name in ("shutdown", "systemctl"):
        program(programs, name, f'echo {name} "$@" >>"{programs}/called"')
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", **more}
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"")


def called(programs: Path) -> list[str]:
    file = programs / "called"
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize("root", [True, False])
def test_off_ec2_the_deadline_ends_nothing(tmp_path: Path, root: bool) -> None:
    if not root and _on_ec2():
        pytest.skip("this machine is an EC2 instance; there the script is not harmless")
    programs = tmp_path / "bin"
    for name in ("cat", "date"):
        program(programs, name, f'echo {name} >>"{programs}/called"')
    [[*_, script]] = yaml.safe_load(user_data(KEY, ends_at=0))["runcmd"]
    more = {}
    if root:
        more["LABCTL_ROOT"] = str(tmp_path)
        program(programs, "grep", "exit 0")  # as if this were an EC2 instance
    run_deadline(script, programs, **more)
    assert called(programs) == []
    assert passed_deadline(tmp_path, now=1) is root  # the cloud is told, and nobody else


def test_on_ec2_a_timer_is_set_and_set_anew(tmp_path: Path) -> None:
    programs, units = tmp_path / "bin", tmp_path / "units"
    units.mkdir()
    program(programs, "grep", "exit 0")  # as if this were an EC2 instance
    for ends_at, date in ((4102444800, "2100-01-01 00:00:00"), (4102448400, "2100-01-01 01:00:00")):
        script = deadline_script(ends_at).replace("/etc/systemd/system", str(units))
        assert "/etc/" not in script
        (programs / "called").unlink(missing_ok=True)
        run_deadline(script, programs)
        assert f"OnCalendar={date} UTC" in (units / "labctl-deadline.timer").read_text()
        assert called(programs) == [
            "systemctl daemon-reload",
            "systemctl enable labctl-deadline.timer",
            "systemctl restart labctl-deadline.timer",
        ]


def _on_ec2() -> bool:
    signs = (
        "/sys/class/dmi/id/sys_vendor",
        "/sys/hypervisor/uuid",
        "/sys/class/dmi/id/product_uuid",
    )
    found = ""
    for sign in signs:
        if Path(sign).exists() and os.access(sign, os.R_OK):
            found += Path(sign).read_text().lower() + "\n"
    return any(line.startswith(("amazon ec2", "ec2")) for line in found.splitlines())
