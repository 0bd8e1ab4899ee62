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


@pytest.mark.parametrize("root", [True, False])
def test_off_ec2_the_deadline_does_nothing(tmp_path: Path, root: bool) -> None:
    """Every program it could use is a trap here, so that a mistake cannot end this machine."""
    if not root and _on_ec2():
        pytest.skip("this machine is an EC2 instance; there the script is not harmless")
    trap = tmp_path / "bin"
    trap.mkdir()
    for name in ("shutdown", "systemctl", "cat", "date"):
        (trap / name).write_text(f"#!/bin/sh\necho {name} >>'{tmp_path}/called'\n")
        (trap / name).chmod(0o755)
    [[*shell, script]] = yaml.safe_load(user_data(KEY, ends_at=0))["runcmd"]
    environment = {"PATH": f"{trap}:{os.environ['PATH']}"}
    if root:
        environment["LABCTL_ROOT"] = str(tmp_path)
        (trap / "grep").write_text("#!/bin/sh\nexit 0\n")  # as if this were an EC2 instance
        (trap / "grep").chmod(0o755)
    done = subprocess.run([*shell, script], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"")
    assert not (tmp_path / "called").exists()


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
