"""The playground in a real JupyterLab: a worker trains it, and Python sees and sets its state."""

import json

import pytest
from live_notebook import jupyterlab, open_notebook, run_cell
from playwright.sync_api import expect

from dlcourse.figures import playground

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = [
    "from dlcourse.figures import playground\nfigure = playground(hidden=[2], step=5)\nfigure",
    "import json; print('state', json.dumps(figure.state))",
    "figure.update(data='xor', step=20)",
]


def test_python_and_the_reader_train_the_same_network(chromium, tmp_path):
    with jupyterlab(tmp_path, CELLS) as lab:
        page = open_notebook(chromium, lab)
        messages = []
        page.on("pageerror", lambda error: messages.append(str(error)))
        run_cell(page, 0)
        sentence = page.locator(".dl-playground .dl-sentence")
        trained = playground.train(hidden=[2], step=5)
        expect(sentence).to_contain_text(
            f"Step 5: training loss {trained.loss:.3g}", timeout=60_000
        )
        assert any(worker.url.startswith("blob:") for worker in page.workers)

        page.get_by_role("button", name="Step", exact=True).click()
        expect(sentence).to_contain_text("Step 6")
        page.get_by_role("button", name="neuron 1 of layer 1").focus()
        page.keyboard.press("ArrowDown")  # moves within the network, not to another cell
        expect(page.get_by_role("button", name="neuron 2 of layer 1")).to_be_focused()
        page.get_by_role("combobox", name="Optimizer").select_option("Adam")
        expect(sentence).to_contain_text("Step 0")
        page.wait_for_timeout(1000)  # ipywidgets sends changes one at a time
        run_cell(page, 1)
        told = page.locator(".jp-OutputArea-output", has_text="state {").inner_text()
        state = json.loads(told.split(" ", 1)[1])
        assert (state["optimizer"], state["hidden"], state["step"]) == ("Adam", [2], 0)
        assert len(state["weights"].split("_")) == 9

        run_cell(page, 2)
        trained = playground.train(**state | {"data": "xor", "step": 20})
        expect(sentence).to_contain_text(f"Step 20: training loss {trained.loss:.3g}")
        assert messages == []
        page.context.close()
