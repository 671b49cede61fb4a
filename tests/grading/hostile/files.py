"""What a hostile or unlucky student may hand in: files that are no notebook, or a strange one.

Each takes the right notebook as a dict and gives the bytes of a file, the state that its grade must
have, and the points that it must earn.
"""

import copy
import gzip
import io
import json
import zipfile

FILES = {}


def file(name, state="graded", points=10.0):
    def register(make):
        FILES[name] = (make, state, points)
        return make

    return register


def dumped(notebook) -> bytes:
    return json.dumps(notebook).encode()


def about(cell) -> dict:
    return cell["metadata"].get("nbgrader", {})


def checks(notebook):
    return [cell for cell in notebook["cells"] if about(cell).get("grade")]


def answers(notebook):
    return [cell for cell in notebook["cells"] if about(cell).get("solution")]


def emptied(notebook):
    """The same notebook with nothing answered."""
    for cell in answers(notebook):
        name = about(cell)["grade_id"].replace("-", "_")
        cell["source"] = f"def {name}(*inputs):\n    raise NotImplementedError()"
    return notebook


# --- check cells: whatever is done to them counts for nothing -------------------------------------


@file("check cells deleted")
def _(notebook):
    notebook["cells"] = [c for c in notebook["cells"] if not about(c).get("grade")]
    return dumped(notebook)


@file("check cells say 10.0", points=0.0)
def _(notebook):
    for cell in checks(emptied(notebook)):
        cell["source"] = "10.0"
    return dumped(notebook)


@file("check cells patch the checks", points=0.0)
def _(notebook):
    for cell in checks(emptied(notebook)):
        cell["source"] = "check = lambda *a: 10.0\nimport os; os._exit(0)"
    return dumped(notebook)


@file("check cells duplicated")
def _(notebook):
    notebook["cells"] += copy.deepcopy(checks(notebook)) * 20
    return dumped(notebook)


@file("check cells renamed and unlocked", points=0.0)
def _(notebook):
    for n, cell in enumerate(checks(emptied(notebook))):
        about(cell).update(grade_id=f"free-{n}", locked=False, points=1000)
    return dumped(notebook)


@file("check cells made into text")
def _(notebook):
    for cell in checks(notebook):
        cell["cell_type"] = "markdown"
    return dumped(notebook)


@file("a thousand points and schema 99", points=0.0)
def _(notebook):
    for cell in emptied(notebook)["cells"]:
        if "nbgrader" in cell["metadata"]:
            about(cell).update(points=1000, schema_version=99, grade=True, max_score=1000)
    return dumped(notebook)


@file("outputs that claim full marks", points=0.0)
def _(notebook):
    for cell in checks(emptied(notebook)):
        cell["outputs"] = [
            {"output_type": "execute_result", "data": {"text/plain": "10.0"}, "metadata": {}}
        ]
    return dumped(notebook)


@file("scripts in outputs and text")
def _(notebook):
    evil = "<script>alert(1)</script><svg onload=alert(1)><a href='javascript:alert(1)'>x</a>"
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = evil
        else:
            data = {"text/html": evil, "image/svg+xml": evil, "application/javascript": "alert(1)"}
            cell["outputs"] = [{"output_type": "display_data", "data": data, "metadata": {}}]
    return dumped(notebook)


# --- answer cells ---------------------------------------------------------------------------------


@file("an answer twice, the last is right")
def _(notebook):
    wrong = copy.deepcopy(answers(notebook)[0])
    wrong["source"] = "def neuron_backward(w, b, x, t):\n    return 0, 0, 0"
    notebook["cells"].insert(2, wrong)
    return dumped(notebook)


@file("an answer twice, the last is wrong", points=8.5)
def _(notebook):
    wrong = copy.deepcopy(answers(notebook)[0])
    wrong["source"] = "def neuron_backward(w, b, x, t):\n    return 0, 0, 0"
    notebook["cells"].append(wrong)
    return dumped(notebook)


@file("all ids the same", "needs review")
def _(notebook):
    for cell in notebook["cells"]:
        cell["id"] = "same"
        if "nbgrader" in cell["metadata"]:
            about(cell)["grade_id"] = "same"
    return dumped(notebook)


@file("all ids lost", "needs review")
def _(notebook):
    for cell in notebook["cells"]:
        cell["metadata"] = {}
        cell.pop("id", None)
    return dumped(notebook)


@file("an answer made into text", "needs review", 8.5)
def _(notebook):
    answers(notebook)[0]["cell_type"] = "markdown"
    return dumped(notebook)


