"""The optimizer race in Chromium: Python's paths and every control."""

import math

import numpy as np
import pytest
from playwright.sync_api import expect

from dlcourse.figures import optimizer_race

pytestmark = pytest.mark.browser

module = __import__("sys").modules["dlcourse.figures.optimizer_race"]
path, steps_to = optimizer_race.path, optimizer_race.steps_to
SURFACES, OPTIMIZERS, STEPS = module.SURFACES, module.OPTIMIZERS, module.STEPS

PATH = """async (jobs) => {
  const { path } = await import("/_static/figures/optimizer_race.mjs");
  return jobs.map((job) => path(...job));
}"""


def near(page):
    """The figure's own element with that class."""
    return lambda name: page.locator(f".dl-kit {name}")


@pytest.mark.parametrize("surface", SURFACES)
def test_the_paths_are_those_of_the_library(visit_figures, surface):
    page = visit_figures(optimizer_race())
    one = SURFACES[surface]
    rng = np.random.default_rng(3)
    middle = [rng.uniform(0.6 * low, 0.6 * high) for low, high in (one.x, one.y)]
    jobs = [
        [name, surface, list(map(float, start)), settings, 100]
        for name, defaults in OPTIMIZERS.items()
        for start in (one.start, middle)
        for settings in (defaults, defaults | {"lr": defaults["lr"] / 3})
    ]
    theirs = page.evaluate(PATH, jobs)
    for job, there in zip(jobs, theirs, strict=True):
        here = path(*job)
        assert len(here) == len(there) == 101, job
        np.testing.assert_allclose(here, there, rtol=1e-6, atol=1e-6, err_msg=str(job))


def test_other_settings_reach_the_optimizers_as_in_the_library(visit_figures):
    page = visit_figures(optimizer_race())
    jobs = [
        ["Momentum", "bowl", [1, 1], {"lr": 0.1, "momentum": 0.5}, 100],
        ["Nesterov", "bowl", [1, 1], {"lr": 0.1, "momentum": 0.5}, 100],
        ["RMSprop", "bowl", [1, 1], {"lr": 0.1, "alpha": 0.5}, 30],
        ["Adam", "bowl", [1, 1], {"lr": 0.1, "beta1": 0.5, "beta2": 0.8}, 60],
        ["AdamW", "bowl", [1, 1], {"lr": 0.1, "beta1": 0, "beta2": 0.9, "weight_decay": 1}, 60],
        ["SGD", "ravine", [1, 1], {"lr": 2.0}, 100],
    ]
    theirs = page.evaluate(PATH, jobs)
    for job, there in zip(jobs, theirs, strict=True):
        np.testing.assert_allclose(path(*job), there, rtol=1e-6, atol=1e-6, err_msg=str(job))
    assert len(theirs[-1]) < 10  # it diverges, at the same step


def standings(page):
    rows = page.locator(".dl-board > div:not(.dl-head)").all()
    cells = [[cell.inner_text() for cell in row.get_by_role("cell").all()] for row in rows]
    return dict(zip(OPTIMIZERS, cells, strict=True))


def test_the_table_says_what_python_says(visit_figures):
    figure = optimizer_race("ravine", list(OPTIMIZERS), step=50)
    page = visit_figures(figure)
    for name, (now, needed) in standings(page).items():
        points = path(name, "ravine", figure.start, OPTIMIZERS[name])
        assert float(now.replace("−", "-")) == pytest.approx(points[50][2], rel=5e-3)
        first = steps_to(points, 0.01)
        assert needed == (f"over {STEPS}" if first is None else str(first))


