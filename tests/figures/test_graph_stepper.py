"""The graph stepper's Python side: its language, its numbers against PyTorch, its two displays."""

import gzip
import json
import math
import os
import random
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

from dlcourse.figures import base, expressions, graph_stepper
from dlcourse.figures.base import Figure
from dlcourse.figures.expressions import OPERATIONS, parse, show

torch = pytest.importorskip("torch")
evaluate = graph_stepper.evaluate


def on_tensors(name):
    """PyTorch's function of that name, for plain numbers too."""
    function = getattr(torch, name)
    return lambda a: function(torch.as_tensor(a, dtype=torch.float64))


TORCH = {name: on_tensors(name) for name in expressions.FUNCTIONS}

EXPRESSIONS = [
    "(sigmoid(w*x + b) - t) ** 2",
    "x*y + x",
    "x * exp(-x**2)",
    "log(1 + exp(-t*(w*x + b)))",
    "x*x*x - y*x / (2 + x*x)",
    "sqrt(x*x + y*y + 1)",
    "sin(x)*cos(y) + tanh(x/y)",
    "relu(x) - relu(-y)",
    "2**x + (x*x)**y",
    "x**3 + x**-1 + x**0.0 + x**1",
    "-x**2 - -y",
    "(x*x + 1)**-0.5",
    "3 - x / 4 * 2e-1",
    "1/(1 + exp(-x))",
    "a/b/c - (a - (b - c))",
    "(x + y)**3 / (x*y)",
]
MIXED = "(sigmoid(x) + tanh(y)) * exp(-x) / (y*y + 1) - sqrt(x*x + 2) + log(y*y + 1) ** 2"


def names(expression):
    return [node.name for node in parse(expression) if node.operation is None]


def by_torch(expression, inputs):
    """Value and gradients of an expression according to PyTorch's autograd, in float64."""
    leaves = {
        name: torch.tensor(float(value), dtype=torch.float64, requires_grad=True)
        for name, value in inputs.items()
    }
    output = eval(expression, {"__builtins__": {}}, TORCH | leaves)
    output.backward()
    return output.item(), {name: leaf.grad.item() for name, leaf in leaves.items()}


def close(a, b):
    return a == b or abs(a - b) <= 1e-12 * max(1, abs(a), abs(b))


def agrees(expression, inputs):
    value, gradients = by_torch(expression, inputs)
    ours = evaluate(expression, inputs)
    return close(ours.nodes[-1].value, value) and all(
        close(ours[name].gradient, gradient) for name, gradient in gradients.items()
    )


# Numbers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("expression", [*EXPRESSIONS, MIXED])
def test_values_and_gradients_are_those_of_torch(expression):
    rng = random.Random(expression)
    for _ in range(20):
        inputs = {name: rng.choice((-1, 1)) * rng.uniform(0.2, 2) for name in names(expression)}
        assert agrees(expression, inputs), inputs


def grow(rng, depth):
    """A random expression, safe to compute for inputs of either sign."""
    if depth == 0:
        return rng.choice(["x", "y", "z", "x", f"{rng.uniform(0.1, 3):.3f}"])
    left, right = grow(rng, depth - 1), grow(rng, rng.randrange(depth))
    return rng.choice(
        [
            f"({left} + {right})",
            f"({left} - {right})",
            f"({left}) * ({right})",
            f"({left}) / (({right})**2 + 1)",
            f"-({left})",
            f"({left})**{rng.choice([2, 3, -1, 0.5, 1, 0])}",
            *(f"{name}({left})" for name in expressions.FUNCTIONS),
        ]
    )


def test_random_graphs_agree_with_torch():
    rng = random.Random(7)
    compared = 0
    for _ in range(2000):
        expression = "x + y + z + " + grow(rng, 3)
        inputs = {name: rng.uniform(-2, 2) for name in "xyz"}
        try:
            ours = evaluate(expression, inputs)
        except ValueError:  # too long, too many nodes, or a constant part such as 0**-1
            continue
        if all(math.isfinite(node.gradient) for node in ours.nodes):
            assert agrees(expression, inputs), (expression, inputs)
            compared += 1
    assert compared > 500


