"""The playground on a static page, in Chromium: what a reader does with every control."""

import json
import re
from urllib.parse import quote

import numpy as np
import pytest
from playground_page import COPY, button, drawn, message, pixel, settings_of, shows, visits
from playwright.sync_api import expect

from dlcourse.figures import playground

pytestmark = pytest.mark.browser


@pytest.fixture
def visit(chromium, serve, tmp_path):
    yield from visits(chromium, serve, tmp_path)


# What a reader does -----------------------------------------------------------------------------


def enter(page, label, value):
    """Choose or type a value in the field of that label."""
    kinds = {"combobox": f"^{label}$", "slider": f"^{label} ", "spinbutton": f"^{label}$"}
    for role, pattern in kinds.items():
        field = page.get_by_role(role, name=re.compile(pattern))
        if field.count():
            return field.select_option(value) if role == "combobox" else field.fill(value)
    pytest.fail(f"no field {label}")


def test_step_run_pause_and_restart(visit):
    page = visit()
    assert shows(page)
    button(page, "Step").click()
    assert shows(page, step=1)
    page.get_by_role("button", name="Run").press("Enter")
    step = "document.querySelector('.dl-bar output').textContent.split('step ')[1]"
    page.wait_for_function(f"parseInt({step}) > 200")
    page.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(200)
    at = settings_of(page)["step"]
    assert shows(page, step=at)
    sentence = page.locator(".dl-sentence")
    assert sentence.get_attribute("aria-live") == "polite"
    assert sentence.inner_text().startswith(f"Step {at}: training loss ")
    page.wait_for_timeout(300)
    assert settings_of(page)["step"] == at
    button(page, "Restart").click()
    assert shows(page)


@pytest.mark.parametrize(
    ("label", "value", "changes"),
    [
        ("Activation", "relu", {"activation": "relu"}),
        ("Classes", "4", {"classes": 4}),
        ("Noise", "0.4", {"noise": 0.4}),
        ("Training", "0.8", {"train": 0.8}),
        ("Seed", "12", {"seed": 12}),
    ],
)
def test_a_new_task_starts_anew(visit, label, value, changes):
    page = visit(playground(step=10))
    enter(page, label, value)
    assert shows(page, **changes)
    assert settings_of(page) == playground.settings(**changes)


@pytest.mark.parametrize(
    ("label", "value", "changes"),
    [
        ("Optimizer", "Adam", {"optimizer": "Adam"}),
        ("Learning rate", "0.03", {"rate": 0.03}),
        ("Penalty", "L1", {"regularization": "L1"}),
        ("Batch", "3", {"batch": 3}),
    ],
)
def test_training_goes_on_from_the_weights_with_other_settings(visit, label, value, changes):
    page = visit(playground(step=10))
    enter(page, label, value)
    button(page, "Step").click()
    expect(page.locator(".dl-bar output")).to_contain_text("step 1")
    there = settings_of(page)
    before = playground.train(step=10)
    weights = np.concatenate([p.data.ravel() for p in before.model.parameters()])
    given = np.array([float(w) for w in there["weights"].split("_")])
    np.testing.assert_allclose(given, weights, atol=6e-6)
    assert there == playground.settings(**changes, weights=there["weights"], step=1)
    assert shows(page, **there)


def test_every_data_set_can_be_chosen_with_the_keyboard(visit):
    page = visit()
    page.get_by_role("radio", name="Circle").focus()
    for data in ("xor", "gauss", "spiral", "plane", "bumps"):
        page.keyboard.press("ArrowRight")
        assert shows(page, data=data)
        assert page.locator(".dl-score", has_text="right").count() == (
            data not in ("plane", "bumps")
        )


def test_features_are_switched_on_and_off(visit):
    page = visit()
    button(page, "x₁²").click()
    button(page, "sin x₂").press("Enter")
    assert button(page, "x₁²").get_attribute("aria-pressed") == "true"
    assert shows(page, features=["x1", "x2", "x1^2", "sin x2"])
    for name in ("x₁", "x₂", "sin x₂", "x₁²"):
        button(page, name).click()
    assert "one or more of x1" in message(page).inner_text()
    assert shows(page, features=["x1^2"])


