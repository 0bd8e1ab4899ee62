"""Which labs there are: a `labs.yaml` and the labs built in. Quick to load: no pydantic here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from labctl.errors import Mistake, SpecError, UsageError
from labctl.paths import shipped
from labctl.spec.nearest import nearest_hint
from labctl.spec.quantities import life_s
from labctl.spec.yaml_text import Document, Route, load_file
from labctl.text import one_line

FILE_NAME = "labs.yaml"
LAB_FILE = "lab.yaml"
LIMITS_FOLDER = "profiles"  # beside a labs.yaml, and shipped

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_KEYS = ("apiVersion", "labs", "defaults", "hosts")
_ENTRY_KEYS = ("name", "path", "title", "course", "limits")
_DEFAULT_KEYS = ("target", "region", "profile", "ttl", "owner", "limits")


@dataclass(frozen=True)
class Entry:
    """One lab of a catalogue; `path` is its lab file, `built_in` whether labctl ships it."""

    name: str
    path: Path
    title: str
    course: str = ""
    built_in: bool = False
    limits: str | None = None


@dataclass(frozen=True)
class Defaults:
    """What a command takes when neither its options nor the lab say otherwise; `ttl_s` seconds.

    `limits` names the profile of the account's limits.
    """

    target: str = "local"
    region: str = "us-east-1"
    profile: str | None = None
    ttl_s: float | None = None
    owner: str | None = None
    limits: str | None = None


@dataclass(frozen=True)
class Catalogue:
    """The labs by name, the file's own before the built-in ones, and the defaults.

    `hosts` are the file's own text, by role; `catalogue_hosts` in `catalogue_hosts.py` checks it.
    """

    path: Path
    labs: Mapping[str, Entry]
    defaults: Defaults
    document: Document = field(repr=False)

    def limits_file(self, lab_file: Path | None = None) -> Path | None:
        """Return the profile of limits in force for a lab, or without one for any; None: none."""
        own = [each.limits for each in self.labs.values() if lab_file and each.path == lab_file]
        name = next(filter(None, own), self.defaults.limits)
        return limits_profiles(self.path.parent).get(name) if name else None


def limits_profiles(folder: Path) -> dict[str, Path]:
    """Return the files of the profiles of limits by name: a catalogue's own before those shipped.

    The folder is the catalogue's.
    """
    places = (shipped(LIMITS_FOLDER), folder / LIMITS_FOLDER)
    return {file.stem: file for place in places for file in sorted(place.glob("*.yaml"))}


def load_catalogue(named: Path | None = None, *, folder: Path | None = None) -> Catalogue:
    """Return the catalogue named (`--labs`), else the one in the folder or above, else built in.

    The folder is the working folder unless given. The built-in labs are in every catalogue,
    behind labs of the same name. Raises `SpecError` with every mistake of the file.
    """
    built_in = shipped(FILE_NAME)
    path = named or _above(folder or Path.cwd()) or built_in
    if _is_same(path, built_in):
        return _read(built_in, built_in=True)
    own = _read(path, built_in=False)
    labs = {**own.labs}
    for name, entry in _read(built_in, built_in=True).labs.items():
        labs.setdefault(name, entry)
    return Catalogue(own.path, labs, own.defaults, own.document)


def find_lab(name_or_path: str, catalogue: Catalogue) -> Path:
    """Return the lab file of a catalogue name or a path (`./mine.yaml`, a folder with a lab.yaml).

    Raises `UsageError`, with the nearest names, when there is none.
    """
    if entry := catalogue.labs.get(name_or_path):
        if not entry.path.is_file():
            message = f"the lab '{entry.name}' has no file {entry.path}"
            raise UsageError(message, f"see {catalogue.path}")
        return entry.path
    shown = one_line(name_or_path, limit=80)
    if not _looks_like_a_path(name_or_path):
        hint = nearest_hint(name_or_path, catalogue.labs)
        if _lab_file(name_or_path) is not None:
            hint = f"for the folder, say ./{shown}"
        raise UsageError(f"there is no lab '{shown}'", hint)
    found = _lab_file(name_or_path)
    if found is None:
        raise UsageError(f"there is no lab file at {shown}", "a lab is a name of `labctl list` too")
    return found


def _lab_file(text: str) -> Path | None:
    path = Path(text).expanduser()
    try:
        if path.is_dir():
            path = path / LAB_FILE
        return path if path.is_file() else None
    except (OSError, ValueError):  # too long, a NUL, a folder that may not be entered
        return None


def _looks_like_a_path(text: str) -> bool:
    return text.startswith((".", "~")) or "/" in text or "\\" in text or text.endswith(".yaml")


def _above(folder: Path) -> Path | None:
    for parent in (folder, *folder.parents):
        if (parent / FILE_NAME).is_file():
            return parent / FILE_NAME
    return None


def _is_same(path: Path, other: Path) -> bool:
    return path.exists() and other.exists() and path.samefile(other)


def _read(path: Path, *, built_in: bool) -> Catalogue:
    reading = _Reading(load_file(path))
    catalogue = reading.catalogue(path, built_in=built_in)
    if reading.mistakes:
        places = sorted(reading.mistakes, key=lambda mistake: (mistake.line, mistake.column))
        raise SpecError(places)
    return catalogue


class _Reading:
    """One reading of one catalogue, and what was found wrong with it."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.mistakes: list[Mistake] = list(document.mistakes)

    def catalogue(self, path: Path, *, built_in: bool) -> Catalogue:
        """Return the catalogue, as far as it is right."""
        data = self._document.data
        if not isinstance(data, dict):
            self._note((), "a catalogue is a mapping: apiVersion, labs, defaults")
            data = {"apiVersion": "labctl/v1"}
        self._only(data, (), _KEYS)
        if data.get("apiVersion") != "labctl/v1":
            self._note(("apiVersion",), "'apiVersion' must be labctl/v1")
        labs: dict[str, Entry] = {}
        entries: object = data.get("labs", [])
        if not isinstance(entries, list):
            self._note(("labs",), "'labs' must be a list")
            entries = []
        for index, item in enumerate(entries):
            entry = self._entry(item, ("labs", index), path.parent, built_in=built_in)
            if entry and entry.name in labs:
                self._note(("labs", index), f"two labs are named '{entry.name}'")
            elif entry:
                labs[entry.name] = entry
        defaults = self._defaults(data.get("defaults", {}), path.parent)
        return Catalogue(path, labs, defaults, self._document)

    def _entry(self, item: object, route: Route, folder: Path, *, built_in: bool) -> Entry | None:
        if not isinstance(item, dict):
            self._note(route, "a lab of the catalogue is a mapping: path, title, course")
            return None
        self._only(item, route, _ENTRY_KEYS)
        texts = {key: self._text(item, key, route) for key in _ENTRY_KEYS if key != "limits"}
        where, title = texts["path"], texts["title"]
        if not where or not title:
            missing = "path" if not where else "title"
            self._note(route, f"a lab of the catalogue needs a {missing}")
            return None
        path = folder / where
        if path.suffix not in (".yaml", ".yml"):
            path = path / LAB_FILE
        name = texts["name"] or (path.parent.name if path.name == LAB_FILE else path.stem)
        if not _NAME.fullmatch(name):
            hint = "lower-case letters, digits and '-', a letter first; or give a name"
            self._note(route, f"'{name}' is no name for a lab", hint)
        limits = self._limits(item, route, folder)
        return Entry(name, path, title, texts["course"] or "", built_in, limits)

    def _defaults(self, section: object, folder: Path) -> Defaults:
        if not isinstance(section, dict):
            self._note(("defaults",), "'defaults' must be a mapping")
            return Defaults()
        route: Route = ("defaults",)
        self._only(section, route, _DEFAULT_KEYS)
        ttl_s = None
        if "ttl" in section:
            try:
                ttl_s = life_s(section["ttl"])
            except ValueError as error:
                self._note((*route, "ttl"), f"'ttl': {error}")
        return Defaults(
            target=self._text(section, "target", route) or Defaults.target,
            region=self._text(section, "region", route) or Defaults.region,
            profile=self._text(section, "profile", route),
            ttl_s=ttl_s,
            owner=self._text(section, "owner", route),
            limits=self._limits(section, route, folder),
        )

    def _limits(self, data: Mapping[str, object], route: Route, folder: Path) -> str | None:
        name = self._text(data, "limits", route)
        if name is None or name in (known := limits_profiles(folder)):
            return name
        hint = f"valid: {', '.join(sorted(known))}"
        self._note((*route, "limits"), f"no profile of limits '{name}'", hint)
        return None

    def _text(self, data: Mapping[str, object], key: str, route: Route) -> str | None:
        value = data.get(key)
        if value is None or (isinstance(value, str) and value and "\n" not in value):
            return value
        self._note((*route, key), f"'{key}' must be one line of text")
        return None

    def _only(self, data: Mapping[str, object], route: Route, valid: tuple[str, ...]) -> None:
        for key in data.keys() - set(valid):
            message = f"unknown key '{key}'"
            self.mistakes.append(
                self._document.mistake((*route, key), message, nearest_hint(key, valid), at="key")
            )

    def _note(self, route: Route, message: str, hint: str = "") -> None:
        self.mistakes.append(self._document.mistake(route, message, hint))