@pytest.mark.parametrize(
    ("operation", "place"),
    [(name, place) for name, op in OPERATIONS.items() for place in range(len(op.derivatives))],
)
def test_a_wrong_derivative_would_be_seen(monkeypatch, operation, place):
    """Each derivative, made wrong by a thousandth, is caught by the comparison above."""
    sign = {"add": "x + y", "sub": "x - y", "mul": "x * y", "div": "x / y", "pow": "x ** y"}
    expression = sign.get(operation, "-x" if operation == "neg" else f"{operation}(x)")
    inputs = dict.fromkeys(names(expression), 0.7)
    assert agrees(expression, inputs)
    op = OPERATIONS[operation]
    formula, derivative = op.derivatives[place]
    wrong = list(op.derivatives)
    wrong[place] = (formula, lambda *values: 1.001 * derivative(*values))
    monkeypatch.setitem(OPERATIONS, operation, replace(op, derivatives=tuple(wrong)))
    assert not agrees(expression, inputs)


@pytest.mark.parametrize(
    ("expression", "inputs"),
    [
        ("relu(x)", {"x": 0}),
        ("relu(x) + x", {"x": -3}),
        ("x**2", {"x": 0}),
        ("x**3 + x**1", {"x": 0}),
        ("x**0", {"x": 0}),
        ("x**y", {"x": 0, "y": 2}),
        ("tanh(10*x)", {"x": 4}),
        ("sigmoid(x)", {"x": -800}),
        ("sigmoid(x)", {"x": 800}),
        ("exp(-x)", {"x": 900}),
    ],
)
def test_corners_agree_with_torch(expression, inputs):
    assert agrees(expression, inputs)


@pytest.mark.parametrize(
    ("expression", "inputs", "node", "note"),
    [
        ("log(x) + 1", {"x": -1}, "v₁", "log needs a number above 0, and −1 came"),
        ("log(x)", {"x": 0}, "v₁", "log needs a number above 0, and 0 came"),
        ("sqrt(x)", {"x": -0.5}, "v₁", "sqrt needs a number of at least 0, and −0.5 came"),
        ("1/x", {"x": 0}, "v₁", "division by zero"),
        ("x/(y - y)", {"x": 1, "y": 2}, "v₂", "division by zero"),
        ("x**-2", {"x": 0}, "v₁", "division by zero"),
        ("x**y", {"x": -2, "y": 0.5}, "v₁", "−2 has no real power 0.5"),
        ("exp(x)", {"x": 1000}, "v₁", "it is too large to be held"),
        ("x*x", {"x": 1e200}, "v₁", "it is too large to be held"),
        ("x**y", {"x": 1e9, "y": 99}, "v₁", "it is too large to be held"),
        ("2 * log(x)", {"x": -1}, "v₂", "v₁ is not a number"),
    ],
)
def test_what_has_no_value_says_why(expression, inputs, node, note):
    ours = evaluate(expression, inputs)
    assert math.isnan(ours[node].value)
    assert ours[node].note == note
    assert any(f"is not a number: {note}." in step.text for step in ours.steps)


def test_a_slope_without_a_value_is_not_a_number():
    ours = evaluate("sqrt(x)", {"x": 0})
    assert ours["v₁"].value == 0
    assert math.isnan(ours["x"].gradient)
    assert "∂v₁/∂x = 1/(2·v₁) = not a number" in ours.steps[-1].text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-2, "−2"),
        (0.1 + 0.2, "0.3"),
        (1 / 3, "0.3333"),
        (12345.6, "12350"),
        (0.00012344, "0.0001234"),
        (0.015625, "0.01563"),  # a tie, away from zero
        (-0.015625, "−0.01563"),
        (1.23456e-5, "1.235e−5"),
        (99999.6, "100000"),
        (999996.0, "1e6"),
        (-1.5e300, "−1.5e300"),
        (5e-324, "5e−324"),
        (math.nan, "not a number"),
        (math.inf, "not a number"),
    ],
)
def test_numbers_as_text(number, text):
    assert show(number) == text


# Language ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        "1 + 2*x",
        "2 - 3 - x",
        "2**3**x",
        "-x**2",
        "2**-x",
        "-x*-x",
        "--x",
        "+x - +2",
        "8/4/x",
        ".5*x",
    ],
)
def test_precedence_is_that_of_python(expression):
    assert evaluate(expression, {"x": 1.5}).nodes[-1].value == pytest.approx(
        eval(expression, {"x": 1.5}), rel=1e-15
    )


