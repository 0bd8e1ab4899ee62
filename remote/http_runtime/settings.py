"""What the environment tells a service: where it listens, whom it asks, its secrets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


class SettingsError(Exception):
    """The environment does not say what a service must know."""


def text(environment: Mapping[str, str], name: str) -> str:
    """Return a variable that must be set; raises `SettingsError`."""
    found = environment.get(name, "").strip()
    if not found:
        raise SettingsError(f"not set in the environment: {name}")
    return found


def listed(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Return the parts between the commas of a variable; none when it is not set."""
    return tuple(filter(None, map(str.strip, environment.get(name, "").split(","))))


def number(environment: Mapping[str, str], name: str, default: float, *, most: float) -> float:
    """Return a number above zero; raises `SettingsError` for anything else."""
    found = environment.get(name) or str(default)
    try:
        value = float(found)
    except ValueError:
        value = -1.0
    if not 0 < value <= most:
        raise SettingsError(f"{name} is {found!r}, and must be a number above 0 and up to {most}")
    return value


def secret(environment: Mapping[str, str], name: str) -> str:
    """Return what the file of this name in the folder SECRETS holds; raises `SettingsError`."""
    try:
        found = (Path(text(environment, "SECRETS")) / name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"no secret '{name}': {error.strerror}") from error
    if not found:
        raise SettingsError(f"the secret '{name}' is empty")
    return found