def test_it_starts_where_one_clicks_drags_or_moves_by_keyboard(visit_figures):
    page = visit_figures(optimizer_race("bowl", ["SGD"]))
    land, says = page.locator(".dl-land"), page.locator(".dl-says")
    box = land.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.3)
    expect(says).not_to_contain_text("from (−3.2, 2)")
    clicked = says.inner_text()
    handle = page.locator(".dl-land .dl-handle").bounding_box()
    center = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    assert center[0] == pytest.approx(box["x"] + box["width"] * 0.75, abs=2)
    assert center[1] == pytest.approx(box["y"] + box["height"] * 0.3, abs=2)
    page.mouse.move(*center)
    page.mouse.down()
    page.mouse.move(center[0] - 60, center[1] + 40)
    page.mouse.up()
    assert says.inner_text() != clicked
    moved = page.locator(".dl-land .dl-handle").bounding_box()
    assert moved["x"] - handle["x"] == pytest.approx(-60, abs=2)
    land.focus()
    for _ in range(200):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    expect(says).to_contain_text("from (4, ")  # it stays on the surface


def test_a_tap_moves_the_start_on_a_phone(visit_figures):
    page = visit_figures(
        optimizer_race("bowl"),
        has_touch=True,
        is_mobile=True,
        viewport={"width": 360, "height": 740},
    )
    box = page.locator(".dl-land").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.4)
    expect(page.locator(".dl-says")).not_to_contain_text("from (−3.2, 2)")


def test_steps_play_and_reset(visit_figures):
    page = visit_figures(optimizer_race(step=0), ready=False)
    page.clock.install()
    page.reload()
    page.locator("[data-ready=true]").wait_for()
    says = page.locator(".dl-says")
    page.get_by_role("button", name="Step").click()
    expect(says).to_contain_text("step 1:")
    page.get_by_role("button", name="Back").click()
    expect(says).to_contain_text("step 0:")
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(1000)
    page.get_by_role("button", name="Pause").click()
    step = int(page.get_by_role("slider", name="Step").input_value())
    assert 5 < step < 60
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(30_000)
    expect(says).to_contain_text(f"step {STEPS}:")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    assert page.get_by_role("button", name="Step").get_attribute("aria-disabled") == "true"
    page.get_by_role("button", name="Reset").click()
    expect(says).to_contain_text("step 0:")


def test_runners_join_and_leave_and_their_settings_change(visit_figures):
    page = visit_figures(optimizer_race("ravine", ["SGD"]))
    page.get_by_role("checkbox", name="Nesterov").check()
    assert page.get_by_label("Settings of").input_value() == "Nesterov"
    assert page.locator(".dl-land .dl-curve").count() == 2
    page.get_by_role("slider", name="Momentum").fill("0.5")
    expect(page.get_by_role("slider", name="Momentum")).to_have_value("0.5")
    points = path("Nesterov", "ravine", SURFACES["ravine"].start, {"lr": 0.02, "momentum": 0.5})
    assert float(standings(page)["Nesterov"][0]) == pytest.approx(points[60][2], rel=5e-3)
    page.get_by_role("checkbox", name="SGD").uncheck()
    assert standings(page)["SGD"] == ["", ""]
    page.get_by_role("checkbox", name="Nesterov").uncheck()
    expect(page.locator(".dl-says")).to_contain_text("Nobody runs")
    page.get_by_label("Settings of").select_option("AdamW")
    assert page.get_by_role("slider", name="Weight decay").is_visible()


def test_a_rate_that_is_too_large_is_seen_to_diverge(visit_figures):
    page = visit_figures(optimizer_race("ravine", ["SGD"]))
    page.get_by_role("slider", name="Learning rate").fill(str(math.log10(0.5)))
    assert standings(page)["SGD"] == ["diverged", "never"]
    expect(page.locator(".dl-says")).to_contain_text("Diverged: SGD")


def test_another_surface_brings_its_own_start(visit_figures):
    page = visit_figures(optimizer_race())
    for key, one in SURFACES.items():
        page.get_by_label("Surface", exact=True).select_option(key)
        x, y = (f"{z:g}".replace("-", "−") for z in one.start)
        expect(page.locator(".dl-says")).to_contain_text(f"{one.label}, from ({x}, {y})")
