"""Draw a digit in Chromium: Python's numbers, drawing by mouse, finger, keyboard."""

import base64
import os

import numpy as np
import pytest
from playwright.sync_api import expect

from dlcourse import data
from dlcourse.figures import draw_digit

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.browser

SEVEN = [[[26, 18], [72, 18], [58, 44], [48, 66], [42, 87]]]
FOUR = [[[46, 15], [36, 35], [27, 56], [74, 56]], [[62, 36], [60, 60], [58, 88]]]
# As they are written in much of Europe: a 1 with an upstroke, a 7 with a bar.
EUROPEAN = {
    "a bar": (1, [[[52, 14], [50, 86]]]),
    "a short flag": (1, [[[42, 30], [56, 14], [56, 86]]]),
    "a flag": (1, [[[36, 42], [56, 14], [56, 88]]]),
    "a long flag": (1, [[[28, 58], [58, 12], [58, 88]]]),
    "a flag as long as the stem": (1, [[[28, 82], [56, 12], [60, 88]]]),
    "a wide flag": (1, [[[27, 40], [58, 14], [58, 88]]]),
    "a wide flag, leaning": (1, [[[24, 38], [60, 14], [48, 88]]]),
    "a flag and a foot": (1, [[[40, 34], [54, 14], [54, 86]], [[36, 86], [72, 86]]]),
    "no bar": (7, SEVEN),
    "a bar across": (7, [*SEVEN, [[36, 50], [68, 48]]]),
    "a serif": (7, [[[28, 26], [28, 16], [74, 16], [54, 48], [44, 86]]]),
    "a serif and a bar": (7, [[[28, 26], [28, 16], [74, 16], [44, 86]], [[38, 52], [70, 50]]]),
    "narrow": (7, [[[36, 16], [66, 16], [52, 50], [46, 86]]]),
}
HERE = os.environ.get("DLCOURSE_DATA")
needs_mnist = pytest.mark.skipif(not HERE, reason="DLCOURSE_DATA names no folder with MNIST")
SETS = {
    "glyphs": lambda: data.glyphs(1000, seed=41),
    "MNIST": lambda: data.mnist("test").subset(range(1000)),
}


@pytest.mark.parametrize("name", ["glyphs", pytest.param("MNIST", marks=needs_mnist)])
def test_a_thousand_digits_are_read_as_by_pytorch(visit_figures, name):
    page = visit_figures(draw_digit())
    dataset = SETS[name]()
    x, t = dataset.to_torch().tensors
    with torch.no_grad():
        scores = draw_digit.network()(x).numpy()
    levels = np.rint(dataset.inputs * 255).astype(np.uint8)
    np.testing.assert_allclose(levels / 255, dataset.inputs, atol=1e-7)
    theirs = page.evaluate(
        """async (packed) => {
          const { forward } = await import("/_static/figures/draw_digit.mjs");
          const levels = Uint8Array.from(atob(packed), (sign) => sign.charCodeAt(0));
          const picture = (k) => Float64Array.from(levels.subarray(784 * k, 784 * k + 784));
          return Array.from({ length: levels.length / 784 }, (_, k) =>
            [...forward(picture(k).map((level) => level / 255)).output]);
        }""",
        base64.b64encode(levels.tobytes()).decode(),
    )
    np.testing.assert_allclose(theirs, scores, atol=1e-4)
    found = np.argmax(theirs, axis=1)
    np.testing.assert_array_equal(found, scores.argmax(axis=1))
    assert np.mean(found == t.numpy()) >= 0.97


