"""Discovery: a kind is one file; a duplicate or unknown name is an error that says so."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from labctl.errors import UsageError
from labctl.kinds.registry import kind, kinds
from labctl.spec.discovery import discover


def test_every_kind_is_found() -> None:
    assert list(kinds()) == [
        "dynamodb.table",
        "ec2.instance",
        "ec2.key_pair",
        "ec2.security_group",
        "iam.instance_profile",
        "s3.bucket",
        "sqs.queue",
    ]


@pytest.mark.parametrize("name", sorted(kinds()))
def test_every_kind_says_what_it_is(name: str) -> None:
    each = kinds()[name]
    assert each.name == name
    assert each.model.model_fields["kind"].default == name
    assert each.outputs
    assert each.actions == tuple(sorted(set(each.actions)))
    assert each.teardown_rank > 0


def test_an_unknown_kind_is_an_error_with_the_nearest_and_all_names() -> None:
    with pytest.raises(UsageError) as caught:
        kind("sqs.queu")
    assert "did you mean 'sqs.queue'?" in caught.value.hint
    assert "s3.bucket" in caught.value.hint


_BASE = """
from abc import ABC, abstractmethod
class Thing(ABC):
    @abstractmethod
    def act(self): ...
"""
_CHILD = """
from {package}.base import Thing
class Child(Thing):
    name = "{name}"
    def act(self): ...
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, Path]]:
    name = f"things_{tmp_path.name.replace('-', '_')}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "base.py").write_text(_BASE)
    (folder / "one.py").write_text(_CHILD.format(package=name, name="one"))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield import_module(name), folder
    for loaded in [each for each in sys.modules if each.split(".")[0] == name]:
        del sys.modules[loaded]


def base_of(package: ModuleType) -> type[object]:
    found: type[object] = import_module(f"{package.__name__}.base").Thing
    return found


def test_a_new_file_is_found_and_the_abstract_is_not(package: tuple[ModuleType, Path]) -> None:
    module, folder = package
    (folder / "two.py").write_text(
        _CHILD.format(package=module.__name__, name="two")
        + f"\nfrom {module.__name__}.one import Child as Borrowed\n"
    )
    assert list(discover(module, base_of(module))) == ["one", "two"]


def test_a_duplicate_names_both_files(package: tuple[ModuleType, Path]) -> None:
    module, folder = package
    (folder / "two.py").write_text(_CHILD.format(package=module.__name__, name="one"))
    with pytest.raises(ValueError, match=r"'one' is defined twice: .*\.one, .*\.two"):
        discover(module, base_of(module))
