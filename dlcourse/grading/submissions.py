"""What instructors have: a folder or an archive of notebooks, as a learning platform names them.

`collect` finds out who handed in what, and gives one submission for each student. Archives are
strangers' files, too: nothing is unpacked to disk, sizes are counted while reading and not
believed, and what is refused is told, in the row of the student who handed it in.

Who a notebook belongs to is decided by the first folder or file below the class: Canvas's and
Moodle's names, else the folder of each student, else the notebook's own name. What lies deeper, or
in a student's own archive, never decides, or one student could hand in for another.

Rule for several notebooks of one student: those that carry the assignment's name come before
others, then the latest counts: the highest number of a resubmission, then the platform's own
number of the upload, then the time of the file, then the name. The others are noted.
"""

import contextlib
import io
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from dlcourse.grading.rebuild import MAX_BYTES

MAX_ARCHIVE = 4 * MAX_BYTES  # bytes of an archive within another one
MAX_CONTENTS = 16 << 20  # bytes of an archive's table of contents; 50,000 names take 8 MB
MAX_INNER_CONTENTS = 1 << 20
MAX_DEPTH = 3  # archives within archives
MAX_INNER_TOTAL = 8 << 30  # bytes of inner archives in all, that are read to list them
MANY = 5  # more notebooks in one folder look like a class rather than like a student

CANVAS = re.compile(
    r"(?P<name>[^_]+)(?P<late>_LATE)?_(?P<id>\d+)_(?P<upload>\d+)_(?P<file>.+)", re.DOTALL
)
MOODLE = re.compile(
    r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)(?:_(?P<file>.*))?", re.DOTALL
)
_AGAIN = re.compile(r"-(\d{1,3})$")  # Canvas counts resubmissions at the end of the name
_IGNORED = ("__MACOSX", ".ipynb_checkpoints")


class Refused(ValueError):
    """A file that is not read; the text says why."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What counts of one student.

    Args:
        student: who: unique in the class.
        name: what they are called.
        path: of the notebook, within what the instructor gave.
        read: gives its bytes, never many more than `MAX_BYTES`; raises `Refused`.
        platform: "canvas", "moodle" or "".
        number: the student's on that platform, or "".
        late: whether the platform marked it so.
        notes: what else the student handed in.
    """

    student: str
    name: str
    path: str
    read: Callable[[], bytes]
    platform: str = ""
    number: str = ""
    late: bool = False
    notes: tuple[str, ...] = ()


@dataclass
class Collection:
    """The submissions of a class, in order of the students, and what an instructor should know."""

    submissions: list[Submission]
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Found:
    """A notebook or something refused: its parts down to the first archive, and below."""

    parts: tuple[str, ...]
    below: tuple[str, ...]
    when: float
    read: Callable[[], bytes]
    reason: str = ""

    @property
    def path(self) -> str:
        return "/".join((*self.parts, *self.below))


@dataclass(frozen=True)
class _Owner:
    student: str
    name: str
    platform: str = ""
    number: str = ""
    late: bool = False
    attempt: tuple[int, int] = (0, 0)


def collect(source: str | Path, assignment: str, notebook: str = "") -> Collection:
    """Find the submissions in a folder or a zip archive.

    Args:
        source: a folder or archive: notebooks side by side, one folder for each student, an export
            of Canvas or Moodle, or an nbgrader course or its ``submitted`` folder.
        assignment: its name: of several notebooks those of this name come first.
        notebook: the name of its notebook where that is another one; it then comes first. In the
            folders of nbgrader, only notebooks of exactly this name count.

    Raises:
        ValueError: it is neither, or holds no notebook.
    """
    source = Path(source)
    if source.is_dir():
        if (source / "submitted").is_dir() and any(
            (source / name).exists() for name in ("nbgrader_config.py", "release", "source")
        ):
            source = source / "submitted"
        found = list(_in_folder(source))
    elif source.is_file() and zipfile.is_zipfile(source):
        found = list(_in_zip(partial(open, source, "rb"), (), (), _Budget(), MAX_CONTENTS))
    elif source.exists():
        raise ValueError(f"{source} is neither a folder nor a zip archive; give one with notebooks")
    else:
        raise FileNotFoundError(f"{source} does not exist; give a folder or zip of notebooks")
    if not found:
        raise ValueError(f"{source} holds no notebook (.ipynb)")
    found, nbgrader = _without_wrapper(found, source.name == "submitted")
    if nbgrader:
        found = [f for f in found if len(f.parts) < 3 or f.parts[1] == assignment]
        everybody = {f.parts[0] for f in found}
        if notebook:
            named = lambda f: len(f.parts) < 3 or f.path.endswith(f"/{notebook}.ipynb")
            found = [f for f in found if f.reason or named(f)]
        if not found:
            raise ValueError(
                f"{source} holds no submission of {assignment}"
                + (f" with a notebook {notebook}.ipynb" if notebook else "")
            )
        without = sorted(everybody - {f.parts[0] for f in found}, key=_natural)
    collection = _chosen(found, notebook or assignment)
    if nbgrader and without:
        collection.warnings.append(f"{', '.join(without)} handed in no {notebook}.ipynb")
    return collection


