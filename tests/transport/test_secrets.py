"""The secrets of a lab on a machine reached by real SSH: who can read them, and when they go."""

from __future__ import annotations

import stat
from pathlib import Path

from labctl.transport.secrets import push_secrets
from labctl.transport.services import install, remove_service
from labctl.transport.ssh import SshTransport
from tests.transport.sshd import SshServer, until
from tests.transport.test_services import log_of, ready, root_of, service

SHOWS = """
folder = os.environ["SECRETS"]
print({name: open(os.path.join(folder, name)).read() for name in sorted(os.listdir(folder))})
print("ready")
"""


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_a_service_reads_its_secrets_and_nobody_else(
    rooted: SshServer, transport: SshTransport
) -> None:
    machine, wanted = rooted.machine(), service(SHOWS, has_secrets=True)
    push_secrets(transport, machine, "numbers", {"reader": "canary-one", "writer": "canary-two"})
    folder = rooted.home / ".labctl/secrets/numbers"
    assert modes(folder) == {0o600}
    assert modes(folder.parent) == {0o700}
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    install(transport, machine, wanted)
    ready(transport, rooted)
    assert "{'reader': 'canary-one', 'writer': 'canary-two'}" in log_of(rooted)
    for path in root_of(rooted).joinpath("etc").rglob("*.service"):
        assert "canary" not in path.read_text()

    push_secrets(transport, machine, "numbers", {"reader": "canary-one", "writer": "canary-two"})
    assert install(transport, machine, wanted) is False
    push_secrets(transport, machine, "numbers", {"reader": "canary-new"})
    assert install(transport, machine, wanted) is True
    until(lambda: "{'reader': 'canary-new'}" in log_of(rooted))

    remove_service(transport, machine, "numbers", bundle="numbers_worker")
    assert not folder.parent.exists()
