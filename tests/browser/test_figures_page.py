"""What holds for every figure of the gallery, in Chromium: look, keyboard, address, one text alone.

What a figure computes is tested in a file of its own.
"""

import io
from urllib.parse import unquote

import pytest
from playwright.sync_api import expect

from dlcourse import figures
from dlcourse.figures import base

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
import matplotlib.pyplot as plt  # noqa: E402

pytestmark = pytest.mark.browser


def explore():
    def draw(rate, steps):
        fig, axis = plt.subplots(figsize=(4, 2))
        axis.plot([0, rate * steps])
        return fig

    alt = "A line that ends at {rate} times {steps}."
    return figures.explore(draw, alt=alt, rate=[0.1, 1.0, 3.0], steps=[1, 2, 3])


MAKERS = {
    "explore": explore,
    "optimizer_race": figures.optimizer_race,
    "line_fit": figures.line_fit,
    "activation_explorer": figures.activation_explorer,
    "bias_variance": figures.bias_variance,
    "timeline": figures.timeline,
    "convolution_explorer": figures.convolution_explorer,
    "draw_digit": figures.draw_digit,
}
_made = {}


def figure_of(name):
    if name not in _made:
        _made[name] = MAKERS[name]()
    return _made[name]


every_figure = pytest.mark.parametrize("name", MAKERS)
WIDTHS = (360, 768, 1440)
GRAPHIC = ".dl-kit :is(svg, img)"


@every_figure
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_and_all_fits_at_every_width(visit_figures, axe, name, theme):
    page = visit_figures(figure_of(name), theme=theme)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(150)
        assert axe(page, ".dl-figure") == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        body = page.locator(".dl-figure-body").bounding_box()
        for part in page.locator(".dl-kit :is(button, input, select, p, .dl-pane, img)").all():
            box = part.bounding_box()
            if box:
                assert box["x"] >= body["x"] - 1
                assert box["x"] + box["width"] <= body["x"] + body["width"] + 1, (width, part)


OUTSIDE = """() => [...document.querySelectorAll(".dl-pane svg text")].filter((text) => {
  const box = text.getBoundingClientRect(), room = text.closest("svg").getBoundingClientRect();
  return box.width && (box.left < room.left - 1 || box.right > room.right + 1
    || box.top < room.top - 1 || box.bottom > room.bottom + 1);
}).map((text) => text.textContent)"""
FOCUS = """() => {
  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
  return [document.activeElement.closest(".dl-kit") !== null,
    outlineStyle === "solid" && parseFloat(outlineWidth) >= 2];
}"""


@every_figure
def test_text_in_a_picture_stays_inside_it(visit_figures, name):
    page = visit_figures(figure_of(name))
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(150)
        outside = page.evaluate(OUTSIDE)
        assert outside == [], width


@every_figure
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_picture_is_not_blank(visit_figures, name, theme):
    from PIL import Image

    page = visit_figures(figure_of(name), theme=theme)
    image = Image.open(io.BytesIO(page.locator(GRAPHIC).first.screenshot())).convert("L")
    counts = image.histogram()
    ground = max(range(256), key=counts.__getitem__)
    assert (ground > 128) == (theme == "light")
    assert sum(counts) - counts[ground] > 500
    assert len(image.getcolors()) > 10


@every_figure
def test_a_key_moves_it_a_link_keeps_it_and_reset_brings_it_back(visit_figures, name):
    page = visit_figures(figure_of(name))
    said = page.locator(".dl-says")
    before = said.text_content()
    assert before.strip()
    page.locator(".dl-kit input[type=range]:visible").first.focus()
    page.keyboard.press("ArrowRight")
    expect(said).not_to_have_text(before)
    after = said.text_content()
    page.wait_for_function("location.hash")
    written = page.evaluate("location.hash")
    page.reload()
    expect(page.locator(".dl-says")).to_have_text(after)
    assert page.evaluate("location.hash") == written
    assert unquote(written).startswith(f"#{name}-1={{")
    page.get_by_role("button", name="Reset").click()  # to what the link has brought
    expect(page.locator(".dl-says")).to_have_text(after)
    page.evaluate("location.hash = ''")
    page.reload()
    expect(page.locator(".dl-says")).to_have_text(before)
    page.locator(".dl-kit input[type=range]:visible").first.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Reset").click()
    expect(page.locator(".dl-says")).to_have_text(before)
    page.wait_for_function("!location.hash")


