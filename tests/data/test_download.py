"""A download arrives whole or not at all, whatever the mirrors, the disk and the neighbors do."""

import contextlib
import errno
import gzip
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from misbehaving import Server

from dlcourse.data import download
from dlcourse.data.download import DataError, Patience, Remote, fetch
from dlcourse.data.formats import FormatError

BODY = gzip.compress(np.random.default_rng(0).bytes(200_000), mtime=0)
SHA = hashlib.sha256(BODY).hexdigest()
HASTY = Patience(connect=2, silence=0.5, rate=1000, tries=5, pause=0.01)


@pytest.fixture
def server():
    with Server({"file": BODY}) as server:
        yield server


def check(path):
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA:
        raise FormatError(f"{path}: checksum {found}, expected {SHA}")


def get(server, folder, *behaviors, patience=HASTY, **options):
    remote = Remote("set/file", len(BODY), f"sha256 {SHA}", tuple(map(server, behaviors)))
    return fetch(remote, folder, check, patience=patience, **options)


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in Path(folder).rglob("*") if p.is_file())


def part_of(folder, data):
    part = Path(folder) / "set" / "file.part"
    part.parent.mkdir()
    part.write_bytes(data)
    return part


@pytest.mark.parametrize(
    "behavior", ["good", "slow", "moved", "no_range", "chunked", "labeled", "packs", "breaks",
                 "changes", "no_range_breaks"]
)  # fmt: skip
def test_what_a_mirror_may_do(server, tmp_path, behavior):
    path = get(server, tmp_path, behavior)
    assert path.read_bytes() == BODY
    assert files(tmp_path) == ["set/file"]


@pytest.mark.parametrize(
    ("behavior", "words"),
    [
        ("missing", "answered 404"),
        ("broken", "answered 500"),
        ("resets", "connection broke"),
        ("garbage", "connection broke"),
        ("silent", "did not answer in time"),
        ("drip", "too slow"),
        ("loop", "without end"),
        ("wrong", "came whole, 200,083 bytes, but"),
        ("too_short", "came whole, 199,983 bytes, but"),
        ("too_long", "sent 200,083 of 200,183 bytes"),
        ("huge", "offers 10,000,000,000,000 bytes, expected 200,083"),
        ("endless", "sends more than the 200,083 bytes expected"),
    ],
)
def test_a_bad_mirror_is_named_and_the_next_one_asked(server, tmp_path, behavior, words):
    with pytest.raises(DataError) as error:
        get(server, tmp_path / "alone", behavior)
    for part in (words, server(behavior), "file (200,083 bytes", f"sha256 {SHA}"):
        assert part in str(error.value)
    left = files(tmp_path / "alone") if (tmp_path / "alone").exists() else []
    assert set(left) <= {"set/file.part"}
    if behavior in ("wrong", "too_short", "endless", "huge"):
        assert not left, "a wrong part was kept"
    assert get(server, tmp_path / "both", behavior, "good").read_bytes() == BODY
    assert files(tmp_path / "both") == ["set/file"]


def test_mirrors_are_asked_in_order_and_only_as_far_as_needed(server, tmp_path):
    get(server, tmp_path, "missing", "wrong", "good", "slow")
    assert [behavior for behavior, _, _ in server.requests] == ["missing", "wrong", "good"]


def test_no_network(tmp_path):
    remote = Remote("set/file", 5, "md5 0", ("http://127.0.0.1:9/file",))
    with pytest.raises(DataError, match="is there a network"):
        fetch(remote, tmp_path, check, patience=HASTY)
    assert files(tmp_path) == []
    assert not (tmp_path / "set").exists()


def test_a_broken_connection_goes_on_where_it_broke(server, tmp_path):
    get(server, tmp_path, "breaks", patience=Patience(tries=9, pause=0.01))
    assert server.asked("breaks") == [
        None, "bytes=60000-", "bytes=120000-", "bytes=180000-"
    ]  # fmt: skip
    assert server.sent == len(BODY)


def test_tries_are_bounded(server, tmp_path):
    with pytest.raises(DataError, match="sent 120,000 of 200,083 bytes and broke off"):
        get(server, tmp_path, "breaks", patience=Patience(tries=2, pause=0.01))
    assert len(server.requests) == 2
    part = tmp_path / "set" / "file.part"
    assert part.read_bytes() == BODY[:120_000]  # and the next call goes on from there
    get(server, tmp_path, "good")
    assert server.asked("good") == ["bytes=120000-"]


@pytest.mark.parametrize("behavior", ["good", "no_range", "wrong_range", "false_range"])
def test_a_part_is_continued_if_the_mirror_can(server, tmp_path, behavior):
    part_of(tmp_path, BODY[:70_000])
    assert get(server, tmp_path, behavior).read_bytes() == BODY
    assert server.asked(behavior)[0] == "bytes=70000-"
    assert (server.sent == len(BODY) - 70_000) == (behavior == "good")
    assert files(tmp_path) == ["set/file"]


