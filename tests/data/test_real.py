"""The full-size sets: recognized in every container, and refused where they are something else.

Most of it runs on small sets in the same forms. What needs the real files is skipped unless
DLCOURSE_DATA names a folder that has them.
"""

import gzip
import hashlib
import os
import pickle
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from misbehaving import Server

from dlcourse import cli
from dlcourse.data import catalogue, formats, parts, real
from dlcourse.data.download import DataError

RNG = np.random.default_rng(0)
HERE = os.environ.get("DLCOURSE_DATA")


def needs(*names):
    missing = [name for name in names if not HERE or not (Path(HERE) / name).exists()]
    return pytest.mark.skipif(
        bool(missing), reason=f"set DLCOURSE_DATA to a folder with {', '.join(missing)}"
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty data folder, and no way to the world's mirrors."""
    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path))
    monkeypatch.delenv("DLCOURSE_MIRROR", raising=False)
    return tmp_path


def put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


# MNIST's form, small

IMAGES = {"train": RNG.integers(0, 256, (30, 28, 28), dtype=np.uint8),
          "test": RNG.integers(0, 256, (20, 28, 28), dtype=np.uint8)}  # fmt: skip
LABELS = {split: np.arange(len(images), dtype=np.uint8) % 10 for split, images in IMAGES.items()}


def idx(array):
    return formats.idx_header(array) + array.tobytes()


def md5(data):
    return f"md5 {hashlib.md5(data).hexdigest()}"


@pytest.fixture
def small(folder, monkeypatch):
    """The data folder, with MNIST a set of 30 + 20 images, and no mirrors."""
    changed = {}
    for split, pair in catalogue.MNIST.items():
        arrays = (IMAGES[split], LABELS[split])
        changed[split] = tuple(
            replace(part, shape=array.shape, checksum=md5(idx(array)),
                    packed=md5(gzip.compress(idx(array), mtime=0)),
                    size=len(gzip.compress(idx(array), mtime=0)), mirrors=())
            for part, array in zip(pair, arrays, strict=True)
        )  # fmt: skip
    monkeypatch.setitem(real.CATALOGUE, "mnist", replace(real.entry("mnist"), parts=changed))
    return folder


def lay(folder, pattern, pack=bytes):
    """The four files, named by `pattern`, for instance ``mnist/{}.gz``."""
    for split, stem in (("train", "train"), ("test", "t10k")):
        put(folder / pattern.format(f"{stem}-images-idx3-ubyte"), pack(idx(IMAGES[split])))
        put(folder / pattern.format(f"{stem}-labels-idx1-ubyte"), pack(idx(LABELS[split])))


def is_it(data, split):
    assert data.inputs.dtype == np.float32
    assert data.targets.dtype == np.int64
    expected = IMAGES[split][:, None].astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(data.inputs, expected)
    np.testing.assert_array_equal(data.targets, LABELS[split])


@pytest.mark.parametrize(
    ("pattern", "pack"),
    [("mnist/{}", bytes), ("mnist/{}.gz", gzip.compress), ("MNIST/raw/{}", bytes),
     ("MNIST/raw/{}.gz", lambda data: gzip.compress(data, 1)), ("mnist/{}.gz", bytes)],
)  # fmt: skip
def test_idx_in_the_layouts_that_are_about(small, pattern, pack):
    assert real.where("mnist") == []
    lay(small, pattern, pack)
    is_it(real.mnist(), "train")
    is_it(real.mnist("test"), "test")
    assert len(real.where("mnist")) == len(real.verify("mnist")) == 4


def keras(**changes):
    arrays = {"x_train": IMAGES["train"], "y_train": LABELS["train"],
              "x_test": IMAGES["test"], "y_test": LABELS["test"]}  # fmt: skip
    return {**arrays, **changes}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_npz_of_the_same_content(small, save, dtype):
    save(small / "mnist.npz", **keras(y_train=LABELS["train"].astype(dtype)))
    is_it(real.mnist(), "train")
    is_it(real.mnist("test"), "test")
    assert real.where("mnist") == [small / "mnist.npz"]


