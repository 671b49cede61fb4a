"""Readers of ImageNet-style folders, COCO and PASCAL VOC, on tiny sets in the real formats."""

import json
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dlcourse.data import readers
from dlcourse.data.formats import FormatError

FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
RNG = np.random.default_rng(0)


def picture(path, height=6, width=8, mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    pixels = RNG.integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


# Folders


def test_folders_are_classes(tmp_path):
    cat = picture(tmp_path / "cat" / "b.png")
    picture(tmp_path / "cat" / "a.png", 5, 5)
    gray = picture(tmp_path / "ant" / "inner" / "c.PNG", 4, 9, "L")
    (tmp_path / "cat" / "notes.txt").write_text("not an image")
    (tmp_path / "readme.md").write_text("not a class")
    found = readers.image_folder(tmp_path)
    assert found.classes == ("ant", "cat")
    assert found.targets == (0, 1, 1)
    assert [file.name for file in found.files] == ["c.PNG", "a.png", "b.png"]
    image, target = found[2]
    assert (image.shape, image.dtype, target) == ((3, 6, 8), np.float32, 1)
    np.testing.assert_array_equal(np.rint(image * 255), cat.transpose(2, 0, 1))
    for channel in found[0][0]:
        np.testing.assert_array_equal(np.rint(channel * 255), gray)
    assert len(found[1:]) == 2
    assert "3 images, 2 classes" in repr(found)
    assert [target for _, target in found] == [0, 1, 1]
    data = found.dataset(4)
    assert data.inputs.shape == (3, 3, 4, 4)
    assert data.targets.tolist() == [0, 1, 1]


def test_images_are_read_when_asked_for(tmp_path):
    picture(tmp_path / "cat" / "good.png")
    (tmp_path / "cat" / "bad.png").write_bytes(b"no picture")
    found = readers.image_folder(tmp_path)
    assert found[1][1] == 0
    with pytest.raises(FormatError, match=r"bad\.png: not a readable image"):
        found[0]


@pytest.mark.parametrize(
    ("lay", "words"),
    [
        (lambda p: None, "no folders"),
        (lambda p: (p / "cat").mkdir(), "cat: no images"),
        (lambda p: p.rmdir(), "no such folder"),
    ],
)
def test_what_is_no_image_folder(tmp_path, lay, words):
    folder = tmp_path / "set"
    folder.mkdir()
    lay(folder)
    with pytest.raises(FormatError, match=words):
        readers.image_folder(folder)


@pytest.mark.filterwarnings("ignore:Image size")
def test_image_larger_than_life(tmp_path):
    Image.new("1", (20_000, 6_000)).save(tmp_path / "bomb.png")  # 120 million pixels in 15 kB
    tracemalloc.start()
    with pytest.raises(FormatError, match="20000 x 6000 pixels are too many"):
        readers.read_image(tmp_path / "bomb.png")
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


@FUZZ
@given(cut=st.integers(0, 200), junk=st.binary(max_size=20), place=st.integers(0, 200))
def test_damaged_images(tmp_path, cut, junk, place):
    picture(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "b.png").write_bytes((data[:place] + junk + data[place + len(junk) :])[:cut])
    try:
        assert readers.read_image(tmp_path / "b.png").ndim == 3
    except FormatError as error:
        assert "b.png" in str(error)  # noqa: PT017


# COCO

COCO = {
    "images": [
        {"id": 7, "file_name": "a.png", "height": 6, "width": 8},
        {"id": 3, "file_name": "sub/b.png", "height": 5, "width": 5},
    ],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 18, "bbox": [1, 2, 3, 4], "iscrowd": 0,
         "area": 12, "segmentation": [[1, 2, 4, 2, 4, 6]]},
        {"id": 2, "image_id": 7, "category_id": 2, "bbox": [0.5, 0, 7.5, 6], "iscrowd": 1,
         "area": 9, "segmentation": {"counts": [3, 45], "size": [6, 8]}},
    ],
    "categories": [{"id": 18, "name": "dog"}, {"id": 2, "name": "bicycle"}],
}  # fmt: skip


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def test_coco(tmp_path):
    picture(tmp_path / "images" / "a.png")
    found = readers.coco(write(tmp_path / "val.json", COCO), tmp_path / "images")
    assert found.classes == ("bicycle", "dog")  # by id: 2, 18
    assert len(found) == 2
    first, second = found
    assert first.boxes.tolist() == [[1, 2, 4, 6], [0.5, 0, 8, 6]]
    assert first.boxes.dtype == np.float32
    assert first.targets.tolist() == [1, 0]
    assert first.flags.tolist() == [False, True]
    assert [len(outline) for outline in first.outlines] == [1, 0]
    assert first.outlines[0][0].tolist() == [[1, 2], [4, 2], [4, 6]]
    assert first.size == (6, 8)
    assert first.image().shape == (3, 6, 8)
    assert second.boxes.shape == (0, 4)
    assert second.file == tmp_path / "images" / "sub" / "b.png"
    with pytest.raises(FormatError, match="no such image"):
        second.image()
    assert "2 images, 2 boxes, 2 classes" in repr(found)
    assert len(found[:1]) == 1


