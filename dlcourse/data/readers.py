"""Readers for the forms in which large sets of photographs come: one folder for each class, as in
ImageNet; boxes in one JSON file, as in COCO; boxes in an XML file for each image, as in PASCAL VOC.

An image is read when it is asked for and not before, so a set may be larger than the memory. What
the files say is checked first: a broken or hostile one costs an error that names it.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np

from .dataset import Dataset
from .formats import FormatError

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
MOST_PIXELS = 100_000_000  # of one image; 300 MB as bytes, 1.2 GB as float32
MOST_XML = 10_000_000  # bytes of one annotation; those of PASCAL VOC have a few thousand
MOST_DEPTH = 50  # of elements within elements


@dataclass(frozen=True, eq=False)
class Boxed:
    """The objects in one image.

    Args:
        file: of the image.
        size: (height, width) in pixels, as the annotation says.
        boxes: (K, 4) float32, left, top, right and bottom edge in pixels from the upper left.
        targets: (K,) int64, positions in the set's `classes`.
        flags: (K,) bool: crowds in COCO, difficult objects in VOC; evaluation leaves them out.
        outlines: for each object its polygons, (corners, 2) float32 arrays of x and y in pixels;
            none where the set has none.
    """

    file: Path
    size: tuple[int, int]
    boxes: np.ndarray
    targets: np.ndarray
    flags: np.ndarray
    outlines: tuple = ()

    def image(self) -> np.ndarray:
        """The picture: (3, H, W) float32 in [0, 1]."""
        return read_image(self.file)


@dataclass(frozen=True)
class Detection(Sequence):
    """Images with boxes. An integer gives a `Boxed`, a slice a smaller set.

    Args:
        items: one `Boxed` for each image.
        classes: names of the classes.
        name: what to call it in messages.
    """

    items: tuple[Boxed, ...]
    classes: tuple[str, ...]
    name: str = "detection"

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Detection(self.items[index], self.classes, self.name)
        return self.items[index]

    def __repr__(self) -> str:
        boxes = sum(len(item.boxes) for item in self.items)
        return (
            f"Detection({self.name}: {len(self)} images, {boxes} boxes, "
            f"{len(self.classes)} classes)"
        )


@dataclass(frozen=True)
class ImageFolder(Sequence):
    """Images sorted into one folder for each class, as ImageNet is.

    An integer gives (image, class): (3, H, W) float32 in [0, 1], read from disk now, and an int;
    a slice gives a smaller set.

    Args:
        files: of the images.
        targets: class of each, positions in `classes`.
        classes: names of the folders, sorted.
        name: what to call it in messages.
    """

    files: tuple[Path, ...]
    targets: tuple[int, ...]
    classes: tuple[str, ...]
    name: str = "images"

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return ImageFolder(self.files[index], self.targets[index], self.classes, self.name)
        return read_image(self.files[index]), self.targets[index]

    def __repr__(self) -> str:
        return f"ImageFolder({self.name}: {len(self)} images, {len(self.classes)} classes)"

    def dataset(self, size: int) -> Dataset:
        """All images at one size, in memory.

        Each is scaled so that its shorter side is `size`, and the middle is cut out.

        Args:
            size: height and width in pixels.

        Returns:
            `Dataset` with inputs (N, 3, size, size), float32 in [0, 1].
        """
        inputs = np.empty((len(self), 3, size, size), np.float32)
        for image, file in zip(inputs, self.files, strict=True):
            image[:] = read_image(file, size)
        targets = np.array(self.targets, np.int64)
        return Dataset(inputs, targets, self.classes, self.name, source=str(self.name))


def image_folder(folder: Path | str) -> ImageFolder:
    """Find images that are sorted into one folder for each class (Deng et al., 2009).

    Args:
        folder: its folders are the classes, with images at any depth.

    Returns:
        `ImageFolder`; classes are sorted by name, files by path within them.

    Raises:
        FormatError: if there is no class, or a class has no image.
    """
    folder = Path(folder)
    _must_be_folder(folder)
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir())
    files, targets = [], []
    for target, name in enumerate(classes):
        found = sorted(p for p in (folder / name).rglob("*") if p.suffix.lower() in SUFFIXES)
        if not found:
            raise FormatError(f"{folder / name}: no images; a folder is a class and holds some")
        files += found
        targets += [target] * len(found)
    if not files:
        raise FormatError(f"{folder}: no folders; expected one for each class, with images")
    return ImageFolder(tuple(files), tuple(targets), tuple(classes), folder.name)


def coco(annotations: Path | str, images: Path | str) -> Detection:
    """Read boxes and outlines in the form of COCO (Lin et al., 2014).

    Args:
        annotations: the JSON file: ``instances_val2017.json``.
        images: the folder that its file names start from.

    Returns:
        `Detection` with the images in the file's order, those without objects too; classes in the
        order of their ids, which in COCO have gaps. Outlines are the polygons; a crowd, whose
        outline is run-length coded, has none.

    Raises:
        FormatError: if the file is no JSON, lacks a field, or says what can't be.
    """
    path, images = Path(annotations), Path(images)
    _must_be_folder(images)
    content = _read_json(path)
    lists = {}
    for key in ("images", "annotations", "categories"):
        lists[key] = content.get(key) if isinstance(content, dict) else None
        if not isinstance(lists[key], list):
            raise FormatError(f"{path}: has no list {key!r}; expected images, annotations and "
                              "categories")  # fmt: skip
    names, sizes, objects = {}, {}, {}
    for item in lists["categories"]:
        names[_field(item, "id", int, path)] = _field(item, "name", str, path)
    numbers = {key: position for position, key in enumerate(sorted(names))}
    for item in lists["images"]:
        key = _field(item, "id", int, path)
        file = _inside(images, _field(item, "file_name", str, path), path)
        size = tuple(_field(item, side, int, path) for side in ("height", "width"))
        if min(size) < 1:
            raise FormatError(f"{path}: image {key} has the size {size}")
        sizes[key], objects[key] = (file, size), []
    for item in lists["annotations"]:
        key, kind = (_field(item, name, int, path) for name in ("image_id", "category_id"))
        if key not in objects or kind not in numbers:
            raise FormatError(
                f"{path}: an annotation is of image {key} and category {kind}, and there is no "
                f"such {'image' if key not in objects else 'category'}"
            )
        left, top, width, height = _numbers(_field(item, "bbox", list, path), 4, path)
        if width < 0 or height < 0:
            raise FormatError(f"{path}: image {key} has a box {width} wide and {height} high")
        box = (left, top, left + width, top + height)
        polygons = item.get("segmentation", [])
        outline = ()
        if isinstance(polygons, list):  # else a dict with run lengths
            outline = tuple(
                np.array(_numbers(polygon, None, path), np.float32).reshape(-1, 2)
                for polygon in polygons
            )
        objects[key].append((box, numbers[kind], bool(item.get("iscrowd", 0)), outline))
    items = tuple(_boxed(*sizes[key], objects[key]) for key in sizes)
    return Detection(items, tuple(names[key] for key in sorted(names)), path.stem)


def voc(folder: Path | str, split: str | None = None) -> Detection:
    """Read boxes in the form of PASCAL VOC (Everingham et al., 2010).

    Args:
        folder: the one that holds ``Annotations`` and ``JPEGImages``: ``VOCdevkit/VOC2012``.
        split: name of a list in ``ImageSets/Main``: ``"train"``. Default None, all annotations.

    Returns:
        `Detection` with images by name, or in the order of the list; classes sorted by name.
        VOC counts pixels from 1 and means their middles: a box from 1 to 10 becomes 0 to 10,
        its outer edges.

    Raises:
        FormatError: if a file is no XML, lacks an element, or says what can't be.
    """
    folder = Path(folder)
    for inner in ("Annotations", "JPEGImages"):
        _must_be_folder(folder / inner)
    if split is None:
        files = sorted((folder / "Annotations").glob("*.xml"))
    else:
        listed = _inside(folder / "ImageSets" / "Main", f"{split}.txt", folder)
        if not listed.is_file():
            lists = ", ".join(sorted(p.stem for p in listed.parent.glob("*.txt"))) or "none"
            raise FormatError(f"voc: no list {listed}; there are: {lists}")
        stems = [line.split()[0] for line in listed.read_text().splitlines() if line.split()]
        files = [_inside(folder / "Annotations", f"{stem}.xml", listed) for stem in stems]
    found = [_read_voc(file, folder / "JPEGImages") for file in files]
    classes = sorted({kind for _, _, objects in found for _, kind, *_ in objects})
    numbers = {kind: position for position, kind in enumerate(classes)}
    items = []
    for file, size, objects in found:
        numbered = [(box, numbers[kind], flag, ()) for box, kind, flag in objects]
        items.append(_boxed(file, size, numbered))
    return Detection(tuple(items), tuple(classes), folder.name)


def _read_voc(path: Path, images: Path) -> tuple:
    """(image file, (height, width), [(box, class, difficult)]) of one annotation."""
    root = read_xml(path)

    def text(element: ElementTree.Element, tag: str) -> str:
        found = (element.findtext(tag) or "").strip()
        if not found:
            raise FormatError(f"{path}: <{element.tag}> has no <{tag}>")
        return found

    def number(element: ElementTree.Element, tag: str) -> float:
        return _numbers([text(element, tag)], 1, path)[0]

    size = root.find("size")
    if size is None:
        raise FormatError(f"{path}: has no <size>; is it an annotation of PASCAL VOC?")
    height, width = (int(number(size, side)) for side in ("height", "width"))
    objects = []
    for item in root.iterfind("object"):
        edges = item.find("bndbox")
        if edges is None:
            raise FormatError(f"{path}: an <object> has no <bndbox>")
        left, top, right, bottom = (number(edges, e) for e in ("xmin", "ymin", "xmax", "ymax"))
        if right < left or bottom < top:
            raise FormatError(f"{path}: a box from {left}, {top} to {right}, {bottom}")
        difficult = (item.findtext("difficult") or "0").strip() == "1"
        objects.append(((left - 1, top - 1, right, bottom), text(item, "name"), difficult))
    return _inside(images, text(root, "filename"), path), (height, width), objects


def read_image(path: Path | str, size: int | None = None) -> np.ndarray:
    """A picture as an array.

    Args:
        path: of the file, in any of the usual formats.
        size: scale the shorter side to so many pixels and cut out the middle. Default None, as is.

    Returns:
        (3, H, W) float32 in [0, 1]: red, green, blue.

    Raises:
        FormatError: if it is damaged, no image, or larger than 100 million pixels.
    """
    from PIL import Image, ImageOps

    path = Path(path)
    if not path.is_file():
        raise FormatError(f"{path}: there is no such image")
    try:
        with path.open("rb") as file, Image.open(file) as image:
            if image.width * image.height > MOST_PIXELS:
                raise FormatError(f"{path}: {image.width} x {image.height} pixels are too many")
            image = image.convert("RGB")
            if size is not None:
                image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
            pixels = np.asarray(image)
    except FormatError:
        raise
    except Exception as error:  # decoders of damaged files raise nearly everything
        raise FormatError(f"{path}: not a readable image: {error}") from error
    return np.divide(pixels.transpose(2, 0, 1), np.float32(255), dtype=np.float32)


def read_xml(path: Path | str) -> ElementTree.Element:
    """The root of an XML file that defines no entities of its own.

    Entities can make a file of a kilobyte unfold to gigabytes, and read other files; annotations
    have no need of them.

    Raises:
        FormatError: if it isn't well formed, or is too large, too deep, or has a DOCTYPE.
    """
    path = Path(path)
    size = path.stat().st_size
    if size > MOST_XML:
        raise FormatError(f"{path}: {size:,} bytes, expected at most {MOST_XML:,}")
    builder, depth = ElementTree.TreeBuilder(), 0

    def start(tag: str, attributes: dict) -> None:
        nonlocal depth
        depth += 1
        if depth > MOST_DEPTH:
            raise FormatError(f"{path}: more than {MOST_DEPTH} elements within each other")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def doctype(*_: object) -> None:
        raise FormatError(f"{path}: has a DOCTYPE, which could define entities; remove it")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = builder.data, doctype
    try:
        parser.Parse(path.read_bytes(), True)
        return builder.close()
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{path}: not well-formed XML: {error}") from error


def _read_json(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except RecursionError as error:
        raise FormatError(f"{path}: lists within lists without end") from error
    except ValueError as error:  # no JSON, no text, or a number of thousands of digits
        raise FormatError(f"{path}: not a JSON file: {error}") from error


def _field(item: object, name: str, kind: type, path: Path):
    """A field of a JSON object, if it is there and of the right kind."""
    value = item.get(name) if isinstance(item, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        shown = repr(value)
        raise FormatError(
            f"{path}: {name!r} should be {kind.__name__}, found "
            f"{shown if len(shown) < 60 else shown[:60] + '…'}"
        )
    return value


def _numbers(values: object, count: int | None, path: Path) -> list[float]:
    """Finite numbers: so many of them, or pairs of them if `count` is None."""
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"{path}: expected numbers, found {str(values)[:60]}") from error
    fits = len(numbers) % 2 == 0 if count is None else len(numbers) == count
    if not fits or not all(math.isfinite(n) and abs(n) < 1e9 for n in numbers):
        raise FormatError(
            f"{path}: expected {count or 'pairs of'} numbers below 1e9, found {str(values)[:60]}"
        )
    return numbers


def _inside(folder: Path, name: str, path: Path) -> Path:
    """A file within a folder; a name that leads out of it is refused."""
    parts = Path(name).parts
    if not parts or Path(name).is_absolute() or ".." in parts or "\0" in name:
        raise FormatError(f"{path}: the name {name[:60]!r} leads out of its folder")
    return folder / name


def _must_be_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise FormatError(f"{folder}: there is no such folder")


def _boxed(file: Path, size: tuple[int, int], objects: list) -> Boxed:
    boxes, targets, flags, outlines = zip(*objects, strict=True) if objects else ((),) * 4
    return Boxed(
        file,
        size,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(targets, np.int64),
        np.array(flags, bool),
        tuple(outlines),
    )
