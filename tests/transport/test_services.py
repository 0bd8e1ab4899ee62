"""Services on a machine reached by real SSH, with a root of its own as local instances have."""

from __future__ import annotations

import json
import shutil
import socket
import stat
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.errors import Interrupted, TransportError
from labctl.transport.base import Bundle, Machine
from labctl.transport.bundles import digest_of
from labctl.transport.credentials import push_credentials
from labctl.transport.packages import SystemPackage
from labctl.transport.service_readiness import LogSays, PortOpen, wait_service_ready
from labctl.transport.services import (
    install,
    log_script,
    remove_service,
    sample_services,
    service_state,
    signal_services,
    start_services,
    stop_service,
)
from labctl.transport.ssh import SshTransport
from labctl.transport.units import Service
from tests.transport.sshd import SshServer, free_port, until

STEADY = "import json, os, sys, time\nprint('begun')\n{}\ntime.sleep(60)\n"
NEVER = threading.Event()
CANARY = "wJalrXUtnFEMI-canary"


def service(body: str = "print('ready')", /, **changes: object) -> Service:
    files = {"numbers_worker/__main__.py": STEADY.format(body).encode()}
    values: dict[str, object] = {
        "name": "numbers",
        "bundle": Bundle("numbers_worker", files, digest_of(files)),
        "module": "numbers_worker",
        "stop_timeout_s": 5.0,
    }
    return Service(**{**values, **changes})  # type: ignore[arg-type]  # a test names any field


def root_of(server: SshServer) -> Path:
    return Path(server.environment["LABCTL_ROOT"])


def log_of(server: SshServer) -> str:
    return (root_of(server) / "var/log/labctl/numbers.log").read_text()


def starts(server: SshServer) -> int:
    diary = (root_of(server) / "run" / "diary").read_text().splitlines()
    return sum(line.startswith("start ") for line in diary)


def ready(transport: SshTransport, server: SshServer, text: str = "ready") -> None:
    wait_service_ready(
        transport, server.machine(), "numbers", LogSays(text), deadline_s=20, cancelled=NEVER
    )


def test_the_second_install_changes_nothing(rooted: SshServer, transport: SshTransport) -> None:
    assert install(transport, rooted.machine(), service()) is True
    ready(transport, rooted)
    first = service_state(transport, rooted.machine(), "numbers")
    assert first.state == "active"
    assert first.pid > 0
    assert install(transport, rooted.machine(), service()) is False
    ready(transport, rooted)
    assert service_state(transport, rooted.machine(), "numbers") == first
    assert starts(rooted) == 1


@pytest.mark.parametrize(
    "changed",
    [
        service("print('ready again')"),
        service(environment={"REQUESTS": "http://127.0.0.1:1/requests"}),
        service(arguments=("--fast",)),
        service(restart="on-failure"),
    ],
    ids=["program", "environment", "arguments", "restart"],
)
def test_what_changed_is_started_anew(
    rooted: SshServer, transport: SshTransport, changed: Service
) -> None:
    install(transport, rooted.machine(), service())
    before = service_state(transport, rooted.machine(), "numbers").pid
    assert install(transport, rooted.machine(), changed) is True
    assert service_state(transport, rooted.machine(), "numbers").pid != before
    assert install(transport, rooted.machine(), changed) is False
    assert starts(rooted) == 2


def test_what_is_down_is_started(rooted: SshServer, transport: SshTransport) -> None:
    install(transport, rooted.machine(), service())
    stop_service(transport, rooted.machine(), "numbers")
    assert service_state(transport, rooted.machine(), "numbers").state == "inactive"
    assert install(transport, rooted.machine(), service()) is True
    assert service_state(transport, rooted.machine(), "numbers").state == "active"


def process_state(pid: int) -> str:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return stat[stat.rindex(")") + 2]


def test_signals_reach_what_runs_and_pass_over_what_does_not(
    rooted: SshServer, transport: SshTransport
) -> None:
    machine = rooted.machine()
    install(transport, machine, service())
    pid = service_state(transport, machine, "numbers").pid
    signal_services(transport, machine, ["numbers", "absent"], "STOP")
    until(lambda: process_state(pid) == "T")
    signal_services(transport, machine, ["numbers"], "CONT")
    until(lambda: process_state(pid) == "S")
    signal_services(transport, machine, ["numbers"], "KILL", then_stop=True)
    assert service_state(transport, machine, "numbers").state == "inactive"
    start_services(transport, machine, ["numbers"])
    assert service_state(transport, machine, "numbers").state == "active"
    with pytest.raises(TransportError, match="absent does not start") as told:
        start_services(transport, machine, ["absent"])
    assert told.value.hint


