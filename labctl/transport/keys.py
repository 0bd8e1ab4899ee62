"""The private keys that a login may use: the machine's own key file, or those of the user."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import paramiko
from paramiko.pkey import UnknownKeyType

from labctl.errors import TransportError
from labctl.transport.base import Machine

_DEFAULT_NAMES = ("id_ed25519", "id_ecdsa", "id_rsa")
_MOST_AGENT_KEYS = 5  # OpenSSH ends a login after six refused keys


class Keys:
    """Loads each key file once, and shares it between all logins."""

    def __init__(self) -> None:
        self._loaded: dict[tuple[Path, int], paramiko.PKey] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def offered(self, machine: Machine) -> Iterator[list[paramiko.PKey]]:
        """Give the keys to offer to a machine, in order; `TransportError` when there is none."""
        if machine.key_file is not None:
            yield [self._from_file(machine.key_file)]
            return
        agent = paramiko.Agent()
        try:
            keys = [*agent.get_keys()[:_MOST_AGENT_KEYS], *self._defaults()]
            if not keys:
                raise TransportError(
                    f"{machine.name}: there is no SSH key to log in with",
                    "give `key:` for the host, or add one to the SSH agent with `ssh-add`",
                )
            yield keys
        finally:
            agent.close()

    def _defaults(self) -> list[paramiko.PKey]:
        found = []
        for name in _DEFAULT_NAMES:
            path = Path.home() / ".ssh" / name
            # A default key that is locked or odd is passed over, as ssh does.
            with contextlib.suppress(TransportError):
                if path.is_file():
                    found.append(self._from_file(path))
        return found

    def _from_file(self, path: Path) -> paramiko.PKey:
        try:
            status = path.stat()
        except OSError as error:
            raise TransportError(
                f"the private key {path} cannot be read: {error.strerror}",
                "if labctl made it, `labctl up` makes it again",
            ) from error
        if status.st_mode & 0o077:
            raise TransportError(
                f"the private key {path} can be read by others", f"chmod 600 {path}"
            )
        with self._lock:
            known = (path, status.st_mtime_ns)
            if known not in self._loaded:
                self._loaded[known] = _parsed(path)
            return self._loaded[known]


def _parsed(path: Path) -> paramiko.PKey:
    try:
        return paramiko.PKey.from_path(path)
    except (paramiko.PasswordRequiredException, TypeError) as error:
        raise TransportError(
            f"the private key {path} has a passphrase",
            f"run `ssh-add {path}` and leave `key:` out, so that the SSH agent is asked",
        ) from error
    except (OSError, ValueError, paramiko.SSHException, UnknownKeyType) as error:
        raise TransportError(
            f"{path} is not a private key that labctl can use",
            "it takes ed25519, ECDSA and RSA keys in OpenSSH's or PEM format",
        ) from error
