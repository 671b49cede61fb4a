"""The convolution explorer in Chromium: Python's numbers, walking, drawing, weights."""

import itertools
import json
import sys

import numpy as np
import pytest
from playwright.sync_api import expect

from dlcourse.figures import convolution_explorer

pytestmark = pytest.mark.browser

module = sys.modules["dlcourse.figures.convolution_explorer"]
stack, picture = convolution_explorer.stack, convolution_explorer.picture
KERNELS = convolution_explorer.KERNELS


def test_the_numbers_are_pythons(visit_figures):
    page = visit_figures(convolution_explorer())
    rng = np.random.default_rng(1)
    jobs = []
    for side, size, stride, padding, dilation, layers in itertools.product(
        ((16, 16), (4, 9), (11, 8)), (3, 5), (1, 2, 4), (0, 1, 3), (1, 3), (1, 2, 4)
    ):
        pixels, kernel = rng.uniform(size=side), rng.normal(size=(size, size))
        settings = {"stride": stride, "padding": padding, "dilation": dilation}
        jobs.append([pixels.tolist(), kernel.tolist(), settings, layers])
    theirs = page.evaluate(
        """async (jobs) => {
          const { stack, sees } = await import("/_static/figures/convolution_explorer.mjs");
          return jobs.map(([map, kernel, settings, layers]) =>
            [stack(map, kernel, settings, layers), sees(0, kernel.length, settings, layers)]);
        }""",
        jobs,
    )
    compared = 0
    for (pixels, kernel, settings, layers), (maps, fields) in zip(jobs, theirs, strict=True):
        if maps[-1] is None:
            with pytest.raises(ValueError, match="use a smaller window"):
                stack(pixels, kernel, **settings, layers=len(maps) - 1)
            maps = maps[:-1]
        ours = stack(pixels, kernel, **settings, layers=len(maps) - 1)
        for a, b in zip(ours, maps, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
            compared += 1
        del settings["padding"]
        sees = convolution_explorer.receptive_field(len(kernel), **settings, layers=layers)
        assert fields[0][1] == sees
    assert compared > 500


def test_pictures_and_kernels_are_pythons(visit_figures):
    page = visit_figures(convolution_explorer())
    pictures, kernels = page.evaluate(
        """async () => {
          const { PICTURES, KERNELS } = await import("/_static/figures/convolution_explorer.mjs");
          return [PICTURES, KERNELS];
        }"""
    )
    assert list(pictures) == [*module.DIGITS, module.PHOTOGRAPH, module.EMPTY]
    for name, pixels in pictures.items():
        assert pixels == picture(name)
    assert kernels == KERNELS


def says(page):
    return page.locator(".dl-says")


def choose(page, name, label):
    page.get_by_label(name, exact=True).select_option(label)


def test_what_it_says_and_writes_is_what_python_computes(visit_figures):
    page = visit_figures(convolution_explorer(position=27))
    expect(says(page)).to_have_text(
        "Row 4, column 4 of the 8 × 8 output: the sum of 9 products is 2.625. "
        "It sees 3 × 3 entries of the input."
    )
    pixels = np.pad(picture("digit 3"), 1)
    terms = (pixels[3:6, 3:6] * KERNELS["vertical edges"]).ravel()
    written = page.locator(".dl-sum span").all_inner_texts()
    found = [
        np.prod([float(part.strip("()").replace("−", "-")) for part in term.split(" · ")])
        for term in written
    ]
    np.testing.assert_allclose(found, terms, rtol=1e-2)
    expect(page.locator(".dl-sum strong")).to_have_text("= 2.625")
    page.get_by_role("slider", name="Layers").fill("3")
    page.get_by_role("slider", name="Dilation").fill("2")
    value = stack(picture("digit 3"), KERNELS["vertical edges"], 1, 1, 2, 3)[-1]
    row, column = value.shape
    expect(says(page)).to_contain_text(f"of the {row} × {column} output")
    expect(says(page)).to_contain_text("Through 3 layers it sees 13 × 13 entries of the input.")
    assert page.locator(".dl-map:visible").count() == 4
    assert page.locator(".dl-tap").count() == 9


def test_the_window_walks_by_key_slider_and_click(visit_figures):
    page = visit_figures(convolution_explorer())
    output = page.locator(".dl-map").nth(1)
    output.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(says(page)).to_contain_text("Row 2, column 2 of")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowUp")
    expect(says(page)).to_contain_text("Row 1, column 8 of")
    page.get_by_role("slider", name="Position").press("End")
    expect(says(page)).to_contain_text("Row 8, column 8 of")
    expect(page.get_by_role("slider", name="Position")).to_have_attribute("aria-valuetext", "64")
    for pane, size, ring in ((output, 8, 0), (page.locator(".dl-map").first, 10, 1)):
        box = pane.bounding_box()
        cell = pane.locator("rect").first.bounding_box()
        assert cell["width"] * size < box["width"]
        page.mouse.click(
            cell["x"] + cell["width"] * (5.5 + ring), cell["y"] + cell["width"] * (2.5 + ring)
        )
        expect(says(page)).to_contain_text("Row 3, column 6 of")
        page.get_by_role("slider", name="Position").press("Home")


def test_the_frame_is_where_the_sum_comes_from(visit_figures):
    page = visit_figures(convolution_explorer(stride=2, padding=0, layers=2, position=0))
    first = page.locator(".dl-map").first
    cell = first.locator("rect").first.bounding_box()
    frame = first.locator(".dl-window").bounding_box()
    assert frame["width"] == pytest.approx(7 * cell["width"], abs=8)
    assert frame["x"] == pytest.approx(cell["x"], abs=4)


def test_drawing_by_pointer_and_by_keyboard(visit_figures):
    page = visit_figures(convolution_explorer(kernel="identity"))
    choose(page, "Picture", "empty, to draw on")
    assert page.get_by_label("Draw on input").is_checked()
    pane = page.locator(".dl-map").first
    cell = pane.locator("rect").first.bounding_box()
    spot = lambda i, j: (
        cell["x"] + cell["width"] * (j + 1.5),
        cell["y"] + cell["width"] * (i + 1.5),
    )
    page.mouse.move(*spot(2, 2))
    page.mouse.down()
    page.mouse.move(*spot(2, 6), steps=12)
    page.mouse.up()
    page.get_by_role("slider", name="Position").fill("24")
    expect(says(page)).to_contain_text(
        "Row 3, column 5 of the 10 × 10 output: the sum of 9 products is 1."
    )
    pane.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    expect(says(page)).to_have_text("Pen at row 4, column 6: 0.")
    page.keyboard.press(" ")
    page.get_by_role("slider", name="Position").fill("35")
    expect(says(page)).to_contain_text(
        "Row 4, column 6 of the 10 × 10 output: the sum of 9 products is 1."
    )
    page.wait_for_function("location.hash.includes('pixels')")
    pane.focus()
    page.keyboard.press(" ")  # takes it away again
    expect(says(page)).to_contain_text("the sum of 9 products is 0.")
    page.get_by_role("button", name="Reset").click()
    expect(page.get_by_label("Picture", exact=True)).to_have_value("digit 3")


def test_a_finger_draws_with_the_pen_and_scrolls_without(visit_figures):
    page = visit_figures(
        convolution_explorer("empty, to draw on"), has_touch=True, is_mobile=True,
        viewport={"width": 360, "height": 740},
    )  # fmt: skip
    pane = page.locator(".dl-map").first
    client = page.context.new_cdp_session(page)

    def swipe():
        pane.scroll_into_view_if_needed()
        box = pane.bounding_box()
        for kind, shift in (
            ("touchStart", 0),
            ("touchMove", 30),
            ("touchMove", 70),
            ("touchEnd", None),
        ):
            x, y = box["x"] + 150, box["y"] + 170
            spots = [] if shift is None else [{"x": x, "y": y - shift}]
            client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": spots})
            page.wait_for_timeout(80)

    page.get_by_label("Draw on input").check()
    pane.scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    swipe()
    assert page.evaluate("scrollY") == before
    page.wait_for_function("location.hash.includes('pixels')")
    page.get_by_label("Draw on input").uncheck()
    written = page.evaluate("location.hash")
    pane.scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    swipe()
    page.wait_for_timeout(400)
    assert page.evaluate("scrollY") > before
    assert json.loads(_changes(page))["pixels"] == json.loads(_changes(page, written))["pixels"]


def _changes(page, written=None):
    from urllib.parse import unquote

    return unquote(written or page.evaluate("location.hash")).split("=", 1)[1]


def test_weights_are_edited_and_what_is_none_is_told(visit_figures):
    page = visit_figures(convolution_explorer(kernel="identity", position=11))
    weight = page.get_by_role("textbox", name="Weight in row 2, column 2")
    weight.fill("-2.5")
    value = -2.5 * picture("digit 3")[1][3]
    expect(says(page)).to_contain_text(f"is {value:.4g}.".replace("-", "−"))
    assert page.get_by_label("Kernel", exact=True).first.input_value() == ""
    for bad in ("", "x", "100", "1e400"):
        weight.fill(bad)
        expect(page.locator(".dl-message")).to_contain_text("a weight is a number from −99 to 99")
        expect(weight).to_have_attribute("aria-invalid", "true")
        expect(says(page)).to_contain_text(f"is {value:.4g}.".replace("-", "−"))
    weight.fill("−1")
    expect(page.locator(".dl-message")).to_be_hidden()
    page.locator("select.dl-preset").select_option("blur, 5 × 5")
    assert page.locator(".dl-weights input").count() == 25


def test_no_room_is_told_and_given_back(visit_figures):
    page = visit_figures(convolution_explorer(padding=0, position=20))
    page.get_by_role("slider", name="Layers").fill("4")
    page.get_by_role("slider", name="Dilation").fill("2")
    expect(says(page)).to_contain_text(
        "No room for layer 2: the window covers 5 × 5 entries, "
        "what it looks at with its padding has 4 × 4."
    )
    page.locator(".dl-map").nth(1).focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Play").click()
    page.get_by_role("slider", name="Padding").fill("2")
    expect(says(page)).to_contain_text("output: the sum of 9 products")


def test_play_walks_to_the_end(visit_figures):
    page = visit_figures(convolution_explorer(), ready=False)
    page.clock.install()
    page.reload()
    page.locator("[data-ready=true]").wait_for()
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(2000)
    assert 3 < int(page.get_by_role("slider", name="Position").input_value()) < 30
    page.clock.run_for(20_000)
    expect(says(page)).to_contain_text("Row 8, column 8")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
