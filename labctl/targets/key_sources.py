"""Where the keys of a target come from: the user's standard chain, one file, or keys in hand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from labctl.targets.key_file import (
    end_said,
    is_temporary,
    profile_section,
    stale_token_line,
)

_FILE, _ENVIRONMENT = "shared-credentials-file", "env"
_NAMES = {
    "assume-role": "the role that profile {profile} assumes",
    "assume-role-with-web-identity": "the web identity of profile {profile}",
    "config-file": "profile {profile} in {config}",
    "container-role": "the container's role",
    "custom-process": "the credential_process of profile {profile}",
    "iam-role": "this machine's instance profile",
    "login": "the login of profile {profile}",
    "sso": "the single sign-on of profile {profile}",
    _ENVIRONMENT: "the environment's AWS_ACCESS_KEY_ID",
    _FILE: "profile {profile} in {file}",
}
_REMEDIES = {
    "config-file": "save new keys there, or `labctl creds paste`",
    "login": "aws login --profile {profile}",
    "sso": "aws sso login --profile {profile}",
    _ENVIRONMENT: "they win over every file and cannot change while a command runs: unset "
    "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN, and run it again",
    _FILE: "save new keys there, or `labctl creds paste`",
}


_REMEDY = "renew what stands behind it"


@dataclass(frozen=True)
class OpenedKeys:
    """Keys as botocore found them: where, how, and until when if their source says so."""

    credentials: Any  # botocore's Credentials: some of them refresh themselves
    name: str
    remedy: str
    may_change: bool  # whether new keys can come while this process runs
    refreshed: bool  # whether a source gives new ones by itself
    end_said: float | None  # unix seconds


class KeySource(Protocol):
    """A place where keys are looked for, and looked for again when it changes."""

    def fingerprint(self) -> object:
        """Return what differs once a file behind the keys was saved; cheap."""

    def open(self) -> OpenedKeys:
        """Return what is there now. Raises botocore's errors when it is nothing, or half."""

    def session(self) -> Any:  # noqa: ANN401 - botocore's Session has no usable type
        """Return a new botocore session with the settings that belong to these keys."""

    def traps(self) -> list[str]:
        """Return what makes other keys win than the user would think, a line each."""


class FixedKeys:
    """Keys in hand, which never end."""

    def __init__(self, access_key: str, secret_key: str) -> None:
        from botocore.credentials import Credentials

        self._opened = OpenedKeys(
            Credentials(access_key, secret_key),
            "the local cloud's own keys",
            "",
            False,
            False,
            None,
        )

    def fingerprint(self) -> object:
        """Return nothing that changes."""
        return None

    def open(self) -> OpenedKeys:
        """Return the keys."""
        return self._opened

    def session(self) -> Any:  # noqa: ANN401 - botocore's Session has no usable type
        """Return a session for which nothing of the user's matters: profile, files, reporting."""
        return _isolated_session()

    def traps(self) -> list[str]:
        """Return nothing: no file or variable matters."""
        return []


class ChainKeys:
    """The standard chain of a profile: environment, files, roles, single sign-on, processes.

    With a `file` its profile `default` is the only thing that matters; `name` and `remedy` say
    for a reader what it is and how it gets new keys.
    """

    def __init__(
        self,
        profile: str | None = None,
        *,
        file: Path | None = None,
        name: str = "",
        remedy: str = "",
    ) -> None:
        self._given = file
        self._name, self._remedy = name, remedy
        self.profile = profile or ("default" if file else os.environ.get("AWS_PROFILE", "default"))
        # Named by labctl, a profile beats the environment's keys; botocore must be told the same.
        self._explicit = "default" if file else profile
        self.file = file or _path("AWS_SHARED_CREDENTIALS_FILE", "credentials")
        self.config = _path("AWS_CONFIG_FILE", "config")
        home = Path("~/.aws").expanduser()
        self._watched = [self.file, self.config, home / "sso" / "cache", home / "login" / "cache"]

    def fingerprint(self) -> object:
        """Return what identifies the state of every file that may hold or name keys."""
        return tuple(_stamp(path) for path in self._watched)

    def open(self) -> OpenedKeys:
        """Return the keys of the chain as they are now; a session's without its token are half."""
        from botocore.exceptions import NoCredentialsError, PartialCredentialsError

        found = self._chain().get_credentials()
        if found is None:
            raise NoCredentialsError
        frozen = found.get_frozen_credentials()
        if is_temporary(frozen.access_key) and not frozen.token:
            raise PartialCredentialsError(provider=found.method, cred_var="aws_session_token")
        return self._described(found)

    def session(self) -> Any:  # noqa: ANN401 - botocore's Session has no usable type
        """Return a session of the profile; with a given file one where nothing else matters."""
        return _isolated_session() if self._given is not None else self._chain()

    def _chain(self) -> Any:  # noqa: ANN401 - as above
        from botocore.session import Session

        if self._given is None:
            return Session(profile=self._explicit)
        only_file = {
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, str(self._given), None),
        }
        # Named, the profile keeps the environment's keys out.
        return Session(profile="default", session_vars=only_file)

    def _described(self, found: Any) -> OpenedKeys:  # noqa: ANN401 - botocore's Credentials
        method = str(found.method)
        places = {"profile": self.profile, "file": _short(self.file), "config": _short(self.config)}
        expiry = getattr(found, "_expiry_time", None)  # botocore tells it nowhere else
        end: float | None = None
        if expiry is not None:
            end = float(expiry.timestamp())
        elif method == _FILE:
            end = end_said(profile_section(self.file, self.profile))
        return OpenedKeys(
            credentials=found,
            name=self._name or _NAMES.get(method, method).format(**places),
            remedy=self._remedy or _REMEDIES.get(method, _REMEDY).format(**places),
            may_change=method != _ENVIRONMENT,
            refreshed=expiry is not None,
            end_said=end,
        )

    def traps(self) -> list[str]:
        """Name keys in the environment that beat the file, and a left-over token in it."""
        found = []
        in_file = "aws_access_key_id" in profile_section(self.file, self.profile)
        if self._explicit is None and os.environ.get("AWS_ACCESS_KEY_ID") and in_file:
            found.append(
                f"AWS_ACCESS_KEY_ID of the environment wins over profile {self.profile} in "
                f"{_short(self.file)}: unset it to use the file"
            )
        line = stale_token_line(self.file, self.profile)
        if line is not None:
            found.append(
                f"{_short(self.file)}:{line}: a left-over aws_security_token wins over "
                "aws_session_token: delete that line"
            )
        return found


def _isolated_session() -> Any:  # noqa: ANN401 - botocore's Session has no usable type
    from botocore.session import Session

    return Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
            "csm_enabled": (None, None, False, None),
        }
    )


def _path(variable: str, name: str) -> Path:
    return Path(os.environ.get(variable) or f"~/.aws/{name}").expanduser()


def _short(path: Path) -> str:
    """Return a path as people write it, with ~ for their home."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except ValueError:
        return str(path)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