def test_names_of_classes_and_origin(small):
    lay(small, "mnist/{}")
    data = real.mnist("test")
    assert data.classes == tuple("0123456789")
    assert "LeCun" in data.source
    assert data.licence
    assert data.name == "mnist test"


@pytest.mark.parametrize("split", ["dev", "", None, "Train"])
def test_no_such_split(small, split):
    with pytest.raises(ValueError, match=r"no split .*; there are 'train' and 'test'"):
        real.mnist(split)


def test_no_such_set():
    with pytest.raises(ValueError, match=r"no data set 'cifar'.* there are: mnist, .*cifar10"):
        real.get("cifar")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: data[:-1], "found only 23,519"),
        (lambda data: data + b"x", "found more"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "wrong content, checksum md5"),
        (
            lambda data: idx(IMAGES["train"][:10]),
            r"expected uint8 \(30, 28, 28\): 10 of 30, a part",
        ),
        (lambda data: idx(IMAGES["train"].astype(">i2")), "promises|int16"),
        (lambda data: b"", "not an idx file"),
        (lambda data: gzip.compress(data)[:-20], "cut off"),
    ],
)
def test_a_file_that_is_not_it(small, spoil, words):
    lay(small, "mnist/{}")
    path = small / "mnist" / "train-images-idx3-ubyte"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match=words) as error:
        real.mnist()
    for part in (str(path), "Remove it", "Three ways out", "DLCOURSE_MIRROR", "by hand", "glyphs"):
        assert part in str(error.value)
    assert path.exists(), "nobody's file is removed"
    is_it(real.mnist("test"), "test")


def test_another_good_container_is_used_instead(small):
    lay(small, "mnist/{}")
    path = put(small / "mnist" / "train-images-idx3-ubyte", b"spoiled")
    np.savez(small / "mnist.npz", **keras())
    is_it(real.mnist(), "train")
    assert path.read_bytes() == b"spoiled"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x_train": IMAGES["train"] ^ 1}, "wrong content"),
        ({"x_train": IMAGES["train"] / 255}, "float64, expected whole numbers"),
        ({"y_train": LABELS["train"].astype(int) + 300}, "whole numbers from 0 to 255"),
        ({"x_train": IMAGES["train"].astype(object)}, "object"),
    ],
)
def test_npz_that_is_not_it(small, changes, words):
    np.savez(small / "mnist.npz", **keras(**changes))
    with pytest.raises(DataError, match=words):
        real.mnist()


def test_missing_with_no_network_names_the_ways_out(small):
    with pytest.raises(DataError, match="could not be downloaded") as error:
        real.mnist()
    size = len(gzip.compress(idx(IMAGES["train"]), mtime=0))
    for part in ("mnist: train-images-idx3-ubyte.gz", f"{size:,} bytes", "md5 ", "DLCOURSE_MIRROR",
                 str(small / "mnist" / "train-images-idx3-ubyte.gz"), "glyphs"):  # fmt: skip
        assert part in str(error.value)
    assert names(small) == []


@pytest.mark.parametrize("level", [9, 1])
def test_download_from_ones_own_mirror(small, monkeypatch, level):
    content = {}
    for split, stem in (("train", "train"), ("test", "t10k")):
        for array, end in ((IMAGES, "images-idx3"), (LABELS, "labels-idx1")):
            data = gzip.compress(idx(array[split]), level)
            content[f"mnist/{stem}-{end}-ubyte.gz"] = data
    with Server(content) as server:
        monkeypatch.setenv("DLCOURSE_MIRROR", server("good", ""))
        is_it(real.mnist(), "train")
        assert len(server.requests) == 2
        paths = real.get("mnist")
        assert len(server.requests) == 4
        is_it(real.mnist(), "train")
        is_it(real.mnist("test"), "test")
        assert len(server.requests) == 4
    assert [str(p.relative_to(small)) for p in paths] == list(content)
    assert names(small) == sorted(content)


