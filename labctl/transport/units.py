"""Renders a service as a systemd unit whose every value survives systemd's own reading."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from labctl.errors import TransportError
from labctl.paths import shipped
from labctl.transport.base import Bundle
from labctl.transport.packages import SystemPackage

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REQUIREMENT = re.compile(r"[A-Za-z0-9][^\x00-\x1f\x7f]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class Service:
    """A program of a bundle that a machine keeps running; its environment holds no secrets."""

    name: str
    bundle: Bundle
    module: str  # what `python3 -m` runs, in the bundle's folder
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    requirements: tuple[str, ...] = ()  # Python packages, as pip names them
    packages: tuple[SystemPackage, ...] = ()  # of the machine's system
    restart: Literal["always", "on-failure", "no"] = "always"
    stop_timeout_s: float = 20.0  # from SIGTERM to SIGKILL
    has_secrets: bool = False  # its environment names the folder that they are pushed to


@dataclass(frozen=True)
class Login:
    """What a machine said about our login on it."""

    home: str
    user: str
    root: str  # on a local instance, the folder its system folders lie in; else empty


def check_service(service: Service) -> None:
    """Raise `TransportError` naming the first value that no unit can carry."""
    for what, value, shape in (
        ("service name", service.name, _NAME),
        ("module", service.module, _MODULE),
        *(("environment variable", name, _VARIABLE) for name in service.environment),
        *(("requirement", line, _REQUIREMENT) for line in service.requirements),
    ):
        if not shape.fullmatch(value):
            raise TransportError(
                f"{value!r} cannot be a {what} of the agent {service.name!r}",
                "see the agent in the lab file",
            )
    named = [(f"environment variable {name}", text) for name, text in service.environment.items()]
    for what, value in (*named, *(("argument", text) for text in service.arguments)):
        if _CONTROL.search(value):
            raise TransportError(
                f"the {what} of the agent {service.name} has a line break or control character",
                "write it into a file of the bundle instead",
            )


def unit_text(service: Service, login: Login) -> str:
    """Return the systemd unit of a service for one machine, without a newline at its end."""
    check_service(service)
    python = f"{login.home}/.labctl/venv/bin/python3"
    environment = dict(service.environment)
    if service.has_secrets:
        environment["SECRETS"] = f"{login.home}/.labctl/secrets/{service.name}"
    words = ["-u", "-m", service.module, *service.arguments]
    template = shipped("templates", "service.unit").read_text(encoding="utf-8")
    text = string.Template(template).substitute(
        digest=service.bundle.digest,
        name=service.name,
        user=login.user,
        folder=_plain(f"{login.home}/.labctl/agents/{service.bundle.name}"),
        # The program's own path is the one word in which systemd expands no variables.
        command=" ".join([_quoted(python), *(_quoted(word, variables=True) for word in words)]),
        restart=service.restart,
        stop_timeout_s=f"{service.stop_timeout_s:g}",
        log=_plain(log_path(service.name, login)),
        environment="".join(
            f"Environment={_quoted(f'{name}={value}')}\n"
            for name, value in sorted(environment.items())
        ),
    )
    return text.rstrip("\n")


def log_path(name: str, login: Login) -> str:
    """Return where a service's output goes on the machine."""
    return f"{login.root}/var/log/labctl/{name}.log"


def _plain(value: str) -> str:
    """Return a value for a setting that systemd takes whole, but expands `%` in."""
    if _CONTROL.search(value):
        raise TransportError("the home folder on the machine has a control character in its name")
    return value.replace("%", "%%")


def _quoted(value: str, *, variables: bool = False) -> str:
    r"""Return a value as one word, where systemd reads quotes, `\`, `%` and perhaps `$`."""
    text = _plain(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text.replace("$", "$$") if variables else text}"'
