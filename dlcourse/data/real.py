"""The full-size data sets of the literature: MNIST and its kin, CIFAR, two small books.

They are looked for in the data folder first, in any of the layouts in which people keep them, and
downloaded where they are not. What counts is the content: whether it came as idx, npz or pickle,
from a mirror or by hand, its checksum is taken over the bare images and labels. The checksums are
those that the publishers and the usual loaders state.
"""

import difflib
import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from .catalogue import CATALOGUE, Entry
from .dataset import Dataset
from .download import DataError, Remote, data_folder, fetch
from .formats import FormatError
from .text import Corpus


def mnist(split: str = "train") -> Dataset:
    """70,000 handwritten digits, 28 x 28 pixels (LeCun, Bottou, Bengio and Haffner, 1998).

    Args:
        split: ``"train"`` (60,000) or ``"test"`` (10,000). Default ``"train"``.

    Returns:
        `Dataset` with inputs (N, 1, 28, 28), float32 in [0, 1], and targets (N,), 0 to 9.

    Raises:
        ValueError: if there is no such split.
        DataError: if it is neither here nor to be had; the message names the ways out.
    """
    return _images("mnist", split)


def fashion_mnist(split: str = "train") -> Dataset:
    """70,000 photographs of clothes, 28 x 28 pixels, in place of digits (Xiao et al., 2017).

    Args, Returns, Raises: as `mnist`.
    """
    return _images("fashion_mnist", split)


def kmnist(split: str = "train") -> Dataset:
    """70,000 handwritten Japanese characters of 10 kinds, 28 x 28 pixels (Clanuwat et al., 2018).

    Args, Returns, Raises: as `mnist`.
    """
    return _images("kmnist", split)


def cifar10(split: str = "train") -> Dataset:
    """60,000 color photographs of 10 kinds of things, 32 x 32 pixels (Krizhevsky, 2009).

    Args:
        split: ``"train"`` (50,000) or ``"test"`` (10,000). Default ``"train"``.

    Returns:
        `Dataset` with inputs (N, 3, 32, 32), float32 in [0, 1], red, green, blue, and targets
        (N,), 0 to 9. The training set takes 614 MB of memory.

    Raises:
        ValueError: if there is no such split.
        DataError: if it is neither here nor to be had; the message names the ways out.
    """
    return _images("cifar10", split)


def cifar100(split: str = "train") -> Dataset:
    """60,000 color photographs of 100 kinds of things, 32 x 32 pixels (Krizhevsky, 2009).

    Args, Returns, Raises: as `cifar10`; the targets are the 100 fine classes, and
    `catalogue.SUPERCLASSES` says which of them belong together.
    """
    return _images("cifar100", split)


def tiny_shakespeare() -> Corpus:
    """1,115,394 characters of Shakespeare's plays (Karpathy, 2015).

    Returns:
        `Corpus`.

    Raises:
        DataError: if it is neither here nor to be had; the message names the ways out.
    """
    return _corpus("tiny_shakespeare")


def time_machine() -> Corpus:
    """H. G. Wells, The Time Machine (1895), as Dive into Deep Learning uses it.

    Returns, Raises: as `tiny_shakespeare`.
    """
    return _corpus("time_machine")


REAL = {
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
    "kmnist": kmnist,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "tiny_shakespeare": tiny_shakespeare,
    "time_machine": time_machine,
}


def entry(name: str) -> Entry:
    """What is known about a set.

    Raises:
        ValueError: if there is no set of this name.
    """
    if name not in CATALOGUE:
        near = difflib.get_close_matches(str(name), CATALOGUE, 1, 0.5)
        raise ValueError(
            f"no data set {name!r} to download; there are: {', '.join(CATALOGUE)}"
            + (f". Did you mean {near[0]}?" if near else "")
        )
    return CATALOGUE[name]


def get(name: str, progress: bool | None = None) -> list[Path]:
    """Have a set with all its splits in the data folder, and its content checked.

    Args:
        name: of the set.
        progress: whether to show bars. Default None: in a terminal or a notebook.

    Returns:
        paths of its files.

    Raises:
        ValueError: if there is no set of this name.
        DataError: if it is neither here nor to be had; the message names the ways out.
    """
    return _unique(
        _obtain(name, part, progress=progress)[1]
        for parts in entry(name).parts.values()
        for part in parts
    )


