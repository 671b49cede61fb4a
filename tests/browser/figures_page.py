"""A minimal static page with figures on it, laid out as the book's own pages are."""

import io
import re
import shutil
from pathlib import Path

from dlcourse import plot
from dlcourse.figures import base

# The variables and the switch that the book's theme gives to a page, without the theme.
THEME = """
html { --pst-color-background: #fff; --pst-color-text-base: #222832; }
html[data-theme=dark] { --pst-color-background: #14181e; --pst-color-text-base: #ced6dd; }
body { margin: 16px auto; max-width: 760px; padding: 0 16px; font: 16px sans-serif;
       background: var(--pst-color-background); color: var(--pst-color-text-base); }
"""

PAGE = """<!DOCTYPE html>
<html lang="en" data-theme="{theme}">
<head><meta charset="utf-8"><title>Figures</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="_static/palette.css">
{styles}
<script type="module" src="_static/figures/host.js"></script></head>
<body><main><h1 id="top">Figures</h1>
{figures}
<h2 id="after" style="margin-top: 1500px">After the figures</h2><p>Text.</p></main></body></html>
"""


def write_page(folder: Path, *figures, theme: str = "light", name: str = "index.html") -> Path:
    """Write a page with the figures (Figure objects, or HTML as text) and all that it loads."""
    static = folder / "_static" / "figures"
    static.mkdir(parents=True, exist_ok=True)
    for path in [*base.FOLDER.glob("*.mjs"), *base.FOLDER.glob("*.js"), *base.FOLDER.glob("*.css")]:
        shutil.copy(path, static)
    (folder / "_static" / "palette.css").write_text(plot.css_variables() + THEME, "utf-8")
    parts = [figure if isinstance(figure, str) else figure.to_html() for figure in figures]
    # As on the site: what all figures share, and what the modules on this page need.
    modules = re.findall(r'data-module="(\w+)"', "".join(parts))
    sheets = [base.FOLDER / "figures.css"]
    for module in modules:
        if (base.FOLDER / f"{module}.mjs").exists():
            sheets += base.style_sheets(module)
    link = '<link rel="stylesheet" href="_static/figures/{}">'
    styles = "\n".join(link.format(path.name) for path in dict.fromkeys(sheets))
    path = folder / name
    path.write_text(PAGE.format(theme=theme, figures="\n".join(parts), styles=styles), "utf-8")
    return path


def ink(locator) -> int:
    """How many pixels shown there differ from the ground, the commonest level of gray."""
    from PIL import Image

    counts = Image.open(io.BytesIO(locator.screenshot())).convert("L").histogram()
    return sum(counts) - max(counts)