def changed(where, value):
    content = json.loads(json.dumps(COCO))
    place = content
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    return content


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "no list 'images'"),
        ({"images": []}, "no list 'annotations'"),
        (changed(["annotations", 0, "image_id"], 99), "no such image"),
        (changed(["annotations", 0, "category_id"], 99), "no such category"),
        (changed(["annotations", 0, "bbox"], [1, 2, 3]), "expected 4 numbers"),
        (changed(["annotations", 0, "bbox"], [1, 2, -3, 4]), "-3.0 wide"),
        (changed(["annotations", 0, "bbox"], [1, 2, float("inf"), 4]), "expected 4 numbers"),
        (changed(["annotations", 0, "bbox"], ["a", 2, 3, 4]), "expected numbers"),
        (changed(["annotations", 0, "segmentation"], [[1, 2, 3]]), "pairs of numbers"),
        (changed(["images", 0, "file_name"], "../../etc/passwd"), "leads out of its folder"),
        (changed(["images", 0, "file_name"], "/etc/passwd"), "leads out of its folder"),
        (changed(["images", 0, "height"], "6"), "'height' should be int, found '6'"),
        (changed(["images", 0, "height"], 0), "size"),
        (changed(["images", 0], None), "'id' should be int"),
    ],
)
def test_coco_that_cannot_be(tmp_path, content, words):
    with pytest.raises(FormatError, match=words) as error:
        readers.coco(write(tmp_path / "val.json", content), tmp_path)
    assert "val.json" in str(error.value)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff\xfe\xff", b"[" * 200_000, b'{"images":' * 100_000, b"9" * 10_000,
     b'{"a": "\xed\xa0\x80"}'],
    ids=["empty", "open", "no text", "deep list", "deep object", "long number", "surrogate"],
)  # fmt: skip
def test_no_json(tmp_path, data):
    (tmp_path / "val.json").write_bytes(data)
    with pytest.raises(FormatError, match=r"val\.json"):
        readers.coco(tmp_path / "val.json", tmp_path)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
PLACES = [
    [key, index, field]
    for key, items in COCO.items()
    for index, item in enumerate(items)
    for field in item
] + [[key, 0] for key in COCO] + [[key] for key in COCO]  # fmt: skip


@FUZZ
@given(place=st.sampled_from(PLACES), value=VALUES)
def test_fuzzed_coco(tmp_path, place, value):
    path = write(tmp_path / "val.json", changed(place, value))
    try:
        found = readers.coco(path, tmp_path)
    except FormatError as error:
        assert "val.json" in str(error)  # noqa: PT017
    else:
        assert all(np.isfinite(item.boxes).all() for item in found)


# PASCAL VOC

VOC = """<annotation>
    <folder>VOC2012</folder><filename>{file}</filename>
    <size><width>8</width><height>6</height><depth>3</depth></size>
    <object><name>dog</name><difficult>0</difficult>
        <bndbox><xmin>1</xmin><ymin>2</ymin><xmax>4</xmax><ymax>5.5</ymax></bndbox></object>
    <object><name>cat</name><difficult>1</difficult>
        <bndbox><xmin>3</xmin><ymin>1</ymin><xmax>8</xmax><ymax>6</ymax></bndbox></object>
</annotation>"""


