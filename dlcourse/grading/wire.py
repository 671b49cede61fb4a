"""What crosses between the judge and a student's process: plain values, in frames of a capped size.

Both ends speak msgpack, never pickle: a message can hold numbers, text, lists and arrays, and no
code. The judge's end believes nothing. Sizes, depths, shapes and the number of parts are checked
before memory is given to them, and whatever is not as it should be is a `Violation`.
"""

import gc
import math
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain

import msgpack
import numpy as np

LIST, TUPLE, DICT, ARRAY, TENSOR, SCALAR, COMPLEX, LONG, HANDLE = range(9)

# The only kinds of entry that cross, little-endian: True/False, whole, real and complex numbers.
_NAMES = ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]
DTYPES = {name: np.dtype(f"<{name}") for name in _NAMES}

MAX_DEPTH = 40
MAX_PARTS = 250_000  # items of lists and dicts in one message, at all depths together
MAX_BITS = 4096  # of a whole number
MAX_HEAD = 8 << 20  # bytes of everything but the entries of arrays
MAX_BLOB = 64 << 20  # bytes of those entries

_PLAIN = frozenset({type(None), bool, int, float, str, bytes})
_FRAME = struct.Struct(">II")


class Violation(Exception):
    """A message that no honest process sends: forged, torn, or beyond a limit."""


class Unsendable(ValueError):
    """A value that is too large, too deep or too strange to be sent."""


class Closed(Exception):
    """The other end is gone."""


class LateAnswer(Exception):
    """Nothing came before the deadline."""


@dataclass(frozen=True)
class Handle:
    """A value that stays where it is, and what may be said about it."""

    number: int
    type: str
    name: str
    callable: bool


# --- values to bytes ------------------------------------------------------------------------------


def pack(value, keep: Callable[[object], Handle] | None = None) -> bytes:
    """One frame that holds `value`.

    Args:
        value: None, a bool, number, str, bytes, list, tuple, dict, array or tensor, nested.
        keep: called with what is none of these; returns the handle that is sent in its place.

    Raises:
        Unsendable: it is none of these and there is no `keep`, or it is beyond a limit.
    """
    try:
        packer = _Packer(keep, careful=False)
        head = msgpack.packb(packer.tree(value, 0))
    except (OverflowError, UnicodeEncodeError):  # a huge number, or half of a surrogate pair
        packer = _Packer(keep, careful=True)
        head = msgpack.packb(packer.tree(value, 0))
    size = sum(blob.nbytes for blob in packer.blobs)
    if len(head) > MAX_HEAD or size > MAX_BLOB:
        raise Unsendable(f"a value of {(len(head) + size) >> 20} MB is too large to be handed over")
    return b"".join([_FRAME.pack(len(head), size), head, *packer.blobs])