def test_wrong_download_leaves_nothing(small, monkeypatch):
    name = "mnist/train-images-idx3-ubyte.gz"
    with Server({name: gzip.compress(idx(IMAGES["train"] ^ 1))}) as server:
        monkeypatch.setenv("DLCOURSE_MIRROR", server("good", ""))
        with pytest.raises(DataError, match="wrong content, checksum md5"):
            real.mnist()
    assert names(small) == []


# CIFAR's form, small

PIXELS = RNG.integers(0, 256, (60, 3, 32, 32), dtype=np.uint8)


def small_cifar(stem, classes):
    """(entry's parts, files of the binary version, files of the Python version)."""
    fine = RNG.integers(0, classes, 60).astype(np.uint8)
    fine[:2] = classes - 1
    coarse = np.array(catalogue.COARSE, np.uint8)[fine] if classes == 100 else None
    columns = fine[:, None] if coarse is None else np.stack([coarse, fine], 1)
    base = catalogue.CIFAR10 if classes == 10 else catalogue.CIFAR100
    changed, binary, python, start = {}, {}, {}, 0
    for split, count in (("train", 50), ("test", 10)):
        part, size = base[split], count // len(base[split].files)
        for file in part.files:
            batch = slice(start, start + size)
            binary[f"{file}.bin"] = formats.cifar_binary(PIXELS[batch], columns[batch]).tobytes()
            content = {b"data": PIXELS[batch].reshape(size, -1)}
            for key, column in zip(part.keys, columns[batch].T, strict=True):
                content[key.encode()] = column.tolist()
            python[file] = pickle.dumps(content, 3)
            start += size
        changed[split] = replace(
            part,
            count=count,
            pickles=tuple(md5(python[file]) for file in part.files),
            batches=tuple(
                f"sha256 {hashlib.sha256(binary[f'{file}.bin']).hexdigest()}" for file in part.files
            ),
            remotes=tuple(replace(remote, size=200_000, mirrors=()) for remote in part.remotes),
        )
    return changed, binary, python, fine


def archive(path, inner, files, mode="w:gz"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, data in {"readme.html": b"about", **files}.items():
            place = path.parent / "scratch"
            place.write_bytes(data)
            tar.add(place, f"{inner}/{name}")
            place.unlink()
    return path


@pytest.fixture(params=[10, 100])
def cifar(request, folder, monkeypatch):
    classes, stem = request.param, f"cifar-{request.param}"
    changed, binary, python, fine = small_cifar(stem, classes)
    name = f"cifar{classes}"
    splits = {split: (part,) for split, part in changed.items()}
    monkeypatch.setitem(real.CATALOGUE, name, replace(real.entry(name), parts=splits))
    return folder, name, stem, binary, python, fine


CONTAINERS = {
    "pickles": lambda folder, name, stem, binary, python, fine: [
        put(folder / (f"{stem}-batches-py" if name == "cifar10" else f"{stem}-python") / file, data)
        for file, data in python.items()
    ],
    "binary": lambda folder, name, stem, binary, python, fine: [
        put(folder / name / (f"{stem}-batches-bin" if name == "cifar10" else f"{stem}-binary")
            / file, data)
        for file, data in binary.items()
    ],
    "python archive": lambda folder, name, stem, binary, python, fine: archive(
        folder / f"{stem}-python.tar.gz", f"{stem}-batches-py", python
    ),
    "binary archive": lambda folder, name, stem, binary, python, fine: archive(
        folder / name / f"{stem}-binary.tar.gz", f"{stem}-batches-bin", binary
    ),
    "unpacked archive": lambda folder, name, stem, binary, python, fine: archive(
        folder / f"{stem}-python.tar", f"{stem}-batches-py", python, "w"
    ),
    "npz": lambda folder, name, stem, binary, python, fine: np.savez(
        folder / f"{name}.npz",
        x_train=PIXELS[:50].transpose(0, 2, 3, 1), y_train=fine[:50, None],
        x_test=PIXELS[50:].transpose(0, 2, 3, 1), y_test=fine[50:, None].astype(int),
    ),
    "npz, channels first": lambda folder, name, stem, binary, python, fine: np.savez(
        folder / f"{stem}.npz",
        train_images=PIXELS[:50], train_labels=fine[:50],
        test_images=PIXELS[50:], test_labels=fine[50:],
    ),
}  # fmt: skip


@pytest.mark.parametrize("container", CONTAINERS)
def test_cifar_in_every_container(cifar, container):
    _, name, *_, fine = cifar
    assert real.where(name) == []
    CONTAINERS[container](*cifar)
    for split, part in (("train", slice(50)), ("test", slice(50, 60))):
        data = real.REAL[name](split)
        assert data.inputs.dtype == np.float32
        assert data.targets.dtype == np.int64
        np.testing.assert_array_equal(np.rint(data.inputs * 255), PIXELS[part])
        np.testing.assert_array_equal(data.targets, fine[part])
        assert len(data.classes) == int(name.removeprefix("cifar"))
    assert len(real.where(name)) == len(real.verify(name)) == 1


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path(os.environ["DLCOURSE_DATA"]) / "pwned",))