def test_an_install_that_broke_off_before_the_start_is_made_good(
    rooted: SshServer, transport: SshTransport
) -> None:
    install(transport, rooted.machine(), service())
    (rooted.home / ".labctl/services/numbers.started").unlink()
    assert install(transport, rooted.machine(), service()) is True
    assert starts(rooted) == 2


def test_arguments_and_variables_reach_the_program(
    rooted: SshServer, transport: SshTransport
) -> None:
    hostile = ["a b", "", 'q"q', "it's", "$HOME ${HOME} $$", "100%h", "back\\slash\\n", "é;|&#*"]
    body = "print(json.dumps([sys.argv[1:], os.environ['HOSTILE'], os.getcwd()])); print('ready')"
    asked = service(body, arguments=tuple(hostile), environment={"HOSTILE": "".join(hostile)})
    install(transport, rooted.machine(), asked)
    ready(transport, rooted)
    arguments, variable, folder = json.loads(log_of(rooted).splitlines()[1])
    assert arguments == hostile
    assert variable == "".join(hostile)
    assert folder.endswith(f"/.labctl/agents/.numbers_worker-{asked.bundle.digest}")


def test_only_what_the_log_says_after_the_start_counts(
    rooted: SshServer, transport: SshTransport
) -> None:
    install(transport, rooted.machine(), service())
    ready(transport, rooted)
    install(transport, rooted.machine(), service("print('not yet')"))
    with pytest.raises(
        TransportError, match=r"not ready within 1 s; the end of its log:[^$]*not yet"
    ):
        wait_service_ready(
            transport, rooted.machine(), "numbers", LogSays("ready"), deadline_s=1, cancelled=NEVER
        )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("print('\\x1b]52;c;aGk=\\x07oh no'); sys.exit(3)", "failed"),
        ("print('oh no'); sys.exit(0)", "ended before it was ready"),
    ],
)
def test_a_service_that_ends_is_told_at_once_with_its_last_words(
    rooted: SshServer, transport: SshTransport, body: str, reason: str
) -> None:
    install(transport, rooted.machine(), service(body))
    with pytest.raises(TransportError, match=reason) as told:
        ready(transport, rooted)
    assert "oh no" in told.value.message
    assert "\x1b" not in told.value.message
    assert "labctl logs" in told.value.hint


def test_a_port_tells_that_it_is_ready(rooted: SshServer, transport: SshTransport) -> None:
    port = free_port()
    body = f"import socket; keep = socket.create_server(('127.0.0.1', {port}))"
    install(transport, rooted.machine(), service(body))
    wait_service_ready(
        transport, rooted.machine(), "numbers", PortOpen(port), deadline_s=20, cancelled=NEVER
    )
    with socket.create_connection(("127.0.0.1", port), 5):
        pass


def test_waiting_can_be_cancelled(rooted: SshServer, transport: SshTransport) -> None:
    install(transport, rooted.machine(), service("print('not yet')"))
    cancelled = threading.Event()
    threading.Timer(0.3, cancelled.set).start()
    with pytest.raises(Interrupted):
        wait_service_ready(
            transport, rooted.machine(), "numbers", LogSays("ready"), deadline_s=60,
            cancelled=cancelled,
        )  # fmt: skip


def test_requirements_that_the_provided_environment_lacks_are_told(
    rooted: SshServer, transport: SshTransport
) -> None:
    assert install(transport, rooted.machine(), service(requirements=("boto3>=1.40", "pyyaml")))
    with pytest.raises(TransportError, match="lacks: no-such-package>=2") as told:
        install(transport, rooted.machine(), service(requirements=("boto3", "no-such-package>=2")))
    assert told.value.hint


def programs_of(server: SshServer) -> Path:
    return Path(server.environment["PATH"].split(":")[0])


def wheel(folder: Path, name: str) -> str:
    """Make the smallest package that pip installs without any index, and return what to require."""
    path = folder / f"{name}-1-py3-none-any.whl"
    about = f"{name}-1.dist-info"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(f"{name}.py", f"said = 'this is {name}'\n")
        packed.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        packed.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        packed.writestr(f"{about}/RECORD", "")
    return f"{name} @ file://{path}"