class _Packer:
    """Turns a value into what msgpack knows: scalars, and lists that begin with a tag."""

    def __init__(self, keep, careful: bool):
        self.keep, self.careful, self.blobs, self.parts = keep, careful, [], 0

    def tree(self, value, depth: int):
        kind = type(value)
        if kind in _PLAIN:
            return self.plain(value) if self.careful else value
        if depth > MAX_DEPTH:
            raise Unsendable(f"a value nested more than {MAX_DEPTH} deep cannot be handed over")
        return self.container(value, depth + 1)

    def plain(self, value):
        if type(value) is str:
            return value.encode("utf-8", "replace").decode()
        return self.whole(value) if type(value) is int else value

    def whole(self, value: int):
        if -(1 << 63) <= value < 1 << 63:
            return value
        if value.bit_length() > MAX_BITS:
            raise Unsendable(f"a whole number of {value.bit_length()} bits is too large")
        return [LONG, hex(value)]

    def container(self, value, depth: int):
        kind = type(value)
        if kind is list:
            return [LIST, *self.items(value, depth)]
        if kind is tuple:
            return [TUPLE, *self.items(value, depth)]
        if isinstance(value, (np.ndarray, np.generic)):
            return self.array(value)
        return self.collapsed(value, depth)

    def collapsed(self, value, depth: int):
        """Subclasses are taken for what they hold, by their base class's own methods."""
        if isinstance(value, list):
            return [LIST, *self.items(list.__iter__(value), depth)]
        if isinstance(value, tuple):
            return [TUPLE, *self.items(tuple.__iter__(value), depth)]
        if isinstance(value, dict):
            return [DICT, *self.items(chain.from_iterable(dict.items(value)), depth)]
        if isinstance(value, complex):
            return [COMPLEX, complex.__getattribute__(value, "real"),
                    complex.__getattribute__(value, "imag")]  # fmt: skip
        for base in (int, float, str, bytes):
            if isinstance(value, base):
                return self.tree(base.__add__(value, base()), depth)
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(value, torch.Tensor):
            return self.tensor(value, torch)
        return self.handle(value)

    def items(self, items: Iterable, depth: int) -> list:
        items = list(items)
        self.parts += len(items)
        if self.parts > MAX_PARTS:
            raise Unsendable(f"more than {MAX_PARTS} parts cannot be handed over at once")
        if self.careful:
            return [self.tree(item, depth) for item in items]
        return [item if type(item) in _PLAIN else self.tree(item, depth) for item in items]

    def array(self, value):
        array = np.array(value, subok=False)  # a copy of the entries, without the subclass
        if array.dtype.kind == "f" and array.dtype.itemsize > 8:
            array = array.astype("f8")
        if array.dtype.kind == "c" and array.dtype.itemsize > 16:
            array = array.astype("c16")
        name = f"{array.dtype.kind}{array.dtype.itemsize}"
        if name not in DTYPES:
            return self.handle(value)
        return [SCALAR if isinstance(value, np.generic) else ARRAY, *self.entries(array, name)]

    def tensor(self, value, torch):
        value = value.detach().cpu().resolve_conj().resolve_neg()
        if value.dtype == torch.bfloat16:
            value = value.float()
        array = value.to_dense().numpy() if value.layout != torch.strided else value.numpy()
        return [TENSOR, *self.entries(array, f"{array.dtype.kind}{array.dtype.itemsize}")]

    def entries(self, array: np.ndarray, name: str) -> list:
        # reshape: a view of shape () cannot be cast to bytes
        array = np.ascontiguousarray(array, DTYPES[name]).reshape(array.shape)
        self.blobs.append(memoryview(array.reshape(-1).view("u1")))
        return [name, list(array.shape)]

    def handle(self, value):
        if self.keep is None:
            raise Unsendable(f"a {type(value).__name__} cannot be handed over")
        kept = self.keep(value)
        return [HANDLE, kept.number, kept.type, kept.name, kept.callable]


# --- bytes to values ------------------------------------------------------------------------------


def unpack(head: bytes, blob: bytes, *, handle: Callable = lambda handle: handle, tensors=False):
    """The value that a frame holds.

    Args:
        head, blob: its two parts.
        handle: what a `Handle` is turned into.
        tensors: give tensors as tensors, as a student's function expects them. The judge takes
            them as arrays.

    Raises:
        Violation: the bytes are not what `pack` makes.
    """
    parts = 0
    collects = gc.isenabled()
    gc.disable()  # it would go through a million new lists again and again

    def count(items):
        nonlocal parts
        parts += len(items)
        if parts > 4 * MAX_PARTS:  # each part may be a short list itself
            raise Violation("a message of too many parts")
        return items

    try:
        tree = msgpack.unpackb(
            head, list_hook=count, max_map_len=0, max_ext_len=0, max_array_len=2 * MAX_PARTS + 1
        )
        reader = _Reader(blob, handle, tensors)
        value = reader.value(tree, 0)
    except Violation:
        raise
    except Exception as error:  # msgpack's own errors, and whatever a lying tag leads to
        raise Violation(f"a message that cannot be read ({type(error).__name__})") from None
    finally:
        if collects:
            gc.enable()
    if reader.at != len(blob):
        raise Violation("a message with more entries than its arrays have")
    return value