@pytest.mark.parametrize("container", ["pickles", "python archive"])
def test_an_unverified_pickle_is_never_loaded(cifar, container, monkeypatch):
    folder, name, _, _, python, _ = cifar
    for file in python:
        python[file] = pickle.dumps(Evil())
    CONTAINERS[container](*cifar)
    loaded = []
    monkeypatch.setattr(formats, "read_cifar_pickle", lambda *a: loaded.append(a))
    with pytest.raises(DataError, match="has checksum md5"):
        real.REAL[name]()
    assert loaded == []
    assert not (folder / "pwned").exists()


def test_a_verified_pickle_still_cannot_run_a_program(cifar, monkeypatch):
    folder, name, _, _, python, _ = cifar
    part = real.entry(name).parts["train"][0]
    for file in part.files:
        python[file] = pickle.dumps(Evil())
    evil = replace(part, pickles=tuple(md5(python[file]) for file in part.files))
    splits = {"train": (evil,), "test": real.entry(name).parts["test"]}
    monkeypatch.setitem(real.CATALOGUE, name, replace(real.entry(name), parts=splits))
    CONTAINERS["pickles"](*cifar)
    with pytest.raises(DataError, match="it may hold only plain data"):
        real.REAL[name]()
    assert not (folder / "pwned").exists()


def test_a_part_of_cifar_is_not_taken_for_the_whole(cifar):
    folder, name, *_, fine = cifar
    some = {"train_images": PIXELS[:20], "train_labels": fine[:20],
            "test_images": PIXELS[50:55], "test_labels": fine[50:55]}  # fmt: skip
    np.savez(folder / f"{name}-subset.npz", **some)
    with pytest.raises(DataError, match=r"not used: .*20 of 50, a part and not the whole"):
        real.REAL[name]()
    assert real.where(name) == []
    np.savez(folder / f"{name}.npz", **some)
    with pytest.raises(DataError, match="what lies in the data folder is not it"):
        real.REAL[name]()


@pytest.mark.parametrize("spoil", ["images", "labels"])
def test_npz_of_cifar_with_another_content(cifar, spoil):
    folder, name, _, _, _, fine = cifar
    images, labels = PIXELS[:50].copy(), fine[:50].copy()
    if spoil == "images":
        images[-1, 2, 31, 31] ^= 1
    else:
        labels[-1] ^= 1
    np.savez(folder / f"{name}.npz", x_train=images, y_train=labels)
    with pytest.raises(DataError, match=r"wrong content: images .* to 49 with their labels"):
        real.REAL[name]()


def test_cifar_10_is_not_found_in_a_file_of_cifar_100(cifar):
    folder, name, *_ = cifar
    CONTAINERS["npz"](*cifar)
    other = "cifar100" if name == "cifar10" else "cifar10"
    assert real.where(other) == []
    part = real.entry(other).parts["train"][0]
    assert not [path for path, _, _ in part.places(folder) if path.exists()]