def test_elsewhere_the_requirements_are_installed_once(
    rooted: SshServer, transport: SshTransport, tmp_path: Path
) -> None:
    shutil.rmtree(rooted.home / ".labctl")
    # As on Ubuntu: venv does not work before apt-get has installed it.
    python, apt = programs_of(rooted) / "python3", programs_of(rooted) / "apt-get"
    asked = tmp_path / "apt-was-asked"
    python.write_text(f'#!/bin/sh\n[ -e {asked} ] || exit 1\nexec {sys.executable} "$@"\n')
    apt.write_text(f'#!/bin/sh\necho "$@" >>{asked}\n')
    python.chmod(0o755)
    apt.chmod(0o755)
    body = "import first; print(first.said); print('ready')"
    asks = service(body, requirements=(wheel(tmp_path, "first"),))
    assert install(transport, rooted.machine(), asks) is True
    ready(transport, rooted)
    assert "this is first" in log_of(rooted)
    assert "install python3-venv" in asked.read_text()
    assert install(transport, rooted.machine(), asks) is False
    more = replace(asks, requirements=(*asks.requirements, wheel(tmp_path, "second")))
    assert install(transport, rooted.machine(), more) is True
    assert starts(rooted) == 2
    missing = replace(asks, requirements=(f"third @ file://{tmp_path}/third-1-py3-none-any.whl",))
    with pytest.raises(TransportError, match="cannot be installed") as told:
        install(transport, rooted.machine(), missing)
    assert told.value.hint


def test_elsewhere_the_packages_that_lack_are_installed_once(
    rooted: SshServer, transport: SshTransport, tmp_path: Path
) -> None:
    shutil.rmtree(rooted.home / ".labctl")
    asked, programs = tmp_path / "apt-was-asked", programs_of(rooted)
    apt = programs / "apt-get"
    brings = f'case "$*" in *install*) cp /bin/true {programs / "frobnicate"} ;; esac'
    apt.write_text(f'#!/bin/sh\necho "$@" >>{asked}\n{brings}\n')
    apt.chmod(0o755)
    packages = (
        SystemPackage("frobnicator", "frobnicate"),
        SystemPackage("base-files", "/etc/hostname"),
        SystemPackage("coreutils", "ls", "ls"),
    )
    assert install(transport, rooted.machine(), service(packages=packages)) is True
    ready(transport, rooted)
    (line,) = [line for line in asked.read_text().splitlines() if "install" in line]
    assert line.endswith("install frobnicator")
    assert install(transport, rooted.machine(), service(packages=packages)) is False
    assert len(asked.read_text().splitlines()) == 2


def test_a_unit_that_is_not_ours_is_not_touched(rooted: SshServer, transport: SshTransport) -> None:
    unit = root_of(rooted) / "etc/systemd/system/numbers.service"
    unit.write_text("[Service]\nExecStart=/bin/true\n")
    with pytest.raises(TransportError, match="that labctl did not make"):
        install(transport, rooted.machine(), service())
    remove_service(transport, rooted.machine(), "numbers", bundle="numbers_worker")
    assert unit.read_text() == "[Service]\nExecStart=/bin/true\n"


def test_a_machine_without_sudo_rights_or_systemd_is_told(
    rooted: SshServer, transport: SshTransport
) -> None:
    (programs_of(rooted) / "sudo").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(TransportError, match="asks .* for a password") as told:
        install(transport, rooted.machine(), service())
    assert "NOPASSWD" in told.value.hint
    (programs_of(rooted) / "sudo").write_text('#!/bin/sh\nshift\nexec "$@"\n')
    # /usr/bin may have a systemctl of its own: what follows must not find it.
    (programs_of(rooted) / "systemctl").unlink()
    for name in ("bash", "cat", "id", "mkdir", "tar", "gzip", "true", "readlink", "tail"):
        found = shutil.which(name, path="/usr/bin:/bin")
        assert found is not None
        (programs_of(rooted) / name).symlink_to(found)
    with pytest.raises(TransportError, match="no systemd") as told:
        stop_service(transport, bare(rooted), "numbers")
    assert told.value.hint


def bare(server: SshServer) -> Machine:
    """The same machine, with no other programs than those in its own folder."""
    server.environment["PATH"] = str(programs_of(server))
    server.stop()
    server.start()
    return server.machine()


