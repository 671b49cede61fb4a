"""A JupyterLab of our own, with one notebook in it, for figures that talk to Python."""

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

TOKEN = "figures"


@contextlib.contextmanager
def jupyterlab(folder, cells):
    """Address of a JupyterLab that shows `folder`, with `figure.ipynb` of these cells."""
    pytest.importorskip("jupyterlab")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, folder / "figure.ipynb")
    quiet = folder / "config" / "labconfig" / "page_config.json"
    quiet.parent.mkdir(parents=True)
    announcements = "@jupyterlab/apputils-extension:announcements"  # lie over the notebook
    quiet.write_text(json.dumps({"disabledExtensions": {announcements: True}}))
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


def open_notebook(chromium, lab):
    """The notebook in a page of its own, with its kernel ready; close `page.context` afterwards."""
    context = chromium.new_context(viewport={"width": 1300, "height": 1000})
    own = (lab, f"blob:{lab}")  # a worker has an address of the second kind
    context.route(lambda url: not url.startswith(own), lambda route: route.abort())
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{lab}/lab/tree/figure.ipynb?token={TOKEN}")
    page.locator(".jp-CodeCell").last.wait_for()
    # "Idle" it is already before it has a kernel; a cell run then opens a dialog that asks for one.
    page.locator(".jp-NotebookPanel-toolbar .jp-KernelName", has_text="Python 3").wait_for()
    page.locator('.jp-NotebookPanel-toolbar [data-status="idle"]').wait_for()
    return page


def run_cell(page, number):
    """Run a cell, wait until it is done; on a busy machine JupyterLab may miss the first keys."""
    cell = page.locator(".jp-CodeCell").nth(number)
    prompt = cell.locator(".jp-InputPrompt")
    before = prompt.inner_text()
    for _ in range(5):
        cell.locator(".jp-InputArea-editor").click()
        page.keyboard.press("Control+Enter")
        with contextlib.suppress(AssertionError):
            expect(prompt).not_to_have_text(before, timeout=5_000)
            expect(prompt).not_to_have_text("[*]:", timeout=60_000)
            return
    pytest.fail(f"cell {number} did not start")