def test_pictures_and_layers_are_pythons(visit_figures):
    page = visit_figures(draw_digit())
    rng = np.random.default_rng(2)
    jobs = [
        [SEVEN, 0, 2.6],
        [FOUR, -35, 1.4],
        [[[[5, 5]]], 0, 4],
        [[[[0, 0], [0, 0]]], 10, 5],
        [[], 0, 2],
    ]
    for _ in range(6):
        strokes = [rng.uniform(0, 100, (n, 2)).round(1).tolist() for n in rng.integers(1, 30, 3)]
        jobs.append([strokes, int(rng.integers(-180, 180)), float(rng.uniform(1, 5))])
    theirs = page.evaluate(
        """async (jobs) => {
          const { raster, forward } = await import("/_static/figures/draw_digit.mjs");
          return jobs.map((job) => {
            const layers = Object.entries(forward(raster(...job)));
            return Object.fromEntries(layers.map(([name, x]) => [name, [...x]]));
          });
        }""",
        jobs,
    )
    for job, layers in zip(jobs, theirs, strict=True):
        picture = draw_digit.raster(*job)
        np.testing.assert_allclose(layers.pop("input"), picture.ravel(), atol=1e-9)
        ours = draw_digit.forward(picture)
        assert set(ours) == set(layers)
        for name, values in layers.items():
            np.testing.assert_allclose(values, ours[name].ravel(), atol=1e-6)


def says(page):
    return page.locator(".dl-says")


def chances(strokes, **how):
    scores = draw_digit.forward(draw_digit.raster(strokes, **how))["output"]
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def test_bars_and_words_are_what_python_computes(visit_figures):
    page = visit_figures(draw_digit(SEVEN))
    expected = chances(SEVEN)
    texts = page.locator(".dl-bars span").all_inner_texts()
    np.testing.assert_allclose([float(t.split()[0]) for t in texts], 100 * expected, rtol=0.06)
    shares = page.locator(".dl-bars i").evaluate_all(
        "bars => bars.map((bar) => Number(bar.style.getPropertyValue('--share')))"
    )
    np.testing.assert_allclose(shares, expected, rtol=1e-6)
    order = np.argsort(-expected)
    expect(says(page)).to_have_text(
        f"It reads a 7 ({100 * expected[7]:.2g} %); next comes {order[1]} "
        f"({100 * expected[order[1]]:.2g} %)."
    )
    expect(page.locator(".dl-bars .is-best")).to_have_text("7")


def test_each_map_shows_its_layer(visit_figures):
    page = visit_figures(draw_digit(FOUR))
    alpha = page.evaluate(
        """() => Object.fromEntries(["input", "c1", "c3", "f6"].map((name) => {
          const canvas = document.querySelector(`.dl-${name}`);
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return [name, [canvas.width, [...data].filter((_, k) => k % 4 === 3)]];
        }))"""
    )
    picture = draw_digit.raster(FOUR)
    layers = {"input": picture[None]} | draw_digit.forward(picture)
    for name, wide in (("input", 1), ("c1", 6), ("c3", 8), ("f6", 21)):
        width, values = alpha[name]
        image = np.reshape(values, (-1, width))
        maps = layers[name].reshape(-1, *layers[name].shape[1:] or (1, 1))
        side = maps.shape[-1]
        for k, one in enumerate(maps):
            i, j = (side + 1) * (k // wide), (side + 1) * (k % wide)
            shown = image[i : i + side, j : j + side]
            np.testing.assert_allclose(shown, 20 + 235 * one / maps.max(), atol=1.01)


def draw_by_mouse(page, strokes, size=1.0, corner=0.0):
    box = page.locator(".dl-paper").bounding_box()
    place = lambda x, y: (
        box["x"] + box["width"] * (corner + size * x / 100),
        box["y"] + box["width"] * (corner + size * y / 100),
    )
    for stroke in strokes:
        page.mouse.move(*place(*stroke[0]))
        page.mouse.down()
        for point in stroke[1:]:
            page.mouse.move(*place(*point), steps=8)
        page.mouse.up()


@pytest.mark.parametrize(("size", "corner"), [(1, 0), (0.35, 0.6)])
def test_a_drawn_digit_is_read_and_kept_in_the_address(visit_figures, size, corner):
    page = visit_figures(draw_digit())
    page.get_by_role("button", name="Clear").click()
    expect(says(page)).to_have_text("Draw a digit, from 0 to 9.")
    draw_by_mouse(page, FOUR, size, corner)
    expect(says(page)).to_contain_text("It reads a 4")
    assert page.locator(".dl-paper path").count() == 2
    said = says(page).text_content()
    page.wait_for_timeout(500)  # the address follows a moment later
    page.reload()
    expect(says(page)).to_have_text(said)
    page.get_by_role("button", name="Undo").click()
    assert page.locator(".dl-paper path").count() == 1
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").dispatch_event("click")  # there is nothing left
    expect(says(page)).to_have_text("Draw a digit, from 0 to 9.")


def test_ones_and_sevens_are_read_as_they_are_written_in_europe(visit_figures):
    page, read = visit_figures(draw_digit()), {}
    for form, (_, strokes) in EUROPEAN.items():
        page.get_by_role("button", name="Clear").click()
        draw_by_mouse(page, strokes)
        read[form] = page.locator(".dl-bars .is-best").inner_text()
    assert read == {form: str(digit) for form, (digit, _) in EUROPEAN.items()}


def test_ink_stays_under_the_pen_when_the_paper_is_turned(visit_figures):
    page = visit_figures(draw_digit([], turn=90))
    box = page.locator(".dl-paper").bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.3 * box["height"], steps=5)
    page.mouse.up()
    ink = page.locator(".dl-paper path").bounding_box()
    assert ink["x"] + ink["width"] / 2 == pytest.approx(box["x"] + 0.225 * box["width"], abs=4)
    assert ink["y"] + ink["height"] / 2 == pytest.approx(box["y"] + 0.3 * box["height"], abs=4)


