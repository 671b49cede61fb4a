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


@pytest.fixture
def visit_figures(chromium, serve, tmp_path):
    """visit_figures(*figures, theme=, hash=, ready=, **context options): a page with these figures.

    The page can reach nothing but its own server. A request to anywhere else, or a word in the
    console, fails the test at its end; `page.messages.clear()` forgives what a test provokes.
    """
    from figures_page import write_page

    pages = []

    def open_page(*figures, theme="light", hash="", ready=True, **options):
        write_page(tmp_path, *figures, theme=theme)
        address = serve(tmp_path)
        context = chromium.new_context(
            **{"viewport": {"width": 1000, "height": 900}, "color_scheme": theme} | options
        )
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.address, page.external, page.messages = address, [], []
        context.route(lambda url: not url.startswith(address), lambda route: block(page, route))
        page.on("console", lambda message: page.messages.append(message.text))
        page.on("pageerror", lambda error: page.messages.append(str(error)))
        pages.append(page)
        page.goto(f"{address}/index.html{hash}")
        if ready:
            page.locator(".dl-figure[data-ready=true]").first.wait_for()
        return page

    def block(page, route):
        page.external.append(route.request.url)
        route.abort()

    yield open_page
    for page in pages:
        page.context.close()
        assert page.external == []
        assert page.messages == []
