"""A server on this machine that stands in for the mirrors of the world, and for what they do wrong.

The first word of the path says how it behaves: ``/good/digits.gz`` is served as it should be,
``/drip/digits.gz`` a few bytes at a time. What was asked and how much was sent is kept.
"""

import contextlib
import gzip
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """Serves `content` (bytes by file name) until the `with` ends.

    Attributes:
        requests: (behavior, Range header or None, bytes of the body sent) in order of arrival.
    """

    def __init__(self, content):
        self.content, self.requests, self.stop = content, [], threading.Event()
        handler = type("Bound", (_Handler,), {"owner": self})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = True

    def __enter__(self):
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.http.shutdown()
        self.http.server_close()

    def __call__(self, behavior, name="file"):
        return f"http://127.0.0.1:{self.http.server_port}/{behavior}/{name}"

    @property
    def sent(self):
        return sum(count for _, _, count in self.requests)

    def asked(self, behavior):
        return [asked for name, asked, _ in self.requests if name == behavior]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        behavior, _, name = self.path.lstrip("/").partition("/")
        self.record = [behavior, self.headers["Range"], 0]
        self.owner.requests.append(self.record)
        self.close_connection = True
        body = self.owner.content.get(name)
        with contextlib.suppress(ConnectionError):
            if body is None:
                self.send_error(404)
            else:
                getattr(self, behavior)(body)

    def good(self, body, pace=0, piece=1 << 16, stop_after=None, etag='"1"'):
        """Whole, or from where it was asked."""
        start = 0
        asked = self.headers["Range"]
        if asked and self.headers["If-Range"] in (None, etag):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
                return
        headers = {"ETag": etag, "Content-Length": len(body) - start}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        self.answer(206 if start else 200, body[start:], headers, pace, piece, stop_after)

    def answer(self, code, body, headers, pace=0, piece=1 << 16, stop_after=None):
        self.send_response(code)
        headers = {"Content-Length": len(body), "Connection": "close"} | headers
        for key, value in headers.items():
            self.send_header(key, str(value))
        self.end_headers()
        for start in range(0, len(body), piece):
            if stop_after is not None and start >= stop_after:
                self.reset()
                return
            if pace and self.owner.stop.wait(pace):
                return
            self.wfile.write(body[start : start + piece])
            self.record[2] += len(body[start : start + piece])

    def reset(self):
        """End the connection as a crash does, after what was sent has had time to arrive."""
        time.sleep(0.05)
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()

    def slow(self, body):
        self.good(body, pace=0.02, piece=4096)

    def drip(self, body):
        self.good(body, pace=0.02, piece=1)

    def silent(self, body):
        self.owner.stop.wait(20)

    def breaks(self, body):
        """Breaks off after 60,000 bytes, every time."""
        self.good(body, piece=20_000, stop_after=60_000)

    def changes(self, body):
        """Breaks off, and is another file when one comes back."""
        times = len(self.owner.asked("changes"))
        self.good(body if times > 1 else body[::-1], 0, 20_000, 60_000 if times < 2 else None,
                  etag=f'"{times}"')  # fmt: skip

    def resets(self, body):
        self.reset()

    def garbage(self, body):
        self.wfile.write(b"\xff\x00 this is no HTTP\r\n\r\n")

    def no_range(self, body):
        self.answer(200, body, {})

    def no_range_breaks(self, body):
        times = len(self.owner.asked("no_range_breaks"))
        self.answer(200, body, {}, 0, 20_000, 60_000 if times < 2 else None)

    def wrong_range(self, body):
        """Sends from elsewhere than asked."""
        if self.headers["Range"]:
            headers = {"Content-Range": f"bytes 7-{len(body) - 1}/{len(body)}"}
            self.answer(206, body[7:], headers)
        else:
            self.answer(200, body, {})

    def false_range(self, body):
        """Says that it sends from where it was asked, and sends other bytes."""
        asked = self.headers["Range"]
        if asked:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            headers = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
            self.answer(206, bytes(len(body) - start), headers)
        else:
            self.answer(200, body, {})

    def too_long(self, body):
        """Promises more than it sends."""
        self.answer(200, body, {"Content-Length": len(body) + 100})

    def too_short(self, body):
        self.answer(200, body[:-100], {})

    def wrong(self, body):
        self.answer(200, bytes(len(body)), {})

    def huge(self, body):
        self.answer(200, body, {"Content-Length": 10**13})

    def endless(self, body):
        """Never says how long it is, and never ends."""
        self.send_response(200)
        self.end_headers()
        while not self.owner.stop.is_set():
            self.wfile.write(bytes(1 << 16))
            self.record[2] += 1 << 16

    def chunked(self, body):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(body), 10_000):
            piece = body[start : start + 10_000]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def labeled(self, body):
        """Calls a gzip file's own packing an encoding of the transfer, as some servers do."""
        self.answer(200, body, {"Content-Encoding": "gzip"})

    def packs(self, body):
        """Packs what it sends, if one lets it."""
        if "gzip" in self.headers["Accept-Encoding"]:
            self.answer(200, gzip.compress(body), {"Content-Encoding": "gzip"})
        else:
            self.answer(200, body, {})

    def loop(self, body):
        self.answer(302, b"", {"Location": self.path})

    def moved(self, body):
        self.answer(302, b"", {"Location": self.path.replace("moved", "good")})

    def missing(self, body):
        self.send_error(404)

    def broken(self, body):
        self.send_error(500)