def collect_one(folder: str | Path, assignment: str) -> Submission:
    """The submission in a folder that holds what one student handed in, by the same rule.

    Raises:
        ValueError: there is no notebook.
    """
    found = list(_in_folder(Path(folder)))
    if not found:
        raise ValueError("no notebook (.ipynb) was handed in")
    one = [_Found(("student", *f.parts), f.below, f.when, f.read, f.reason) for f in found]
    return _chosen(one, assignment).submissions[0]


# --- what lies where ------------------------------------------------------------------------------


def _in_folder(root: Path) -> Iterator[_Found]:
    for folder, names, files in os.walk(root):
        names[:] = sorted(n for n in names if n not in _IGNORED and not n.startswith("."))
        for name in [n for n in names if os.path.islink(os.path.join(folder, n))]:
            parts = Path(folder, name).relative_to(root).parts
            yield _refused(parts, (), "it is a link; hand in a file")
        for name in sorted(files):
            kind = os.path.splitext(name)[1].lower()
            if kind not in (".ipynb", ".zip") or name.startswith("."):
                continue
            path = Path(folder, name)
            parts = path.relative_to(root).parts
            about = path.lstat()
            if stat.S_ISLNK(about.st_mode):
                yield _refused(parts, (), "it is a link; hand in a file")
            elif not stat.S_ISREG(about.st_mode):
                yield _refused(parts, (), "it is no ordinary file")
            elif kind == ".zip":
                opens = partial(_open, path)
                yield from _in_zip(opens, parts, (), _Budget(), MAX_INNER_CONTENTS)
            else:
                yield _Found(parts, (), about.st_mtime, partial(_read_file, path))


def _open(path: Path) -> BinaryIO:
    """Open a file that may have been replaced by a link or a pipe in the meantime."""
    try:
        return open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    except OSError as error:
        raise Refused(f"it cannot be opened ({error.strerror})") from None


def _read_file(path: Path) -> bytes:
    with _open(path) as file:
        return file.read(MAX_BYTES + 1)


class _Budget:
    """How much of inner archives may still be read in all."""

    left = MAX_INNER_TOTAL

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise Refused("the archives within archives are too large in all")


def _in_zip(opens, outer, below, budget, most_contents, depth=1) -> Iterator[_Found]:
    """What an archive holds. `outer` are the parts of its own path, if it lies within another."""
    try:
        with opens() as file, _archive(file, most_contents) as archive:
            entries = archive.infolist()
    except Refused as refusal:
        yield _refused(outer, below, str(refusal))
        return
    held = False
    for entry in entries:
        parts, problem = _name(entry)
        kind = os.path.splitext(entry.filename)[1].lower()
        if entry.is_dir() or not parts or any(p in _IGNORED or p[0] == "." for p in parts):
            continue
        if kind not in (".ipynb", ".zip") and not (problem and "link" in problem):
            continue
        held = True
        # What lies in an archive within the class belongs to whom the archive belongs.
        place = (outer, (*below, *parts)) if outer else (parts, ())
        if problem:
            yield _refused(*place, problem)
        elif kind == ".ipynb":
            when = _seconds(entry)
            yield _Found(*place, when, partial(_read_entry, opens, most_contents, entry))
        elif depth >= MAX_DEPTH:
            yield _refused(*place, f"archives within archives, more than {MAX_DEPTH} deep")
        else:
            inner = partial(_open_inner, opens, most_contents, entry)
            try:
                budget.take(min(entry.file_size, MAX_ARCHIVE))
            except Refused as refusal:
                yield _refused(*place, str(refusal))
            else:
                yield from _in_zip(inner, *place, budget, MAX_INNER_CONTENTS, depth + 1)
    if outer and not held:
        yield _refused(outer, below, "the archive holds no notebook (.ipynb)")


@contextlib.contextmanager
def _archive(file: BinaryIO, most_contents: int) -> Iterator[zipfile.ZipFile]:
    """A zip archive, once its table of contents is known to be of a bearable size."""
    try:
        # zipfile itself would read a table of any size into memory.
        end = zipfile._EndRecData(file)
        if end is None:
            raise Refused("it is called .zip, but is no zip archive")
        if end[5] > most_contents:
            raise Refused("an archive with too many entries")
        with zipfile.ZipFile(file) as archive:
            yield archive
    except Refused:
        raise
    except Exception as error:  # zipfile has many ways to say that a file is damaged
        raise Refused(f"a damaged archive ({type(error).__name__})") from None


