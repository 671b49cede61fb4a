"""The files in which classic data sets travel: idx, npz and the batches of CIFAR.

Bytes come in, arrays go out. Whatever a file claims about itself is checked against its length
before memory is asked for, so a broken or hostile file costs an error message and nothing else.
"""

import contextlib
import errno
import io
import math
import pickle
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
DEFLATE_BEST = 1032  # no byte that was deflated comes to more than this many
PIXELS = 3 * 32 * 32  # of a CIFAR image: red, green and blue planes, row by row


class FormatError(ValueError):
    """A file that is not what it should be."""


def read_idx(path: Path | str, limit: int | None = None) -> np.ndarray:
    """Read an array from an idx file, plain or gzipped (LeCun, Cortes and Burges, 1998).

    The file starts with two zero bytes, the code of the data type, the number of dimensions and
    the dimensions, 4 bytes each with the highest first; then come the entries, last index fastest.

    Args:
        path: of the file; gzip is recognized by its first bytes.
        limit: refuse an array of more than so many bytes. Default None: what the file can hold.

    Returns:
        array as the file describes it, in the machine's byte order.

    Raises:
        FormatError: if header and length don't fit, the file is cut off, or it isn't idx at all.
    """
    path = Path(path)
    with open_plain(path) as (file, most):
        start = file.read(4)
        if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in IDX_TYPES or not start[3]:
            raise FormatError(
                f"{path}: not an idx file: it starts with {start.hex(' ') or 'nothing'}, expected "
                "00 00, a type (08, 09, 0b to 0e) and the number of dimensions"
            )
        header = file.read(4 * start[3])
        if len(header) < 4 * start[3]:
            raise FormatError(f"{path}: cut off within its header of {4 + 4 * start[3]} bytes")
        shape = tuple(int(size) for size in np.frombuffer(header, ">u4"))
        dtype = np.dtype(IDX_TYPES[start[2]])
        size = math.prod(shape) * dtype.itemsize
        allowed = most if limit is None else min(most, limit)
        # An array without entries can still have sides too long for NumPy.
        if size > allowed or len(shape) > 32 or math.prod(max(d, 1) for d in shape) > 2**60:
            raise FormatError(
                f"{path}: the header promises {shape}, {size:,} bytes; expected at most {allowed:,}"
            )
        body = file.read(size + 1)
    if len(body) != size:
        what = "more" if len(body) > size else f"only {len(body):,}"
        raise FormatError(f"{path}: {size:,} bytes expected after the header, found {what}")
    return np.frombuffer(body, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def idx_header(array: np.ndarray) -> bytes:
    """The bytes with which an idx file of this array begins."""
    code = next(code for code, name in IDX_TYPES.items() if np.dtype(name) == array.dtype)
    return bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes()


@contextlib.contextmanager
def open_plain(path: Path, most: int | None = None) -> Iterator[tuple[io.BufferedIOBase, int]]:
    """Open a file for reading, through gzip if it is gzipped.

    Args:
        path: of the file.
        most: refuse to unpack more bytes than these. Default None: as many as gzip can squeeze in.

    Returns:
        (file, how many bytes it can hold at most).
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if gzipped:
            most = DEFLATE_BEST * size if most is None else most
            yield Gunzip(file, most, path), most
        else:
            yield file, size


class Gunzip(io.RawIOBase):
    """What a gzip file holds, piece by piece, and never more than `most` bytes of it."""

    def __init__(self, file, most: int, name: object = "gzip file"):
        self.file, self.left, self.name = file, most, name
        self.engine, self.ahead, self.waiting = zlib.decompressobj(31), bytearray(), b""

    def read(self, size: int = -1) -> bytes:
        """`size` bytes, fewer at the end; all of them by default."""
        while size < 0 or len(self.ahead) < size:
            piece = self._piece()
            if not piece:
                break
            self.ahead += piece
        size = len(self.ahead) if size < 0 else size
        result = bytes(memoryview(self.ahead)[:size])
        del self.ahead[:size]
        return result

    def readable(self) -> bool:
        return True

    def _piece(self) -> bytes:
        """The next unpacked bytes; none at the end."""
        while True:
            packed = self.waiting or self.file.read(1 << 18)
            if self.engine.eof:  # a gzip file may be several, one after another
                if not packed.strip(b"\0"):
                    return b""
                self.engine = zlib.decompressobj(31)
            elif not packed:
                raise FormatError(f"{self.name}: cut off: its gzip data has no end")
            try:
                piece = self.engine.decompress(packed, 1 << 20)
            except zlib.error as error:
                raise FormatError(f"{self.name}: damaged gzip data: {error}") from error
            self.waiting = self.engine.unconsumed_tail or self.engine.unused_data
            self.left -= len(piece)
            if self.left < 0:
                raise FormatError(f"{self.name}: unpacks to more than was expected of it")
            if piece:
                return piece


def read_npz(
    path: Path | str, names: tuple[str, ...] | None = None, limit: int | None = None
) -> dict[str, np.ndarray]:
    """Read arrays from an npz file, a zip archive with one npy file for each array.

    Args:
        path: of the file.
        names: the arrays wanted, as far as they are there. Default None, all.
        limit: refuse arrays of more than so many bytes together. Default None: as many as the
            file can hold.

    Returns:
        array for each name. Arrays of Python objects are refused: to read one is to run a program.

    Raises:
        FormatError: if the archive is damaged or what it claims can't be true.
    """
    path = Path(path)
    size = path.stat().st_size
    left = DEFLATE_BEST * size if limit is None else min(limit, DEFLATE_BEST * size)
    arrays = {}
    with path.open("rb") as file, _refuse(path, "not a readable npz file"):
        archive = zipfile.ZipFile(file)
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name == member.filename or (names is not None and name not in names):
                continue
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise FormatError(f"{path}: {member.filename} is packed in an unusual way")
            left -= member.file_size
            # Both sizes are claims; zipfile asks for as much memory as the packed one.
            if left < 0 or member.compress_size > size:
                raise FormatError(
                    f"{path}: {member.filename} claims {member.file_size:,} bytes; that is more "
                    "than is expected here, or than its file can hold"
                )
            with archive.open(member) as stream:
                arrays[name] = _read_npy(stream.read(), f"{path}: {member.filename}")
    return arrays


def _read_npy(data: bytes, name: str) -> np.ndarray:
    """The array in an npy file, whose header is checked before anything is made of it."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise FormatError(f"{name}: npy version {version}, expected 1.0 or 2.0")
    major = version[0]
    read = (np.lib.format.read_array_header_1_0, np.lib.format.read_array_header_2_0)[major - 1]
    shape, by_columns, dtype = read(stream)
    if dtype.hasobject or dtype.names or dtype.kind not in "biuf":
        raise FormatError(f"{name}: holds {dtype}, expected plain numbers")
    body = data[stream.tell() :]
    if any(size < 0 for size in shape) or math.prod(shape) * dtype.itemsize != len(body):
        raise FormatError(f"{name}: {len(body):,} bytes for an array {shape} of {dtype}")
    return np.frombuffer(body, dtype).reshape(shape, order="F" if by_columns else "C")


def read_tar(path: Path | str, names: set[str], most: int) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) of the wanted files in a tar archive, plain or gzipped.

    Nothing is unpacked to disk, and folders within the archive don't matter.

    Args:
        path: of the archive.
        names: of the files wanted, without folders.
        most: refuse an archive that unpacks to more bytes.

    Raises:
        FormatError: if the archive is damaged, too large, or lacks one of the files.
    """
    path, missing = Path(path), set(names)
    with (
        open_plain(path, most) as (file, _),
        _refuse(path, "not a readable tar archive"),
        tarfile.open(fileobj=file, mode="r|", bufsize=1 << 18) as archive,
    ):
        while missing and (member := archive.next()) is not None:
            archive.members.clear()  # or a long archive would fill the memory with its contents
            name = member.name.rsplit("/", 1)[-1]
            if name not in missing or not member.isreg():
                continue
            if member.size > most:
                raise FormatError(f"{path}: {name} claims {member.size:,} bytes")
            missing.remove(name)
            yield name, archive.extractfile(member).read()
        if missing:
            raise FormatError(f"{path}: lacks {', '.join(sorted(missing))}")


def read_cifar_binary(data: bytes, labels: int = 1, name: object = "batch") -> tuple:
    """Images and labels from the binary version of CIFAR (Krizhevsky, 2009).

    Args:
        data: records of `labels` bytes and 3,072 pixels, one after another.
        labels: 1 for CIFAR-10, 2 for CIFAR-100, whose records begin with the coarse class.
        name: what to call it in messages.

    Returns:
        (images (N, 3, 32, 32), labels (N, labels)), both uint8.

    Raises:
        FormatError: if the bytes aren't a whole number of records.
    """
    width = labels + PIXELS
    if not data or len(data) % width:
        raise FormatError(f"{name}: {len(data):,} bytes, expected a multiple of {width}")
    records = np.frombuffer(data, np.uint8).reshape(-1, width)
    return records[:, labels:].reshape(-1, 3, 32, 32), records[:, :labels]


def cifar_binary(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The records (N, labels + 3072) of CIFAR's binary version, from (N, 3, 32, 32) and labels."""
    return np.concatenate([labels.reshape(len(images), -1), images.reshape(len(images), -1)], 1)


