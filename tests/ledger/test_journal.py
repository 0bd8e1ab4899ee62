"""The journal survives a kill at any byte, and says only what was recorded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from labctl.ledger.journal import Journal, fold
from labctl.ledger.lines import read_records
from labctl.text import keep_secret

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["intend", "made", "deleting", "gone"]),
        st.sampled_from(["requests", "answers", "worker"]),
        st.text(max_size=20),
    ),
    max_size=20,
)


def write(path: Path, steps: list[tuple[str, str, str]]) -> Journal:
    journal = Journal(path)
    for did, resource, text in steps:
        match did:
            case "intend":
                journal.intend(resource=resource, kind="sqs.queue", name=text, needs=["dead"])
            case "made":
                journal.made(
                    resource, id=text, attributes={"url": text}, members=[{"n": 1}], needs=[]
                )
            case "deleting":
                journal.deleting(resource)
            case _:
                journal.gone(resource)
    return journal


@given(STEPS, st.floats(0, 1))
def test_any_torn_end_leaves_the_complete_records(
    steps: list[tuple[str, str, str]], kept: float
) -> None:
    with TemporaryDirectory() as folder:
        _check_torn_end(Path(folder) / "ledger.jsonl", steps, kept)


def _check_torn_end(path: Path, steps: list[tuple[str, str, str]], kept: float) -> None:
    write(path, steps).close()
    whole = path.read_bytes()
    cut = round(len(whole) * kept)
    path.write_bytes(whole[:cut])
    survivors = read_records(path)
    assert len(survivors) == whole[:cut].count(b"\n")
    reopened = Journal(path)
    assert reopened.entries == fold(survivors)
    reopened.intend(resource="more", kind="s3.bucket", name="b", needs=[])
    reopened.close()
    assert fold(read_records(path)) == {**fold(survivors), "more": reopened.entries["more"]}


@given(STEPS)
def test_what_is_read_back_is_what_was_known(steps: list[tuple[str, str, str]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.jsonl"
        journal = write(path, steps)
        known = journal.entries
        journal.close()
        assert fold(read_records(path)) == known


def test_a_resource_passes_through_its_states(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "ledger.jsonl")

    def now() -> tuple[str, str, int]:
        entry = journal.entries["jobs"]
        return entry.state, entry.id, entry.generation

    journal.intend(resource="jobs", kind="sqs.queue", name="n", needs=["dead"], generation=2)
    assert now() == ("creating", "", 2)
    journal.made("jobs", id="url", attributes={"url": "u"}, members=[], needs=["dead"])
    assert now() == ("standing", "url", 2)
    journal.deleting("jobs")
    assert now() == ("deleting", "url", 2)
    journal.gone("jobs")
    assert now() == ("gone", "url", 2)
    journal.close()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from labctl.ledger.journal import Journal
journal = Journal(Path(sys.argv[1]))
journal.intend(resource="first", kind="sqs.queue", name="n", needs=[])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = Path(sys.argv[1]).stat().st_size + 20
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
try:
    journal.intend(resource="second", kind="sqs.queue", name="n", needs=[])
except OSError:
    print("refused", sorted(journal.entries))
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
journal.intend(resource="third", kind="sqs.queue", name="n", needs=[])
"""


def test_a_full_disk_is_an_error_and_what_is_written_later_counts(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    command = [sys.executable, "-c", FULL_DISK, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "refused ['first']\n"
    assert sorted(fold(read_records(path))) == ["first", "third"]


def test_the_journal_is_private(tmp_path: Path) -> None:
    Journal(tmp_path / "ledger.jsonl").close()
    assert (tmp_path / "ledger.jsonl").stat().st_mode & 0o777 == 0o600


def test_the_journal_holds_no_secret(tmp_path: Path) -> None:
    keep_secret("a-secret-of-the-journal-tests")
    journal = Journal(tmp_path / "ledger.jsonl")
    journal.intend(resource="r", kind="k", name="a-secret-of-the-journal-tests", needs=[])
    journal.close()
    (record,) = read_records(tmp_path / "ledger.jsonl")
    assert record["name"] == "****"
