"""`explore` on a static page, in Chromium: every picture is the one that Python drew."""

import json
from urllib.parse import unquote

import pytest
from playwright.sync_api import expect

from dlcourse.figures import explore

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
import matplotlib.pyplot as plt  # noqa: E402

pytestmark = pytest.mark.browser


def draw(slope, kind):
    fig, axis = plt.subplots(figsize=(4, 2))
    axis.plot([0, slope], "o-" if kind == "dots & lines" else "-")
    axis.set(ylim=(0, 4), title=f"{kind} <{slope}>")
    return fig


def make(**options):
    return explore(
        draw,
        **{
            "alt": "A line of slope {slope}, {kind}.",
            "slope": [0.5, 1, 2, 4],
            "kind": ["line", "dots & lines"],
        }
        | options,
    )


FIGURE = make()


def source(page):
    """What the picture shows, as text."""
    return unquote(page.locator("img.dl-frame").get_attribute("src").split(",", 1)[1])


def test_every_setting_shows_pythons_picture_and_its_alt_text(visit_figures):
    page = visit_figures(FIGURE)
    picture = page.locator("img.dl-frame")
    for kind in ("line", "dots & lines"):
        page.get_by_label("kind", exact=True).select_option(kind)
        for i, slope in enumerate([0.5, 1, 2, 4]):
            page.get_by_role("slider", name="slope").fill(str(i))
            alt = f"A line of slope {slope}, {kind}."
            expect(picture).to_have_attribute("alt", alt)
            assert source(page) == FIGURE.picture_at({"slope": slope, "kind": kind})
            assert picture.evaluate("e => [e.naturalWidth, e.naturalHeight]") == [384, 192]
            assert page.locator(".dl-says").text_content() == alt
            assert page.locator(".dl-slide output").text_content() == str(slope)
    assert page.locator(".dl-says").evaluate("e => e.ariaLive") == "polite"


def test_png_is_shown_at_the_size_of_svg(visit_figures):
    page = visit_figures(make(picture="png"))
    picture = page.locator("img.dl-frame")
    assert picture.evaluate("image => image.naturalWidth") == 768
    assert picture.bounding_box()["width"] == 384


def test_the_keyboard_moves_the_sliders_and_the_lists(visit_figures):
    page = visit_figures(FIGURE)
    picture = page.locator("img.dl-frame")
    page.get_by_role("slider", name="slope").focus()
    for key, slope in (("ArrowRight", 1), ("End", 4), ("ArrowLeft", 2), ("Home", 0.5)):
        page.keyboard.press(key)
        expect(picture).to_have_attribute("alt", f"A line of slope {slope}, line.")
        slider = page.get_by_role("slider", name="slope")
        assert slider.evaluate("e => e.ariaValueText") == str(slope)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    expect(picture).to_have_attribute("alt", "A line of slope 0.5, dots & lines.")
    page.get_by_role("button", name="Reset").press("Enter")
    expect(picture).to_have_attribute("alt", "A line of slope 0.5, line.")


def test_a_link_opens_the_figure_as_it_was_left(visit_figures):
    page = visit_figures(FIGURE)
    page.get_by_role("slider", name="slope").fill("2")
    page.wait_for_function("location.hash.includes('explore-1')")
    written = unquote(page.evaluate("location.hash"))
    assert written == '#explore-1={"values":{"slope":2,"kind":"line"}}'  # and no pictures
    page.reload()
    expect(page.locator("img.dl-frame")).to_have_attribute("alt", "A line of slope 2, line.")


def broken(**changes):
    """A page's figure with parts of its state replaced, as a faulty builder would leave it."""
    html = FIGURE.to_html()
    start = html.index('class="dl-state">') + len('class="dl-state">')
    end = html.index("</script>", start)
    state = json.loads(html[start:end])
    frames = state["frames"] | changes.pop("frames", {}) if "frames" in changes else None
    state |= changes | ({"frames": frames} if frames else {})
    return html[:start] + json.dumps(state).replace("<", "\\u003c") + html[end:]


def test_pictures_that_are_no_pictures_are_told(visit_figures):
    page = visit_figures(broken(frames={"lines": ["no svg"] * 10**5}))
    expect(page.locator(".dl-message")).to_have_text("This picture cannot be shown.")


@pytest.mark.parametrize(("keep", "inverted"), [(False, True), (True, False)])
def test_dark_pages_invert_ink_and_keep_photographs(visit_figures, keep, inverted):
    page = visit_figures(make(keep_colors=keep), theme="dark")
    look = "e => getComputedStyle(e).filter"
    assert ("invert(1)" in page.locator("img.dl-frame").evaluate(look)) == inverted
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    assert page.locator("img.dl-frame").evaluate(look) == "none"
