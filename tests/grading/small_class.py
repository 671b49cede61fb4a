"""A class with one exercise alone, so that many can be graded in little time."""

import copy
import json
import sys
from pathlib import Path

import nbformat

from dlcourse.grading import assignment, jail, run, store

ROOT = Path(__file__).parents[2]
MANUSCRIPT = ROOT / "book" / "exercises" / "07-backpropagation.md"
LIMITS = jail.Limits(call=4.0, total=12.0)
NAME = "small"

WRONG = (
    "return x, dz, w",
    "raise ValueError('student %d')",
    "import os; os._exit(3)",
    "return np.full(3, %d.0), 0.0, w",
)


def notebook():
    """The assignment with its first exercise."""
    short = assignment.read(MANUSCRIPT)
    kept = {"set-up", "neuron-backward", "neuron-backward-check"}
    short.cells = [c for c in short.cells if c.cell_type != "code" or c.id in kept]
    return short


def handed(count: int) -> dict[str, bytes]:
    """Student -> notebook: right, wrong in several ways, empty, broken."""
    solved = json.loads(nbformat.writes(assignment.solution_version(notebook())))
    place = next(n for n, c in enumerate(solved["cells"]) if c["id"] == "neuron-backward")
    found = {}
    for n in range(count):
        one = copy.deepcopy(solved)
        kind = n % 7
        if kind in (1, 2, 3, 4):
            line = WRONG[kind - 1]
            line = line % n if "%d" in line else line
            one["cells"][place]["source"] = f"def neuron_backward(w, b, x, t):\n    {line}"
        if kind == 5:
            one["cells"][place]["source"] = ""
        one["cells"].append(
            {"cell_type": "markdown", "metadata": {}, "source": f"student {n}", "id": f"own{n}"}
        )
        text = json.dumps(one).encode()
        found[f"student-{n:04}"] = text[: len(text) // 2] if n % 7 == 6 else text
    return found


def lay(folder: Path, count: int) -> Path:
    """Write a class into a folder."""
    folder.mkdir(exist_ok=True, parents=True)
    for student, data in handed(count).items():
        (folder / f"{student}.ipynb").write_bytes(data)
    return folder


def main() -> int:
    """As a program of its own, which may be killed: folder, out, seed[, cluster]. Each is told."""
    folder, out, seed, *cluster = sys.argv[1:]
    add = store.Store.add

    def told(*arguments):
        number = add(*arguments)
        print("kept", flush=True)
        return number

    store.Store.add = told
    return run.grade_class(
        notebook(), Path(folder), Path(out), name=NAME, jobs=2, seed=int(seed), limits=LIMITS,
        progress=False, dask=cluster[0] if cluster else None,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