def test_drawing_by_keyboard(visit_figures):
    page = visit_figures(draw_digit([]))
    paper = page.locator(".dl-paper")
    paper.focus()
    for _ in range(2):
        page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press(" ")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press(" ")
    expect(says(page)).to_contain_text("It reads a 1")
    page.keyboard.press("ArrowLeft")  # the pen is up: nothing is drawn
    assert page.locator(".dl-paper path").count() == 1
    page.keyboard.press(" ")
    page.keyboard.press("Shift+ArrowLeft")
    assert page.locator(".dl-paper path").count() == 2
    page.keyboard.press("Tab")
    assert page.locator(".dl-paper .dl-handle").count() == 0


def test_keys_follow_the_eye_when_the_paper_is_turned(visit_figures):
    page = visit_figures(draw_digit([], turn=90))
    page.locator(".dl-paper").focus()
    page.keyboard.press("ArrowRight")
    before = page.locator(".dl-paper .dl-handle").bounding_box()
    page.keyboard.press("Shift+ArrowRight")
    after = page.locator(".dl-paper .dl-handle").bounding_box()
    assert after["x"] > before["x"] + 20
    assert after["y"] == pytest.approx(before["y"], abs=1)


def test_a_finger_draws_and_the_page_stays(visit_figures):
    page = visit_figures(
        draw_digit([]), has_touch=True, is_mobile=True, viewport={"width": 360, "height": 740}
    )
    page.locator(".dl-paper").scroll_into_view_if_needed()
    box = page.locator(".dl-paper").bounding_box()
    scrolled = page.evaluate("scrollY")
    client = page.context.new_cdp_session(page)
    for kind, shift in (
        ("touchStart", 0),
        ("touchMove", 60),
        ("touchMove", 150),
        ("touchEnd", None),
    ):
        spots = [] if shift is None else [{"x": box["x"] + 150, "y": box["y"] + 60 + shift}]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": spots})
        page.wait_for_timeout(80)
    expect(says(page)).to_contain_text("It reads a 1")
    assert page.evaluate("scrollY") == scrolled


def test_a_full_paper_is_told_and_nothing_breaks(visit_figures):
    line = [[k % 100, (k // 100) * 5] for k in range(2000)]
    page = visit_figures(draw_digit([line]))
    before = says(page).text_content()
    draw_by_mouse(page, [[[20, 50], [80, 50]]])
    expect(page.locator(".dl-message")).to_have_text("The paper is full: clear it.")
    expect(says(page)).to_have_text(before)
    page.get_by_role("button", name="Clear").click()
    draw_by_mouse(page, SEVEN)
    expect(says(page)).to_contain_text("It reads a 7")
    expect(page.locator(".dl-message")).to_be_hidden()
