"""What the playground's tests in the browser share: a page with figures, and what it shows."""

import json
import math
from urllib.parse import unquote

import pytest
from figures_page import write_page
from playwright.sync_api import expect

from dlcourse.figures import playground


def visits(chromium, serve, tmp_path):
    """What the fixture `visit` yields: visit(*figures, theme=, hash=, script=, **context options).

    It opens a page with these figures, ready; at the end no page may have asked another server for
    anything, or written to the console.
    """
    pages = []

    def open_page(*figures, theme="light", hash="", ready=True, script=None, **options):
        write_page(tmp_path, *(figures or [playground()]), theme=theme)
        address = serve(tmp_path)
        context = chromium.new_context(**{"viewport": {"width": 1000, "height": 900}} | options)
        page = context.new_page()
        page.set_default_timeout(8000)
        page.address, page.external, page.messages = address, [], []
        local = (address, "blob:")
        context.route(lambda url: not url.startswith(local), lambda route: _block(page, route))
        page.on("console", lambda message: page.messages.append(message.text))
        page.on("pageerror", lambda error: page.messages.append(str(error)))
        if script:
            page.add_init_script(script)
        page.goto(f"{address}/index.html{hash}")
        if ready:
            page.locator(".dl-figure[data-ready=true]").first.wait_for()
            page.locator(".dl-sentence", has_text="Step").first.wait_for()
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.context.close()
        assert page.external == []
        assert page.messages == []


def _block(page, route):
    page.external.append(route.request.url)
    route.abort()


def settings_of(page):
    """The state that the address asks for, over the defaults."""
    page.wait_for_timeout(450)  # the address is written a moment after the last change
    parts = unquote(page.evaluate("location.hash")).partition("playground-1=")
    return playground.settings(**json.loads(parts[2] or "{}"))


def loss(page, row=0):
    cells = page.locator(".dl-score span").all_inner_texts()
    return float(cells[4 + 3 * row].replace("−", "-")) if len(cells) > 4 + 3 * row else math.nan


def shows(page, **settings):
    """Does the page show the losses that Python gets with these settings?"""
    trained = playground.train(**settings)
    expect(page.locator(".dl-bar output")).to_contain_text(f"step {settings.get('step', 0)}")
    wanted = [one for one in (trained.loss, trained.test_loss) if one is not None]
    for _ in range(80):  # the figure may still be at it
        page.wait_for_timeout(100)
        shown = [loss(page, row) for row in range(len(wanted))]
        if shown == pytest.approx(wanted, rel=5.1e-3):
            break
    assert shown == pytest.approx(wanted, rel=5.1e-3)
    return True


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def message(page):
    """What the figure says about what the reader did."""
    return page.locator(".dl-drive .dl-message")


def drawn(page):
    """The points over the answer."""
    return page.locator(".dl-plane svg").first


COPY = """
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext(
    "2d", { willReadFrequently: true });
  copy.fillStyle = getComputedStyle(canvas.closest("form")).backgroundColor;
  copy.fillRect(0, 0, canvas.width, canvas.height);
  copy.drawImage(canvas, 0, 0);"""


def pixel(page, x, y):
    """The color of the answer at a point of the plane."""
    return page.locator(".dl-plane canvas").evaluate(
        f"(canvas, [x, y]) => {{ {COPY} return [...copy.getImageData("
        "(x + 6) / 12 * canvas.width, (6 - y) / 12 * canvas.height, 1, 1).data]; }",
        [x, y],
    )
