"""SSH against a real server: what a connection, a push and a large output must survive."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.errors import HostKeyChanged, TransportError
from labctl.transport.base import Bundle
from labctl.transport.bundles import archive, digest_of
from labctl.transport.host_keys import new_client_key, new_host_key
from labctl.transport.scripts import output_of, script
from labctl.transport.ssh import SshTransport
from tests.transport.sshd import SshServer, until

TEN_MB = 10 * 2**20


def _bundle(name: str = "numbers", /, **files: bytes) -> Bundle:
    return Bundle(name, files, digest_of(files))


def test_one_connection_serves_everything(server: SshServer, transport: SshTransport) -> None:
    machine = server.machine()
    for _ in range(3):
        transport.run(machine, "true")
    transport.push(machine, _bundle(a=b"1"))
    transport.read_file(replace(machine, role="other"), "~/.labctl/agents/numbers/a")
    assert server.logins() == 1


def test_thirty_two_threads_share_it(server: SshServer, transport: SshTransport) -> None:
    machine = server.machine()
    with ThreadPoolExecutor(32) as pool:
        runs = pool.map(lambda n: transport.run(machine, f"echo {n}").stdout, range(96))
        assert list(runs) == [f"{n}\n".encode() for n in range(96)]
    assert server.logins() == 1


def test_commands_that_end_before_their_input_do_not_break_the_connection(
    server: SshServer, transport: SshTransport
) -> None:
    """Without the reading of what is left, one run in a thousand or so lost the connection."""
    machine, unread = server.machine(), b"x" * 200_000
    with ThreadPoolExecutor(8) as pool:
        runs = pool.map(lambda n: transport.run(machine, "exit 7", stdin=unread).status, range(300))
        assert set(runs) == {7}
    assert server.logins() == 1


def test_a_dead_connection_is_made_again(server: SshServer, transport: SshTransport) -> None:
    machine = server.machine()
    transport.run(machine, "true")
    server.drop_sessions()
    assert transport.run(machine, "echo back").stdout == b"back\n"
    assert server.logins() == 2


def test_a_connection_lost_while_a_command_runs_is_told(
    server: SshServer, transport: SshTransport
) -> None:
    machine = server.machine()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(transport.run, machine, "touch ~/begun; sleep 60")
        until((server.home / "begun").exists)
        server.drop_sessions()
        with pytest.raises(TransportError, match="lost while a command ran") as told:
            running.result(20)
    assert told.value.hint


def test_ten_megabytes_go_both_ways_at_once(server: SshServer, transport: SshTransport) -> None:
    data = os.urandom(TEN_MB)
    done = transport.run(server.machine(), "tee /dev/stderr", stdin=data)
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()
    assert done.stderr == done.stdout


def test_input_that_nobody_reads_does_no_harm(server: SshServer, transport: SshTransport) -> None:
    done = transport.run(server.machine(), "exit 5", stdin=b"x" * TEN_MB)
    assert done.status == 5
    assert transport.run(server.machine(), "echo on").stdout == b"on\n"


def test_output_counts_until_its_end_not_the_end_of_the_command(
    server: SshServer, transport: SshTransport
) -> None:
    done = transport.run(server.machine(), "(sleep 0.3; echo late) & echo soon")
    assert done.stdout == b"soon\nlate\n"


def test_endless_output_is_given_up(server: SshServer, transport: SshTransport) -> None:
    with pytest.raises(TransportError, match="more than 64 MiB"):
        transport.run(server.machine(), "cat /dev/zero")
    assert transport.run(server.machine(), "echo on").stdout == b"on\n"


def test_a_script_with_every_kind_of_quote_arrives(
    server: SshServer, transport: SshTransport
) -> None:
    said = 'it\'s "so" $HOME `id` \\n %s !! \té'
    printing = f"cat <<'END'\n{said}\nEND\n"
    assert transport.run(server.machine(), printing).stdout.decode() == f"{said}\n"


def test_following_leaves_nothing_behind_when_cancelled(
    server: SshServer, transport: SshTransport
) -> None:
    cancelled = threading.Event()
    running = "echo $$ >~/pid; (trap '' HUP; exec sleep 60) & echo $! >~/child; echo go; wait"
    transport.follow(server.machine(), running, lambda _: cancelled.set(), cancelled=cancelled)
    for name in ("pid", "child"):
        pid = int((server.home / name).read_text())
        until(lambda pid=pid: not _runs(pid))  # type: ignore[misc]  # mypy cannot see the default


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_following_cuts_a_line_without_an_end(server: SshServer, transport: SshTransport) -> None:
    lines: list[str] = []
    running = "head -c 200000 /dev/zero | tr '\\0' x; printf '\\n\\377\\n'"
    transport.follow(server.machine(), running, lines.append, cancelled=threading.Event())
    assert 2**16 <= max(map(len, lines)) <= 2**17
    assert "".join(lines[:-1]) == "x" * 200_000
    assert lines[-1] == "\ufffd"


def test_a_failure_of_the_reader_is_its_own(server: SshServer, transport: SshTransport) -> None:
    def broken(line: str) -> None:
        raise BrokenPipeError(line)

    with pytest.raises(BrokenPipeError):
        transport.follow(server.machine(), "echo x", broken, cancelled=threading.Event())


def test_a_server_with_another_key_is_refused_before_anything_is_sent(
    server: SshServer, transport: SshTransport
) -> None:
    pinned = server.machine()
    transport.run(pinned, "true")
    server.stop()
    server.new_host_key()
    server.start()
    with pytest.raises(HostKeyChanged, match="SHA256:") as told:
        transport.run(pinned, "true")
    assert "pin its new key" in told.value.hint
    assert server.logins() == 1


def test_a_kept_connection_is_not_used_once_its_key_is_no_longer_pinned(
    server: SshServer, transport: SshTransport
) -> None:
    machine = server.machine()
    transport.run(machine, "true")
    with pytest.raises(HostKeyChanged):
        transport.run(replace(machine, host_keys=(new_host_key().public,)), "true")


def test_a_pinned_line_that_is_no_key_is_told(server: SshServer, transport: SshTransport) -> None:
    with pytest.raises(TransportError, match="not a public key line"):
        transport.run(server.machine(host_keys=("nonsense",)), "true")


def test_a_first_use_is_written_down_and_held_to(
    server: SshServer, transport: SshTransport, tmp_path: Path
) -> None:
    machine = server.machine(host_keys=(), trust_first_use=True)
    transport.run(machine, "true")
    known = tmp_path / "state" / "known_hosts"
    assert known.read_text() == f"[127.0.0.1]:{server.port} {server.host_key}\n"
    assert stat.S_IMODE(known.stat().st_mode) == 0o600
    transport.forget(machine)
    transport.run(machine, "true")
    assert known.read_text().count("\n") == 1
    server.stop()
    server.new_host_key()
    server.start()
    with pytest.raises(HostKeyChanged) as told:
        SshTransport(tmp_path / "state").run(machine, "true")
    assert str(known) in told.value.hint


def test_a_key_that_others_can_read_is_not_used(server: SshServer, transport: SshTransport) -> None:
    server.key_file.chmod(0o644)
    with pytest.raises(TransportError, match="can be read by others") as told:
        transport.run(server.machine(), "true")
    assert told.value.hint == f"chmod 600 {server.key_file}"


@pytest.mark.parametrize("content", [None, "", "not a key", "-----BEGIN OPENSSH PRIVATE KEY-----"])
def test_a_key_file_that_cannot_be_used_is_told(
    server: SshServer, transport: SshTransport, tmp_path: Path, content: str | None
) -> None:
    key = tmp_path / "key"
    if content is not None:
        key.write_text(content)
        key.chmod(0o600)
    with pytest.raises(TransportError) as told:
        transport.run(server.machine(key_file=key), "true")
    assert told.value.hint
    assert "internal" not in told.value.message


def test_a_refused_key_is_told(server: SshServer, transport: SshTransport, tmp_path: Path) -> None:
    new_client_key(tmp_path / "other")
    with pytest.raises(TransportError, match="does not accept the key") as told:
        transport.run(server.machine(key_file=tmp_path / "other"), "true")
    assert told.value.hint


def test_a_server_that_never_speaks_is_given_up(server: SshServer, transport: SshTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        machine = server.machine(port=silent.getsockname()[1])
        began = time.monotonic()
        with pytest.raises(TransportError, match="does not answer as an SSH server"):
            transport.run(machine, "true", timeout_s=0.5)
        assert time.monotonic() - began < 10


def test_a_push_makes_a_link_that_is_switched_at_once(
    server: SshServer, transport: SshTransport
) -> None:
    machine = server.machine()
    agents = server.home / ".labctl" / "agents"
    first, second = _bundle(a=b"1"), _bundle(a=b"2")
    transport.push(machine, first)
    assert (agents / "numbers").readlink() == Path(f".numbers-{first.digest}")
    transport.push(machine, second)
    assert (agents / "numbers" / "a").read_bytes() == b"2"
    assert (agents / f".numbers-{first.digest}").is_dir(), "a running service may still need it"
    transport.push(machine, _bundle(a=b"3"))
    assert not (agents / f".numbers-{first.digest}").exists()
    assert len(list(agents.iterdir())) == 3


def test_a_push_spares_a_bundle_whose_name_begins_alike(
    server: SshServer, transport: SshTransport
) -> None:
    machine = server.machine()
    transport.push(machine, _bundle("numbers-two", a=b"1"))
    for content in (b"1", b"2", b"3"):
        transport.push(machine, _bundle("numbers", a=content))
    assert transport.read_file(machine, "~/.labctl/agents/numbers-two/a") == b"1"


def test_a_folder_in_place_of_the_link_is_moved_aside(
    server: SshServer, transport: SshTransport
) -> None:
    machine = server.machine()
    folder = server.home / ".labctl" / "agents" / "numbers"
    folder.mkdir(parents=True)
    (folder / "mine").write_text("keep me")
    assert transport.push(machine, _bundle(a=b"1")) is True
    assert (folder / "a").read_bytes() == b"1"
    assert [p.read_text() for p in folder.parent.rglob("mine")] == ["keep me"]
    assert transport.push(machine, _bundle(a=b"1")) is False


def test_a_push_that_broke_off_leaves_nothing_that_counts(
    server: SshServer, transport: SshTransport
) -> None:
    machine, bundle = server.machine(), _bundle(a=os.urandom(2**20))
    agents = server.home / ".labctl" / "agents"
    (agents / ".numbers-scratch.abc").mkdir(parents=True)
    with pytest.raises(TransportError):
        transport.push(machine, bundle, timeout_s=0.01)
    assert transport.push(machine, bundle) is True
    assert (agents / "numbers" / "a").read_bytes() == bundle.files["a"]


def test_what_arrives_in_part_is_not_put_in_place(
    server: SshServer, transport: SshTransport
) -> None:
    machine, made = server.machine(), _bundle(a=os.urandom(2**17), b=b"2")
    half = archive(made)[: 2**16]
    pushing = script("push.sh", name="numbers", digest=made.digest, cue="now")
    assert transport.run(machine, pushing, stdin=half).status != 0
    assert [path.name for path in (server.home / ".labctl" / "agents").iterdir()] == []
    writing = script("write-file.sh", path="~/a", mode="600", size="3")
    with pytest.raises(TransportError, match="only a part"):
        output_of(machine, transport.run(machine, writing, stdin=b"12"), doing="it")
    assert not (server.home / "a").exists()


HOSTILE = [
    *("-rf", "--checkpoint-action=exec=touch owned", "a b", "a\nb", "it's", 'say "x"', "*", "~"),
    *("$(touch owned)", "`touch owned`", ";touch owned", "\\", "é/ü", "\x1b[31m"),
    *("x" * 200, "a/" + "y" * 150, "c/" * 60 + "z"),
]


def test_hostile_file_names_arrive_as_they_are(server: SshServer, transport: SshTransport) -> None:
    machine, bundle = server.machine(), _bundle("numbers", **{n: n.encode() for n in HOSTILE})
    transport.push(machine, bundle)
    folder = server.home / ".labctl" / "agents" / "numbers"
    for name in HOSTILE:
        assert (folder / name).read_bytes() == name.encode()
    for name in HOSTILE:
        transport.write_file(machine, f"~/files/{name}.txt", name.encode(), mode=0o640)
        assert transport.read_file(machine, f"files/{name}.txt") == name.encode()
        assert stat.S_IMODE((server.home / "files" / f"{name}.txt").stat().st_mode) == 0o640
    assert not list(server.home.rglob("owned"))


def test_a_written_file_replaces_a_link_not_what_it_points_to(
    server: SshServer, transport: SshTransport
) -> None:
    (server.home / "precious").write_text("precious")
    (server.home / "link").symlink_to("precious")
    transport.write_file(server.machine(), "~/link", b"new", mode=0o400)
    assert (server.home / "precious").read_text() == "precious"
    assert stat.S_IMODE((server.home / "link").stat().st_mode) == 0o400


def test_a_folder_is_no_file(server: SshServer, transport: SshTransport) -> None:
    (server.home / "folder").mkdir()
    with pytest.raises(TransportError, match="is a folder"):
        transport.write_file(server.machine(), "~/folder", b"x", mode=0o600)
    with pytest.raises(TransportError, match="is a folder"):
        transport.read_file(server.machine(), "~/folder")
    assert not list((server.home / "folder").iterdir())
