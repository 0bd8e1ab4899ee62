"""Reaching an instance by the real ssh client, and by one in Python."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import threading
from pathlib import Path

import asyncssh
import pytest

from labctl.cloud.images import IMAGES
from tests.cloud.running import Cloud, wait_for


def test_output_status_and_errors_come_back(cloud: Cloud, instance: str) -> None:
    done = cloud.ssh(instance, "echo out; echo err >&2; exit 7")
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 7)


def test_a_signal_is_told(cloud: Cloud, instance: str) -> None:
    done = cloud.ssh(instance, "kill -KILL $$")
    assert done.returncode == 255
    assert cloud.ssh(instance, "sh -c 'kill -TERM $$'; exit $?").returncode == 143


def test_input_ends_where_it_ends(cloud: Cloud, instance: str) -> None:
    data = os.urandom(3_000_000)
    assert cloud.ssh(instance, "cat", stdin=data).stdout == data
    assert cloud.ssh(instance, "wc -c").stdout.strip() == b"0"


def test_much_output_that_nobody_reads_yet_is_not_lost(cloud: Cloud, instance: str) -> None:
    done = cloud.ssh(instance, "head -c 10000000 /dev/zero | tee /dev/stderr")
    assert len(done.stdout) == len(done.stderr) == 10_000_000


def test_input_that_the_program_does_not_take_is_no_error(cloud: Cloud, instance: str) -> None:
    assert cloud.ssh(instance, "exit 3", stdin=bytes(2_000_000)).returncode == 3


def test_a_session_lasts_as_long_as_its_output_is_held(cloud: Cloud, instance: str) -> None:
    done = cloud.ssh(instance, "(sleep 0.5; echo late) & echo early")
    assert done.stdout == b"early\nlate\n"
    detached = cloud.ssh(instance, "sleep 1000 > /dev/null 2>&1 < /dev/null & echo $!")
    assert os.path.exists(f"/proc/{int(detached.stdout)}")  # noqa: PTH110 - no path of ours


def test_a_terminal_has_its_size_and_ends_with_its_shell(cloud: Cloud, instance: str) -> None:
    done = cloud.ssh(instance, "tty; stty size; sleep 1000 & exit 5", "-tt")
    assert done.returncode == 5
    assert b"/dev/pts/" in done.stdout
    assert b"\r\n" in done.stdout


def test_a_login_shell_finds_the_instances_commands(cloud: Cloud, instance: str) -> None:
    command = cloud.ssh_command(instance, "-tt")
    done = subprocess.run(
        command, input=b"command -v systemctl; exit\n", capture_output=True, timeout=60
    )
    assert f"{cloud.root(instance)}/bin/systemctl".encode() in done.stdout


def test_other_keys_and_other_users_stay_out(cloud: Cloud, instance: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    place = cloud.place(instance)
    command = cloud.ssh_command(instance)
    assert subprocess.run([*command, "true"], timeout=60).returncode == 0
    stranger = [str(other) if part == str(cloud.key_file) else part for part in command]
    refused = subprocess.run([*stranger, "true"], capture_output=True, timeout=60)
    assert refused.returncode == 255
    assert b"Permission denied" in refused.stderr
    root = [*command[:-1], f"root@{place.address}", "true"]
    assert subprocess.run(root, capture_output=True, timeout=60).returncode == 255


def test_each_image_has_its_user(cloud: Cloud) -> None:
    amazon = next(image for image in IMAGES if image.alias == "al2023")
    (number,) = cloud.launch(ImageId=amazon.id)
    assert cloud.place(number).user == "ec2-user"
    assert cloud.out(number, "echo $USER:$HOME").endswith("/home/ec2-user")
    cloud.client("ec2").terminate_instances(InstanceIds=[number])


@pytest.mark.parametrize("program", ["scp", "sftp"])
def test_files_travel(cloud: Cloud, instance: str, tmp_path: Path, program: str) -> None:
    data = os.urandom(500_000)
    (tmp_path / "there").write_bytes(data)
    *options, where = cloud.ssh_command(instance)[1:]
    options[options.index("-p")] = "-P"
    if program == "scp":
        commands = [
            ["scp", *options, str(tmp_path / "there"), f"{where}:file"],
            ["scp", *options, f"{where}:file", str(tmp_path / "back")],
        ]
        batch = b""
    else:
        commands = [["sftp", "-b", "-", *options, where]]
        batch = f"pwd\nput {tmp_path}/there file\nget file {tmp_path}/back\nls -l\n".encode()
    for command in commands:
        done = subprocess.run(command, input=batch, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "back").read_bytes() == data
    assert (cloud.root(instance) / "home/ubuntu/file").read_bytes() == data


def test_a_port_can_be_forwarded(cloud: Cloud, instance: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = server.getsockname()[1]
        with socket.create_server(("127.0.0.1", 0)) as free:
            local = free.getsockname()[1]
        command = cloud.ssh_command(instance, "-N", "-L", f"{local}:localhost:{target}")
        tunnel = subprocess.Popen(command)
        try:
            client = wait_for(lambda: _connection(local))
            with client:
                accepted, _ = server.accept()
                with accepted:
                    client.sendall(b"through")
                    assert accepted.recv(100) == b"through"
        finally:
            tunnel.terminate()
            tunnel.wait()


def _connection(port: int) -> socket.socket | None:
    try:
        return socket.create_connection(("127.0.0.1", port), timeout=5)
    except OSError:
        return None


def test_the_agent_is_not_forwarded(cloud: Cloud, instance: str) -> None:
    assert cloud.ssh(instance, "echo [$SSH_AUTH_SOCK]", "-A").stdout == b"[]\n"


def test_a_python_client_gets_window_changes_and_sends_signals(cloud: Cloud, instance: str) -> None:
    place = cloud.place(instance)

    async def use() -> None:
        async with asyncssh.connect(
            place.address,
            place.port,
            username=place.user,
            client_keys=[str(cloud.key_file)],
            known_hosts=([asyncssh.import_public_key(place.host_keys[0])], [], []),
            config=None,
        ) as connection:
            program = "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done"
            process = await connection.create_process(
                program, term_type="xterm", term_size=(80, 24)
            )
            assert (await process.stdout.readline()).strip() == "ready"
            process.change_terminal_size(111, 33)
            assert (await process.stdout.readline()).strip() == "33 111"
            plain = await connection.create_process("echo ready; exec sleep 1000")
            await plain.stdout.readline()
            plain.send_signal("TERM")
            ended = await plain.wait()
            assert ended.exit_signal is not None
            assert ended.exit_signal[0] == "TERM"

    asyncio.run(asyncio.wait_for(use(), 60))


def test_many_sessions_at_once(cloud: Cloud, instance: str) -> None:
    results: list[bytes] = []
    threads = [
        threading.Thread(
            target=lambda n=n: results.append(
                cloud.ssh(instance, f"echo {n}; cat >/dev/null").stdout
            )
        )
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [f"{n}\n".encode() for n in range(8)]