def test_a_name_is_one_node_and_constants_are_none():
    ours = evaluate("x*x + 2*3*x", {"x": 3})
    assert [(node.name, node.text) for node in ours.nodes] == [
        ("x", ""),
        ("v₁", "x · x"),
        ("v₂", "6 · x"),
        ("v₃", "v₁ + v₂"),
    ]
    assert ours["x"].uses == 3
    assert ours["x"].terms == [6, 3, 3]
    assert ours["x"].gradient == 12


def test_names_of_python_and_javascript_are_names_too():
    ours = evaluate("lambda * valueOf + toString", {"lambda": 2, "valueOf": 3, "toString": 4})
    assert ours.nodes[-1].value == 10


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "The expression is empty; write one, such as sigmoid(w*x + b)."),
        ("  \n ", "The expression is empty; write one, such as sigmoid(w*x + b)."),
        ("x +", "The expression ends too early; expected a number, a name or '('."),
        ("x * ) + 2", "At character 5, ')' came; expected a number, a name or '('."),
        ("(x + 1", "The expression ends too early; expected ')'."),
        ("x + 1)", "At character 6, ')' came; expected an operator such as * or the end."),
        ("2x", "At character 2, 'x' came; expected an operator such as * or the end."),
        ("x y", "At character 3, 'y' came; expected an operator such as * or the end."),
        ("x ^ 2", "Character 3 is '^'; write a power as **."),
        ("x $ 2", "Character 3 is '$'; expected a number, a name or + - * / ** ( )."),
        ("x = 2", "Character 3 is '='; expected a number, a name or + - * / ** ( )."),
        ("_x", "Character 1 is '_'; expected a number, a name or + - * / ** ( )."),
        ("x·y", "Character 2 is '·'; expected a number, a name or + - * / ** ( )."),
        ("foo(x)", f"At character 1, 'foo(' came; the functions are {'exp, log, sqrt, sin'}"),
        ("__import__('os')", "Character 1 is '_'; expected a number"),
        ("x.real", "Character 2 is '.'; expected a number"),
        ("1 + exp", "At character 5, exp stands alone; expected exp(...)."),
        ("exp()", "At character 5, ')' came; expected a number, a name or '('."),
        ("learning_rate*x", "At character 1, the name 'learning_rate' has 13 letters; expected at"),
        ("1 + 2", "The expression has no variable; use at least one name, such as x."),
        ("x + 1/0", "1 / 0 is not a number: division by zero."),
        ("x + log(0-2)", "log(−2) is not a number: log needs a number above 0, and −2 came."),
        ("1e999*x", "At character 1, 1e999 is too large a number."),
        ("x" + "+x" * 60, "The expression has 121 characters; at most 120 are drawn."),
        ("x" + "+x" * 24, "The graph has 25 nodes; at most 24 are drawn."),
    ],
)
def test_a_bad_expression_is_told_where_and_why(expression, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        parse(expression)


@pytest.mark.parametrize("sign", ["(", "-", "exp(", "x**"])
def test_the_longest_nesting_is_read_or_refused(sign):
    with pytest.raises(ValueError, match="ends too early"):
        parse((sign * 120)[:120].rstrip("exp"))


@pytest.mark.parametrize("expression", [None, 3, ["x"], b"x"])
def test_an_expression_is_text(expression):
    with pytest.raises(ValueError, match="an expression is text"):
        parse(expression)


@pytest.mark.parametrize("value", [None, "1", True, math.nan, math.inf, [1], 10**400, 1j])
def test_an_input_is_a_finite_number(value):
    with pytest.raises(ValueError, match=r"inputs: .* came for x; expected a finite number"):
        evaluate("x + 1", {"x": value})
    with pytest.raises(ValueError, match="inputs: nothing came for x"):
        evaluate("x + 1", {})


# Steps ------------------------------------------------------------------------------------------


def test_the_steps_of_a_small_graph():
    ours = evaluate("x*y + x", {"x": 3, "y": -2})
    assert [step.text for step in ours.steps] == [
        "Step 0 of 7. Given: x = 3, y = −2. Next, the forward pass computes one node at a time.",
        "Step 1 of 7, forward: v₁ = x · y = 3 · (−2) = −6.",
        "Step 2 of 7, forward: v₂ = v₁ + x = (−6) + 3 = −3.",
        "Step 3 of 7, backward: start at the output. v₂ changes exactly as much as itself, "
        "so its gradient is 1.",
        "Step 4 of 7, backward: the gradient at v₂ is 1; times the local derivative "
        "∂v₂/∂v₁ = 1, this passes 1 to v₁.",
        "Step 5 of 7, backward: the gradient at v₂ is 1; times the local derivative "
        "∂v₂/∂x = 1, this passes 1 to x. x is used 2 times: this is the first term of a sum.",
        "Step 6 of 7, backward: the gradient at v₁ is 1; times the local derivative "
        "∂v₁/∂x = y = −2, this passes −2 to x. It is added to what came before: 1 + (−2) = −1. "
        "So adding 0.01 to x would add about −0.01 to the output.",
        "Step 7 of 7, backward: the gradient at v₁ is 1; times the local derivative "
        "∂v₁/∂y = x = 3, this passes 3 to y. So adding 0.01 to y would add about 0.03 to the "
        "output. Every gradient is known.",
    ]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_each_node_is_computed_once_and_each_edge_is_passed_once(expression):
    ours = evaluate(expression, dict.fromkeys(names(expression), 0.8))
    forward = [step.node for step in ours.steps if step.phase == "forward"]
    assert forward == [node for node in ours.nodes if node.operation]
    assert [step.edge for step in ours.steps if step.edge] == ours.edges
    # A gradient is passed on only when it is complete, and is the sum of what came.
    came = {id(node): [] for node in ours.nodes}
    came[id(ours.nodes[-1])].append(1.0)
    for edge in ours.edges:
        assert came[id(edge.child)] == edge.child.terms
        assert edge.passed == edge.child.gradient * edge.derivative
        came[id(edge.parent)].append(edge.passed)
    assert all(came[id(node)] == node.terms for node in ours.nodes)


def test_a_dead_relu_lets_nothing_through():
    ours = evaluate("relu(w*x + b)", {"w": 1, "x": -2, "b": 0.5})
    assert {name: ours[name].gradient for name in "wxb"} == {"w": 0, "x": 0, "b": 0}
    assert any("∂v₃/∂v₂ = step(v₂) = 0" in step.text for step in ours.steps)
    assert any("nothing gets through" in step.text for step in ours.steps)


# The figure -------------------------------------------------------------------------------------


@pytest.fixture
def static(monkeypatch):
    monkeypatch.setenv("DLCOURSE_STATIC", "1")


@pytest.fixture
def live(monkeypatch):
    monkeypatch.delenv("DLCOURSE_STATIC", raising=False)
    return pytest.importorskip("anywidget")


def test_on_the_site_it_is_html_with_its_state_and_a_picture(static):
    figure = graph_stepper("x*y + x", {"x": 3, "y": -2}, step=4)
    bundle = figure._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert figure._widget is None
    div = ElementTree.fromstring(bundle["text/html"])
    assert div.attrib["class"] == "dl-figure"
    assert div.attrib["data-module"] == "graph_stepper"
    assert div.attrib["role"] == "group"
    assert "its gradients are x: −1, y: 3" in div.attrib["aria-label"]
    state = json.loads(div.find("script").text)
    assert state == {"expression": "x*y + x", "inputs": {"x": 3, "y": -2}, "step": 4}
    svg = div.find(".//{http://www.w3.org/2000/svg}svg")
    assert svg.find("{http://www.w3.org/2000/svg}title").text == figure.alt
    words = [text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert {"v₁ = x · y", "v₂ = v₁ + x", "x", "y", "−6", "× −2"} <= set(words)


@pytest.mark.parametrize("expression", [*EXPRESSIONS, "x", "x*x", "log(x) + y"])
def test_every_graph_has_a_picture_within_its_frame(expression):
    svg = graph_stepper(expression, dict.fromkeys(names(expression), -0.5)).fallback_svg
    root = ElementTree.fromstring(svg)
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
        x, y, w, h = (float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
        assert left <= x
        assert x + w <= left + width
        assert top <= y
        assert y + h <= height
    boxes = [rect for rect in root.iter("{http://www.w3.org/2000/svg}rect") if "rx" in rect.attrib]
    assert len(boxes) == len(parse(expression))


def test_nothing_in_the_state_breaks_out_of_its_script():
    evil = "</script><!--<script>&\u2028"
    figure = Figure("graph_stepper", {"text": evil}, '"><b>alt</b>', "<svg/>")
    html = figure.to_html()
    body = re.search(r'class="dl-state">(.*?)</script>', html, re.S).group(1)
    assert not re.search("[<>&\u2028]", body)
    assert json.loads(body) == {"text": evil}
    assert html.count("</script>") == 1
    assert "<b>" not in html


def test_in_a_live_notebook_it_is_a_widget_that_python_sees(live, monkeypatch):
    monkeypatch.setenv("DLCOURSE_STATIC", "0")
    figure = graph_stepper("x*y + x", {"x": 3, "y": -2})
    data, _ = figure._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "text/html" not in data
    assert "export default" in figure.widget._esm
    assert "--dl-blue" in figure.widget._css
    assert ".dl-stepper" in figure.widget._css
    assert 'body[data-jp-theme-light="false"]' in figure.widget._css
    seen = []
    figure.widget.observe(lambda change: seen.append(change.new), "step")
    figure.widget.set_state({"step": 3})  # as the browser does
    assert figure.step == 3
    assert figure.state["step"] == 3
    figure.step = 5
    assert figure.widget.step == 5
    assert seen == [3, 5]
    figure.update(expression="2*z", inputs={"z": 1}, step=0)
    assert figure.widget.get_state()["inputs"] == {"z": 1}


def test_state_is_set_before_it_is_shown_too(static):
    figure = graph_stepper("x*y", {"x": 3, "y": -2})
    figure.step = 2
    assert '"step": 2' in figure.to_html()
    assert "step" in dir(figure)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step": 99}, "step: 99 came; expected a whole number from 0 to 4"),
        ({"step": 1.5}, "step: 1.5 came; expected a whole number from 0 to 4"),
        ({"expression": "x +"}, "ends too early"),
        ({"expression": "z"}, "inputs: nothing came for z"),
        ({"inputs": [1]}, r"inputs: \[1\] came; expected a number for each name"),
        ({"inputs": {"x": math.nan, "y": 1}}, "finite"),
        ({"speed": 1}, "graph_stepper has no state 'speed'; its state is expression, inputs, step"),
    ],
)
def test_a_bad_change_changes_nothing(changes, message):
    figure = graph_stepper("x*y", {"x": 3, "y": -2})
    before = figure.state
    with pytest.raises(ValueError, match=message):
        figure.update(**changes)
    assert figure.state == before


def test_a_misspelled_attribute_is_refused():
    figure = graph_stepper()
    with pytest.raises(AttributeError, match="no state 'stp'; its state is expression, inputs"):
        figure.stp = 1
    with pytest.raises(AttributeError, match="no attribute 'stp'"):
        figure.stp


def test_bad_arguments_are_refused_at_once():
    with pytest.raises(ValueError, match="nothing came for x"):
        graph_stepper("x + 1")
    with pytest.raises(ValueError, match="step: -1 came"):
        graph_stepper(step=-1)


@pytest.mark.parametrize("name", ["graph_steper", "../secret", "", "graph_stepper.mjs"])
def test_an_unknown_module_is_told_with_those_there_are(name):
    with pytest.raises(ValueError, match=r"no figure module '.*'.* there are: .*graph_stepper"):
        Figure(name, {}, "", "")


def test_a_missing_module_names_its_file(monkeypatch, tmp_path):
    monkeypatch.setattr(base, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"'graph_stepper\.mjs'.*there are: none"):
        graph_stepper()


@pytest.mark.parametrize("state", [{"a": math.inf}, {"a": {1, 2}}, {"a": object()}])
def test_state_is_plain_data(state):
    with pytest.raises(ValueError, match="plain data with finite numbers"):
        Figure("graph_stepper", state, "", "")


# Weight -----------------------------------------------------------------------------------------


def test_importing_the_figures_brings_nothing_heavy():
    heavy = {"torch", "matplotlib", "anywidget", "ipywidgets", "numpy", "IPython"}
    code = (
        "import sys; from dlcourse.figures import graph_stepper; graph_stepper().to_html();"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"DLCOURSE_STATIC": "1"},
    )
    assert run.stdout.strip() == "[]"


def test_what_a_page_loads_is_small_and_ours_alone():
    texts = [
        (base.FOLDER / name).read_text("utf-8")
        for name in ("graph_stepper.mjs", "host.js", "figures.css", "graph_stepper.css")
    ]
    assert sum(len(gzip.compress(text.encode(), 9)) for text in texts) <= 15 * 1024
    for text in texts:
        assert not re.search(r"https?://|//cdn|@import|\beval\(|new Function", text)


def test_colors_come_from_the_palette_alone():
    look = "".join(path.read_text("utf-8") for path in base.style_sheets("graph_stepper"))
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgb\(", look)