def read_cifar_pickle(data: bytes, keys: tuple[str, ...], name: object = "batch") -> tuple:
    """Images and labels from a batch of CIFAR's Python version (Krizhevsky, 2009).

    A pickle is a program that builds objects, so this one runs with nothing at hand but lists,
    numbers, bytes and arrays of bytes. Nevertheless check the file's checksum first.

    Args:
        data: the pickle.
        keys: of the labels: ``("labels",)``, or ``("coarse_labels", "fine_labels")``.
        name: what to call it in messages.

    Returns:
        (images (N, 3, 32, 32), labels (N, len(keys))), both uint8.

    Raises:
        FormatError: if the pickle asks for anything else, or doesn't hold a batch.
    """
    with _refuse(name, "not a batch of CIFAR"):
        batch = _PlainUnpickler(io.BytesIO(data), encoding="bytes").load()
        images = np.asarray(batch[b"data"])
        columns = [np.array(batch[key.encode()]) for key in keys]
        labels = np.stack(columns, 1)
        if images.dtype != np.uint8 or images.shape != (len(labels), PIXELS):
            raise FormatError(f"{name}: images are {images.dtype} {images.shape}")
        if labels.dtype.kind != "i" or labels.min() < 0 or labels.max() > 255:
            raise FormatError(f"{name}: labels must be numbers from 0 to 255")
    return images.reshape(-1, 3, 32, 32), labels.astype(np.uint8)


