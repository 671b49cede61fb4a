"""Text as numbers: vocabularies of characters or words, and windows to predict the next one from.

A language model reads a text in order, so a corpus is cut into three parts that follow each other,
never into shuffled sentences. A `Vocabulary` says which number stands for which symbol, and
`windows` lays a long row of numbers out as examples.
"""

import re
from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from .arguments import between, whole
from .dataset import Dataset

UNKNOWN, PADDING = "<unk>", "<pad>"


@dataclass(frozen=True, repr=False)
class Vocabulary:
    """Symbols and their numbers, 0 to K - 1.

    Args:
        symbols: different strings, in the order of their numbers.
        split: function from a text to its list of symbols. Default: its characters.
        joiner: what stands between symbols when they become text again. Default "".
    """

    symbols: tuple
    split: object = list
    joiner: str = ""
    numbers: dict = field(init=False, compare=False)

    def __post_init__(self):
        object.__setattr__(self, "symbols", tuple(self.symbols))
        object.__setattr__(self, "numbers", {s: i for i, s in enumerate(self.symbols)})
        if len(self.numbers) < len(self.symbols):
            twice = [s for s, count in Counter(self.symbols).items() if count > 1]
            raise ValueError(f"Vocabulary: each symbol must be there once, {twice} come twice")

    def __len__(self):
        return len(self.symbols)

    def __repr__(self):
        return f"Vocabulary({len(self)} symbols: {', '.join(map(repr, self.symbols[:8]))} ...)"

    def encode(self, text):
        """Numbers of the symbols of `text`: (N,) int64.

        Raises:
            ValueError: for a symbol that is not in a vocabulary without "<unk>".
        """
        unknown = self.numbers.get(UNKNOWN)
        symbols = self.split(text)
        numbers = [self.numbers.get(symbol, unknown) for symbol in symbols]
        if None in numbers:
            place = numbers.index(None)
            raise ValueError(
                f"encode: {symbols[place]!r} (number {place} in the text) is not among the "
                f"{len(self)} symbols; build the vocabulary from a text that holds it"
            )
        return np.array(numbers, np.int64)

    def decode(self, numbers):
        """Text of numbers (N,); padding is left out.

        Raises:
            ValueError: if a number stands for no symbol.
        """
        numbers = np.asarray(numbers).reshape(-1)
        wrong = [n for n in numbers.tolist() if not (isinstance(n, int) and 0 <= n < len(self))]
        if wrong:
            raise ValueError(f"decode: expected integers in 0 .. {len(self) - 1}, got {wrong[0]}")
        symbols = (self.symbols[n] for n in numbers.tolist())
        return self.joiner.join(symbol for symbol in symbols if symbol != PADDING)


@dataclass(frozen=True, repr=False)
class Corpus:
    """A text with its origin. Nothing changes it.

    Args:
        text: all of it.
        name: what to call it in messages.
        source: where it comes from.
        licence: under which terms.
    """

    text: str
    name: str = "text"
    source: str = ""
    licence: str = ""

    def __post_init__(self):
        if not isinstance(self.text, str):
            raise TypeError(
                f"Corpus: expected a text, got {type(self.text).__name__}; "
                "decode bytes first: text.decode('utf-8')"
            )

    def __len__(self):
        return len(self.text)

    def __repr__(self):
        return f"Corpus({self.name}: {len(self):,} characters, {self.text[:40]!r} ...)"

    def split(self, validation=0.1, test=0.1):
        """Three corpora that follow each other: training, then validation, then test.

        Each cut moves forward to the end of its line, so that no word is broken; the three put
        together are the text. The shares are of the number of characters.

        Args:
            validation: share for validation. Default 0.1.
            test: share for the test, the end of the text. Default 0.1.

        Returns:
            (training, validation, test).

        Raises:
            ValueError: if the shares are out of range, or the text has too few lines to cut.
        """
        between("split", 0, 1, validation=validation, test=test)
        if validation + test >= 1:
            raise ValueError(
                f"split: shares must sum to less than 1, got validation={validation}, test={test}"
            )
        first = self._line_end(1 - validation - test)
        second = self._line_end(1 - test)
        cuts = {
            "training": slice(first),
            "validation": slice(first, second),
            "test": slice(second, None),
        }
        parts = [
            replace(self, text=self.text[cut], name=f"{self.name}, {part}")
            for part, cut in cuts.items()
        ]
        for part, share in zip(parts, (1, validation, test), strict=True):
            if share and not len(part):
                raise ValueError(
                    f"split: {self.name} has too few lines, nothing is left for {part.name}; "
                    "use larger shares or a longer text"
                )
        return tuple(parts)

    def _line_end(self, share):
        """Where the line ends that holds the character at `share` of the text."""
        near = max(round(share * len(self)) - 1, 0)
        return self.text.find("\n", near) + 1 or len(self)

    def characters(self):
        """`Vocabulary` of all characters of the text, in the order of their code points.

        Take it from the whole text, so that every part can be encoded.
        """
        return Vocabulary(sorted(set(self.text)))

    def words(self, size=None, minimum=1):
        """`Vocabulary` of words and signs, the most frequent first, after "<unk>" at 0.

        Take it from the training part: a word that only the test holds is unknown.

        Args:
            size: at most so many symbols, "<unk>" included. Default None, all.
            minimum: how often a word must occur. Default 1.

        Raises:
            TypeError, ValueError: if a number is out of range.
        """
        whole("words", minimum=minimum)
        if size is not None:
            whole("words", 2, size=size)
        counts = Counter(split_words(self.text))
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        frequent = [word for word in ranked if counts[word] >= minimum]
        limit = None if size is None else size - 1
        return Vocabulary([UNKNOWN, *frequent[:limit]], split_words, " ")