@pytest.mark.parametrize("lost", ["folder", "archive"])
def test_cifar_with_a_batch_missing(cifar, lost):
    _, name, _, binary, python, _ = cifar
    del binary[next(iter(binary))]
    del python[next(iter(python))]
    CONTAINERS["pickles" if lost == "folder" else "binary archive"](*cifar)
    with pytest.raises(DataError, match="missing" if lost == "folder" else "lacks"):
        real.REAL[name]()


def test_cifar_falls_back_to_the_other_archive(cifar, monkeypatch, tmp_path_factory):
    folder, name, stem, _, python, _ = cifar
    made = archive(tmp_path_factory.mktemp("a") / "python.tar.gz", "x", python)
    content = {f"{name}/{stem}-python.tar.gz": made.read_bytes()}
    with Server(content) as server:
        monkeypatch.setenv("DLCOURSE_MIRROR", server("good", ""))
        assert len(real.REAL[name]()) == 50
    assert names(folder) == list(content)


# Texts

TEXT = "Before we proceed any further, hear me speak.\nSpeak, speak.\n"


@pytest.fixture
def book(folder, monkeypatch):
    part = replace(
        catalogue.TINY_SHAKESPEARE, size=len(TEXT), mirrors=(),
        checksum=f"sha256 {hashlib.sha256(TEXT.encode()).hexdigest()}",
    )  # fmt: skip
    about = replace(real.entry("tiny_shakespeare"), parts={"all": (part,)})
    monkeypatch.setitem(real.CATALOGUE, "tiny_shakespeare", about)
    return folder