def test_removing_leaves_nothing(rooted: SshServer, transport: SshTransport) -> None:
    machine = rooted.machine()
    before = sorted(str(path) for path in rooted.home.rglob("*"))
    install(transport, machine, service())
    install(transport, machine, service("print('two')"))
    push_credentials(transport, machine, "[default]\n")
    pid = service_state(transport, machine, "numbers").pid
    remove_service(transport, machine, "numbers", bundle="numbers_worker")
    assert sorted(str(path) for path in rooted.home.rglob("*")) == before
    assert not list((root_of(rooted) / "etc/systemd/system").iterdir())
    assert not (root_of(rooted) / "var/log/labctl").exists()
    until(lambda: not Path(f"/proc/{pid}/cwd").exists() or not _reads(pid))
    remove_service(transport, machine, "numbers", bundle="numbers_worker")


def _reads(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def test_removing_one_of_two_keeps_what_the_other_needs(
    rooted: SshServer, transport: SshTransport
) -> None:
    machine = rooted.machine()
    files = dict(service().bundle.files)
    other = replace(
        service(), name="other", bundle=Bundle("numbers_worker-2", files, digest_of(files))
    )
    install(transport, machine, service())
    install(transport, machine, other)
    push_credentials(transport, machine, "[default]\n")
    remove_service(transport, machine, "numbers", bundle="numbers_worker")
    assert service_state(transport, machine, "other").state == "active"
    assert (rooted.home / ".aws/credentials").exists()
    assert install(transport, machine, other) is False
    remove_service(transport, machine, "other", bundle="numbers_worker-2")
    assert not (rooted.home / ".aws").exists()


def test_the_log_can_be_shown_and_followed(rooted: SshServer, transport: SshTransport) -> None:
    machine = rooted.machine()
    with pytest.raises(TransportError, match="no log yet"):
        transport_run(transport, rooted, log_script("numbers", follow=False))
    install(transport, machine, service())
    ready(transport, rooted)
    assert (
        transport_run(transport, rooted, log_script("numbers", follow=False, lines=1)) == "ready\n"
    )
    cancelled, lines = threading.Event(), list[str]()

    def on_line(line: str) -> None:
        lines.append(line)
        if line == "ready":
            with (root_of(rooted) / "var/log/labctl/numbers.log").open("a") as log:
                log.write("more\n")
        if line == "more":
            cancelled.set()

    transport.follow(machine, log_script("numbers", follow=True), on_line, cancelled=cancelled)
    assert lines == ["begun", "ready", "more"]


def transport_run(transport: SshTransport, server: SshServer, script: str) -> str:
    from labctl.transport.scripts import output_of

    done = transport.run(server.machine(), script)
    return output_of(server.machine(), done, doing="it").decode()


def test_credentials_are_only_for_their_owner_and_never_on_a_command_line(
    rooted: SshServer, transport: SshTransport
) -> None:
    machine = rooted.machine()
    ini = f"[default]\naws_secret_access_key = {CANARY}\n"
    push_credentials(transport, machine, ini)
    path = rooted.home / ".aws" / "credentials"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.read_text().endswith(ini)
    push_credentials(transport, machine, ini.replace(CANARY, "newer"))
    assert "newer" in path.read_text()
    assert [entry.name for entry in path.parent.iterdir()] == ["credentials"]
    assert CANARY not in rooted.log.read_text()


def test_credentials_of_somebody_else_stay(rooted: SshServer, transport: SshTransport) -> None:
    path = rooted.home / ".aws" / "credentials"
    path.parent.mkdir()
    path.write_text("[default]\nmine = 1\n")
    with pytest.raises(TransportError, match="did not write") as told:
        push_credentials(transport, rooted.machine(), f"[default]\nx = {CANARY}\n")
    assert CANARY not in told.value.message + told.value.hint
    assert path.read_text() == "[default]\nmine = 1\n"
    install(transport, rooted.machine(), service())
    remove_service(transport, rooted.machine(), "numbers", bundle="numbers_worker")
    assert path.exists()


def test_a_sample_tells_state_load_and_last_words_of_each_service(
    rooted: SshServer, transport: SshTransport
) -> None:
    chatty = (
        r"print('x' * 10_000_000, flush=True); print('a\0b\033[31m', flush=True); print('ready')"
    )
    install(transport, rooted.machine(), service(chatty))
    ready(transport, rooted)
    running, missing = sample_services(
        transport, rooted.machine(), ["numbers", "missing"], lines=2, timeout_s=20
    )
    assert (running.name, running.state) == ("numbers", "active")
    assert running.pid == service_state(transport, rooted.machine(), "numbers").pid
    assert running.log.splitlines() == ["ab\x1b[31m", "ready"]
    if sys.platform == "linux":
        assert running.memory_bytes > 2**20
        assert 0 <= running.cpu_s < 60
    assert (missing.name, missing.pid, missing.log) == ("missing", 0, "")
