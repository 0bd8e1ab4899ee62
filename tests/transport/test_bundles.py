"""Bundles: what goes in, what is refused, and that the digest follows the content alone."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import TransportError
from labctl.transport.base import Bundle
from labctl.transport.bundles import archive, bundle, digest_of, requirements_of

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1)
FILES = st.dictionaries(NAMES.filter(lambda name: name not in (".", "..")), st.binary(), max_size=6)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    folder = tmp_path / "remote" / "numbers_worker"
    (folder / "parts").mkdir(parents=True)
    (folder / "__main__.py").write_text("print('ready')\n")
    (folder / "parts" / "mean.py").write_text("\n")
    (folder / "requirements.txt").write_text("boto3>=1.40  # the queues\n\n# nothing else\n")
    return folder


@pytest.fixture
def runtime(program: Path) -> Path:
    folder = program.parent / "job_runtime"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "requirements.txt").write_text("boto3>=1.40\nrequests\n")
    return folder


def test_a_program_and_what_it_shares_lie_side_by_side(program: Path, runtime: Path) -> None:
    made = bundle(program, shared=[runtime])
    assert made.name == "numbers_worker"
    assert sorted(made.files) == [
        "job_runtime/__init__.py",
        "job_runtime/requirements.txt",
        "numbers_worker/__main__.py",
        "numbers_worker/parts/mean.py",
        "numbers_worker/requirements.txt",
    ]
    assert requirements_of(made) == ("boto3>=1.40", "requests")


def test_what_is_no_part_of_the_program_stays_out(program: Path) -> None:
    before = bundle(program).digest
    for name in ("__pycache__/a.pyc", ".git/config", ".env", "tests/test_it.py", "parts/.DS_Store"):
        (program / name).parent.mkdir(exist_ok=True)
        (program / name).write_text("x")
    assert bundle(program).digest == before


def test_times_and_modes_do_not_count_but_content_does(program: Path) -> None:
    before = bundle(program)
    os.utime(program / "__main__.py", (1, 1))
    (program / "__main__.py").chmod(0o700)
    assert bundle(program).digest == before.digest
    assert archive(bundle(program)) == archive(before)
    (program / "__main__.py").write_text("print('steady')\n")
    assert bundle(program).digest != before.digest


@pytest.mark.parametrize("target", ["/etc/passwd", "__main__.py", "nowhere"])
def test_links_are_refused(program: Path, target: str) -> None:
    (program / "parts" / "link").symlink_to(target)
    with pytest.raises(TransportError, match="is a link") as told:
        bundle(program)
    assert told.value.hint


def test_what_is_too_large_or_no_program_is_refused(program: Path, tmp_path: Path) -> None:
    with (program / "data.bin").open("wb") as file:
        file.truncate(20_000_001)
    with pytest.raises(TransportError, match="more than 20 MB"):
        bundle(program)
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "missing"):
        with pytest.raises(TransportError):
            bundle(folder)


def test_a_pipe_is_refused_not_read(program: Path) -> None:
    os.mkfifo(program / "pipe")
    with pytest.raises(TransportError, match="neither a file nor a folder"):
        bundle(program)


def test_a_name_that_is_not_utf8_is_refused(program: Path) -> None:
    (Path(os.fsdecode(os.fsencode(program) + b"/\xff"))).write_text("")
    with pytest.raises(TransportError, match="not UTF-8"):
        bundle(program)


@given(FILES)
def test_the_order_of_files_does_not_count(files: dict[str, bytes]) -> None:
    turned = dict(reversed(files.items()))
    assert digest_of(turned) == digest_of(files)
    assert archive(Bundle("a", turned)) == archive(Bundle("a", files))


@given(FILES, FILES)
def test_other_files_have_another_digest(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    assert (digest_of(one) == digest_of(other)) == (one == other)


@given(st.binary(), st.binary(min_size=1))
def test_what_moves_from_a_name_to_the_content_counts(name: bytes, rest: bytes) -> None:
    text = name.hex()
    assert digest_of({text + rest.hex(): b""}) != digest_of({text: rest.hex().encode()})


@given(FILES)
def test_an_archive_holds_exactly_the_files(files: dict[str, bytes]) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive(Bundle("a", files))), mode="r:gz") as tar:
        held = {}
        for entry in tar:
            opened = tar.extractfile(entry)
            assert opened is not None
            held[entry.name] = opened.read()
            assert (entry.mode, entry.mtime, entry.uid, entry.uname) == (0o644, 0, 0, "")
    assert held == files
