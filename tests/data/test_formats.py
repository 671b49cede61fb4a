"""idx, npz, tar and CIFAR's batches: read where they are right, refused in words otherwise."""

import gzip
import io
import pickle
import struct
import tarfile
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlcourse.data import formats
from dlcourse.data.formats import FormatError

FUZZ = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
RNG = np.random.default_rng(0)


def put(path, data):
    path.write_bytes(data)
    return path


def bounded(read, path):
    """Read a file that may be anything: a `FormatError` naming it, and memory in proportion."""
    size = path.stat().st_size
    tracemalloc.start()
    try:
        return read(path)
    except FormatError as error:
        assert str(path) in str(error)  # noqa: PT017
        return None
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 3_000_000 + 4 * formats.DEFLATE_BEST * size


# idx


@pytest.mark.parametrize("dtype", ["u1", "i1", ">i2", ">i4", ">f4", ">f8"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx(tmp_path, dtype, pack):
    array = RNG.integers(0, 100, (3, 4, 5)).astype(dtype)
    path = put(tmp_path / "a", pack(formats.idx_header(array) + array.tobytes()))
    read = formats.read_idx(path)
    np.testing.assert_array_equal(read, array)
    assert read.dtype == np.dtype(dtype).newbyteorder("=")


def test_idx_header_is_mnists():
    images = np.zeros((2, 28, 28), np.uint8)
    assert formats.idx_header(images) == struct.pack(">4B3I", 0, 0, 8, 3, 2, 28, 28)


def test_idx_in_several_gzip_members(tmp_path):
    array = np.arange(200, dtype=np.uint8)
    data = formats.idx_header(array) + array.tobytes()
    packed = gzip.compress(data[:50]) + gzip.compress(data[50:]) + bytes(100)
    np.testing.assert_array_equal(formats.read_idx(put(tmp_path / "a.gz", packed)), array)


GOOD = formats.idx_header(np.zeros((10, 20), np.uint8)) + bytes(200)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "starts with nothing"),
        (b"\0\0\x08", "not an idx file"),
        (b"PNG...", "it starts with 50 4e 47 2e"),
        (b"\0\0\x07\x01" + bytes(8), "not an idx file"),
        (b"\0\0\x08\x00" + bytes(8), "not an idx file"),
        (b"\0\0\x08\x03" + bytes(8), "cut off within its header"),
        (GOOD[:-1], "200 bytes expected after the header, found only 199"),
        (GOOD + b"x", "200 bytes expected after the header, found more"),
        (b"\0\0\x08\x03" + struct.pack(">3I", 10_000, 10_000, 10_000), "promises"),
        (b"\0\0\x0e\xff" + b"\xff" * 4 * 255, "promises"),
        (b"\0\0\x08\x04" + struct.pack(">4I", 0, *[2**32 - 1] * 3), "promises"),
        (gzip.compress(GOOD)[:-9], "cut off: its gzip data has no end"),
        (gzip.compress(GOOD)[:30], "cut off"),
        (gzip.compress(GOOD)[:-8] + bytes(8), "damaged gzip data"),
        (gzip.compress(GOOD) + b"more", "damaged gzip data|found more"),
        (gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 10**9)), "promises"),
    ],
)
def test_idx_that_cannot_be(tmp_path, data, words):
    path = put(tmp_path / "train-images", data)
    with pytest.raises(FormatError, match=words) as error:
        formats.read_idx(path)
    assert str(path) in str(error.value)


def test_gzip_bomb_unpacks_no_further_than_allowed(tmp_path):
    head = formats.idx_header(np.zeros(9, np.uint8))
    bomb = put(tmp_path / "bomb.gz", gzip.compress(head + bytes(50_000_000)))
    large = b"\0\0\x08\x01" + struct.pack(">I", 50_000_000) + bytes(50_000_000)
    large = put(tmp_path / "large.gz", gzip.compress(large))
    tracemalloc.start()
    with pytest.raises(FormatError, match="9 bytes expected after the header, found more"):
        formats.read_idx(bomb)
    with pytest.raises(FormatError, match="expected at most 1,000"):
        formats.read_idx(large, limit=1000)
    unpacked = formats.Gunzip(io.BytesIO(bomb.read_bytes()), 1000)
    with pytest.raises(FormatError, match="unpacks to more"):
        unpacked.read()
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


@FUZZ
@given(
    st.binary(max_size=40)
    | st.builds(
        lambda code, dims, body: (
            bytes([0, 0, code, len(dims)]) + b"".join(d.to_bytes(4, "big") for d in dims) + body
        ),
        st.sampled_from([8, 9, 11, 12, 13, 14, 0]),
        st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 4), max_size=6),
        st.binary(max_size=64),
    ),
    st.booleans(),
)
def test_fuzzed_idx(tmp_path, data, packed):
    bounded(formats.read_idx, put(tmp_path / "a", gzip.compress(data) if packed else data))


