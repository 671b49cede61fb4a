"""What holds for the module of every figure: whole in a notebook, light on a page, ours alone."""

import gzip
import re

import pytest

from dlcourse.figures import base

LIGHT = 15 * 1024  # bytes, gzip: a module with all that it loads until it is ready
LATER = 8 * 1024  # bytes, gzip: a part that is fetched when a reader first takes it
HELPERS = ("kit", "draw_digit_weights", "playground_tools")
FIGURES = sorted(path.stem for path in base.FOLDER.glob("*.mjs") if path.stem not in HELPERS)
every_figure = pytest.mark.parametrize("name", FIGURES)


def files_of(name):
    """What a page loads until a figure is ready: module, what that imports, host and look."""
    text = base.module_path(name).read_text("utf-8")
    imported = re.findall(r'from "\./(\w+)\.mjs"', text)
    paths = [base.module_path(module) for module in (name, *imported)]
    return [*paths, *base.style_sheets(name), base.FOLDER / "host.js"]


def later_files_of(name):
    """What a figure fetches when a reader first needs it: `import("./<part>.mjs")`."""
    text = base.module_path(name).read_text("utf-8")
    return [base.module_path(part) for part in re.findall(r'import\("\./(\w+)\.mjs"\)', text)]


def weight(path):
    return len(gzip.compress(path.read_bytes(), 9))


@every_figure
def test_what_a_page_loads_is_light(name):
    sizes = {path.name: weight(path) for path in files_of(name)}
    weights = sizes.pop("draw_digit_weights.mjs", 0)
    assert weights <= 300_000
    assert sum(sizes.values()) <= LIGHT, sizes
    for path in later_files_of(name):
        assert weight(path) <= LATER, path.name


def test_every_module_is_a_figure_or_belongs_to_one():
    used = {path.stem for name in FIGURES for path in files_of(name) + later_files_of(name)}
    assert {path.stem for path in base.FOLDER.glob("*.mjs")} <= used


@every_figure
def test_what_a_page_loads_is_ours_alone(name):
    for path in files_of(name) + later_files_of(name):
        text = path.read_text("utf-8").replace("http://www.w3.org/", "")
        assert not re.search(r"https?://|//cdn|@import|\beval\(|new Function", text), path.name


@every_figure
def test_colors_come_from_the_palette_alone(name):
    for path in files_of(name) + later_files_of(name):
        assert not re.search(r"#[0-9a-fA-F]{6}\b|\brgba?\(", path.read_text("utf-8")), path.name


@every_figure
def test_a_notebook_gets_a_module_and_what_it_imports_as_one_text(name):
    text = base.module_text(name)
    assert not re.search(r"^import \{|from \"\./|\bimport\(", text, re.MULTILINE)
    assert re.findall(r"^export .*", text, re.MULTILINE)[-1] == "export default { render };"
    for path in [base.module_path(name), *later_files_of(name)]:
        for match in base._IMPORT.finditer(path.read_text("utf-8")):
            exported = base.module_path(match[2]).read_text("utf-8")
            for one in filter(None, (part.strip() for part in match[1].split(","))):
                where = rf"^export (const|function) (\{{[^}}]*\b)?{one}\b"
                assert re.search(where, exported, re.MULTILINE), one
