"""Plain values survive the journey exactly, and no forged message does harm."""

import collections
import contextlib
import decimal
import enum
import os
import random
import socket
import struct
import threading
import time

import msgpack
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.grading import wire


def split(frame):
    head, blob = struct.unpack(">II", frame[:8])
    assert len(frame) == 8 + head + blob
    return frame[8 : 8 + head], frame[8 + head :]


def journey(value, keep=None, **options):
    return wire.unpack(*split(wire.pack(value, keep)), **options)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**100), 2**100)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.complex_numbers(allow_nan=False),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers() | st.tuples(st.booleans(), st.text()), inner)
    ),
    max_leaves=20,
)


@given(plain)
def test_plain_values_arrive_as_they_were(value):
    came = journey(value)
    assert came == value
    assert repr(came) == repr(value), "types, too, at every depth"


@pytest.mark.parametrize("name", wire.DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 4), (2, 1, 3)])
def test_arrays_arrive_entry_by_entry(name, shape):
    rng = np.random.default_rng(0)
    array = np.asarray(100 * rng.normal(size=shape)).astype(name)
    for sent in (array, np.asfortranarray(array), array[::-1] if shape else array):
        came = journey([sent, 1.5])[0]
        assert came.dtype == array.dtype
        assert came.flags.writeable
        np.testing.assert_array_equal(came, sent)
    scalar = np.ones((), name)[()]
    assert type(journey(scalar)) is type(scalar)


def test_nan_and_infinity_arrive():
    came = journey([float("nan"), float("inf"), np.array([np.nan, -np.inf])])
    assert np.isnan(came[0])
    assert came[1] == np.inf
    np.testing.assert_array_equal(came[2], [np.nan, -np.inf])


class Sub(np.ndarray):
    def __eq__(self, other):
        return True


class Mine(float):
    def __eq__(self, other):
        return True

    __hash__ = float.__hash__


Pair = collections.namedtuple("Pair", "a b")
Color = enum.IntEnum("Color", "RED")


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        (np.arange(3.0).view(Sub), np.arange(3.0)),
        (np.ma.array([1, 2]), np.array([1, 2])),
        (np.zeros(2).view(np.recarray), np.zeros(2)),
        (np.arange(3, dtype=">i4"), np.arange(3, dtype="<i4")),
        (np.longdouble(2.5), np.float64(2.5)),
        (Mine(2.5), 2.5),
        (Color.RED, 1),
        (Pair(1, 2), (1, 2)),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.defaultdict(float, {"a": 1.0}), {"a": 1.0}),
        (type("T", (str,), {})("x"), "x"),
        ("half a pair \ud800", "half a pair ?"),
    ],
)
def test_subclasses_become_what_they_hold(value, arrives):
    came = journey(value)
    assert type(came) is type(arrives)
    np.testing.assert_array_equal(came, arrives)


def test_tensors_arrive_as_arrays_at_the_judges_and_as_tensors_at_the_students():
    tensor = torch.arange(6.0).reshape(2, 3).t().requires_grad_()
    came = journey(tensor)
    assert type(came) is np.ndarray
    np.testing.assert_array_equal(came, tensor.detach().numpy())
    assert torch.equal(journey(tensor, tensors=True), tensor)
    assert journey(torch.ones(2, dtype=torch.bfloat16)).dtype == np.float32
    assert journey(torch.eye(2).to_sparse()).tolist() == [[1, 0], [0, 1]]


STAY = [print, object(), {1, 2}, np.array([None]), np.zeros(2, "i4,f8"), np.array(["x"]), decimal]


@pytest.mark.parametrize("value", STAY, ids=lambda v: type(v).__name__)
def test_whatever_else_stays_and_sends_a_handle(value):
    handle = wire.Handle(7, type(value).__name__, "", callable(value))
    assert journey([value], lambda kept: handle) == [handle]
    with pytest.raises(wire.Unsendable, match="cannot be handed over"):
        wire.pack([value])


def loop():
    value = []
    value.append(value)
    return value


def doubling():
    value = [0]
    for _ in range(60):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (loop, "nested more than 40 deep"),
        (doubling, "nested more than 40 deep"),
        (lambda: [[]] * 300_000, "more than 250000 parts"),
        (lambda: [[0] * 1000] * 300, "more than 250000 parts"),
        (lambda: 1 << 5000, "5001 bits"),
        (lambda: np.zeros(9_000_000), "too large"),
        (lambda: "x" * (9 << 20), "too large"),
    ],
)
def test_what_is_too_much_is_refused_by_the_sender(make, says):
    with pytest.raises(wire.Unsendable, match=says):
        wire.pack(make())


# --- forged messages ------------------------------------------------------------------------------

EMPTY_LISTS = b"\xdd" + struct.pack(">I", 400_001) + b"\x00" + b"\x91\x00" * 400_000

