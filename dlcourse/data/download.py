"""Fetch a file from the first mirror that has it, and let it arrive whole or not at all.

A file grows beside its place as `NAME.part`; when its content has been checked it takes the place
in one step. A download that broke off, even with the machine, goes on where it stopped, and two
processes that want the same file don't meet: the second waits, and finds it there.
"""

import contextlib
import errno
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .formats import FormatError

FULL_DISK = {errno.ENOSPC, errno.EDQUOT}


class DataError(OSError):
    """A data set that can't be had, with what was expected and what to do."""

    def __str__(self):
        return self.strerror or super().__str__()


@dataclass(frozen=True)
class Remote:
    """A file that lies on several servers.

    Args:
        name: of the file, and where it goes within the data folder: ``"mnist/train.gz"``.
        size: bytes, as its publisher states them. A mirror may have packed it differently.
        checksum: as its publisher states it, for messages: ``"md5 f68b3c2d…"``.
        mirrors: addresses, tried in this order.
    """

    name: str
    size: int
    checksum: str
    mirrors: tuple[str, ...]


@dataclass(frozen=True)
class Patience:
    """How long to bear with a mirror.

    Args:
        connect: seconds until it must have answered. Default 10.
        silence: seconds without a byte. Default 30.
        rate: bytes a second that must come, on average over `silence` seconds. Default 1,000.
        tries: how often to go on after a broken connection. Default 5.
        pause: seconds before going on, doubled each time. Default 1.
    """

    connect: float = 10.0
    silence: float = 30.0
    rate: float = 1000.0
    tries: int = 5
    pause: float = 1.0


def data_folder() -> Path:
    """Where data sets lie: `DLCOURSE_DATA` if set, else the platform's cache folder."""
    named = os.environ.get("DLCOURSE_DATA")
    if named:
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("dlcourse"))


def fetch(
    remote: Remote,
    folder: Path,
    check: Callable[[Path], object],
    progress: bool | None = None,
    patience: Patience | None = None,
) -> Path:
    """Download a file, from one mirror after another, until `check` accepts its content.

    Args:
        remote: the file.
        folder: where it goes; made if missing.
        check: called with the path of what came; raises `FormatError` if it isn't right.
        progress: whether to show a bar with size and rate. Default None: in a terminal or notebook.
        patience: with slow mirrors.

    Returns:
        the path of the file, which `check` has accepted.

    Raises:
        DataError: if no mirror has it, the disk is full or the folder can't be written. A part
            that can be continued stays as ``NAME.part``; one with wrong content is removed.
    """
    target = Path(folder) / remote.name
    part = target.with_name(target.name + ".part")
    new = False
    try:
        new = not target.parent.exists()
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(target.with_name(target.name + ".lock"), target):
            if target.exists():  # another process was faster
                check(target)
                return target
            _from_mirrors(remote, part, check, progress, patience or Patience())
            part.replace(target)
            return target
    except DataError:
        raise
    except OSError as error:
        if error.errno in FULL_DISK:
            part.unlink(missing_ok=True)
            raise DataError(
                error.errno,
                f"the disk is full: {target} needs {remote.size:,} bytes, and "
                f"{_free(target.parent)} are free; what had come of it is removed",
            ) from error
        raise DataError(
            error.errno,
            f"{target.parent} can't be written ({os.strerror(error.errno)}); it is to hold "
            f"{target.name}, {remote.size:,} bytes. Set DLCOURSE_DATA to a folder of your own",
        ) from error
    finally:
        if new:
            with contextlib.suppress(OSError):  # stays if there is something in it
                target.parent.rmdir()


def _from_mirrors(remote, part, check, progress, patience):
    """Fill `part` from the first mirror whose file passes the check."""
    import requests

    need = remote.size - _size(part)
    if need > shutil.disk_usage(part.parent).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    refusals = []
    with requests.Session() as session, _bar(remote, progress) as bar:
        session.max_redirects = 5
        for url in remote.mirrors:
            resumed = _size(part) > 0
            for _ in range(1 + resumed):  # a part may be of another mirror's file: then once more
                try:
                    _transfer(session, url, part, remote, bar, patience)
                    check(part)
                    return
                except (requests.RequestException, _BadAnswer) as error:
                    refusals.append(f"{url}: {_in_words(error)}")
                    if isinstance(error, _TooMuch):
                        part.unlink()  # whatever that was, it isn't the beginning of this file
                    break
                except FormatError as error:
                    size = _size(part)
                    part.unlink(missing_ok=True)
                    refusals.append(f"{url}: came whole, {size:,} bytes, but {error}")
    raise DataError(
        errno.EIO,
        f"{part.name.removesuffix('.part')} ({remote.size:,} bytes, {remote.checksum}) could not "
        "be downloaded:\n" + "\n".join(f"  {line}" for line in refusals),
    )


class _BadAnswer(Exception):
    """A mirror's answer that doesn't help; another mirror may do better."""


class _TooMuch(_BadAnswer):
    """More came than the file has."""


def _transfer(session, url, part, remote, bar, patience):
    """Bring `part` to the end of what lies at `url`, going on after broken connections."""
    import requests

    validator, failures = None, 0
    while True:
        before = _size(part)
        try:
            validator = _receive(session, url, part, remote, bar, patience, validator)
            return
        except (requests.ConnectionError, requests.Timeout, _Broken) as error:
            # Without progress there is no point in asking again: nobody answers, or never did.
            failures += 1
            if failures >= patience.tries or _size(part) <= before:
                raise _BadAnswer(_in_words(error)) from error
            validator = getattr(error, "validator", validator)
            time.sleep(patience.pause * 2 ** (failures - 1))


