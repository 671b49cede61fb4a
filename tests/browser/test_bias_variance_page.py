"""Bias and variance in Chromium: Python's samples, fits and errors; every control."""

import numpy as np
import pytest
from playwright.sync_api import expect

from dlcourse.figures import bias_variance

pytestmark = pytest.mark.browser


def test_samples_fits_and_errors_are_pythons(visit_figures):
    page = visit_figures(bias_variance())
    samples = [
        [seed, number, n, 0.7] for seed in (1, 99_999) for number in (0, 29) for n in (15, 60)
    ]
    fits = [
        [*bias_variance.sample(seed, 3, n, 1.0), degree, ridge]
        for seed in range(1, 6)
        for n in (15, 40)
        for degree in (0, 1, 5, 12)
        for ridge in (0, 1e-6, 1e-3, 10)
    ]
    runs = [[15, 0.3, 0, 2], [40, 1.0, 0.01, 77], [20, 0, 1e-6, 5]]
    theirs = page.evaluate(
        """async ([samples, fits, runs]) => {
          const m = await import("/_static/figures/bias_variance.mjs");
          return [samples.map((job) => m.sample(...job)), fits.map((job) => m.fit(...job)),
            runs.map((job) => m.errors(...job).map(({ train, test, bias, variance }) =>
              ({ train, test, bias, variance })))];
        }""",
        [samples, fits, runs],
    )
    for job, there in zip(samples, theirs[0], strict=True):
        np.testing.assert_allclose(bias_variance.sample(*job), there, rtol=1e-12, atol=1e-12)
    for job, there in zip(fits, theirs[1], strict=True):
        here = bias_variance.fit(*job)
        np.testing.assert_allclose(here, there, rtol=1e-6, atol=1e-6 * np.abs(here).max())
    for job, there in zip(runs, theirs[2], strict=True):
        for ours, other in zip(bias_variance.errors(*job), there, strict=True):
            assert ours == pytest.approx(other, rel=1e-6, abs=1e-12), job


def says(page):
    return page.locator(".dl-says")


def test_what_it_says_is_what_python_computes(visit_figures):
    page = visit_figures(bias_variance())
    page.get_by_role("slider", name="Degree").fill("10")
    page.get_by_role("slider", name="Points").fill("30")
    here = bias_variance.errors(30, 0.3, 0.0, 1)
    one, best = here[10], min(range(13), key=lambda k: here[k]["test"])
    expect(says(page)).to_have_text(
        f"Degree 10, samples 1: on average over 30 fits the squared error is {one['train']:.3g} on "
        f"the points it was fitted to, {one['test']:.3g} on new ones (bias² {one['bias']:.3g}, "
        f"variance {one['variance']:.3g}, noise 0.09). Degree {best} would do best; this one is "
        "too supple."
    )


def test_the_penalty_reaches_zero_and_tames_the_fit(visit_figures):
    page = visit_figures(bias_variance(degree=12))
    variance = lambda: float(says(page).inner_text().split("variance ")[1].split(",")[0])
    ridge = page.get_by_role("slider", name="Regularization")
    assert ridge.evaluate("e => e.ariaValueText") == "0"
    wild = variance()
    ridge.focus()
    page.keyboard.press("ArrowRight")
    assert ridge.evaluate("e => e.ariaValueText") == "1e−6"
    page.keyboard.press("End")
    assert ridge.evaluate("e => e.ariaValueText") == "10"
    assert variance() < wild / 50
    page.keyboard.press("Home")
    assert variance() == wild


def test_new_samples_change_the_points_and_a_link_keeps_them(visit_figures):
    page = visit_figures(bias_variance())
    points = lambda: page.locator(".dl-fits circle").evaluate_all(
        "all => all.map((circle) => circle.outerHTML)"
    )
    before = points()
    page.get_by_role("button", name="New samples").press("Enter")
    after = points()
    assert len(before) == len(after) == 20
    assert before != after
    page.wait_for_function("location.hash.includes('seed')")
    page.reload()
    page.locator("[data-ready=true]").wait_for()
    assert points() == after


def test_the_degree_is_chosen_on_the_curve(visit_figures):
    page = visit_figures(bias_variance())
    pane = page.locator(".dl-errors")
    box = pane.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 12, box["y"] + 120)
    expect(says(page)).to_contain_text("Degree 12,")
    page.mouse.move(box["x"] + box["width"] - 12, box["y"] + 120)
    page.mouse.down()
    page.mouse.move(box["x"] + 44, box["y"] + 120, steps=5)
    page.mouse.up()
    expect(says(page)).to_contain_text("Degree 0,")
    pane.focus()
    page.keyboard.press("ArrowRight")
    expect(says(page)).to_contain_text("Degree 1,")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(says(page)).to_contain_text("Degree 0,")