@file("answers deleted", points=0.0)
def _(notebook):
    notebook["cells"] = [c for c in notebook["cells"] if not about(c).get("solution")]
    return dumped(notebook)


@file("names that point elsewhere")
def _(notebook):
    notebook["metadata"]["name"] = "../../../etc/passwd"
    notebook["metadata"]["kernelspec"] = {"name": "../../evil", "argv": ["/bin/sh"]}
    for cell in notebook["cells"]:
        cell["attachments"] = {"../../x.png": {"image/png": "AAAA"}}
        if not about(cell):
            cell["id"] = "../../../x"
    return dumped(notebook)


@file("wrong types everywhere", "needs review", 0.0)
def _(notebook):
    for n, cell in enumerate(notebook["cells"]):
        cell["source"] = [None, 3, {}, n, "x = 1"]
        cell["metadata"] = [1, 2] if n % 2 else {"nbgrader": {"grade_id": ["x"], "solution": "yes"}}
        cell["id"] = {"a": n}
        cell["outputs"] = "none"
    notebook["cells"] += [None, 3, [], {}, {"cell_type": ["code"]}]
    return dumped(notebook)


@file("a cell with a syntax error", points=8.5)
def _(notebook):
    answers(notebook)[0]["source"] = "def neuron_backward(w, b, x, t:\n  return"
    return dumped(notebook)


@file("a null character in a cell", points=8.5)
def _(notebook):
    answers(notebook)[0]["source"] = "def neuron_backward(*a):\n\0  return 1, 2, 3"
    return dumped(notebook)


@file("code that breaks the parser", "out of memory", 8.5)
def _(notebook):
    answers(notebook)[0]["source"] = "x = " + "-" * 100_000 + "1\n" + "(" * 100 + ")" * 100
    return dumped(notebook)


# --- files that are no notebook -------------------------------------------------------------------

NOT = "unreadable"


@file("empty", NOT, 0.0)
def _(notebook):
    return b""


@file("not JSON", NOT, 0.0)
def _(notebook):
    return b"print('hello')"


@file("truncated", NOT, 0.0)
def _(notebook):
    return dumped(notebook)[:-500]


@file("a picture", NOT, 0.0)
def _(notebook):
    return b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100


@file("JSON, but a list", NOT, 0.0)
def _(notebook):
    return b"[1, 2, 3]"


@file("cells that are no list", NOT, 0.0)
def _(notebook):
    return dumped(notebook | {"cells": "many"})


@file("an old format", NOT, 0.0)
def _(notebook):
    return dumped({"nbformat": 3, "worksheets": [{"cells": notebook["cells"]}]})


@file("200 MB", NOT, 0.0)
def _(notebook):
    return b" " * (200 << 20)


@file("20 MB of brackets", NOT, 0.0)
def _(notebook):
    return b"[" * (20 << 20)


@file("20 MB of small parts", NOT, 0.0)
def _(notebook):
    return b'{"x": [' + b"0," * (9 << 20) + b"0], " + dumped(notebook)[1:]


@file("deep nesting", NOT, 0.0)
def _(notebook):
    return b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@file("nested keys", NOT, 0.0)
def _(notebook):
    return b'{"a":' * 50_000 + b"1" + b"}" * 50_000


@file("a number of a million digits", NOT, 0.0)
def _(notebook):
    return b'{"cells": [' + b"9" * 1_000_000 + b"]}"


@file("too many cells", NOT, 0.0)
def _(notebook):
    return dumped(notebook | {"cells": [{"cell_type": "code", "source": "x"}] * 30_000})


@file("a megabyte of code", NOT, 0.0)
def _(notebook):
    answers(notebook)[0]["source"] = "x = 1\n" * 200_000
    return dumped(notebook)


@file("a zip bomb", NOT, 0.0)
def _(notebook):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../x.ipynb", bytes(50 << 20))
    return file.getvalue()


@file("a gzip bomb", NOT, 0.0)
def _(notebook):
    return gzip.compress(bytes(50 << 20))


@file("another encoding", NOT, 0.0)
def _(notebook):
    return json.dumps(notebook).encode("utf-16")


@file("bytes that are no text", NOT, 0.0)
def _(notebook):
    return dumped(notebook).replace(b"import", b"imp\xff\xfeort")


# --- honest, and unusual: full marks --------------------------------------------------------------


@file("honest: as handed out and solved")
def _(notebook):
    return dumped(notebook)