def where(name: str) -> list[Path]:
    """Where the files of a set lie, unchecked; empty unless there is one for each of its parts."""
    paths = []
    for part in (part for parts in entry(name).parts.values() for part in parts):
        here = [path for path, _, exact in part.places(data_folder()) if exact and path.exists()]
        if not here:
            return []
        paths.append(here[0])
    return _unique(paths)


def places(name: str) -> list[str]:
    """Where a download of the set would go."""
    parts = (part for parts in entry(name).parts.values() for part in parts)
    return [str(path) for path in _unique(data_folder() / p.remotes[0].name for p in parts)]


def verify(name: str) -> list[Path]:
    """Check the content of a set that is in the data folder, without a network.

    Returns:
        paths of the files that hold it.

    Raises:
        ValueError: if there is no set of this name.
        DataError: if a part is missing, or is not what it should be.
    """
    return _unique(
        _obtain(name, part, download=False)[1]
        for parts in entry(name).parts.values()
        for part in parts
    )


def _unique(paths: Iterable[Path]) -> list[Path]:
    return list(dict.fromkeys(paths))


def _images(name: str, split: str) -> Dataset:
    """A split of a set of images as a `Dataset`."""
    about = entry(name)
    if split not in about.parts:
        splits = " and ".join(repr(known) for known in about.parts)
        raise ValueError(f"{name}: no split {split!r}; there are {splits}")
    contents = [_obtain(name, part)[0] for part in about.parts[split]]
    images, labels = contents[0] if len(contents) == 1 else contents
    images = images if images.ndim == 4 else images[:, None]  # gray has one channel
    return Dataset(
        inputs=np.divide(images, np.float32(255), dtype=np.float32),
        targets=labels.astype(np.int64),
        classes=about.classes,
        name=f"{name} {split}",
        source=about.source,
        licence=about.licence,
    )


def _corpus(name: str) -> Corpus:
    about = entry(name)
    text, _ = _obtain(name, about.parts["all"][0])
    return Corpus(text=text, name=name, source=about.source, licence=about.licence)


def _obtain(name: str, part, download: bool = True, progress: bool | None = None) -> tuple:
    """(content, path) of a part, from the data folder or else from a mirror."""
    folder = data_folder()
    wrong, doubtful = [], []
    for path, read, exact in part.places(folder):
        if not path.exists():
            continue
        try:
            return read(path), path
        except (FormatError, OSError) as error:
            (wrong if exact else doubtful).append(str(error))
    remote = part.remotes[0]
    if wrong:
        raise DataError(
            f"{name}: what lies in the data folder is not it:\n"
            + "\n".join(f"  {line}" for line in wrong)
            + "\nRemove it, and it will be downloaded again.\n"
            + _ways_out(name, part, folder)
        )
    notes = "".join(f"\n  not used: {line}" for line in doubtful)
    if not download:
        raise DataError(
            f"{name}: not in {folder}: expected {remote.name}, {remote.size:,} bytes, "
            f"{remote.checksum}{notes}\n{_ways_out(name, part, folder)}"
        )
    failures = []
    for remote in part.remotes:
        read, contents = _reader(part, folder, remote), []
        try:
            check = lambda path: contents.append(read(path))  # noqa: B023 - called at once
            path = fetch(_with_own_mirror(remote), folder, check, progress)
            return contents[-1], path
        except DataError as error:
            failures.append(str(error))
            if error.errno != errno.EIO:  # the disk, where another archive fares no better
                break
    raise DataError(
        f"{name}: " + "\n".join(dict.fromkeys(failures)) + f"{notes}\n"
        + _ways_out(name, part, folder)
    )  # fmt: skip


def _reader(part, folder: Path, remote: Remote) -> Callable:
    """How to read a part from the file that a mirror sends."""
    target = folder / remote.name
    return next(read for path, read, _ in part.places(folder) if path == target)


def _with_own_mirror(remote: Remote) -> Remote:
    """The remote with the reader's own mirror first, a data folder that is served somewhere."""
    own = os.environ.get("DLCOURSE_MIRROR")
    if not own:
        return remote
    mirrors = (f"{own.rstrip('/')}/{remote.name}", *remote.mirrors)
    return Remote(remote.name, remote.size, remote.checksum, mirrors)


def _ways_out(name: str, part, folder: Path) -> str:
    files = [folder / remote.name for remote in part.remotes]
    return (
        "Three ways out:\n"
        "  another mirror: set DLCOURSE_MIRROR to the address of a data folder that someone\n"
        "    serves, for instance with `python -m http.server`\n"
        f"  by hand: put the file at {' or '.join(map(str, files))}\n"
        f"  without it: {entry(name).instead}"
    )