@pytest.fixture
def devkit(tmp_path):
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "Annotations" / "one.xml").write_text(VOC.format(file="one.png"))
    picture(tmp_path / "JPEGImages" / "one.png")
    size = "<size><width>3</width><height>2</height></size>"
    empty = "<annotation><filename>two.png</filename>" + size + "</annotation>"
    (tmp_path / "Annotations" / "two.xml").write_text(empty)
    (tmp_path / "ImageSets" / "Main" / "train.txt").write_text("two\none\n")
    return tmp_path


def test_voc(devkit):
    found = readers.voc(devkit)
    assert found.classes == ("cat", "dog")
    one, two = found
    assert one.boxes.tolist() == [[0, 1, 4, 5.5], [2, 0, 8, 6]]
    assert one.targets.tolist() == [1, 0]
    assert one.flags.tolist() == [False, True]
    assert one.size == (6, 8)
    assert one.image().shape == (3, 6, 8)
    assert len(two.boxes) == 0
    assert [item.file.stem for item in readers.voc(devkit, "train")] == ["two", "one"]
    with pytest.raises(FormatError, match="there are: train"):
        readers.voc(devkit, "val")
    with pytest.raises(FormatError, match="leads out"):
        readers.voc(devkit, "../train")
    with pytest.raises(FormatError, match="Annotations: there is no such folder"):
        readers.voc(devkit / "ImageSets")


LAUGHS = "".join(f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in pairwise("abcdefghij"))
LAUGHS = f'<!DOCTYPE a [<!ENTITY a "ha">{LAUGHS}]><annotation><filename>&j;</filename></annotation>'
OUTSIDE = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><annotation>&a;</annotation>'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LAUGHS, "DOCTYPE"),
        (OUTSIDE, "DOCTYPE"),
        ("<a>&unknown;</a>", "not well-formed"),
        ("", "not well-formed"),
        ("<annotation>", "not well-formed"),
        ("<a>" * 100_000, "50 elements within each other"),
        ("<annotation></annotation>", "no <size>"),
        (VOC.format(file=""), "no <filename>"),
        (VOC.format(file="../x"), "leads out"),
        (VOC.replace("<xmax>4</xmax>", "<xmax>0</xmax>"), "a box from"),
        (VOC.replace("<xmax>4</xmax>", ""), "<bndbox> has no <xmax>"),
        (VOC.replace("<xmax>4</xmax>", "<xmax>nan</xmax>"), "expected 1 numbers"),
        (VOC.replace("<name>dog</name>", ""), "<object> has no <name>"),
        (VOC.replace("bndbox", "box"), "no <bndbox>"),
        ('<?xml version="1.0" encoding="martian"?><a/>', "not well-formed"),
    ],
)
def test_voc_that_cannot_be(devkit, text, words):
    (devkit / "Annotations" / "one.xml").write_text(text)
    tracemalloc.start()
    with pytest.raises(FormatError, match=words) as error:
        readers.voc(devkit)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
    assert "one.xml" in str(error.value)


def test_xml_larger_than_any_annotation(devkit):
    (devkit / "Annotations" / "one.xml").write_text(" " * (readers.MOST_XML + 1))
    with pytest.raises(FormatError, match="expected at most 10,000,000"):
        readers.voc(devkit)


@FUZZ
@given(
    place=st.integers(0, len(VOC)),
    length=st.integers(0, 40),
    junk=st.binary(max_size=20) | st.sampled_from([b"<!DOCTYPE a>", b"<a>", b"&#0;", b"1e999"]),
)
def test_fuzzed_voc(devkit, place, length, junk):
    data = VOC.format(file="one.png").encode()
    (devkit / "Annotations" / "one.xml").write_bytes(data[:place] + junk + data[place + length :])
    try:
        found = readers.voc(devkit)
    except FormatError as error:
        assert "one.xml" in str(error)  # noqa: PT017
    else:
        assert all(np.isfinite(item.boxes).all() for item in found)
