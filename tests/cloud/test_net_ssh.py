"""The usual SSH programs against an instance of the tier `net`, which has a network of its own."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud.running import Cloud, free_port, wait_for

ECHO = (
    "import socket, sys\n"
    "s = socket.create_server(('127.0.0.1', 7000)); print('up', flush=True)\n"
    "while True:\n"
    "    c, _ = s.accept()\n"
    "    while data := c.recv(65536): c.sendall(data)\n"
    "    c.close()\n"
)


@pytest.fixture(scope="module")
def served(net_cloud: Cloud) -> Iterator[str]:
    """An instance with an echo service that only its own loopback reaches."""
    (number,) = net_cloud.launch()
    net_cloud.ssh(number, "cat > echo.py", stdin=ECHO.encode())
    running = subprocess.Popen(
        [*net_cloud.ssh_command(number), "exec python3 echo.py"], stdout=subprocess.PIPE
    )
    assert running.stdout is not None
    assert running.stdout.readline() == b"up\n"
    yield number
    running.kill()
    running.wait()
    running.stdout.close()
    net_cloud.client("ec2").terminate_instances(InstanceIds=[number])


def echoed(port: int, data: bytes) -> bytes | None:
    """Return what comes back from a port, None while nobody listens there."""
    try:
        connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    except OSError:
        return None
    with connection:
        sender = threading.Thread(target=_send, args=(connection, data))
        sender.start()
        found = b""
        while block := connection.recv(65536):
            found += block
        sender.join()
    return found


def _send(connection: socket.socket, data: bytes) -> None:
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_local_forward_ends_inside(net_cloud: Cloud, served: str, host: str) -> None:
    port = free_port()
    forward = ("-N", "-L", f"127.0.0.1:{port}:{host}:7000")
    tunnel = subprocess.Popen(net_cloud.ssh_command(served, *forward))
    try:
        data = os.urandom(2_000_000)
        assert wait_for(lambda: echoed(port, data)) == data
    finally:
        tunnel.kill()
        tunnel.wait()


def test_standard_files_can_be_opened_by_their_names(net_cloud: Cloud, served: str) -> None:
    done = net_cloud.ssh(served, "cat /dev/stdin | tee /dev/stderr", stdin=b"both")
    assert (done.stdout, done.stderr) == (b"both", b"both")


def test_a_forward_to_nobody_is_refused(net_cloud: Cloud, served: str) -> None:
    for target in ("127.0.0.1:7001", "no-such-host:80", "192.0.2.1:80"):
        done = net_cloud.ssh(served, "", "-W", target)
        assert done.returncode != 0


def test_a_remote_forward_begins_inside(net_cloud: Cloud, served: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as here:
        port = here.getsockname()[1]
        command = "exec 3<>/dev/tcp/127.0.0.1/7100; echo hello >&3; cat <&3"
        forward = ("-R", f"7100:127.0.0.1:{port}", "-o", "ExitOnForwardFailure=yes")
        asking = subprocess.Popen(
            [*net_cloud.ssh_command(served, *forward), f"bash -c '{command}'"],
            stdout=subprocess.PIPE,
        )
        here.settimeout(30)
        caller, _ = here.accept()
        with caller:
            assert caller.recv(100) == b"hello\n"
            caller.sendall(b"back\n")
        out, _ = asking.communicate(timeout=30)
    assert out == b"back\n"
    assert asking.returncode == 0
    taken = net_cloud.ssh(
        served, "true", "-R", "7000:127.0.0.1:1", "-o", "ExitOnForwardFailure=yes"
    )
    assert taken.returncode == 255


@pytest.mark.parametrize("program", ["scp", "scp -O", "rsync"])
def test_files_travel_there_and_back(
    net_cloud: Cloud, served: str, tmp_path: Path, program: str
) -> None:
    name, *options = program.split()
    if shutil.which(name) is None:
        pytest.skip(f"there is no {name} on this machine")
    source, back = tmp_path / "source", tmp_path / "back"
    (source / "deep").mkdir(parents=True)
    (source / "deep/file").write_bytes(os.urandom(300_000))
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o755)
    command = net_cloud.ssh_command(served)
    _, *plain, flag, port, login = command
    if name == "rsync":
        head = ["rsync", "-a", "-e", shlex.join(["ssh", *plain, flag, port])]
    else:
        head = ["scp", *options, "-rp", *plain, "-P", port]
    target = f"there-{'-'.join([name, *options])}"
    for ends in (
        [str(source), f"{login}:{target}"],
        [f"{login}:{target}", str(back)],
    ):
        done = subprocess.run([*head, *ends], capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
    found = next(back.rglob("run.sh")).parent
    assert (found / "deep/file").read_bytes() == (source / "deep/file").read_bytes()
    assert (found / "run.sh").stat().st_mode & 0o777 == 0o755


def test_a_shared_connection_carries_a_terminal_and_commands(net_cloud: Cloud, served: str) -> None:
    folder = Path(tempfile.mkdtemp())  # a socket's path must be short
    control = ("-o", f"ControlPath={folder}/c", "-o", "ControlMaster=auto")
    master = subprocess.Popen(
        net_cloud.ssh_command(served, *control, "-N"), stdin=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: (folder / "c").exists())
        assert net_cloud.ssh(served, "echo shared; exit 3", *control).stdout == b"shared\n"
        typed = net_cloud.ssh(served, "tty; trap 'exit 9' INT; kill -INT $$", "-tt", *control)
        assert (typed.stdout, typed.returncode) == (b"/dev/pts/0\r\n", 9)
        agent = net_cloud.ssh(served, "echo ${SSH_AUTH_SOCK:-none}", "-A", *control)
        assert agent.stdout == b"none\n"
    finally:
        master.kill()
        master.wait()
        shutil.rmtree(folder)


def test_instances_reach_each_other_by_ssh(net_cloud: Cloud, served: str) -> None:
    found = net_cloud.client("ec2").describe_instances(InstanceIds=[served])
    address = found["Reservations"][0]["Instances"][0]["PrivateIpAddress"]
    assert (
        net_cloud.out(served, f"ssh-keyscan -t ed25519 {address} 2>&-").split()[1:]
        == (net_cloud.place(served).host_keys[0].split()[:2])
    )
