"""What every transport does alike: run over real OpenSSH and over the machines in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from labctl.errors import HostKeyChanged, Interrupted, LabctlError, TransportError
from labctl.transport.base import Bundle, Completed, Machine, Transport
from labctl.transport.bundles import digest_of
from labctl.transport.host_keys import new_host_key
from labctl.transport.parallel import each
from labctl.transport.ssh import SshTransport
from tests.fakes.transport import FakeMachine, FakeTransport
from tests.transport.sshd import SSHD, SshServer


@dataclass
class Subject:
    """A transport with one machine that is up; `teach` tells a fake what a real shell knows."""

    transport: Transport
    machine: Machine
    teach: Callable[[str, Callable[[bytes], Completed], bool], None]
    turn_off: Callable[[], None]

    def expect(
        self,
        script: str,
        *,
        status: int = 0,
        stdout: bytes = b"",
        stderr: bytes = b"",
        endless: bool = False,
    ) -> str:
        self.teach(script, lambda stdin: Completed(status, stdout or stdin, stderr), endless)
        return script


@pytest.fixture(params=["openssh", "memory"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    if request.param == "memory":
        yield _in_memory()
        return
    if SSHD is None:
        pytest.skip("no sshd on this machine; apt-get install openssh-server")
    server = SshServer(tmp_path / "server")
    server.start()
    transport = SshTransport(tmp_path / "state")
    yield Subject(transport, server.machine(), lambda *_: None, server.stop)
    transport.close()
    server.stop()


def _in_memory() -> Subject:
    machine = Machine(
        role="worker",
        index=0,
        id="i-0",
        address="10.0.0.1",
        port=22,
        user="ubuntu",
        key_file=None,
        host_keys=(new_host_key().public,),
    )
    transport = FakeTransport()
    made: FakeMachine = transport.add(machine)

    def teach(script: str, answer: Callable[[bytes], Completed], endless: bool) -> None:
        made.teach(script, answer, endless=endless)

    return Subject(transport, machine, teach, lambda: setattr(made, "up", False))


def _bundle(name: str, /, **files: bytes) -> Bundle:
    return Bundle(name, files, digest_of(files))


def test_a_command_gives_its_output_and_status(subject: Subject) -> None:
    script = subject.expect(
        "echo out; echo err >&2; exit 3", status=3, stdout=b"out\n", stderr=b"err\n"
    )
    done = subject.transport.run(subject.machine, script)
    assert done == Completed(3, b"out\n", b"err\n")


def test_a_command_reads_its_input_to_the_end(subject: Subject) -> None:
    data = bytes(range(256)) * 40
    assert subject.transport.run(subject.machine, subject.expect("cat"), stdin=data).stdout == data


def test_a_command_that_a_signal_ends_counts_as_128_and_the_signal(subject: Subject) -> None:
    script = subject.expect("kill -9 $$", status=137)
    assert subject.transport.run(subject.machine, script) == Completed(137, b"", b"")


def test_a_command_that_does_not_end_is_given_up(subject: Subject) -> None:
    script = subject.expect("sleep 30", endless=True)
    with pytest.raises(TransportError, match="did not end") as told:
        subject.transport.run(subject.machine, script, timeout_s=0.5)
    assert told.value.hint


def test_a_bundle_is_pushed_once_and_again_when_it_changed(subject: Subject) -> None:
    transport, machine = subject.transport, subject.machine
    first, second = _bundle("numbers", a=b"1"), _bundle("numbers", a=b"2")
    other = _bundle("images", a=b"1")
    pushed = [transport.push(machine, each) for each in (first, first, second, other, second)]
    assert pushed == [True, False, True, True, False]


@pytest.mark.parametrize("name", ["../up", "/root", "a/../../b", "", "a\0b", "."])
def test_a_file_that_would_leave_the_bundle_is_refused(subject: Subject, name: str) -> None:
    files = {name: b"x"}
    with pytest.raises(TransportError) as told:
        subject.transport.push(subject.machine, Bundle("numbers", files, digest_of(files)))
    assert told.value.hint


@pytest.mark.parametrize("name", ["..", "a/b", "-rf", "", "a b", "a\nb", "$(id)"])
def test_a_bundle_with_a_harmful_name_is_refused(subject: Subject, name: str) -> None:
    with pytest.raises(TransportError):
        subject.transport.push(subject.machine, _bundle(name, a=b"1"))


def test_a_bundle_that_is_not_what_its_digest_says_is_refused(subject: Subject) -> None:
    with pytest.raises(TransportError):
        subject.transport.push(subject.machine, Bundle("numbers", {"a": b"1"}, "0" * 64))


def test_a_file_comes_back_as_it_was_written(subject: Subject) -> None:
    content = bytes(range(256)) * 300
    subject.transport.write_file(subject.machine, "~/notes/it's.txt", content, mode=0o600)
    assert subject.transport.read_file(subject.machine, "notes/it's.txt") == content
    subject.transport.write_file(subject.machine, "notes/it's.txt", b"", mode=0o600)
    assert subject.transport.read_file(subject.machine, "~/notes/it's.txt") == b""


def test_a_missing_file_is_an_error(subject: Subject) -> None:
    with pytest.raises(TransportError, match="there is no file") as told:
        subject.transport.read_file(subject.machine, "~/nothing")
    assert told.value.hint


def test_a_file_beyond_the_limit_is_refused(subject: Subject) -> None:
    subject.transport.write_file(subject.machine, "~/big", b"x" * 11, mode=0o644)
    assert len(subject.transport.read_file(subject.machine, "~/big", limit=11)) == 11
    with pytest.raises(TransportError, match="larger than 10"):
        subject.transport.read_file(subject.machine, "~/big", limit=10)


def test_following_hands_over_lines_and_ends_with_the_status(subject: Subject) -> None:
    script = subject.expect("printf 'a\\n\\nb'; exit 4", status=4, stdout=b"a\n\nb")
    lines: list[str] = []
    status = subject.transport.follow(
        subject.machine, script, lines.append, cancelled=threading.Event()
    )
    assert (lines, status) == (["a", "", "b"], 4)


def test_following_ends_when_it_is_cancelled(subject: Subject) -> None:
    script = subject.expect("echo begun; sleep 60", stdout=b"begun\n", endless=True)
    cancelled = threading.Event()
    status = subject.transport.follow(
        subject.machine, script, lambda line: cancelled.set(), cancelled=cancelled
    )
    assert status == 143


def test_a_machine_that_is_up_is_ready(subject: Subject) -> None:
    subject.transport.wait_ready(subject.machine, deadline_s=20, cancelled=threading.Event())


def test_a_machine_that_is_off_is_an_error_with_a_hint(subject: Subject) -> None:
    subject.turn_off()
    with pytest.raises(TransportError) as told:
        subject.transport.run(subject.machine, "true", timeout_s=5)
    assert told.value.hint
    with pytest.raises(TransportError, match="not ready") as waited:
        subject.transport.wait_ready(subject.machine, deadline_s=0.3, cancelled=threading.Event())
    assert waited.value.hint


def test_a_cancelled_wait_is_an_interruption(subject: Subject) -> None:
    subject.turn_off()
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Interrupted):
        subject.transport.wait_ready(subject.machine, deadline_s=20, cancelled=cancelled)


def _verbs(transport: Transport, machine: Machine) -> list[Callable[[], object]]:
    event = threading.Event()
    return [
        lambda: transport.run(machine, "true"),
        lambda: transport.push(machine, _bundle("numbers", a=b"1")),
        lambda: transport.write_file(machine, "~/a", b"", mode=0o600),
        lambda: transport.read_file(machine, "~/a"),
        lambda: transport.follow(machine, "true", print, cancelled=event),
        lambda: transport.shell(machine, "true", terminal=False),
        lambda: transport.wait_ready(machine, deadline_s=20, cancelled=event),
    ]


def test_every_verb_refuses_a_changed_host_key(subject: Subject) -> None:
    other = replace(subject.machine, host_keys=(new_host_key().public,))
    for verb in _verbs(subject.transport, other):
        with pytest.raises(HostKeyChanged) as told:
            verb()
        assert told.value.hint


def test_every_verb_refuses_a_machine_without_a_pinned_key(subject: Subject) -> None:
    unpinned = replace(subject.machine, host_keys=())
    for verb in _verbs(subject.transport, unpinned):
        with pytest.raises(TransportError, match="no host key is pinned") as told:
            verb()
        assert told.value.hint


def test_one_of_several_pinned_keys_is_enough(subject: Subject) -> None:
    several = replace(
        subject.machine, host_keys=(new_host_key().public, *subject.machine.host_keys)
    )
    assert subject.transport.run(several, "true").status == 0


def test_a_forgotten_machine_can_be_used_again(subject: Subject) -> None:
    assert subject.transport.run(subject.machine, "true").status == 0
    subject.transport.forget(subject.machine)
    subject.transport.forget(subject.machine)
    assert subject.transport.run(subject.machine, "true").status == 0


def test_closing_twice_is_fine(subject: Subject) -> None:
    subject.transport.run(subject.machine, "true")
    subject.transport.close()
    subject.transport.close()


def test_one_machine_that_fails_does_not_stop_the_others(subject: Subject) -> None:
    broken = replace(subject.machine, index=1, host_keys=())
    results = each([broken, subject.machine], lambda one: subject.transport.run(one, "true").status)
    assert list(results) == ["worker.1", "worker.0"]
    assert isinstance(results["worker.1"], LabctlError)
    assert results["worker.0"] == 0