@pytest.mark.parametrize(
    "place", ["tinyshakespeare.txt", "tiny_shakespeare/input.txt", "input.txt", "shakespeare.txt"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_text(book, place, end):
    put(book / place, TEXT.replace("\n", end).encode())
    corpus = real.tiny_shakespeare()
    assert corpus.text == TEXT
    assert "Karpathy" in corpus.source


def test_an_input_txt_may_be_any_text(book):
    put(book / "input.txt", b"my own notes")
    with pytest.raises(DataError, match=r"not used: .*input\.txt: wrong content: 12 bytes"):
        real.tiny_shakespeare()
    assert real.where("tiny_shakespeare") == []
    put(book / "tinyshakespeare.txt", TEXT.encode())
    assert real.tiny_shakespeare().text == TEXT


# The catalogue


def test_catalogue():
    assert list(real.REAL) == list(real.CATALOGUE)
    lengths = {"md5": 32, "sha1": 40, "sha256": 64}
    for name, about in real.CATALOGUE.items():
        checksums = []
        for split in about.parts.values():
            for part in split:
                checksums += [remote.checksum for remote in part.remotes]
                checksums += [part.checksum] if hasattr(part, "checksum") else part.batches
                checksums += getattr(part, "pickles", ())
                for remote in part.remotes:
                    assert len(set(remote.mirrors)) == len(remote.mirrors) >= 2, name
                    assert all(m.startswith(("http://", "https://")) for m in remote.mirrors)
                assert sum(len(remote.mirrors) for remote in part.remotes) >= 3, name
        for checksum in checksums:
            algorithm, digest = checksum.split()
            assert len(digest) == lengths[algorithm]
            assert set(digest) <= set("0123456789abcdef")


def test_classes_of_cifar_100():
    groups = list(catalogue.SUPERCLASSES.values())
    assert [len(group) for group in groups] == [5] * 20
    assert len(set(catalogue.FINE)) == 100
    assert list(catalogue.FINE) == sorted(catalogue.FINE)
    assert list(catalogue.SUPERCLASSES) == sorted(catalogue.SUPERCLASSES)
    names = [catalogue.FINE[i] for i in range(100) if catalogue.COARSE[i] == 14]
    assert names == ["baby", "boy", "girl", "man", "woman"]


# The command line


def test_list(small, capsys):
    lay(small, "mnist/{}")
    assert cli.main(["data", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "examples", "download", "task", "license", "here"]
    assert lines[1].startswith("mnist ")
    assert lines[1].endswith("CC BY-SA 3.0   yes")
    assert lines[2].startswith("fashion_mnist ")
    assert "30.9 MB" in lines[2]
    assert lines[2].endswith(" no")
    assert lines[-1] == f"in {small}"
    assert len(lines) == 1 + len(real.REAL) + 2


def test_get_where_verify(small, capsys):
    assert cli.main(["data", "where", "mnist"]) == 1
    assert f"it would go to {small / 'mnist'}" in capsys.readouterr().err
    assert cli.main(["data", "verify", "mnist"]) == 1
    assert "mnist: not in" in capsys.readouterr().err
    assert cli.main(["data", "get", "mnist"]) == 1
    assert "Three ways out" in capsys.readouterr().err
    lay(small, "mnist/{}.gz", gzip.compress)
    for action in ("get", "where"):
        assert cli.main(["data", action, "mnist"]) == 0
        out = capsys.readouterr().out.splitlines()
        assert len(out) == 4
        assert all(Path(line).is_file() for line in out)
    assert cli.main(["data", "verify", "mnist"]) == 0
    assert "mnist: content as expected" in capsys.readouterr().out
    (small / "mnist" / "t10k-labels-idx1-ubyte.gz").write_bytes(b"spoiled")
    assert cli.main(["data", "verify", "mnist"]) == 1
    shown = capsys.readouterr()
    assert "t10k-labels-idx1-ubyte.gz: not an idx file" in shown.err
    assert shown.out == ""


@pytest.mark.parametrize("action", ["get", "where", "verify"])
def test_a_name_that_is_not_there(action, capsys):
    assert cli.main(["data", action, "mnits"]) == 1
    assert "Did you mean mnist?" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        cli.main(["data", action])


# The real files


@needs("mnist")
@pytest.mark.parametrize(("split", "count"), [("train", 60_000), ("test", 10_000)])
def test_mnist_itself(split, count):
    data = real.mnist(split)
    assert data.inputs.shape == (count, 1, 28, 28)
    assert data.targets[:5].tolist() == ([5, 0, 4, 1, 9] if split == "train" else [7, 2, 1, 0, 4])
    assert (data.inputs.min(), data.inputs.max()) == (0, 1)
    mean = 0.1307 if split == "train" else 0.1325
    assert data.inputs.mean(dtype=np.float64) == pytest.approx(mean, abs=5e-5)


@needs("mnist")
def test_mnist_as_npz(folder):
    arrays = {}
    for split, letters in catalogue.MNIST.items():
        for part, letter in zip(letters, "xy", strict=True):
            path = Path(HERE) / "mnist" / f"{part.file}.gz"
            arrays[f"{letter}_{split}"] = formats.read_idx(path)
    np.savez(folder / "mnist.npz", **arrays)
    assert real.verify("mnist") == [folder / "mnist.npz"]
    assert len(real.mnist("test")) == 10_000


@needs("tinyshakespeare.txt")
def test_tiny_shakespeare_itself():
    text = real.tiny_shakespeare().text
    assert len(text) == 1_115_394
    assert len(set(text)) == 65
    assert text.startswith("First Citizen:\nBefore we proceed any further, hear me speak.\n")


@needs("cifar10-subset.npz")
def test_first_batch_of_cifar_10_has_its_published_checksum():
    """The binary records are rebuilt from an npz with the first 10,000 images, as they must be."""
    whole = catalogue.CIFAR10["train"]
    first = replace(whole, files=whole.files[:1], count=10_000, batches=whole.batches[:1])
    path = Path(HERE) / "cifar10-subset.npz"
    images, labels = next(read for p, read, _ in first.places(Path(HERE)) if p == path)(path)
    assert images.shape == (10_000, 3, 32, 32)
    assert labels[:5].tolist() == [6, 9, 9, 4, 1]
    with pytest.raises(parts.FormatError, match="10,000 of 50,000, a part and not the whole"):
        next(read for p, read, _ in whole.places(Path(HERE)) if p == path)(path)
