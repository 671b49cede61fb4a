"""Who handed in what: folders, archives and the names of learning platforms; strange archives."""

import contextlib
import io
import os
import stat
import struct
import time
import zipfile

import pytest

from dlcourse.grading import submissions
from dlcourse.grading.rebuild import MAX_BYTES
from dlcourse.grading.submissions import Refused, collect

NAME = "07-backpropagation"
MOODLE = "_assignsubmission_file_"


def lay(root, *paths):
    """Files whose content is their own path; each is a minute younger than the one before."""
    for n, path in enumerate(paths):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
        os.utime(file, (1_700_000_000 + 60 * n,) * 2)
    return root


def zipped(*entries):
    """The bytes of an archive of (name or ZipInfo, content)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in entries:
            name, content = entry if isinstance(entry, tuple) else (entry, entry)
            archive.writestr(name, content)
    return file.getvalue()


LAYOUTS = {
    "side by side": (
        ["student-01.ipynb", "student-02.ipynb", "notes.txt"],
        {"student-01": "student-01.ipynb", "student-02": "student-02.ipynb"},
    ),
    "a folder each": (
        ["student-01/a.ipynb", "student-02/deep/b.ipynb"],
        {"student-01": "student-01/a.ipynb", "student-02": "student-02/deep/b.ipynb"},
    ),
    "a wrapper around the class": (
        ["class/student-01.ipynb", "class/student-02.ipynb"],
        {"student-01": "class/student-01.ipynb", "student-02": "class/student-02.ipynb"},
    ),
    "Canvas": (
        [f"student01_101_9001_{NAME}.ipynb", f"student02_LATE_102_9002_{NAME}-1.ipynb"],
        {"student01_101": f"student01_101_9001_{NAME}.ipynb",
         "student02_102": f"student02_LATE_102_9002_{NAME}-1.ipynb"},
    ),
    "Canvas, a resubmission": (
        [f"student01_101_9007_{NAME}-10.ipynb", f"student01_101_9005_{NAME}-9.ipynb",
         f"student01_LATE_101_9001_{NAME}.ipynb"],
        {"student01_101": f"student01_101_9007_{NAME}-10.ipynb"},
    ),
    "Canvas, a later upload without a number": (
        ["student01_101_9007_x.ipynb", "student01_101_9005_x.ipynb"],
        {"student01_101": "student01_101_9007_x.ipynb"},
    ),
    "Moodle": (
        [f"Student One_101{MOODLE}/x.ipynb", f"Student Two_102{MOODLE}/y.ipynb"],
        {"Student One_101": f"Student One_101{MOODLE}/x.ipynb",
         "Student Two_102": f"Student Two_102{MOODLE}/y.ipynb"},
    ),
    "Moodle, without folders": (
        [f"Student One_101{MOODLE}x.ipynb", f"Student Two_102{MOODLE}y.ipynb"],
        {"Student One_101": f"Student One_101{MOODLE}x.ipynb",
         "Student Two_102": f"Student Two_102{MOODLE}y.ipynb"},
    ),
    "Moodle, a student who poses as another": (
        [f"Student One_101{MOODLE}/Student Two_102{MOODLE}/x.ipynb",
         f"Student Two_102{MOODLE}/y.ipynb"],
        {"Student One_101": f"Student One_101{MOODLE}/Student Two_102{MOODLE}/x.ipynb",
         "Student Two_102": f"Student Two_102{MOODLE}/y.ipynb"},
    ),
    "folders, a student who poses as another": (
        ["student-01/student-02/x.ipynb", "student-02/y.ipynb"],
        {"student-01": "student-01/student-02/x.ipynb", "student-02": "student-02/y.ipynb"},
    ),
    "nbgrader": (
        [f"submitted/student-01/{NAME}/{NAME}.ipynb", "submitted/student-01/06-other/o.ipynb",
         f"submitted/student-02/{NAME}/{NAME}.ipynb", f"release/{NAME}/{NAME}.ipynb"],
        {"student-01": f"student-01/{NAME}/{NAME}.ipynb",
         "student-02": f"student-02/{NAME}/{NAME}.ipynb"},
    ),
    "nbgrader, in an archive of its own": (
        [f"submitted/student-01/{NAME}/{NAME}.ipynb", "submitted/student-02/06-other/o.ipynb"],
        {"student-01": f"submitted/student-01/{NAME}/{NAME}.ipynb"},
    ),
    "several, one named as the assignment": (
        [f"student-01/{NAME}.ipynb", "student-01/scratch.ipynb", "student-02/x.ipynb"],
        {"student-01": f"student-01/{NAME}.ipynb", "student-02": "student-02/x.ipynb"},
    ),
    "several, the youngest": (
        ["student-01/b.ipynb", "student-01/a.ipynb", "student-02/x.ipynb"],
        {"student-01": "student-01/a.ipynb", "student-02": "student-02/x.ipynb"},
    ),
    "litter": (
        ["student-01.ipynb", ".ipynb_checkpoints/student-01.ipynb", "__MACOSX/x.ipynb",
         "._student-01.ipynb"],
        {"student-01": "student-01.ipynb"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_folder_is_read_as_it_comes(tmp_path, layout):
    paths, expected = LAYOUTS[layout]
    found = collect(lay(tmp_path, *paths), NAME).submissions
    told = {s.student: s.read().decode().removeprefix("submitted/") for s in found}
    assert told == {who: path.removeprefix("submitted/") for who, path in expected.items()}
    assert [s.student for s in found] == sorted(told)


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "nbgrader"])
def test_an_archive_is_read_like_a_folder(tmp_path, layout):
    paths, expected = LAYOUTS[layout]
    entries = []
    for n, path in enumerate(paths):
        entries.append((zipfile.ZipInfo(path, (2024, 1, 1, 0, n, 0)), path))
    file = tmp_path / "class.zip"
    file.write_bytes(zipped(*entries))
    found = collect(file, NAME).submissions
    assert {s.student: s.read().decode() for s in found} == expected


def test_platform_number_lateness_and_the_others_are_told(tmp_path):
    lay(tmp_path, f"student01_LATE_101_9007_{NAME}-1.ipynb", f"student01_101_9005_{NAME}.ipynb")
    (one,) = collect(tmp_path, NAME).submissions
    assert (one.name, one.platform, one.number, one.late) == ("student01", "canvas", "101", True)
    assert one.notes == (
        f"2 files; student01_LATE_101_9007_{NAME}-1.ipynb counts",
        f"student01_101_9005_{NAME}.ipynb: not the latest",
    )


def test_archives_within_archives(tmp_path):
    file = tmp_path / "class.zip"
    inner = zipped("x.ipynb")
    # An archive that poses as another student's stays with its owner.
    posing = zipped("student-01.ipynb", f"Student One_101{MOODLE}/x.ipynb")
    file.write_bytes(zipped(("student-01.zip", inner), ("student-02.zip", posing)))
    found = {s.student: s for s in collect(file, NAME).submissions}
    assert list(found) == ["student-01", "student-02"]
    assert found["student-01"].read() == b"x.ipynb"
    assert found["student-01"].path == "student-01.zip/x.ipynb"


def test_a_class_in_one_folder_is_pointed_out(tmp_path):
    lay(tmp_path, "student-01/x.ipynb", *(f"section/student-{n:02}.ipynb" for n in range(2, 9)))
    (warning,) = collect(tmp_path, NAME).warnings
    assert "section holds 7 notebooks" in warning


def entry(name, mode=0):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


REFUSED = {
    "../x.ipynb": (zipped(("../x.ipynb", "evil")), "`..`"),
    "a\\..\\x.ipynb": (zipped((entry("a\\..\\x.ipynb"), "evil")), "`..`"),
    "/x.ipynb": (zipped(("/x.ipynb", "evil")), "absolute"),
    "C:/x.ipynb": (zipped(("C:/x.ipynb", "evil")), "absolute"),
    "link": (zipped((entry("x.ipynb", stat.S_IFLNK | 0o777), "/etc/passwd")), "link"),
    "empty archive": (zipped(), "no notebook"),
    "no archive": (b"not a zip", "no zip archive"),
    "damaged": (zipped("x.ipynb")[:20] + b"\0" * 9 + zipped("x.ipynb")[60:], "damaged|no zip"),
    "too deep": (
        zipped(("a.zip", zipped(("b.zip", zipped(("c.zip", zipped("x.ipynb"))))))), "3 deep"),
    "many entries": (zipped(*(f"{n:0200}.ipynb" for n in range(6000))), "too many entries"),
    "a bomb of archives": (
        zipped(("a.zip", b"\0" * (submissions.MAX_ARCHIVE + 10))), "more than 80 MB"),
}  # fmt: skip


def encrypted():
    """An archive whose entry says that it is encrypted."""
    data = bytearray(zipped("x.ipynb"))
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + at] |= 1
    return bytes(data)


REFUSED["encrypted"] = (encrypted(), "encrypted")


@pytest.mark.parametrize("kind", REFUSED)
def test_a_strange_archive_is_refused_and_told(tmp_path, kind):
    content, reason = REFUSED[kind]
    (tmp_path / "student-01.zip").write_bytes(content)
    lay(tmp_path, "student-02.ipynb")
    found = {s.student: s for s in collect(tmp_path, NAME).submissions}
    assert list(found) == ["student-01", "student-02"], "the student is not lost"
    with pytest.raises(Refused, match=reason):
        found["student-01"].read()
    assert found["student-02"].read() == b"student-02.ipynb"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["student-01.zip", "student-02.ipynb"]


def test_what_is_refused_beside_a_good_notebook_is_noted(tmp_path):
    (tmp_path / "student-01.zip").write_bytes(zipped(f"../{NAME}.ipynb", "good.ipynb"))
    (one,) = collect(tmp_path, NAME).submissions
    assert one.read() == b"good.ipynb"
    assert any("refused: `..`" in note for note in one.notes)


def test_a_bomb_is_not_inflated(tmp_path):
    file = tmp_path / "class.zip"
    data = bytearray(zipped(("student-01.ipynb", b"\0" * (MAX_BYTES + (50 << 20)))))
    file.write_bytes(data)
    (one,) = collect(file, NAME).submissions
    assert len(one.read()) == MAX_BYTES + 1
    # One that lies about its size.
    at = data.index(b"PK\1\2") + 24
    data[at : at + 4] = struct.pack("<I", 10)
    file.write_bytes(data)
    (one,) = collect(file, NAME).submissions
    with pytest.raises(Refused, match="damaged"):
        one.read()


def test_links_and_pipes_are_refused_and_told(tmp_path):
    (tmp_path / "secret").write_text("secret")
    folder = lay(tmp_path / "class", "student-02.ipynb", "student-04/x.ipynb")
    (folder / "student-01.ipynb").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "student-03.ipynb")
    (folder / "student-05").symlink_to(tmp_path)
    found = {s.student: s for s in collect(folder, NAME).submissions}
    for student, reason in (("student-01", "link"), ("student-03", "ordinary"),
                            ("student-05", "link")):  # fmt: skip
        with pytest.raises(Refused, match=reason):
            found[student].read()
    # One that is swapped for a link or a pipe after the folder was read.
    for number, swap in (("02", lambda p: p.symlink_to(tmp_path / "secret")), ("04", os.mkfifo)):
        one = found[f"student-{number}"]
        path = folder / one.path
        path.unlink()
        swap(path)
        begin = time.monotonic()
        with contextlib.suppress(Refused):
            assert one.read() == b""
        assert time.monotonic() - begin < 5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "nothing", "does not exist"),
        (lambda p: p, "holds no notebook"),
        (lambda p: lay(p, "x.txt") / "x.txt", "neither a folder nor a zip"),
    ],
)
def test_a_wrong_source_is_told(tmp_path, make, message):
    with pytest.raises((ValueError, OSError), match=message):
        collect(make(tmp_path), NAME)
