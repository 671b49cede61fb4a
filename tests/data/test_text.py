"""Text: vocabularies undo themselves, parts follow each other, windows shift by one."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse import data

POEM = data.Corpus(
    text="The sea was calm.\nThe wind was not.\nA boat, a sail,\nand then a knot.\n" * 3,
    name="poem", source="ours", licence="MIT",
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=200))
def test_characters_come_back(text):
    vocabulary = data.Corpus(text=text).characters()
    numbers = vocabulary.encode(text)
    assert numbers.dtype == np.int64
    assert vocabulary.decode(numbers) == text
    assert len(vocabulary) == len(set(text)) == len(set(numbers.tolist()))


def test_words():
    words = POEM.words()
    assert words.symbols[:3] == ("<unk>", ".", "a")  # nine each, in the order of code points
    counts = [" ".join(data.text.split_words(POEM.text)).split().count(w) for w in words.symbols]
    assert counts[1:] == sorted(counts[1:], reverse=True)
    assert words.decode(words.encode("The boat, the KNOT!")) == "the boat , the knot <unk>"
    assert POEM.words(size=3).symbols == words.symbols[:3]
    assert len(POEM.words(minimum=7)) == 1 + sum(count >= 7 for count in counts)


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(st.text("abc ", max_size=12), min_size=40, max_size=60),
    validation=st.floats(0.3, 0.35), test=st.floats(0.3, 0.35),
)  # fmt: skip
def test_parts_follow_each_other(lines, validation, test):
    corpus = data.Corpus(text="\n".join(["a line to begin", *lines, "and one to end"]) + "\n")
    parts = corpus.split(validation, test)
    assert "".join(part.text for part in parts) == corpus.text
    assert all(part.text.endswith("\n") for part in parts)
    assert abs(len(parts[0]) - (1 - validation - test) * len(corpus)) <= 17
    assert abs(len(parts[2]) - test * len(corpus)) <= 17


def test_too_few_lines_to_cut():
    with pytest.raises(ValueError, match="too few lines, nothing is left for poem, test"):
        data.Corpus(text="a single line", name="poem").split(0, 0.5)


def test_shares_of_zero_leave_an_empty_part():
    training, validation, test = POEM.split(0, 0.3)
    assert (len(validation), training.text + test.text) == (0, POEM.text)
    assert (training.source, test.licence) == ("ours", "MIT")


def test_windows_shift_by_one():
    numbers = np.arange(23)
    windows = data.windows(numbers, 5)
    assert windows.inputs.tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12, 13, 14],
                                       [15, 16, 17, 18, 19]][:4]  # fmt: skip
    np.testing.assert_array_equal(windows.targets, windows.inputs + 1)
    assert np.shares_memory(windows.inputs, numbers)
    assert len(data.windows(numbers, 5, stride=1)) == 18
    assert data.windows(np.arange(6), 5).targets.tolist() == [[1, 2, 3, 4, 5]]
    assert windows.to_torch().tensors[0].tolist() == windows.inputs.tolist()


def test_streams_go_on_where_they_ended():
    numbers = np.arange(100)
    pieces = list(data.streams(numbers, 3, 8))
    inputs = np.concatenate([x for x, _ in pieces], axis=1)
    targets = np.concatenate([t for _, t in pieces], axis=1)
    assert inputs.shape == (3, 33)
    assert inputs[:, 0].tolist() == [0, 33, 66]
    np.testing.assert_array_equal(np.diff(inputs, axis=1), 1)
    np.testing.assert_array_equal(targets, inputs + 1)
    assert np.shares_memory(pieces[0][0], numbers)


def test_python_docs():
    text = data.python_docs_text()
    assert len(text) > 200_000
    assert "yield" in text.text
    assert text.source.endswith(".".join(map(str, sys.version_info[:3])))
    parts = text.split()
    assert "".join(part.text for part in parts) == text.text
    assert len(parts[1]) / len(text) == pytest.approx(0.1, abs=0.01)
    characters = text.characters()
    assert characters.decode(characters.encode(parts[2].text)) == parts[2].text
    words = parts[0].words(size=2000)
    unknown = (words.encode(parts[2].text) == 0).mean()
    assert 0 < unknown < 0.3


def test_a_python_without_its_documentation(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data", None)
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(FileNotFoundError, match=r"pydoc_data.*Corpus\(text="):
        data.python_docs_text()