@FUZZ
@given(place=st.integers(0, 60), junk=st.binary(max_size=12), cut=st.integers(0, 80))
def test_fuzzed_gzip(tmp_path, place, junk, cut):
    data = gzip.compress(GOOD, mtime=0)
    data = (data[:place] + junk + data[place + len(junk) :])[:cut]
    bounded(formats.read_idx, put(tmp_path / "a", data))


# npz


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    arrays = {
        "x_train": RNG.integers(0, 256, (5, 4, 4), dtype=np.uint8),
        "columns": np.asfortranarray(RNG.normal(size=(3, 4))),
        "empty": np.zeros((0, 3)),
        "number": np.array(7),
    }
    save(tmp_path / "a.npz", **arrays)
    read = formats.read_npz(tmp_path / "a.npz")
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype
    assert list(formats.read_npz(tmp_path / "a.npz", ("number", "absent"))) == ["number"]


class Evil:
    def __reduce__(self):
        return (print, ("this must never be printed",))


def zipped(path, data, method=zipfile.ZIP_DEFLATED, name="x.npy"):
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(name, data)
    return path


def npy(array):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array)
    return stream.getvalue()


def npy_header(text):
    text = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (npy(np.array([Evil()], object)), "holds object"),
        (npy(np.zeros(3, "U5")), "holds <U5"),
        (npy(np.zeros(3, [("a", "u1")])), "expected plain numbers"),
        (npy(np.zeros(100))[:-1], "for an array"),
        (npy(np.zeros(100)) + b"x", "for an array"),
        (npy_header("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000,)}"), "for"),
        (npy_header("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, -5)}"), "for an"),
        (npy_header("{'descr': '|u1', 'fortran_order': False}"), "not a readable npz"),
        (npy_header("(" * 100), "not a readable npz"),
        (b"\x93NUMPY\x03\x00", "npy version"),
        (b"no array", "not a readable npz"),
        (b"", "not a readable npz"),
    ],
)
def test_npz_that_cannot_be(tmp_path, capsys, data, words):
    path = zipped(tmp_path / "a.npz", data)
    with pytest.raises(FormatError, match=words) as error:
        formats.read_npz(path)
    assert str(path) in str(error.value)
    assert capsys.readouterr().out == ""


def test_zip_bomb_is_refused_by_its_claim(tmp_path):
    path = zipped(tmp_path / "a.npz", npy(np.zeros(100_000_000, np.uint8)))
    assert path.stat().st_size < 200_000
    tracemalloc.start()
    with pytest.raises(FormatError, match="claims 100,000,128 bytes"):
        formats.read_npz(path, limit=1_000_000)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("offset", [20, 24], ids=["packed", "unpacked"])
def test_zip_that_lies_about_its_size(tmp_path, offset):
    data = bytearray(zipped(tmp_path / "a.npz", npy(np.zeros(1000))).read_bytes())
    place = data.index(b"PK\x01\x02") + offset  # in the directory at the end
    data[place : place + 4] = struct.pack("<I", 2**31)
    path = put(tmp_path / "a.npz", bytes(data))
    tracemalloc.start()
    with pytest.raises(FormatError, match=r"claims .* bytes"):
        formats.read_npz(path)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_unusual_packing_is_refused(tmp_path):
    path = zipped(tmp_path / "a.npz", npy(np.zeros(9)), zipfile.ZIP_LZMA)
    with pytest.raises(FormatError, match="unusual"):
        formats.read_npz(path)


@FUZZ
@given(
    place=st.integers(0, 420), junk=st.binary(max_size=8), method=st.sampled_from([0, 8]),
    cut=st.none() | st.integers(0, 420),
)  # fmt: skip
def test_fuzzed_npz(tmp_path, place, junk, method, cut):
    data = zipped(tmp_path / "a.npz", npy(np.arange(20, dtype="u1")), method).read_bytes()
    data = (data[:place] + junk + data[place + len(junk) :])[:cut]
    bounded(formats.read_npz, put(tmp_path / "a.npz", data))


@FUZZ
@given(st.binary(max_size=200) | st.text(max_size=110).map(npy_header))
def test_fuzzed_npy(tmp_path, data):
    bounded(formats.read_npz, zipped(tmp_path / "a.npz", data))


# tar