def test_layers_and_neurons_come_and_go(visit):
    page = visit()
    button(page, "Add a neuron, layer 1").click()
    button(page, "Remove a neuron, layer 2").press("Enter")
    assert shows(page, hidden=[5, 1])
    assert button(page, "Remove a neuron, layer 2").evaluate("b => b === document.activeElement")
    button(page, "Remove a neuron, layer 2").click()  # a layer without neurons is none
    assert shows(page, hidden=[5])
    for _ in range(5):
        button(page, "Add a hidden layer").click()
    assert shows(page, hidden=[5, 4, 4, 4, 4, 4])
    button(page, "Add a hidden layer").click()
    assert "up to six" in message(page).inner_text()
    for _ in range(4):
        button(page, "Add a neuron, layer 1").click()
    assert "from 1 to 8" in message(page).inner_text()
    for _ in range(6):
        button(page, "Remove a hidden layer").click()
    assert shows(page, hidden=[])


def test_a_weight_is_edited_by_pointer_and_by_keyboard(visit):
    page = visit(playground(hidden=[2]))
    page.locator(".dl-hit").nth(1).dispatch_event("click")  # from x₂ to the first neuron
    field = page.locator(".dl-edit input[type=number]").nth(1)
    expect(field).to_be_focused()
    assert field.get_attribute("aria-label") == "x₂"
    field.fill("2.5")
    weights = np.concatenate(
        [w.ravel() for w in playground.weights(playground.settings(hidden=[2]))]
    )
    weights[1] = 2.5
    assert shows(page, hidden=[2], weights=weights)
    bias = page.locator(".dl-edit input[type=range]").last
    assert bias.get_attribute("aria-label") == "bias"
    bias.focus()
    page.keyboard.press("ArrowRight")
    weights[4] = 0.05
    assert shows(page, hidden=[2], weights=weights)
    page.locator(".dl-edit input[type=number]").last.fill("")
    expect(message(page)).to_contain_text("Expected a number")
    page.keyboard.press("Escape")
    expect(button(page, "neuron 1 of layer 1")).to_be_focused()
    expect(page.locator(".dl-edit")).to_be_hidden()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(button(page, "the output")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".dl-edit > div")).to_have_count(3)
    button(page, "Step").click()
    assert shows(page, hidden=[2], weights=weights, step=1)


def test_lines_tell_sign_and_size_without_color(visit):
    page = visit(playground(hidden=[], weights=[3, -0.5, 0]))
    look = """(all) => all.map((line) => {
      const { strokeDasharray, strokeWidth, stroke } = getComputedStyle(line);
      return [strokeDasharray !== "none", parseFloat(strokeWidth), stroke];
    })"""
    plus, minus = page.locator(".dl-graph path:not(.dl-hit)").evaluate_all(look)
    assert (plus[0], minus[0]) == (False, True)
    assert plus[1] > 2 * minus[1] > 0
    assert plus[2] != minus[2]


