"""The graph stepper in a real JupyterLab: it draws, Python sees each step, and can make one."""

import json

import pytest
from live_notebook import jupyterlab, open_notebook, run_cell

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = [
    "from dlcourse.figures import graph_stepper\n"
    "figure = graph_stepper('x*y + x', {'x': 3, 'y': -2})\n"
    "figure",
    "print('state', figure.state)",
    "figure.update(expression='2*z', inputs={'z': 4}, step=1)",
]


def test_python_and_the_reader_move_the_same_figure(chromium, tmp_path):
    with jupyterlab(tmp_path, CELLS) as lab:
        page = open_notebook(chromium, lab)
        run_cell(page, 0)
        sentence = page.locator(".dl-sentence")
        sentence.wait_for()
        assert sentence.inner_text().startswith("Step 0 of 7. Given: x = 3, y = −2.")
        step = page.locator(".dl-stepper .dl-step")
        color = "element => getComputedStyle(element).backgroundColor"
        assert step.evaluate(color) == "rgb(0, 114, 178)"

        step.click()
        page.keyboard.press("ArrowRight")
        page.get_by_label("y", exact=True).fill("5")
        assert sentence.inner_text() == "Step 2 of 7, forward: v₂ = v₁ + x = 15 + 3 = 18."
        run_cell(page, 1)
        told = page.locator(".jp-OutputArea-output", has_text="state {")
        assert json.loads(told.inner_text().split(" ", 1)[1].replace("'", '"')) == {
            "expression": "x*y + x",
            "inputs": {"x": 3, "y": 5},
            "step": 2,
        }

        run_cell(page, 2)
        moved = "Step 1 of 3, forward: v₁ = 2 · z = 2 · 4 = 8."
        page.locator(".dl-sentence", has_text=moved).wait_for()
        assert page.locator(".dl-grow input").input_value() == "2*z"

        page.evaluate("document.body.dataset.jpThemeLight = 'false'")
        page.mouse.move(0, 0)
        assert step.evaluate(color) == "rgb(93, 180, 238)"
        page.context.close()
