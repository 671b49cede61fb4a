"""The line fit in Chromium: Python's steps, dragging by pointer and by keyboard."""

import math
import sys

import numpy as np
import pytest
from playwright.sync_api import expect

from dlcourse.figures import line_fit

pytestmark = pytest.mark.browser

module = sys.modules["dlcourse.figures.line_fit"]
POINTS = module.POINTS


def test_the_steps_are_pythons(visit_figures):
    page = visit_figures(line_fit())
    rng = np.random.default_rng(1)
    jobs = [
        [np.column_stack([rng.uniform(-3, 3, n), rng.uniform(-4, 4, n)]).tolist(), start, rate, 100]
        for n in (2, 7, 40)
        for start in ([-2.0, 3.0], [0.5, 0.0])
        for rate in (0.001, 0.1, 0.3, 2.0)
    ]
    theirs = page.evaluate(
        """async (jobs) => {
          const { descend, largestRate } = await import("/_static/figures/line_fit.mjs");
          return jobs.map((job) => [descend(...job), largestRate(job[0])]);
        }""",
        jobs,
    )
    for job, (path, most) in zip(jobs, theirs, strict=True):
        np.testing.assert_allclose(line_fit.descend(*job), path, rtol=1e-6, atol=1e-9)
        assert line_fit.largest_rate(job[0]) == pytest.approx(most, rel=1e-9)


def says(page):
    return page.locator(".dl-says")


def test_what_it_says_is_what_python_computes(visit_figures):
    page = visit_figures(line_fit())
    page.get_by_role("slider", name="Step").fill("12")
    w, b, loss = line_fit.descend(POINTS, (-1.5, 3.0), 0.1, 12)[-1]
    least = np.polyfit(*np.array(POINTS).T, 1, full=True)[1][0] / len(POINTS)
    most = line_fit.largest_rate(POINTS)
    expect(says(page)).to_have_text(
        f"Step 12 at rate 0.1: y = {w:.3g} x + {b:.3g}, mean squared error {loss:.3g}; "
        f"the least possible is {least:.3g}. Up to a rate of {most:.3g} it settles."
    )


def test_a_rate_that_is_too_large_diverges_before_ones_eyes(visit_figures):
    page = visit_figures(line_fit(step=20))
    rate = page.get_by_role("slider", name="Learning rate")
    rate.fill(str(math.log10(0.3)))
    expect(says(page)).to_contain_text("Each step crosses the valley")
    rate.fill(str(math.log10(0.5)))
    expect(says(page)).to_contain_text("the loss grows")
    way = page.locator(".dl-land .dl-curve").get_attribute("d")
    assert way.count("L") == 20
    rate.fill(str(math.log10(2)))
    expect(says(page)).to_contain_text("left for infinity")


def test_points_are_dragged(visit_figures):
    page = visit_figures(line_fit())
    point = page.locator(".dl-point").nth(3)
    box = point.bounding_box()
    page.mouse.move(box["x"] + 6, box["y"] + 6)
    page.mouse.down()
    page.mouse.move(box["x"] + 36, box["y"] - 54, steps=4)
    page.mouse.up()
    moved = page.locator(".dl-point").nth(3).bounding_box()
    assert moved["x"] - box["x"] == pytest.approx(30, abs=3)
    assert moved["y"] - box["y"] == pytest.approx(-60, abs=3)
    assert page.get_by_label("Data", exact=True).input_value() == ""
    page.wait_for_function("location.hash.includes('points')")
    page.get_by_role("button", name="Reset").click()
    assert page.get_by_label("Data", exact=True).input_value() == "a line, and noise"


def test_points_move_by_keyboard_and_stay_in_sight(visit_figures):
    page = visit_figures(line_fit())
    page.locator(".dl-data-pane").focus()
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    expect(says(page)).to_have_text("Point 3 of 10, at (−1.4, −0.9).")
    before = page.locator(".dl-point").nth(2).bounding_box()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+ArrowRight")
    after = page.locator(".dl-point").nth(2).bounding_box()
    assert after["y"] < before["y"]
    assert after["x"] > before["x"] + 10
    for _ in range(30):
        page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("PageDown")
    page.keyboard.press("PageUp")
    expect(says(page)).to_have_text("Point 3 of 10, at (−0.9, 4).")


def test_the_start_is_chosen_on_the_loss(visit_figures):
    page = visit_figures(line_fit())
    box = page.locator(".dl-land").bounding_box()
    page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + 0.7 * box["height"])
    handle = page.locator(".dl-land .dl-handle").bounding_box()
    assert handle["x"] + handle["width"] / 2 == pytest.approx(box["x"] + 0.8 * box["width"], abs=3)
    page.keyboard.press("Tab")
    page.locator(".dl-land").focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator(".dl-land .dl-handle").bounding_box()["x"] < handle["x"]


def test_a_finger_drags_a_point_and_the_page_stays(visit_figures):
    page = visit_figures(
        line_fit(), has_touch=True, is_mobile=True, viewport={"width": 360, "height": 740}
    )
    page.locator(".dl-data-pane").scroll_into_view_if_needed()
    before = page.locator(".dl-point").nth(5).bounding_box()
    scrolled = page.evaluate("scrollY")
    client = page.context.new_cdp_session(page)
    for kind, shift in (
        ("touchStart", 0),
        ("touchMove", 20),
        ("touchMove", 40),
        ("touchEnd", None),
    ):
        spots = [] if shift is None else [{"x": before["x"] + 6, "y": before["y"] + 6 - shift}]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": spots})
        page.wait_for_timeout(100)  # Chromium foretells where a fast finger goes
    moved = page.locator(".dl-point").nth(5).bounding_box()
    assert before["y"] - moved["y"] == pytest.approx(40, abs=4)
    assert page.evaluate("scrollY") == scrolled


def test_play_runs_to_the_end(visit_figures):
    page = visit_figures(line_fit(), ready=False)
    page.clock.install()
    page.reload()
    page.locator("[data-ready=true]").wait_for()
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(1500)
    assert 2 < int(page.get_by_role("slider", name="Step").input_value()) < 40
    page.clock.run_for(30_000)
    expect(says(page)).to_contain_text("Step 100 at")
