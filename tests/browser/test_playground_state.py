"""The playground on a static page, in Chromium: worker, address, faults, themes and widths."""

import json
from urllib.parse import quote

import numpy as np
import pytest
from playground_page import button, drawn, message, pixel, settings_of, shows, visits
from playwright.sync_api import expect

from dlcourse.figures import base, playground

pytestmark = pytest.mark.browser


@pytest.fixture
def visit(chromium, serve, tmp_path):
    yield from visits(chromium, serve, tmp_path)


# The worker, the address, what is wrong -----------------------------------------------------------


def test_training_runs_in_a_worker(visit):
    page = visit()
    assert len(page.workers) == 1
    page.get_by_role("button", name="Run").click()
    ticks = page.evaluate(
        "new Promise((done) => { let n = 0; setInterval(() => { n += 1; }, 10);"
        "setTimeout(() => done(n), 1000); })"
    )
    assert ticks > 10  # the page itself stays free


@pytest.mark.parametrize(
    "script",
    ["window.Worker = class { constructor() { throw Error('refused'); } };",
     "window.Worker = class { constructor() { setTimeout(() => this.onerror(new Event('error'))); }"
     " postMessage() {} };"],
)  # fmt: skip
def test_without_workers_it_trains_in_the_page(visit, script):
    page = visit(playground(step=50), script=script)
    assert len(page.workers) == 0
    assert shows(page, step=50)
    page.get_by_role("button", name="Run").click()
    page.wait_for_timeout(300)
    page.get_by_role("button", name="Pause").click()
    button(page, "Restart").click()
    assert shows(page)


TOOLS = """performance.getEntriesByType("resource")
  .filter(({ name }) => name.endsWith("/playground_tools.mjs")).length"""


def test_tools_are_fetched_when_the_reader_first_takes_one(visit):
    page = visit()
    page.get_by_role("button", name="Run").click()
    page.wait_for_timeout(300)
    page.get_by_role("button", name="Pause").click()
    page.get_by_label("Learning rate").select_option("0.03")
    button(page, "Add a hidden layer").click()
    button(page, "neuron 1 of layer 1").hover()
    assert page.evaluate(TOOLS) == 0
    button(page, "neuron 1 of layer 1").click()
    expect(page.get_by_label("bias").first).to_be_visible()
    button(page, "Copy NumPy code").click()
    expect(page.get_by_label("Python code")).to_be_visible()
    assert page.evaluate(TOOLS) == 1


def test_tools_that_cannot_be_fetched_are_told_and_the_rest_works(visit):
    page = visit()
    page.route("**/playground_tools.mjs", lambda route: route.abort())
    button(page, "Copy NumPy code").click()
    expect(message(page)).to_contain_text("playground_tools.mjs")
    button(page, "Step").click()
    assert shows(page, step=1)
    page.messages.clear()


def test_as_one_text_it_has_its_tools_with_no_file_beside_it(visit):
    """As in a notebook: a text alone, and a model without the host."""
    page = visit()
    page.route("**/*.mjs", lambda route: route.abort())
    page.evaluate(
        """async ([text, state]) => {
          const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
          const { default: module } = await import(address);
          const el = document.createElement("div");
          document.querySelector("main").replaceChildren(el);
          await module.render({ el, model: { get: (key) => state[key],
            set: (key, value) => { state[key] = value; }, on() {}, off() {}, save_changes() {} } });
        }""",
        [base.module_text("playground"), playground.settings(hidden=[2])],
    )
    button(page, "neuron 1 of layer 1").click()
    page.locator(".dl-edit input[type=number]").first.fill("2")
    button(page, "Copy PyTorch code").click()
    assert page.get_by_label("Python code").input_value().count("weights = [\n    2, ") == 1
    page.get_by_label("Quiz").select_option("two")
    expect(page.locator(".dl-quiz")).to_contain_text("Still: ")
    page.locator(".dl-aim").click()
    expect(drawn(page)).to_have_attribute(
        "aria-label", "21 training points and 0 test points over the answer"
    )


def test_a_link_opens_the_figure_as_it_was_left(visit):
    changes = {"data": "own", "points": "-2_0_0~2_0_1~1.5_-3_1", "train": 1, "hidden": [2],
               "weights": "_".join(["0.5"] * 9), "step": 25, "show_test": True}  # fmt: skip
    page = visit(hash="#playground-1=" + quote(json.dumps(changes)))
    assert shows(page, **changes)
    assert settings_of(page) == playground.settings(**changes)
    assert page.get_by_label("Show test points").is_checked()
    button(page, "Step").click()
    assert settings_of(page) == playground.settings(**changes | {"step": 26})
    page.reload()
    page.locator(".dl-sentence", has_text="Step 26").wait_for()
    assert shows(page, **changes | {"step": 26})
    button(page, "Step").click()
    expect(page.locator(".dl-bar output")).to_contain_text("step 27")
    button(page, "Reset figure").click()
    assert shows(page, **changes | {"step": 26})