class _Reader:
    def __init__(self, blob, handle, tensors):
        self.blob, self.at, self.handle, self.tensors = blob, 0, handle, tensors

    def value(self, tree, depth: int):
        if type(tree) is not list:
            return tree
        if depth > MAX_DEPTH + 1 or not tree:
            raise Violation("a message nested too deep")
        tag, *rest = tree
        if type(tag) is not int:
            raise Violation("a part without a tag")
        if tag == LIST:
            return self.items(rest, depth + 1)
        if tag == TUPLE:
            return tuple(self.items(rest, depth + 1))
        if tag == DICT:
            return self.dict(rest, depth)
        if tag in (ARRAY, TENSOR, SCALAR):
            return self.array(tag, *rest)
        if tag == COMPLEX:
            real, imag = (self.exactly(float, part) for part in rest)
            return complex(real, imag)
        if tag == LONG:
            (text,) = rest
            if len(self.exactly(str, text)) > MAX_BITS // 4 + 4:
                raise Violation("a number of too many digits")
            return int(text, 16)
        if tag == HANDLE:
            number, kind, name, is_callable = map(self.exactly, (int, str, str, bool), rest)
            return self.handle(Handle(number, kind[:100], name[:100], is_callable))
        raise Violation(f"a part with the unknown tag {tag}")

    def items(self, trees, depth: int) -> list:
        return [self.value(tree, depth) if type(tree) is list else tree for tree in trees]

    @staticmethod
    def exactly(kind, value):
        if type(value) is not kind:
            raise Violation(f"a {type(value).__name__} in the place of a {kind.__name__}")
        return value

    def dict(self, parts, depth):
        keys, values = self.items(parts[0::2], depth + 1), self.items(parts[1::2], depth + 1)
        for key in keys:
            if type(key) is not str:
                self.check_key(key)
        return dict(zip(keys, values, strict=True))

    def check_key(self, key):
        if type(key) is tuple:
            for part in key:
                self.check_key(part)
        elif key is not None and not isinstance(
            key, bool | int | float | str | bytes | complex | np.generic
        ):
            raise Violation(f"a {type(key).__name__} as the key of a dict")

    def array(self, tag, name, shape):
        dtype = DTYPES.get(self.exactly(str, name))
        if dtype is None or len(self.exactly(list, shape)) > 32:
            raise Violation("an array of no known kind")
        if any(self.exactly(int, n) < 0 or n > MAX_BLOB for n in shape):
            raise Violation("an array of an impossible shape")
        size = math.prod(shape) * dtype.itemsize
        if size > len(self.blob) - self.at:
            raise Violation("an array with fewer entries than its shape says")
        raw = np.frombuffer(self.blob, "u1", size, self.at)
        self.at += size
        # A byte that is neither 0 nor 1 is no bool.
        array = (raw != 0) if name == "b1" else raw.view(dtype).copy()
        array = array.reshape(shape)
        if tag == SCALAR:
            return array[()] if array.shape == () else array.reshape(())[()]
        if tag == TENSOR and self.tensors:
            return sys.modules["torch"].from_numpy(array)
        return array


# --- frames through a socket ----------------------------------------------------------------------


class Channel:
    """One end of a connection that carries frames.

    Args:
        connection: a connected stream socket.
        options: how `unpack` reads what comes.
    """

    def __init__(self, connection: socket.socket, **options):
        self.connection, self.options = connection, options

    def send(self, frame: bytes, deadline: float | None = None) -> None:
        """Send one frame.

        Args:
            frame: as `pack` makes it.
            deadline: when to give up, in seconds of `time.monotonic`; None waits for ever.

        Raises:
            LateAnswer: the other end did not take it in time.
            Closed: the other end is gone.
        """
        with _named(self.connection, deadline):
            self.connection.sendall(frame)

    def receive(self, deadline: float | None = None):
        """The next value.

        Raises:
            LateAnswer: it did not come in time.
            Closed: the other end is gone.
            Violation: it is not to be believed.
        """
        head_size, blob_size = _FRAME.unpack(self._read(_FRAME.size, deadline))
        if head_size > MAX_HEAD or blob_size > MAX_BLOB:
            raise Violation("a message beyond the largest size")
        head, blob = self._read(head_size, deadline), self._read(blob_size, deadline)
        return unpack(head, blob, **self.options)

    def speaks(self) -> bool:
        """Whether something has come that was not asked for; the end of the connection is not."""
        if not select.select([self.connection], [], [], 0)[0]:
            return False
        with _named(self.connection, None):
            return bool(self.connection.recv(1, socket.MSG_PEEK))

    def _read(self, size: int, deadline: float | None) -> bytes:
        data = bytearray()
        while len(data) < size:
            with _named(self.connection, deadline):
                piece = self.connection.recv(min(size - len(data), 1 << 20))
            if not piece:
                raise Closed
            data += piece
        return bytes(data)

    def close(self) -> None:
        self.connection.close()


class _named:
    """Names what a socket does within the block: late, or gone."""

    def __init__(self, connection, deadline):
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise LateAnswer
        connection.settimeout(left)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if isinstance(error, TimeoutError):
            raise LateAnswer from None
        if isinstance(error, OSError):
            raise Closed from None
