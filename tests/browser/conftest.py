"""What every browser test needs: Chromium, a server on this machine, and axe.

Nothing here reaches the network: the server listens on the loopback address, and Chromium's own
calls home are turned off.
"""

import http.server
import os
import shutil
import threading
from functools import partial
from pathlib import Path

import pytest

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def chromium():
    """The browser, started once: playwright's `Browser`. `DLCOURSE_CHROMIUM` names another one."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = os.environ.get("DLCOURSE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    with playwright.sync_playwright() as api:
        path = path or api.chromium.executable_path
        if not Path(path).exists():
            pytest.skip("no Chromium: install it, or name it in DLCOURSE_CHROMIUM")
        browser = api.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Files as they are, JavaScript modules under their right type, and no log."""

    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
        ".mjs": "text/javascript",
        ".js": "text/javascript",
    }

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def serve():
    """serve(folder): the address, without a slash at its end, under which the folder is served."""
    servers = []

    def start(folder):
        handler = partial(_Handler, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def axe():
    """axe(page, include=None): what axe-core finds wrong on the page, or within one selector."""

    def run(page, include=None):
        if not page.evaluate("'axe' in window"):
            page.add_script_tag(path=AXE)
        return page.evaluate(
            "include => axe.run(include ?? document).then((result) => result.violations)", include
        )

    return run