@pytest.mark.parametrize(
    "left", [bytes(70_000), BODY + b"more", BODY], ids=["other", "longer", "whole"]
)
def test_a_part_that_is_not_of_this_file_is_dropped(server, tmp_path, left):
    part_of(tmp_path, left)
    assert get(server, tmp_path, "good").read_bytes() == BODY


def test_a_part_goes_on_at_another_mirror(server, tmp_path):
    get(server, tmp_path, "breaks", "good", patience=Patience(tries=1))
    assert server.asked("good") == ["bytes=60000-"]
    assert server.sent == len(BODY)


PROGRAM = """
import hashlib, sys
from pathlib import Path
from dlcourse.data.download import Remote, fetch
from dlcourse.data.formats import FormatError
folder, url, size, sha = sys.argv[1:]
def check(path):
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha:
        raise FormatError("wrong")
print(fetch(Remote("set/file", int(size), sha, (url,)), Path(folder), check))
"""


def start(folder, url):
    words = [sys.executable, "-c", PROGRAM, str(folder), url, str(len(BODY)), SHA]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def test_two_processes_fetch_once(server, tmp_path):
    runs = [start(tmp_path, server("slow")) for _ in range(2)]
    outputs = [run.communicate(timeout=60) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    assert server.sent == len(BODY)
    assert (tmp_path / "set" / "file").read_bytes() == BODY
    assert files(tmp_path) == ["set/file"]


def test_killed_in_mid_download_and_run_again(server, tmp_path):
    part = tmp_path / "set" / "file.part"
    run = start(tmp_path, server("slow"))
    wait_for(lambda: part.exists() and part.stat().st_size > 40_000)
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=30)
    there = part.stat().st_size
    assert there < len(BODY)
    assert not (tmp_path / "set" / "file").exists()
    again = start(tmp_path, server("good"))
    _, err = again.communicate(timeout=60)
    assert again.returncode == 0, err
    assert server.asked("good") == [f"bytes={there}-"]
    assert [sent for behavior, _, sent in server.requests if behavior == "good"] == [
        len(BODY) - there
    ]
    assert (tmp_path / "set" / "file").read_bytes() == BODY
    assert files(tmp_path) == ["set/file"]  # the dead process's lock is gone, too


def test_a_lock_whose_file_is_gone_locks_nothing(tmp_path, monkeypatch):
    """Between opening and locking, the owner before may have removed the file."""
    path, times, real = tmp_path / "lock", [], download._try_lock

    def slowly(file):
        real(file)
        times.append(file)
        if len(times) == 1:
            path.unlink()

    monkeypatch.setattr(download, "_try_lock", slowly)
    with download._lock(path, tmp_path / "target"):
        assert path.exists()
    assert len(times) == 2


class SmallDisk:
    """Files opened through it take `room` bytes and then no more."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def write(self, data):
        if self.file.tell() + len(data) > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.file.write(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)


def test_disk_that_fills_up_on_the_way(server, tmp_path, monkeypatch):
    real = pathlib.Path.open

    def small(self, mode="r", *rest):
        file = real(self, mode, *rest)
        return SmallDisk(file, 100_000) if self.suffix == ".part" and mode != "rb" else file

    monkeypatch.setattr(pathlib.Path, "open", small)
    with pytest.raises(DataError, match=r"disk is full: .*file needs 200,083 bytes") as error:
        get(server, tmp_path, "good", "good")
    assert error.value.errno == errno.ENOSPC
    assert files(tmp_path) == []
    assert len(server.requests) == 1, "another mirror doesn't make the disk larger"


def test_full_disk_is_seen_before_the_download(server, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=100_000)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match=r"disk is full.* 100,000 are free"):
        get(server, tmp_path, "good")
    assert server.requests == []


@contextlib.contextmanager
def without_root():
    """Root may write anywhere, so be somebody else for a moment."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no permission bits")
def test_folder_that_cannot_be_written(server):
    folder = Path(tempfile.mkdtemp())  # not tmp_path, where only its owner may enter
    try:
        folder.chmod(0o555)
        with without_root(), pytest.raises(DataError, match="can't be written") as error:
            get(server, folder, "good")
        for words in (str(folder), "file, 200,083 bytes", "DLCOURSE_DATA"):
            assert words in str(error.value)
        assert server.requests == []
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_folder_that_is_a_file(server, tmp_path):
    (tmp_path / "set").write_text("in the way")
    with pytest.raises(DataError, match="can't be written"):
        get(server, tmp_path, "good")


def test_bar_shows_size_and_rate_when_asked(server, tmp_path, capsys):
    get(server, tmp_path / "a", "slow")
    assert capsys.readouterr().err == "", "silent where nobody looks"
    get(server, tmp_path / "b", "slow", progress=True)
    shown = capsys.readouterr().err
    assert "file: 100%" in shown
    assert "200k/200k" in shown
    assert "B/s" in shown


def test_data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path))
    assert download.data_folder() == tmp_path
    monkeypatch.delenv("DLCOURSE_DATA")
    assert download.data_folder().name == "dlcourse"