def _name(entry: zipfile.ZipInfo) -> tuple[tuple[str, ...], str]:
    """The parts of an entry's name without what leads elsewhere, and what is wrong with it."""
    raw = entry.orig_filename
    parts = tuple(p for p in re.split(r"[/\\]+", raw) if p not in ("", ".", ".."))
    problem = ""
    if raw.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", raw):
        problem = "an absolute path in an archive"
    elif ".." in re.split(r"[/\\]", raw):
        problem = "`..` in a path in an archive"
    elif "\0" in raw:
        problem = "a path with a zero byte in an archive"
    elif stat.S_ISLNK(entry.external_attr >> 16):
        problem = "a link in an archive"
    elif entry.flag_bits & 1:
        problem = "it is encrypted; hand it in without a password"
    return parts, problem


def _read_entry(opens, most_contents, entry, most: int = MAX_BYTES + 1) -> bytes:
    with (
        opens() as file,
        _archive(file, most_contents) as archive,
        archive.open(entry) as opened,
    ):
        return opened.read(most)  # no more, whatever the entry claims to hold


def _open_inner(opens, most_contents, entry) -> BinaryIO:
    data = _read_entry(opens, most_contents, entry, MAX_ARCHIVE + 1)
    if len(data) > MAX_ARCHIVE:
        raise Refused(f"an archive of more than {MAX_ARCHIVE >> 20} MB within an archive")
    return io.BytesIO(data)


def _seconds(entry: zipfile.ZipInfo) -> float:
    """The time of an entry as a number to sort by: archives know no time zone."""
    year, month, day, hour, minute, second = entry.date_time
    return ((((year * 12 + month) * 31 + day) * 24 + hour) * 60 + minute) * 60.0 + second


def _refused(parts, below, reason: str) -> _Found:
    return _Found(tuple(parts), tuple(below), 0.0, partial(_raise, reason), reason)


def _raise(reason: str) -> bytes:
    raise Refused(reason)


# --- whose it is ----------------------------------------------------------------------------------


def _without_wrapper(found: list[_Found], nbgrader: bool) -> tuple[list[_Found], bool]:
    """Without the folders that hold the whole class, and whether nbgrader made them."""
    while len(found) > 1:
        first = {f.parts[0] for f in found}
        name = next(iter(first))
        inside = all(len(f.parts) > 1 for f in found)
        if len(first) > 1 or not inside or MOODLE.fullmatch(name) or CANVAS.fullmatch(name):
            break
        if nbgrader:  # a class of one
            break
        nbgrader = name == "submitted"
        found = [_Found(f.parts[1:], f.below, f.when, f.read, f.reason) for f in found]
    return found, nbgrader


def _owner(found: _Found) -> _Owner:
    first = found.parts[0]
    if match := MOODLE.fullmatch(first):
        who = f"{match['name']}_{match['id']}"
        return _Owner(who, match["name"], "moodle", match["id"])
    if match := CANVAS.fullmatch(first):
        again = _AGAIN.search(os.path.splitext(match["file"])[0])
        attempt = (int(again[1]) if again else 0, int(match["upload"]))
        who = f"{match['name']}_{match['id']}"
        return _Owner(who, match["name"], "canvas", match["id"], bool(match["late"]), attempt)
    plain = re.sub(r"\.(ipynb|zip)$", "", first, flags=re.I) or first
    return _Owner(plain, plain)


def _chosen(found: list[_Found], assignment: str) -> Collection:
    students: dict[str, list[tuple[_Owner, _Found]]] = {}
    for one in found:
        owner = _owner(one)
        students.setdefault(owner.student, []).append((owner, one))
    collection = Collection([])
    for student in sorted(students, key=_natural):
        handed = students[student]
        handed.sort(key=lambda pair: _rank(*pair, assignment))
        owner, last = handed[-1]
        notes = []
        for _, other in handed[:-1]:
            why = f"refused: {other.reason}" if other.reason else "not the latest"
            notes.append(f"{other.path}: {why}")
        if len(notes) > 20:
            notes[20:] = [f"and {len(notes) - 20} more"]
        if len(handed) > 1 and not last.reason:
            notes.insert(0, f"{len(handed)} files; {last.path} counts")
        if len(handed) > MANY:
            collection.warnings.append(
                f"{last.parts[0]} holds {len(handed)} notebooks, of which one counts; if it is "
                "a class of its own, give it alone"
            )
        collection.submissions.append(
            Submission(
                student, owner.name, last.path, last.read, owner.platform, owner.number,
                owner.late, tuple(notes),
            )
        )  # fmt: skip
    return collection


def _rank(owner: _Owner, found: _Found, assignment: str):
    # Of the path, only what the student chose: a platform's prefix is no name of an assignment.
    named = any(assignment in part for part in (*found.parts, *found.below))
    return (not found.reason, named, owner.attempt, found.when, _natural(found.path))


def _natural(text: str) -> list:
    """Sorts x-10 after x-9."""
    pieces = re.split(r"(\d+)", text)
    return [(int(p), "") if n % 2 and len(p) < 300 else (-1, p) for n, p in enumerate(pieces)]
