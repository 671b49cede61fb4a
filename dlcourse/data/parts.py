"""What a data set consists of, and how each part is recognized in any container.

A part is an array of images or labels, a split of CIFAR, or a text. It knows the places where it
may lie in the data folder, how to read it there, and the checksum of its bare content; so an idx
file, an npz archive and a pickle that hold the same numbers are all as good.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from . import formats
from .download import Remote
from .formats import FormatError


@dataclass(frozen=True)
class IdxPart:
    """One array of a set that is published as idx files.

    Args:
        file: its name, without .gz.
        folders: where it may lie in the data folder; a download goes into the first.
        shape: of the array, of bytes.
        checksum: of the idx file, unpacked: what every container must come down to.
        packed: checksum of the publisher's gzip file.
        size: of that file in bytes.
        mirrors: addresses of the folders where it lies.
        archives: npz files that may hold it, each with the array's names in them.
    """

    file: str
    folders: tuple[str, ...]
    shape: tuple[int, ...]
    checksum: str
    packed: str
    size: int
    mirrors: tuple[str, ...]
    archives: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def remotes(self) -> tuple[Remote, ...]:
        mirrors = tuple(f"{mirror}{self.file}.gz" for mirror in self.mirrors)
        name = f"{self.folders[0]}/{self.file}.gz"
        return (Remote(name, self.size, self.packed, mirrors),)

    def places(self, folder: Path) -> Iterable[tuple[Path, Callable, bool]]:
        """(path, how to read it, whether nothing else can be meant), wherever it may lie."""
        for inner in self.folders:
            for name in (self.file, self.file.replace("-idx", ".idx")):
                for end in ("", ".gz"):
                    yield folder / inner / (name + end), self.read, True
        for archive, names in self.archives:
            for inner in ("", *self.folders):
                yield folder / inner / archive, partial(self._read_npz, names=names), True

    def read(self, path: Path) -> np.ndarray:
        """The array in an idx file, if it is the right one."""
        return self._checked(formats.read_idx(path, limit=int(np.prod(self.shape))), path)

    def _read_npz(self, path: Path, names: tuple[str, ...]) -> np.ndarray:
        arrays = formats.read_npz(path, names, limit=8 * int(np.prod(self.shape)) + 4096)
        if not arrays:
            raise FormatError(f"{path}: has no array {' or '.join(names)}")
        return self._checked(_as_bytes(next(iter(arrays.values())), path), path)

    def _checked(self, array: np.ndarray, path: Path) -> np.ndarray:
        if array.shape != self.shape or array.dtype != np.uint8:
            raise FormatError(
                f"{path}: {array.dtype} {array.shape}, expected uint8 {self.shape}"
                + _subset(len(array), self.shape[0])
            )
        found = _checksum(self.checksum, formats.idx_header(array), array)
        if found != self.checksum and _file_checksum(self.packed, path) != self.packed:
            raise FormatError(
                f"{path}: wrong content, checksum {found}, expected {self.checksum} (of "
                f"{self.file}, unpacked)"
            )
        return array


@dataclass(frozen=True)
class CifarPart:
    """Images and labels of one split of CIFAR.

    Args:
        stem: ``"cifar-10"``, as the archives are called.
        files: names of the batches in the Python version; in the binary one they end in .bin.
        keys: the labels in a pickled batch, in the order of the binary records.
        split: ``"train"`` or ``"test"``, as npz files name it.
        count: images in the split.
        pickles: checksum of each pickled batch.
        batches: checksum of each binary batch: what npz files must come down to.
        coarse: the coarse class of each fine one, which CIFAR-100's binary records name first.
        remotes: the binary archive, in which nothing can run, then the Python version.
    """

    stem: str
    files: tuple[str, ...]
    keys: tuple[str, ...]
    split: str
    count: int
    pickles: tuple[str, ...]
    batches: tuple[str, ...]
    coarse: tuple[int, ...] | None
    remotes: tuple[Remote, ...]

    def places(self, folder: Path) -> Iterable[tuple[Path, Callable, bool]]:
        """(path, how to read it, whether nothing else can be meant), wherever it may lie."""
        short = self.stem.replace("-", "")
        folders = [folder, folder / short, folder / self.stem]
        unpacked = {"bin": ("batches-bin", "binary"), "py": ("batches-py", "python")}
        for inner in folders:
            for kind, ends in unpacked.items():
                read = partial(self._read_folder, binary=kind == "bin")
                yield from ((inner / f"{self.stem}-{end}", read, True) for end in ends)
            for version in ("binary", "python"):
                read = partial(self._read_archive, binary=version == "binary")
                for end in ("tar.gz", "tgz", "tar"):
                    yield inner / f"{self.stem}-{version}.{end}", read, True
            for path in sorted(inner.glob("*.npz")):
                rest = re.match(rf"{short}(?!\d)(.*)", path.stem.replace("-", ""))
                if rest:  # cifar10-subset.npz may hold all of it, but nobody says so
                    yield path, self._read_npz, not rest[1]

    def _read_folder(self, path: Path, binary: bool) -> tuple:
        def batches() -> Iterator[tuple[str, bytes]]:
            for file in self.files:
                file = path / (f"{file}.bin" if binary else file)
                if not file.is_file():
                    raise FormatError(f"{file} is missing")
                if file.stat().st_size > self._batch_size(1.1):
                    raise FormatError(f"{file}: {file.stat().st_size:,} bytes are too many")
                yield file.name, file.read_bytes()

        return self._join(batches(), path, binary)

    def _read_archive(self, path: Path, binary: bool) -> tuple:
        wanted = {f"{file}.bin" if binary else file for file in self.files}
        # Both splits lie in one archive, with a few small files.
        batches = formats.read_tar(path, wanted, most=240_000_000)
        return self._join(batches, path, binary)

    def _batch_size(self, factor: float) -> int:
        return int(self.count // len(self.files) * (formats.PIXELS + len(self.keys)) * factor)

    def _join(self, batches: Iterable[tuple[str, bytes]], path: Path, binary: bool) -> tuple:
        """The whole split from its batches, each of which is checked before it is opened."""
        found = {}
        for file, data in batches:
            index = self.files.index(file.removesuffix(".bin"))
            expected = self.batches[index] if binary else self.pickles[index]
            checksum = _checksum(expected, data)
            if checksum != expected:
                raise FormatError(f"{path}: {file} has checksum {checksum}, expected {expected}")
            name = f"{path}: {file}"
            if binary:
                found[index] = formats.read_cifar_binary(data, len(self.keys), name)
            else:
                found[index] = formats.read_cifar_pickle(data, self.keys, name)
        pairs = [found[index] for index in range(len(self.files))]
        images = np.concatenate([images for images, _ in pairs])
        labels = np.concatenate([labels[:, -1] for _, labels in pairs])
        return images, labels

    def _read_npz(self, path: Path) -> tuple:
        """Images and labels of an npz file, in the orders that are about."""
        names = [f"x_{self.split}", f"y_{self.split}"]
        others = [f"{self.split}_images", f"{self.split}_labels"]
        arrays = formats.read_npz(path, (*names, *others), 8 * self.count * (formats.PIXELS + 2))
        if len(arrays) != 2:
            raise FormatError(f"{path}: has no arrays {names} nor {others}")
        if names[0] not in arrays:
            names = others
        images, labels = (_as_bytes(arrays[name], path) for name in names)
        if len(images) != self.count or images.size != self.count * formats.PIXELS:
            raise FormatError(
                f"{path}: images are {images.shape}, expected ({self.count}, 32, 32, 3)"
                + _subset(len(images), self.count)
            )
        if labels.size != self.count or labels.max() >= 10 ** len(self.keys):
            raise FormatError(
                f"{path}: labels are {labels.shape} up to {labels.max()}, expected "
                f"({self.count},) and less than {10 ** len(self.keys)}"
            )
        if images.shape[1:] == (32, 32, 3):
            images = images.transpose(0, 3, 1, 2)
        images, labels = np.ascontiguousarray(images).reshape(-1, 3, 32, 32), labels.reshape(-1)
        columns = labels
        if self.coarse:
            columns = np.stack([np.array(self.coarse, np.uint8)[labels], labels], 1)
        size = self.count // len(self.files)
        for start, expected in zip(range(0, self.count, size), self.batches, strict=True):
            batch = slice(start, start + size)
            found = _checksum(expected, formats.cifar_binary(images[batch], columns[batch]))
            if found != expected:
                raise FormatError(
                    f"{path}: wrong content: images {start:,} to {start + size - 1:,} with their "
                    f"labels have checksum {found}, expected {expected}"
                )
        return images, labels


@dataclass(frozen=True)
class TextPart:
    """A text in one file.

    Args:
        files: names under which it may lie in the data folder; a download goes to the first.
        vague: further names that may as well be another text's.
        size: in bytes.
        checksum: of the text, with line ends of one character.
        mirrors: addresses of the file.
    """

    files: tuple[str, ...]
    vague: tuple[str, ...]
    size: int
    checksum: str
    mirrors: tuple[str, ...]

    @property
    def remotes(self) -> tuple[Remote, ...]:
        return (Remote(self.files[0], self.size, self.checksum, self.mirrors),)

    def places(self, folder: Path) -> Iterable[tuple[Path, Callable, bool]]:
        """(path, how to read it, whether nothing else can be meant), wherever it may lie."""
        yield from ((folder / name, self.read, True) for name in self.files)
        yield from ((folder / name, self.read, False) for name in self.vague)

    def read(self, path: Path) -> str:
        """The text, if it is the right one."""
        size = path.stat().st_size
        if size > 2 * self.size:
            raise FormatError(f"{path}: {size:,} bytes, expected {self.size:,}")
        data = path.read_bytes().replace(b"\r\n", b"\n")
        found = _checksum(self.checksum, data)
        if found != self.checksum:
            raise FormatError(
                f"{path}: wrong content: {len(data):,} bytes with checksum {found}, expected "
                f"{self.size:,} bytes with {self.checksum}"
            )
        return data.decode("utf-8")


def _checksum(like: str, *pieces: object) -> str:
    """Checksum in the manner of another one: ``md5 6bbc9ace…``."""
    algorithm = like.partition(" ")[0]
    digest = hashlib.new(algorithm, usedforsecurity=False)
    for piece in pieces:
        digest.update(np.ascontiguousarray(piece) if isinstance(piece, np.ndarray) else piece)
    return f"{algorithm} {digest.hexdigest()}"


def _file_checksum(like: str, path: Path) -> str:
    algorithm = like.partition(" ")[0]
    with path.open("rb") as file:
        return f"{algorithm} {hashlib.file_digest(file, algorithm).hexdigest()}"


def _as_bytes(array: np.ndarray, path: Path) -> np.ndarray:
    """Whole numbers from 0 to 255 as bytes, whatever type they came in."""
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "iu" or array.size == 0 or array.min() < 0 or array.max() > 255:
        raise FormatError(f"{path}: {array.dtype}, expected whole numbers from 0 to 255")
    return array.astype(np.uint8)


def _subset(found: int, expected: int) -> str:
    return f": {found:,} of {expected:,}, a part and not the whole" if found < expected else ""
