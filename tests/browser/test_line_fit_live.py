"""The line fit in a real JupyterLab: it draws, Python sees what the reader does, and moves it."""

import json

import pytest
from live_notebook import jupyterlab, open_notebook, run_cell
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = [
    "from dlcourse.figures import line_fit\nfigure = line_fit()\nfigure",
    "import json; print('state', json.dumps([figure.start, figure.rate, figure.step]))",
    "figure.update(points=[[0, 0], [1, 2]], start=[1, 1], rate=0.25, step=3)",
    "figure.rate = 99",
]


def test_python_and_the_reader_move_the_same_figure(chromium, tmp_path):
    from dlcourse.figures import line_fit

    with jupyterlab(tmp_path, CELLS) as lab:
        page = open_notebook(chromium, lab)
        run_cell(page, 0)
        says = page.locator(".dl-says")
        expect(says).to_contain_text("Step 0 at rate 0.1: y = −1.5 x + 3")
        assert page.locator(".dl-land .dl-relief").bounding_box()["width"] > 200

        slider = page.get_by_role("slider", name="Step")
        slider.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.locator(".dl-land").focus()
        page.keyboard.press("ArrowRight")
        expect(says).to_contain_text("Step 2 at rate 0.1")
        run_cell(page, 1)
        told = page.locator(".jp-OutputArea-output", has_text="state [")
        assert json.loads(told.inner_text().split(" ", 1)[1]) == [[-1.45, 3], 0.1, 2]

        run_cell(page, 2)
        w, b, _ = line_fit.descend([[0, 0], [1, 2]], [1, 1], 0.25, 3)[-1]
        expect(says).to_contain_text(f"Step 3 at rate 0.25: y = {w:.3g} x + {b:.3g}")
        assert page.locator(".dl-point").count() == 2
        run_cell(page, 3)  # refused before anything has changed
        error = page.locator(".jp-OutputArea-output", has_text="ValueError").last
        expect(error).to_contain_text("rate: 99 came; expected a number from 0.001 to 2")
        expect(says).to_contain_text("Step 3 at rate 0.25")
        page.context.close()
