"""No lab file, however hostile, does anything but fail quickly, with places and harmless words."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest

from labctl.errors import SpecError
from labctl.spec.load import MOST_MISTAKES
from labctl.text import harmless
from tests.spec.hostile import CONTRADICTORY, MISSHAPEN, UNREADABLE
from tests.spec.vocabularies import HEAD, load

CORPUS: dict[str, bytes] = {
    **UNREADABLE,
    **{name: text.encode() for name, text in {**MISSHAPEN, **CONTRADICTORY}.items()},
}
LONGEST_CPU_S = 5.0  # the slowest takes about a tenth of that
MOST_MEMORY_BYTES = 64 * 2**20


def test_the_corpus_is_no_smaller_than_it_was() -> None:
    assert len(CORPUS) >= 170
    assert len(set(CORPUS.values())) == len(CORPUS)


@pytest.mark.parametrize("name", CORPUS)
def test_a_hostile_file_is_refused_with_a_place(tmp_path: Path, name: str) -> None:
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises(SpecError) as caught:
            load(tmp_path, CORPUS[name])
        spent_s = time.process_time() - began
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert spent_s < LONGEST_CPU_S
    assert peak_bytes < MOST_MEMORY_BYTES
    lines = CORPUS[name].count(b"\n") + 1
    mistakes = caught.value.mistakes
    assert 1 <= len(mistakes) <= MOST_MISTAKES + 1
    for mistake in mistakes:
        assert mistake.file == str(tmp_path / "lab.yaml")
        assert 1 <= mistake.line <= lines
        assert mistake.column >= 1
        assert mistake.message
        assert len(str(mistake)) < 2000
        assert harmless(str(mistake)) == str(mistake)
        assert "\n" not in str(mistake)


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"key{index}: 1\n" for index in range(15_000)),
        "a: 1\n" * 15_000,
        "resources:\n" + "".join(f"  r{i}: {{kind: sqs.que}}\n" for i in range(9_000)),
        "resources:\n" + "".join(f"  r{i}: {{kind: s3.bucket, x: 1}}\n" for i in range(5_000)),
        "resources:\n"
        + "".join(
            f"  r{i}: {{kind: sqs.queue, dead_letter: {{to: r{i}}}}}\n" for i in range(4_000)
        ),
        "outputs:\n" + "".join(f"  o{i}: '${{x{i}.y}}'\n" for i in range(9_000)),
        "panels: [" + "log, " * 9_000 + "logs]\n",
    ],
    ids=["keys", "duplicates", "kinds", "unknown", "circles", "references", "panels"],
)
def test_thousands_of_mistakes_are_counted_and_not_all_told(tmp_path: Path, text: str) -> None:
    began = time.process_time()
    with pytest.raises(SpecError) as caught:
        load(tmp_path, HEAD + text)
    assert time.process_time() - began < 20
    assert len(caught.value.mistakes) <= MOST_MISTAKES + 1


def test_words_of_the_file_are_made_harmless(tmp_path: Path) -> None:
    long = "x" * 5_000
    with pytest.raises(SpecError) as caught:
        load(
            tmp_path,
            f"{HEAD}resources: {{a: {{kind: '{long}', '{long[:900]}': 1}}}}\n? {long}\n: 1\n",
        )
    assert all(len(str(mistake)) < 1_000 for mistake in caught.value.mistakes)