FORGED = {
    "no msgpack": b"\xc1",
    "two values": b"\x01\x02",
    "cut off": b"\x93\x01",
    "a map": msgpack.packb({1: 2}),
    "an extension": msgpack.packb(msgpack.ExtType(1, b"x")),
    "a time": msgpack.packb(msgpack.Timestamp(1)),
    "an empty list": msgpack.packb([]),
    "a tag that is text": msgpack.packb(["list", 1]),
    "a tag that is True": msgpack.packb([True, 1]),
    "an unknown tag": msgpack.packb([99, 1]),
    "no text": b"\xa2\xff\xfe",
    "an object array": msgpack.packb([3, "O8", [1]]),
    "a dtype by another name": msgpack.packb([3, "float64", [1]]),
    "a negative shape": msgpack.packb([3, "f8", [-1]]),
    "a huge shape": msgpack.packb([3, "f8", [1 << 62, 4]]),
    "a shape that overflows to 0": msgpack.packb([3, "f8", [1 << 32, 1 << 32]]),
    "a float in a shape": msgpack.packb([3, "f8", [1.0]]),
    "True in a shape": msgpack.packb([3, "f8", [True]]),
    "40 axes": msgpack.packb([3, "f8", [1] * 40]),
    "no shape": msgpack.packb([3, "f8"]),
    "a dict with a list as key": msgpack.packb([2, [0, 1], 2]),
    "a dict with an array as key": msgpack.packb([2, [3, "f8", [1]], 2]),
    "a dict with half an entry": msgpack.packb([2, 1]),
    "a number with letters": msgpack.packb([7, "0xyz"]),
    "a number of a million digits": msgpack.packb([7, "0x" + "f" * 1_000_000]),
    "half a complex number": msgpack.packb([6, 1.0]),
    "a handle that is none": msgpack.packb([8, "0", "x", "x", True]),
    "entries that nobody owns": msgpack.packb(1),
    "very deep": b"\x92\x00" * 500 + b"\x01",
    "deeper than the stack": b"\x92\x00" * 100_000 + b"\x01",
    "a million lists": b"\xdd" + struct.pack(">I", 1_000_000) + b"\x90" * 1_000_000,
    "millions of lists in proper form": b"\x96\x00" + 5 * EMPTY_LISTS,
    "a list that is longer than it is": b"\xdd\xff\xff\xff\xff",
}


@pytest.mark.parametrize("case", FORGED)
def test_a_forged_message_is_a_violation(case):
    with pytest.raises(wire.Violation):
        wire.unpack(FORGED[case], b"" if "lists" in case else bytes(8))


def test_a_forged_bool_is_a_bool():
    came = wire.unpack(msgpack.packb([3, "b1", [4]]), b"\x00\x01\x02\xff")
    assert came.view("u1").tolist() == [0, 1, 1, 1]


@settings(max_examples=300, deadline=None)
@given(plain, st.integers(0, 2**32))
def test_a_damaged_message_is_a_value_or_a_violation(value, seed):
    chance = random.Random(seed)
    head, blob = split(wire.pack([value, np.ones(3)]))
    damaged = bytearray(head)
    for _ in range(chance.randint(1, 4)):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    with contextlib.suppress(wire.Violation):
        wire.unpack(bytes(damaged), blob)


# --- the channel ----------------------------------------------------------------------------------


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield wire.Channel(ours), theirs


def test_a_large_value_comes_in_pieces(ends):
    channel, theirs = ends
    array = np.random.default_rng(0).normal(size=1_000_000)
    sender = threading.Thread(target=theirs.sendall, args=(wire.pack(array),))
    sender.start()
    np.testing.assert_array_equal(channel.receive(time.monotonic() + 20), array)
    sender.join()


def test_silence_is_late_and_an_end_is_the_end(ends):
    channel, theirs = ends
    with pytest.raises(wire.LateAnswer):
        channel.receive(time.monotonic() + 0.05)
    with pytest.raises(wire.LateAnswer):
        channel.receive(time.monotonic() - 1)
    assert not channel.speaks()
    theirs.sendall(wire.pack(1)[:-1])
    assert channel.speaks()
    theirs.close()
    with pytest.raises(wire.Closed):
        channel.receive(time.monotonic() + 5)
    assert not channel.speaks()


def test_nobody_who_does_not_listen_holds_the_judge(ends):
    channel, _ = ends
    with pytest.raises(wire.LateAnswer):
        channel.send(wire.pack(os.urandom(8_000_000)), time.monotonic() + 0.1)


def test_a_frame_beyond_the_largest_is_refused_unread(ends):
    channel, theirs = ends
    theirs.sendall(b"\xff" * 8)
    with pytest.raises(wire.Violation, match="largest"):
        channel.receive(time.monotonic() + 5)