def test_two_figures_do_not_meet(visit):
    page = visit(playground(), playground(data="xor", seed=3))
    page.locator(".dl-sentence", has_text="Step").nth(1).wait_for()
    button(page, "Step").nth(1).click()
    expect(page.locator(".dl-bar output").nth(1)).to_contain_text("step 1")
    assert page.locator(".dl-bar output").first.inner_text() == "epoch 0, step 0"
    checked = page.get_by_role("radio", checked=True)
    assert [radio.get_attribute("value") for radio in checked.all()] == ["circle", "xor"]


def broken(state):
    return (
        '<div class="dl-figure" data-module="playground" role="group" aria-label="Broken">'
        f'<script type="application/json" class="dl-state">{state}</script>'
        '<div class="dl-fallback"><p class="picture">The picture.</p></div></div>'
    )


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("{", "JSON"),
        ("null", ""),
        ("[]", 'data: nothing came; expected one of "circle"'),
        ({"rate": "0.1"}, 'rate: "0.1" came; expected a number from 0.0001 to 10'),
        ('{"noise": NaN}', "JSON"),
        ({"noise": None}, "noise: null came"),
        ({"data": "own"}, "points: "),
        ({"points": "1_1_0~" * 10**6}, "points: too many came; expected at most 500"),
        ({"hidden": [10**6]}, "hidden: [1000000] came"),
        ({"features": {"x1": 1}}, "features: "),
        ({"weights": "<img src=x onerror=alert(1)>"}, "weights: "),
    ],
)
def test_a_malformed_state_is_told_and_the_rest_of_the_page_works(visit, state, told):
    if not isinstance(state, str):
        state = json.dumps(playground.settings() | state).replace("<", "\\u003c")
    page = visit(broken(state), playground())
    message = page.locator(".dl-figure-error")
    message.wait_for()
    assert told in message.inner_text()
    assert page.locator(".picture").is_visible()
    button(page, "Step").click()
    assert shows(page, step=1)


@pytest.mark.parametrize("text", ["x", "%7B", quote('{"rate":"fast"}'), quote('{"points":"1_1"}')])
def test_nonsense_in_the_address_is_passed_over(visit, text):
    page = visit(hash=f"#playground-1={text}")
    assert page.locator(".dl-figure-error").count() == 0
    assert shows(page)
    page.evaluate("hash => { location.hash = hash }", "playground-1=" + quote('{"rate":-1}'))
    expect(message(page)).to_contain_text("rate: -1 came")
    assert shows(page)


def test_the_picture_is_there_without_javascript(visit):
    page = visit(java_script_enabled=False, ready=False)
    picture = page.locator(".dl-fallback svg")
    assert picture.is_visible()
    assert "2-4-2-1 network" in picture.get_attribute("aria-label")


# How it looks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_axe_finds_nothing_and_nothing_is_too_wide(visit, axe, theme, width):
    figure = playground(data="spiral", classes=3, hidden=[8, 4, 4, 4, 4, 4], step=5, quiz="spiral")
    page = visit(figure, theme=theme, viewport={"width": width, "height": 900}, color_scheme=theme)
    for act in (
        lambda: None,
        lambda: button(page, "neuron 2 of layer 1").click(),
        lambda: page.get_by_role("radio", name="Your own points").check(),
        lambda: button(page, "Copy NumPy code").click(),
    ):
        act()
        assert axe(page, ".dl-figure") == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    picture = page.locator(".dl-figure").screenshot()
    assert len(picture) > 20_000  # there is something on it


def test_the_surface_follows_the_theme(visit):
    page = visit(playground(hidden=[], weights=[0, 0, 0]))
    assert min(pixel(page, 0, 0)) >= 253
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_timeout(100)
    np.testing.assert_allclose(pixel(page, 0, 0), [20, 24, 30, 255], atol=2)


def test_it_works_by_touch(visit):
    page = visit(has_touch=True, is_mobile=True, viewport={"width": 360, "height": 740})
    button(page, "Step").tap()
    assert shows(page, step=1)
    button(page, "x₁²").tap()
    button(page, "neuron 1 of layer 1").tap()
    expect(page.locator(".dl-edit")).to_be_visible()
    run = page.get_by_role("button", name="Run")
    page.locator(".dl-curve").scroll_into_view_if_needed()
    assert -1 < run.bounding_box()["y"] < 60  # what drives the figure stays in sight


def test_nothing_moves_by_itself(visit):
    page = visit(playground(step=30), reduced_motion="reduce")
    page.wait_for_timeout(500)
    assert shows(page, step=30)
