"""How fast the playground learns in Chromium: ``python -m benchmarks.playground``.

Printed are, for a 2-4-4-1 network with batches of 10 and for the largest one, each second: the
updates of the engine alone, those of a figure that runs and draws, the pictures that it draws
meanwhile, and the frames that the page could draw.
"""

import argparse
import functools
import http.server
import shutil
import tempfile
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright

from dlcourse import plot
from dlcourse.figures import base, playground

NETWORKS = {
    "2-4-4-1": {"hidden": [4, 4]},
    "7-8-8-8-8-8-8-4": {
        "hidden": [8] * 6, "classes": 4, "features": list(playground.features),
    },
}  # fmt: skip

ENGINE = """async ([settings, seconds]) => {
  const { engine } = await import("./playground.mjs");
  const { start } = engine();
  const run = start(settings), from = performance.now();
  let steps = 0;
  for (; performance.now() - from < 1000 * seconds; steps += 100) {
    for (let i = 0; i < 100; i += 1) run.step();
  }
  return steps / seconds;
}"""
PICTURES = """(seconds) => new Promise((done) => {
  let pictures = 0;
  const output = document.querySelector(".dl-bar output");
  const step = () => Number(output.textContent.split("step ")[1]);
  const changes = new MutationObserver(() => { drawn += 1; });
  let drawn = 0;
  const first = step();
  changes.observe(output, { childList: true });
  const count = () => { pictures += 1; requestAnimationFrame(count); };
  requestAnimationFrame(count);
  setTimeout(() => done([(step() - first) / seconds, drawn / seconds, pictures / seconds]),
    1000 * seconds);
})"""


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    parser.add_argument("--seconds", type=float, default=3.0, help="for each measurement")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as api:
        address = serve(Path(folder))
        browser = api.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1000, "height": 1000})
        for name, settings in NETWORKS.items():
            figure = playground(**settings)
            (Path(folder) / "index.html").write_text(
                '<!DOCTYPE html><meta charset="utf-8"><link rel="stylesheet" href="figures.css">'
                f"<style>{plot.css_variables()}</style>{figure.to_html()}"
                '<script type="module" src="host.js"></script>'
            )
            page.goto(f"{address}/index.html")
            page.locator("[data-ready=true]").wait_for()
            alone = page.evaluate(ENGINE, [figure.state, options.seconds])
            page.get_by_role("button", name="Run").click()
            updates, drawn, free = page.evaluate(PICTURES, options.seconds)
            print(
                f"{name:>16}: engine alone {alone:9,.0f} updates/s; while it draws "
                f"{updates:7,.0f} updates/s in {drawn:3.0f} pictures/s; page {free:3.0f} frames/s"
            )
        browser.close()


def serve(folder: Path) -> str:
    """The address of a server that offers the figures' files, and what else is put there."""
    for path in base.FOLDER.iterdir():
        if path.suffix in (".mjs", ".js", ".css"):
            shutil.copy(path, folder)
    handler = functools.partial(Handler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files as they are, JavaScript modules under their right type, and no log."""

    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
        ".mjs": "text/javascript"
    }

    def log_message(self, *arguments):
        pass


if __name__ == "__main__":
    main()
