"""The graph stepper in a real JupyterLab: it draws, Python sees each step, and can make one."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TOKEN = "figures"
CELLS = [
    "from dlcourse.figures import graph_stepper\n"
    "figure = graph_stepper('x*y + x', {'x': 3, 'y': -2})\n"
    "figure",
    "print('state', figure.state)",
    "figure.update(expression='2*z', inputs={'z': 4}, step=1)",
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Address of a JupyterLab of our own, with a notebook `figure.ipynb` in its folder."""
    pytest.importorskip("jupyterlab")
    folder = tmp_path_factory.mktemp("lab")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in CELLS],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, folder / "figure.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    private = {
        f"JUPYTER_{kind}_DIR": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")
    }
    environment = {key: value for key, value in os.environ.items() if key != "DLCOURSE_STATIC"}
    options = [
        "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
        f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env=environment | private | {"IPYTHONDIR": str(folder / "ipython")},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=2)
                break
            except OSError:
                log = (folder / "log").read_text()
                assert server.poll() is None, log
                assert time.monotonic() < deadline, log
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def run_cell(page, number):
    """Run a cell that has not run yet; on a busy machine JupyterLab may miss the first keys."""
    cell = page.locator(".jp-CodeCell").nth(number)
    for _ in range(5):
        cell.locator(".jp-InputArea-editor").click()
        page.keyboard.press("Control+Enter")
        with contextlib.suppress(AssertionError):
            expect(cell.locator(".jp-InputPrompt")).not_to_have_text("[ ]:", timeout=5_000)
            return
    pytest.fail(f"cell {number} did not start")


def test_python_and_the_reader_move_the_same_figure(chromium, lab):
    context = chromium.new_context(viewport={"width": 1300, "height": 1000})
    context.route(lambda url: not url.startswith(lab), lambda route: route.abort())
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{lab}/lab/tree/figure.ipynb?token={TOKEN}")
    page.locator(".jp-CodeCell").nth(2).wait_for()
    page.locator('.jp-NotebookPanel-toolbar [data-status="idle"]').wait_for()
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
    context.close()