@every_figure
def test_controls_are_large_enough_to_touch_and_show_the_focus(visit_figures, name):
    page = visit_figures(figure_of(name), viewport={"width": 360, "height": 800})
    for part in page.locator(".dl-kit :is(button, input, select)").all():
        box = part.bounding_box()
        if box and part.get_attribute("type") != "checkbox":  # its label is touched as well
            slider = part.get_attribute("type") == "range"
            assert box["height"] >= (32 if slider else 44), part.evaluate("e => e.outerHTML")
            assert box["width"] >= 44
    page.evaluate("document.activeElement.blur()")
    rings = []
    for _ in range(60):
        page.keyboard.press("Tab")
        rings.append(page.evaluate(FOCUS))
    inside = [ring for within, ring in rings if within]
    assert len(inside) >= 3
    assert all(inside)


@every_figure
def test_a_picture_stands_there_without_javascript(visit_figures, name):
    page = visit_figures(figure_of(name), ready=False, java_script_enabled=False)
    picture = page.locator(".dl-fallback :is(svg, img)").first
    box = picture.bounding_box()
    assert box["width"] > 200
    assert box["height"] > 100
    alt = picture.get_attribute("alt") or picture.get_attribute("aria-label")
    assert len(alt) > 20


@every_figure
def test_it_is_ready_soon_after_one_scrolls_to_it_and_not_before(visit_figures, name):
    page = visit_figures('<div style="height: 5000px"></div>', figure_of(name), ready=False)
    page.wait_for_timeout(300)
    assert page.locator("[data-ready=true]").count() == 0
    page.locator(".dl-figure").scroll_into_view_if_needed()
    page.locator("[data-ready=true]").wait_for()
    assert not page.locator(".dl-fallback").is_visible()


@every_figure
def test_as_one_text_it_runs_with_no_file_beside_it(visit_figures, name):
    """As in a notebook: the bundled module, a model without the host, a state set from outside."""
    page = visit_figures("<p>No figure.</p>", ready=False)
    page.add_style_tag(content=base.live_css(name))
    figure = figure_of(name)
    page.evaluate(
        """async ([text, html]) => {
          const state = JSON.parse(new DOMParser().parseFromString(html, "text/html")
            .querySelector(".dl-state").textContent);
          const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
          const { default: module } = await import(address);
          const el = document.createElement("div");
          document.querySelector("main").append(el);
          const listeners = [];
          window.close = await module.render({ el, model: {
            get: (key) => state[key], set: (key, value) => { state[key] = value; },
            on: (...pair) => listeners.push(pair), off: (event) => listeners.splice(
              listeners.findIndex(([other]) => other === event), 1),
            save_changes: () => {} } });
          window.listening = () => listeners.length;
        }""",
        [base.module_text(name), figure.to_html()],
    )
    assert page.locator(GRAPHIC).first.bounding_box()["width"] > 200
    assert page.evaluate("listening()") > 0
    page.evaluate("close()")  # leaves nothing behind
    assert page.locator(".dl-kit").count() == 0
    assert page.evaluate("listening()") == 0


@every_figure
def test_drawn_without_room_it_waits_for_some(visit_figures, name):
    page = visit_figures("<style>.dl-figure { display: none }</style>", "<p>Text.</p>", ready=False)
    page.add_style_tag(content=base.live_css(name))
    html = figure_of(name).to_html()
    page.evaluate(
        """async (html) => {
          document.querySelector("main").insertAdjacentHTML("beforeend", html);
          const host = document.createElement("script");
          Object.assign(host, { type: "module", src: "/_static/figures/host.js?again" });
          window.IntersectionObserver = class {
            constructor(seen) { this.seen = seen; }
            observe(target) { this.seen([{ isIntersecting: true, target }]); }
            unobserve() {}
          };
          document.body.append(host);
        }""",
        html,
    )
    page.locator(".dl-figure[data-ready=true]").wait_for(state="attached")
    page.evaluate("document.querySelector('main style').remove()")
    page.wait_for_timeout(200)
    assert page.locator(GRAPHIC).first.bounding_box()["width"] > 200