class _Broken(Exception):
    """The connection ended before the file did."""

    def __init__(self, words, validator=None):
        super().__init__(words)
        self.validator = validator


def _receive(session, url, part, remote, bar, patience, validator):
    """One request: append to `part` from where it ends, or start it afresh."""
    offset = _size(part)
    # Else a server may pack what is packed already, and positions would mean something else.
    headers = {"Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if validator:
            headers["If-Range"] = validator
    waits = (patience.connect, patience.silence)
    with session.get(url, headers=headers, stream=True, timeout=waits) as answer:
        code = answer.status_code
        if code == 416 and _total(answer) == offset:  # nothing after that: it is whole
            return validator
        if offset and (code == 416 or (code == 206 and _first_byte(answer) != offset)):
            part.unlink()  # the part is not of this file, or the server can't count: afresh
            return _receive(session, url, part, remote, bar, patience, None)
        if code not in (200, 206) or (code == 206 and not offset):
            raise _BadAnswer(f"answered {code} {answer.reason}")
        offset = offset if code == 206 else 0
        validator = answer.headers.get("ETag", "")
        validator = validator if validator.startswith('"') else answer.headers.get("Last-Modified")
        most = remote.size + remote.size // 4 + 4096  # a mirror may have packed it less tightly
        length = answer.headers.get("Content-Length", "")
        whole = offset + int(length) if length.isdecimal() else None
        if whole is not None and whole > most:
            raise _BadAnswer(f"offers {whole:,} bytes, expected {remote.size:,}")
        bar.total = whole
        bar.n = bar.initial = offset  # a rate counts only what comes now
        bar.refresh()
        broken = None
        with part.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            try:
                for piece in _pieces(answer, patience):
                    offset += len(piece)
                    if offset > most:
                        raise _TooMuch(f"sends more than the {remote.size:,} bytes expected")
                    file.write(piece)
                    bar.update(len(piece))
            except _Broken as error:
                broken = error
        if broken or (whole is not None and offset < whole):
            total = "an unknown number of" if whole is None else f"{whole:,}"
            raise _Broken(f"sent {offset:,} of {total} bytes and broke off", validator) from broken
    return validator


def _pieces(answer, patience) -> Iterator[bytes]:
    """The body as it comes; a `_Broken` if it breaks off or comes too slowly to wait for."""
    import urllib3

    read = getattr(answer.raw, "read1", answer.raw.read)  # urllib3 1 has only the second
    since, got = time.monotonic(), 0
    while True:
        try:
            piece = read(1 << 16, decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _Broken(str(error)) from error
        if not piece:
            return
        yield piece
        got += len(piece)
        now = time.monotonic()
        if now - since > patience.silence:
            if got < patience.rate * (now - since):
                raise _BadAnswer(f"too slow: {got / (now - since):,.0f} bytes a second")
            since, got = now, 0


def _first_byte(answer) -> int | None:
    """Where the piece in a 206 begins: 5 for ``Content-Range: bytes 5-9/10``."""
    begin = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(begin) if begin.isdecimal() else None


def _total(answer) -> int | None:
    """The file's size as a 416 tells it: 10 for ``Content-Range: bytes */10``."""
    total = answer.headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isdecimal() else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _free(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder).free:,}"
    except OSError:
        return "too few"


def _in_words(error: Exception) -> str:
    """What went wrong, without the objects' addresses that requests puts into its messages."""
    import requests

    if isinstance(error, requests.TooManyRedirects):
        return "sends from one address to the next without end"
    if isinstance(error, requests.Timeout):
        return "did not answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate was not accepted"
    if isinstance(error, requests.ConnectionError):
        return "the connection broke or could not be made; is there a network?"
    return str(error) or type(error).__name__


def _bar(remote: Remote, progress: bool | None):
    from tqdm.auto import tqdm

    if progress is None:
        progress = sys.stderr.isatty() or _in_notebook()
    return tqdm(
        desc=Path(remote.name).name, total=remote.size, unit="B", unit_scale=True,
        disable=not progress, leave=True,
    )  # fmt: skip


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this code; it has no terminal but shows bars."""
    ipython = sys.modules.get("IPython")
    return hasattr(ipython.get_ipython() if ipython else None, "kernel")


@contextlib.contextmanager
def _lock(path: Path, target: Path) -> Iterator[None]:
    """Hold `path` locked, waiting as long as another process does; the system frees it if we die.

    The lock goes by the open file and not by its presence, so a file left by a killed process
    locks nobody out.
    """
    waiting = False
    while True:
        file = path.open("a+b")
        try:
            _try_lock(file)
            if _same_file(file, path):
                break
        except BlockingIOError:
            if not waiting:
                print(f"waiting for another process that downloads {target}", file=sys.stderr)
            waiting = True
        except OSError as error:
            file.close()
            raise DataError(
                error.errno,
                f"{path.parent} lies on a file system without locks ({error}); set DLCOURSE_DATA "
                "to a folder on a local disk",
            ) from error
        file.close()
        time.sleep(0.1)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows removes no open file; an empty one stays
            path.unlink()
        file.close()


def _same_file(file, path: Path) -> bool:
    """Whether `path` still names this open file, which its last owner may have removed."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _try_lock(file) -> None:
    """Lock an open file or raise `BlockingIOError`."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(*error.args) from error
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
