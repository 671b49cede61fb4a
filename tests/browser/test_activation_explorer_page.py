"""The activation and loss explorer in Chromium: Python's numbers and every control."""

import sys

import numpy as np
import pytest
from playwright.sync_api import expect

from dlcourse.figures import activation_explorer

pytestmark = pytest.mark.browser

module = sys.modules["dlcourse.figures.activation_explorer"]


def test_values_slopes_and_chains_are_pythons(visit_figures):
    page = visit_figures(activation_explorer())
    spots = [*np.linspace(-6, 6, 41).tolist(), -0.05, 1e-9]
    jobs = [[name, z] for name in module.ACTIVATIONS for z in spots]
    chains = [
        [name, z, weight, layers]
        for name in module.ACTIVATIONS
        for z, weight, layers in ((0.3, 1.0, 12), (-2.0, 0.5, 5), (1.5, 3.0, 6), (-1.0, 2.0, 1))
    ]
    losses = [
        [name, p, target, true_class]
        for name in module.LOSSES
        for p in np.linspace(-4, 4, 23).tolist()
        for target, true_class in ((-1.3, "0"), (2.0, "1"))
    ]
    theirs = page.evaluate(
        """async ([jobs, chains, losses]) => {
          const m = await import("/_static/figures/activation_explorer.mjs");
          return [jobs.map((job) => m.activate(...job)), chains.map((job) => m.chain(...job)),
            losses.map((job) => m.judge(...job))];
        }""",
        [jobs, chains, losses],
    )
    for job, there in zip(jobs, theirs[0], strict=True):
        assert activation_explorer.activate(*job) == pytest.approx(there, abs=1e-9), job
    for job, there in zip(chains, theirs[1], strict=True):
        assert activation_explorer.chain(*job) == pytest.approx(there, rel=1e-6, abs=1e-12), job
    for job, there in zip(losses, theirs[2], strict=True):
        assert activation_explorer.judge(*job) == pytest.approx(there, abs=1e-9), job


def says(page):
    return page.locator(".dl-says")


def test_what_it_says_is_what_python_computes(visit_figures):
    page = visit_figures(activation_explorer())
    page.get_by_label("Function", exact=True).select_option("gelu")
    page.get_by_role("slider", name="Input z").fill("-1.2")
    page.get_by_role("slider", name="Layers", exact=True).fill("4")
    value, slope = activation_explorer.activate("gelu", -1.2)
    first = activation_explorer.chain("gelu", -1.2, 1, 4)[0]
    text = (
        f"GELU(−1.2) = {value:.3g}, its derivative is {slope:.3g}. Of a gradient of 1 at the "
        f"output of 4 layers with weight 1, {first:.3g} reaches the first layer"
    ).replace("-", "−")
    expect(says(page)).to_contain_text(text)
    assert page.locator(".dl-second rect[fill-opacity]").count() == 4


def test_relu_below_zero_passes_nothing(visit_figures):
    page = visit_figures(activation_explorer(activation="relu", z=-1))
    expect(says(page)).to_contain_text("nothing reaches the first layer: it cannot learn")
    assert page.locator(".dl-second rect[fill-opacity]").count() == 0


def test_losses_have_their_own_controls(visit_figures):
    page = visit_figures(activation_explorer())
    visible = lambda: [
        part.get_attribute("aria-label")
        for part in page.locator(".dl-kit [data-key]").all()
        if part.is_visible()
    ]
    assert visible() == ["Show", "Function", "Input z", "Weight between layers", "Layers"]
    page.get_by_label("Show", exact=True).select_option("loss")
    assert visible() == ["Show", "Loss", "Prediction", "Target"]
    page.get_by_role("slider", name="Prediction").fill("1.5")
    expect(says(page)).to_contain_text("the loss is 6.25, its derivative 5, so descent lowers")
    page.get_by_label("Loss", exact=True).select_option("hinge")
    assert visible() == ["Show", "Loss", "True class", "Prediction"]
    page.get_by_label("True class", exact=True).select_option("1")
    expect(says(page)).to_contain_text("the loss is 0, its derivative 0: nothing is left to learn")


def test_the_input_is_dragged_and_moved_by_keyboard(visit_figures):
    page = visit_figures(activation_explorer())
    pane = page.locator(".dl-first")
    box = pane.bounding_box()
    line = page.locator(".dl-first path[stroke-dasharray='3 3']").bounding_box()
    page.mouse.move(line["x"], box["y"] + 100)
    page.mouse.down()
    page.mouse.move(line["x"] + 40, box["y"] + 100)
    page.mouse.up()
    moved = page.locator(".dl-first path[stroke-dasharray='3 3']").bounding_box()
    assert moved["x"] - line["x"] == pytest.approx(40, abs=2)
    pane.focus()
    for _ in range(100):
        page.keyboard.press("ArrowRight")
    expect(says(page)).to_contain_text("sigmoid(6) = 0.998")
    page.keyboard.press("Shift+ArrowLeft")
    expect(says(page)).to_contain_text("sigmoid(5) = 0.993")