@file("honest: a mark at the beginning of the file")
def _(notebook):
    return b"\xef\xbb\xbf" + dumped(notebook)


@file("honest: saved by Colab")
def _(notebook):
    for n, cell in enumerate(notebook["cells"]):
        cell["metadata"] |= {"id": f"aB3{n}xYz", "colab": {"base_uri": "https://localhost/"}}
        cell["source"] = cell["source"].splitlines(True)
        cell.pop("id", None)
    notebook |= {"nbformat": 4, "nbformat_minor": 0}
    notebook["metadata"] = {"colab": {"provenance": []}, "accelerator": "GPU"}
    return dumped(notebook)


@file("honest: cells in another order")
def _(notebook):
    notebook["cells"].reverse()
    return dumped(notebook)


@file("honest: helpers in cells of their own")
def _(notebook):
    cell = answers(notebook)[0]
    place = notebook["cells"].index(cell)
    helper = (
        "import math as m\nHALF = 0.5\nprint('slow')\n"
        "def sigmoid(z):\n    return 1 / (1 + m.exp(-z))"
    )
    notebook["cells"].insert(place, {"cell_type": "code", "metadata": {}, "source": helper})
    cell["source"] = (
        "def slope(s):\n    return 2 * HALF * s * (1 - s)\n"
        "def neuron_backward(w, b, x, t):\n    s = sigmoid(w * x + b)\n"
        "    dz = 2 * (s - t) * slope(s)\n    return dz * x, dz, dz * w"
    )
    experiment = "import time\nwhile True:\n    time.sleep(1)"
    notebook["cells"].append({"cell_type": "code", "metadata": {}, "source": experiment})
    return dumped(notebook)


@file("honest: an import added to a given cell")
def _(notebook):
    given = next(c for c in notebook["cells"] if about(c).get("grade_id") == "set-up")
    given["source"] += "\nimport math"
    cell = answers(notebook)[0]
    cell["source"] = cell["source"].replace("np.exp", "math.exp")
    return dumped(notebook)


@file("honest: float32, lists, warnings and output")
def _(notebook):
    answers(notebook)[1]["source"] = (
        "import warnings, sys\nwarnings.warn('careful')\nprint('note', file=sys.stderr)\n"
        "def linear_backward(x, W, b, g):\n    np.log(np.zeros(2))\n    warnings.warn('again')\n"
        "    x, W, g = (v.astype(np.float32) for v in (x, W, g))\n"
        "    return [(g @ W).tolist(), (g.T @ x).tolist(), [v for v in g.sum(0)]]"
    )
    return dumped(notebook)


@file("honest: magics, seeds and checks in an answer")
def _(notebook):
    cell = answers(notebook)[0]
    cell["source"] = (
        "%matplotlib inline\n!pip install numpy\nimport random\nrandom.seed(1)\n"
        "np.random.seed(42)\n"
        + cell["source"]
        + "\ncheck.neuron_backward(neuron_backward)\nneuron_backward?\ndisplay(3)"
    )
    return dumped(notebook)


@file("honest: slow, recursive, with a default dict and keyword arguments")
def _(notebook):
    answers(notebook)[4]["source"] = (
        "import collections, functools, sys, time\n"
        "sys.setrecursionlimit(20_000)\n"
        "def backward(graph, output, *, verbose=True):\n"
        "    time.sleep(0.01)\n"
        "    uses = collections.defaultdict(list)\n"
        "    for node, parents in graph.items():\n"
        "        for parent, slope in parents:\n"
        "            uses[parent].append((node, slope))\n"
        "    grads = collections.defaultdict(float)\n"
        "    order, seen = [], set()\n"
        "    def visit(node):\n"
        "        if node in seen:\n            return\n"
        "        seen.add(node)\n"
        "        for use, _ in uses[node]:\n            visit(use)\n"
        "        order.append(node)\n"
        "    for node in graph:\n        visit(node)\n"
        "    for node in order:\n"
        "        total = sum(s * grads[u] for u, s in uses[node])\n"
        "        grads[node] = 1.0 if node == output else total\n"
        "    return grads\n"
    )
    return dumped(notebook)


@file("honest: an edited name in the first line")
def _(notebook):
    cell = answers(notebook)[1]
    cell["source"] = (
        "def backward_of_linear(inputs, weights, bias, upstream):\n"
        "    return upstream @ weights, upstream.T @ inputs, upstream.sum(0)\n"
        "linear_backward = lambda *a: backward_of_linear(*a)"
    )
    return dumped(notebook)