def split_words(text):
    """Words in lower case, and every sign between them on its own; spaces are dropped."""
    return re.findall(r"\w+|[^\w\s]", text.lower())


def windows(numbers, length, stride=None, name="windows"):
    """Windows of a long row, each with the same window one place further on as target.

    Args:
        numbers: (N,) integers, as `Vocabulary.encode` returns them.
        length: T, symbols in a window.
        stride: from the start of one window to that of the next. Default: `length`, so that every
            symbol is predicted once.
        name: of the data set.

    Returns:
        `Dataset` with inputs (M, T) and targets (M, T), int64; both are views, nothing is copied.

    Raises:
        TypeError, ValueError: if the row is shorter than one window and its next symbol.
    """
    numbers = _row("windows", numbers, length)
    stride = length if stride is None else stride
    whole("windows", stride=stride)
    views = np.lib.stride_tricks.sliding_window_view(numbers, length)
    return Dataset(views[:-1:stride], views[1::stride], name=name)


def streams(numbers, batch, length):
    """Yield (inputs, targets) of B streams read side by side, so that a state can be carried on.

    The row is cut into B pieces of equal length. Row b of every batch goes on where row b of the
    batch before it ended: what truncated backpropagation through time needs.

    Args:
        numbers: (N,) integers.
        batch: B, number of streams.
        length: T, symbols in a piece; the last may be shorter.

    Yields:
        inputs (B, T) and targets (B, T), views of `numbers`.

    Raises:
        TypeError, ValueError: if the row is too short.
    """
    whole("streams", batch=batch)
    numbers = _row("streams", numbers, length)
    each = (len(numbers) - 1) // batch
    if not each:
        raise ValueError(f"streams: {len(numbers)} symbols are too few for {batch} streams")
    inputs = numbers[: batch * each].reshape(batch, each)
    targets = numbers[1 : batch * each + 1].reshape(batch, each)
    for start in range(0, each, length):
        yield inputs[:, start : start + length], targets[:, start : start + length]


def _row(where, numbers, length):
    """`numbers` as an array (N,) with room for a window and the symbol after it."""
    whole(where, length=length)
    numbers = np.asarray(numbers)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise TypeError(
            f"{where}: expected a row of integers (N,), got {numbers.dtype} of shape "
            f"{numbers.shape}; encode the text first"
        )
    if len(numbers) <= length:
        raise ValueError(
            f"{where}: {len(numbers)} symbols are too few for windows of {length} and the symbol "
            "after them"
        )
    return numbers


def python_docs_text():
    """The Python reference manual, as it ships with every Python: half a million characters.

    It is the text behind ``help("for")``: the module ``pydoc_data.topics``, its topics in
    alphabetical order. Each version of Python has its own wording, so the characters, and any
    number computed from them, differ a little between versions; the split is by shares, and so
    fits them all.

    Returns:
        `Corpus`; ``python_docs_text().split()`` gives training, validation and test parts.

    Raises:
        FileNotFoundError: where a distribution has left the module out.
    """
    import platform

    try:
        from pydoc_data import topics
    except ImportError as error:
        raise FileNotFoundError(
            "python_docs_text: this Python comes without its reference text (the module "
            "pydoc_data.topics); install your system's full Python (on Debian and its kin "
            "the package libpython3-stdlib), or give a text of your own: "
            "Corpus(text=..., name=...)"
        ) from error
    pieces = (topics.topics[name].strip() for name in sorted(topics.topics))
    return Corpus(
        text="\n\n".join(pieces) + "\n",
        name="Python reference",
        source=f"The Python Language Reference, from pydoc_data.topics of Python "
        f"{platform.python_version()}",
        licence="PSF License, copyright Python Software Foundation",
    )