def test_own_points_are_drawn_with_pointer_and_keyboard(visit):
    page = visit()
    page.get_by_role("radio", name="Your own points").check()
    start = "-2_0_0~2_0_1"
    assert shows(page, data="own", points=start, train=1)
    plane = page.locator(".dl-plane")
    box = plane.bounding_box()
    plane.click(position={"x": box["width"] * 0.75, "y": box["height"] * 0.25})
    expect(drawn(page)).to_have_attribute("aria-label", re.compile("^3 training"))
    there = settings_of(page)["points"]
    x, y, k = (float(n) for n in there.split("~")[-1].split("_"))
    assert (abs(x - 3) < 0.11, abs(y - 3) < 0.11, k) == (True, True, 0)
    page.get_by_label("What a click draws").select_option("class 2")
    page.locator(".dl-aim").focus()
    for key in ("ArrowLeft", "ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    there += "~-0.5_-1_1"
    expect(drawn(page)).to_have_attribute("aria-label", re.compile("^4 training"))
    assert settings_of(page)["points"] == there
    assert shows(page, data="own", points=there, train=1)
    page.get_by_label("What a click draws").select_option("eraser")
    plane.click(position={"x": box["width"] * 0.7, "y": box["height"] * 0.3})
    expect(drawn(page)).to_have_attribute("aria-label", re.compile("^3 training"))
    assert settings_of(page)["points"] == "-2_0_0~2_0_1~-0.5_-1_1"
    button(page, "Clear").click()
    expect(drawn(page)).to_have_attribute("aria-label", re.compile("^2 training"))
    assert settings_of(page)["points"] == start
    page.get_by_label("Classes").select_option("3")
    page.get_by_label("What a click draws").select_option("class 3")
    plane.click()
    expect(drawn(page)).to_have_attribute("aria-label", re.compile("^3 training"))
    page.get_by_label("Classes").select_option("2")
    expect(message(page)).to_contain_text("a class below 2")
    assert page.get_by_label("Classes").input_value() == "3"
    page.get_by_role("radio", name="Circle").check()
    assert shows(page, classes=3)
    assert settings_of(page) == playground.settings(classes=3)


def colors(page):
    return page.locator(".dl-plane canvas").evaluate(
        f"(canvas) => {{ {COPY} return new Set(new Uint32Array(copy.getImageData("
        "0, 0, canvas.width, canvas.height).data.buffer)).size; }"
    )


def test_the_surface_shows_the_classes_and_has_hard_edges_if_wanted(visit):
    page = visit(playground(data="gauss", hidden=[], weights=[-1, -1, 0]))
    orange, blue = pixel(page, 4, 4), pixel(page, -4, -4)
    assert orange[0] > orange[2] + 50
    assert blue[2] > blue[0] + 50
    assert colors(page) > 20
    page.get_by_label("Hard edges").check()
    assert colors(page) == 2
    assert (pixel(page, 4, 4), pixel(page, -4, -4)) == (orange, blue)
    page.get_by_label("Classes").select_option("4")
    assert colors(page) in (2, 3, 4)
    marks = page.locator(".dl-plane svg[role=img] path").count()
    page.get_by_label("Show test points").check()
    assert page.locator(".dl-plane svg[role=img] path").count() == marks + 200
    assert settings_of(page)["show_test"] is True
    button(page, "x₁").hover()  # shows what this input sees
    assert pixel(page, 4, 0) != pixel(page, -4, 0)


SOLUTIONS = {
    "two": {"hidden": [2], "rate": 0.1, "seed": 1, "step": 2000},
    "three": {"hidden": [3], "rate": 0.1, "seed": 2, "step": 3000},
    "input": {"features": ["x1x2"], "step": 300},
    "hand": {"weights": "-1_-1_0"},
    "spiral": {
        "hidden": [8, 8],
        "features": list(playground.features),
        "optimizer": "Adam",
        "rate": 0.01,
        "step": 3000,
    },
}


@pytest.mark.parametrize("quiz", SOLUTIONS)
def test_every_quiz_can_be_solved_and_is_not_solved_at_once(visit, quiz):
    page = visit()
    page.get_by_label("Quiz").select_option(quiz)
    expect(page.locator(".dl-quiz")).to_contain_text("Still: ")
    button(page, "Step").click()
    if quiz == "hand":
        assert "by hand" in message(page).inner_text()
    state = settings_of(page) | SOLUTIONS[quiz]
    page.evaluate("hash => { location.hash = hash }", "playground-1=" + quote(json.dumps(state)))
    expect(page.locator(".dl-quiz")).to_contain_text("Solved!", timeout=20_000)
    expect(page.locator(".dl-sentence")).to_contain_text("Quiz solved.")
    page.get_by_role("radio", name="Bumps").check()
    expect(page.locator(".dl-quiz")).to_be_hidden()
    assert settings_of(page)["quiz"] == ""


def test_a_loss_that_explodes_is_told(visit):
    page = visit(playground(data="plane", activation="linear", rate=10, hidden=[8]))
    page.get_by_role("button", name="Run").click()
    expect(message(page)).to_contain_text("restart with a smaller learning rate")
    assert page.get_by_role("button", name="Run").is_visible()
    page.get_by_label("Learning rate").select_option("0.01")
    button(page, "Restart").click()
    assert shows(page, data="plane", activation="linear", rate=0.01, hidden=[8])


def test_code_is_copied_or_shown(visit):
    page = visit(playground(step=7))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button(page, "Copy PyTorch code").click()
    expect(message(page)).to_contain_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.get_by_label("Python code").input_value()
    assert "batches(steps=7)" in copied
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(Error()); }")
    button(page, "Copy NumPy code").click()
    expect(message(page)).to_contain_text("It is selected")
    area = page.get_by_label("Python code")
    assert area.evaluate("area => area.value.slice(area.selectionStart, area.selectionEnd)") == (
        area.input_value()
    )
