"""The committed notebooks: in step with the book, and running where only the wheel is there."""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import nbformat
import pytest
import sync
from myst_nb.core.read import read_myst_markdown_notebook
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
CHAPTERS = ROOT / "chapters"
TEMPLATES = ROOT / "_build" / "notebook_templates"
NOTEBOOKS = sorted(CHAPTERS.rglob("*.ipynb"))


def to_run():
    """Chapters; a student's assignment stops at the first answer that is not yet given."""
    return [path for path in NOTEBOOKS if "exercises" not in path.parts]


def name_of(path):
    return path.relative_to(CHAPTERS).as_posix()


# In step with the book ---------------------------------------------------------------------------


@pytest.mark.book
def test_chapters_are_in_step_with_the_manuscripts():
    assert TEMPLATES.is_dir(), "build the book first: make book"
    assert sync.out_of_step(TEMPLATES, CHAPTERS) == {}, "run `make notebooks`"
    assert NOTEBOOKS


@pytest.mark.book
@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_a_committed_notebook_is_clean(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.nbformat == 4
    assert notebook.nbformat_minor == 5
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
            assert "myst_nb" not in cell.source
            assert "BEGIN SOLUTION" not in cell.source


@pytest.mark.book
@pytest.mark.parametrize("path", sorted(CHAPTERS.glob("exercises/*.ipynb")), ids=name_of)
def test_an_assignment_keeps_what_nbgrader_reads(path):
    manuscript = ROOT / "book" / "exercises" / f"{path.stem}.md"
    source = read_myst_markdown_notebook(manuscript.read_text("utf-8"))
    graded = [cell.metadata.nbgrader for cell in source.cells if "nbgrader" in cell.metadata]
    cells = nbformat.read(path, as_version=4).cells
    assert [cell.metadata.nbgrader for cell in cells if "nbgrader" in cell.metadata] == graded
    assert graded


# As on Colab -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def colab(tmp_path_factory):
    """A Python that has the third-party packages and our wheel, and has never seen this folder."""
    folder = tmp_path_factory.mktemp("colab")
    run = lambda *command: subprocess.run(command, check=True, cwd=folder, capture_output=True)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", folder / "dist", ROOT)
    run(sys.executable, "-m", "venv", "--without-pip", folder / "env")
    python = folder / "env" / "bin" / "python"
    wheel = next((folder / "dist").glob("*.whl"))
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel
    )
    # Folders that a .pth file names are searched, but .pth files in them are not: the editable
    # installation of the library in this environment stays unseen.
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site_packages = folder / "env" / "lib" / version / "site-packages"
    (site_packages / "preinstalled.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    _write_kernel(folder / "jupyter", python)
    return folder


def _write_kernel(folder, python):
    kernel = folder / "kernels" / "colab"
    kernel.mkdir(parents=True)
    argv = f'["{python}", "-m", "ipykernel_launcher", "-f", "{{connection_file}}"]'
    (kernel / "kernel.json").write_text(
        f'{{"argv": {argv}, "display_name": "Colab", "language": "python"}}'
    )


@pytest.mark.book
@pytest.mark.parametrize("path", to_run(), ids=name_of)
def test_a_chapter_runs_as_on_colab(path, colab, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", str(colab / "jupyter"))
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("import dlcourse; print(dlcourse.__file__)"))
    (tmp_path / "content").mkdir()
    (tmp_path / "home").mkdir()
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "DLCOURSE_STATIC", "MPLBACKEND", "PYTHONHOME")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    environment |= {"HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="colab",
        resources={"metadata": {"path": str(tmp_path / "content")}},
    )
    client.execute(env=environment)
    printed = notebook.cells[-1].outputs[0].text.strip()
    assert Path(printed).is_relative_to(colab / "env"), printed
    setup = notebook.cells[1]
    assert "pip install" in setup.source
    assert setup.outputs == [], "nothing to install where the library is there"


# What the library imports ------------------------------------------------------------------------

EXTRAS = {  # where the library may import what only an extra brings
    "grading": {"grading", "book", "dask"},
    "nets": {"torch"},
}


def declared():
    """Import name -> the sets of requirements ("" for the core) of pyproject.toml that bring it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    names = {}
    for group, requirements in groups.items():
        for requirement in requirements:
            names.setdefault(_normal(re.match(r"[\w.-]+", requirement)[0]), set()).add(group)
    return {
        module: set().union(*(names.get(_normal(name), set()) for name in distributions))
        for module, distributions in importlib.metadata.packages_distributions().items()
    }


def _normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def imports_of(path):
    """(line, top-level module) of all absolute imports in a file, wherever they stand."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module.partition(".")[0]


def undeclared(folder, known):
    """Imports of third-party modules that pyproject.toml does not promise to that part."""
    for path in sorted(folder.rglob("*.py")):
        part = path.relative_to(folder).parts[0].removesuffix(".py")
        # torch is imported where a tensor of it comes along: any part may, none has to.
        allowed = {"", "torch"} | EXTRAS.get(part, set())
        for line, module in imports_of(path):
            if module in sys.stdlib_module_names or module == folder.name:
                continue
            if not known.get(module, set()) & allowed:
                yield f"{path.relative_to(folder.parent)}:{line}: {module}"


def test_every_import_is_declared_in_pyproject():
    assert list(undeclared(ROOT / "dlcourse", declared())) == []


def test_an_undeclared_import_is_found(tmp_path):
    package = tmp_path / "dlcourse"
    (package / "grading").mkdir(parents=True)
    (package / "optim.py").write_text("import os\nimport numpy as np\nfrom sphinx import util\n")
    (package / "train.py").write_text("def f():\n    import nbgrader\n    import torch\n")
    (package / "grading" / "jail.py").write_text("import nbgrader\nfrom dlcourse import optim\n")
    assert list(undeclared(package, declared())) == [
        "dlcourse/optim.py:3: sphinx",
        "dlcourse/train.py:2: nbgrader",
    ]