class _PlainUnpickler(pickle.Unpickler):
    """Knows how to make an array of bytes, and refuses every other name in a pickle."""

    def find_class(self, module: str, name: str) -> Callable | str:
        known = {
            ("numpy.core.multiarray", "_reconstruct"): _empty_array,
            ("numpy._core.multiarray", "_reconstruct"): _empty_array,
            ("numpy", "ndarray"): "ndarray",  # only handed on to the function above
            ("numpy", "dtype"): _byte_dtype,
        }
        if (module, name) not in known:
            raise FormatError(f"the pickle asks for {module}.{name}; it may hold only plain data")
        return known[module, name]


def _empty_array(kind: object, shape: object, _letter: object) -> np.ndarray:
    if kind != "ndarray" or shape != (0,):
        raise FormatError(f"the pickle makes {kind} of shape {shape}, expected an empty array")
    return np.empty(0, np.uint8)


def _byte_dtype(name: object, *_options: object) -> np.dtype:
    if name not in ("u1", b"u1"):
        raise FormatError(f"the pickle holds an array of {name}, expected u1 (bytes)")
    return np.dtype("u1", copy=True)


@contextlib.contextmanager
def _refuse(name: object, words: str) -> Iterator[None]:
    """Turn whatever a parser stumbles over into a `FormatError`; the system's errors pass."""
    try:
        yield
    except FormatError:
        raise
    except Exception as error:  # parsers of hostile bytes raise nearly everything
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # that one: a mad offset
            raise
        raise FormatError(f"{name}: {words}: {type(error).__name__}: {error}") from error