def tarred(path, files, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_tar(tmp_path, mode):
    files = {"set/readme.html": b"x" * 9000, "set/train": b"abc", "set/test": b"defg"}
    path = tarred(tmp_path / "a", files, mode)
    assert dict(formats.read_tar(path, {"test", "train"}, 100_000)) == {
        "train": b"abc", "test": b"defg"
    }  # fmt: skip
    with pytest.raises(FormatError, match="lacks other"):
        list(formats.read_tar(path, {"train", "other"}, 100_000))


def test_tar_bomb(tmp_path):
    path = tarred(tmp_path / "a.tar.gz", {"filler": bytes(50_000_000), "train": b"abc"})
    tracemalloc.start()
    with pytest.raises(FormatError, match="more than was expected"):
        list(formats.read_tar(path, {"train"}, 1_000_000))
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_links_in_a_tar_lead_nowhere(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        link = tarfile.TarInfo("train")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(FormatError, match="lacks train"):
        list(formats.read_tar(tmp_path / "a.tar", {"train"}, 100_000))


@FUZZ
@given(
    place=st.integers(0, 1100), junk=st.binary(max_size=16), packed=st.booleans(),
    cut=st.none() | st.integers(0, 3000),
)  # fmt: skip
def test_fuzzed_tar(tmp_path, place, junk, packed, cut):
    data = tarred(tmp_path / "a", {"set/train": b"abc"}, "w").read_bytes()
    data = (data[:place] + junk + data[place + len(junk) :])[:cut]
    path = put(tmp_path / "a", gzip.compress(data) if packed else data)
    bounded(lambda path: list(formats.read_tar(path, {"train"}, 100_000)), path)


# CIFAR's batches


def batch(count=4, classes=10):
    images = RNG.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
    return images, RNG.integers(0, classes, count)


def python_2_pickle(images, labels):
    """The bytes that Python 2 wrote in 2009, opcode by opcode: text is bytes, names are old."""
    data = images.tobytes()
    numbers = b"".join(b"K" + bytes([label]) for label in labels)
    return b"".join(
        [
            b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x03",
            b"U\x06labelsq\x04]q\x05(" + numbers + b"e",
            b"U\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08",
            b"K\x00\x85U\x01b\x87Rq\x09(K\x01M" + struct.pack("<H", len(images)),
            b"M\x00\x0c\x86cnumpy\ndtype\nq\x0aU\x02u1K\x00K\x01\x87Rq\x0b",
            b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89",
            b"T" + struct.pack("<I", len(data)) + data + b"tb",
            b"U\tfilenamesq\x0c]q\x0dU\x05a.pngau.",
        ]
    )


def test_cifar_pickle_of_python_2():
    images, labels = batch()
    read, columns = formats.read_cifar_pickle(python_2_pickle(images, labels), ("labels",))
    np.testing.assert_array_equal(read, images)
    np.testing.assert_array_equal(columns, labels[:, None])
    assert read.dtype == columns.dtype == np.uint8


@pytest.mark.parametrize("protocol", [3, 4])
def test_cifar_pickle(protocol):
    images, labels = batch(classes=100)
    content = {
        b"data": images.reshape(4, -1),
        b"fine_labels": labels.tolist(),
        b"coarse_labels": (labels // 5).tolist(),
    }
    data = pickle.dumps(content, protocol)
    read, columns = formats.read_cifar_pickle(data, ("coarse_labels", "fine_labels"))
    np.testing.assert_array_equal(read, images)
    np.testing.assert_array_equal(columns, np.stack([labels // 5, labels], 1))


@pytest.mark.parametrize("labels", [1, 2])
def test_cifar_binary(labels):
    images, fine = batch()
    columns = np.stack([fine, fine + 3], 1)[:, :labels].astype(np.uint8)
    data = formats.cifar_binary(images, columns).tobytes()
    assert len(data) == 4 * (3072 + labels)
    assert data[0] == fine[0]
    assert data[labels : labels + 1024] == images[0, 0].tobytes()  # the red plane
    read, again = formats.read_cifar_binary(data, labels)
    np.testing.assert_array_equal(read, images)
    np.testing.assert_array_equal(again, columns)
    with pytest.raises(FormatError, match=f"expected a multiple of {3072 + labels}"):
        formats.read_cifar_binary(data[:-1], labels)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pickle.dumps(Evil()), "asks for builtins.print"),
        (b"cos\nsystem\n(S'echo pwned'\ntR.", "asks for os.system|asks for posix.system"),
        (b"cnumpy\nload\n.", "asks for numpy.load"),
        (b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(J\xff\xff\xff\x7ftS'b'\ntR.",
         "expected an empty array"),
        (b"cnumpy\nndarray\n(J\xff\xff\xff\x7ftR.", "not a batch"),
        (b"cnumpy\ndtype\n(S'O8'\ntR.", "expected u1"),
        (pickle.dumps({b"data": np.zeros((2, 3072), np.uint8)}), "KeyError: b'labels'"),
        (pickle.dumps({b"data": np.zeros((2, 30), np.uint8), b"labels": [0, 1]}), "images are"),
        (pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, 300]}), "0 to 255"),
        (pickle.dumps({b"data": np.zeros((2, 3072)), b"labels": [0, 1]}), "expected u1"),
        (b"", "not a batch"),
        (b"(" * 100_000, "not a batch"),
    ],
)  # fmt: skip
def test_pickle_that_is_no_batch(capfd, data, words):
    with pytest.raises(FormatError, match=words):
        formats.read_cifar_pickle(data, ("labels",), "data_batch_1")
    out = capfd.readouterr().out
    assert "printed" not in out
    assert "pwned" not in out


def test_gunzip_reads_in_any_pieces():
    data = RNG.bytes(3_000_000)
    file = formats.Gunzip(io.BytesIO(zlib.compress(data, wbits=31)), len(data))
    pieces = [file.read(n) for n in (0, 1, 999_999, 2_000_000)]
    assert b"".join(pieces) == data
    assert file.read(5) == b""
