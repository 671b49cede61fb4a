"""Backpropagation on a small graph, one step at a time.

An expression such as `sigmoid(w*x + b)` becomes a graph of single operations. The forward pass
computes each node's value from its parents; the backward pass sends gradients back along the edges,
each multiplied by the local derivative of its edge, and adds them up where they meet.

The module `graph_stepper.mjs` does the same in the reader's browser: same language, same numbers,
same sentences.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from dlcourse.figures import graph_picture
from dlcourse.figures.base import Figure
from dlcourse.figures.expressions import (
    Node,
    compute,
    finite,
    local_derivative,
    parse,
    show,
    wrap,
    write,
)

# --- Forward and backward -------------------------------------------------------------------------


@dataclass(frozen=True)
class Edge:
    """From `parent` to `child`, its argument number `place`; `derivative` is ∂child/∂parent.

    `formula` is what the derivative was computed from, `passed` the gradient sent along the edge.
    """

    child: Node
    parent: Node
    place: int
    formula: str
    derivative: float
    passed: float

    @property
    def text(self) -> str:
        """The whole statement, such as `∂v₃/∂v₂ = v₃·(1 − v₃) = 0.25`."""
        number = show(self.derivative)
        end = "" if self.formula == number else f" = {number}"
        return f"∂{self.child.name}/∂{self.parent.name} = {self.formula}{end}"


@dataclass(frozen=True)
class Step:
    """One step: its phase (`start`, `forward`, `backward`), its node, its edge if any, in words."""

    phase: str
    node: Node | None
    edge: Edge | None
    text: str


@dataclass(frozen=True)
class Evaluation:
    """All that the figure knows of an expression: nodes, edges in backward order, and the steps."""

    nodes: list[Node]
    edges: list[Edge]
    steps: list[Step]

    def __getitem__(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(f"no node {name!r}; the nodes are {', '.join(n.name for n in self.nodes)}")


def evaluate(expression: str, inputs: Mapping[str, float]) -> Evaluation:
    """Run an expression forward, then backward, and tell each step.

    Args:
        expression: such as `"(w*x + b) ** 2"`; see `parse`.
        inputs: a finite number for each variable; others are ignored.

    Returns:
        Nodes (parents first, output last), edges in the order in which gradients pass, and steps.

    Raises:
        ValueError: the expression cannot be read, or an input is missing or no finite number.
    """
    nodes = parse(expression)
    for node in nodes:
        if node.operation is None:
            node.value = check_input(node.name, inputs.get(node.name))
        else:
            _forward(node)
    edges = []
    nodes[-1].terms.append(1.0)  # The output changes exactly as much as itself.
    for node in reversed(nodes):
        node.gradient = node.terms[0]
        for term in node.terms[1:]:
            node.gradient += term
        for place, parent in enumerate(node.arguments):
            if isinstance(parent, Node):
                edge = _backward(node, parent, place)
                parent.terms.append(edge.passed)
                edges.append(edge)
    return Evaluation(nodes, edges, _tell(nodes, edges))


def check_input(name: str, value) -> float:
    """The value of a variable as a float; raises ValueError if it is no finite number."""
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except OverflowError:
        pass
    came = "nothing" if value is None else repr(value)
    raise ValueError(f"inputs: {came} came for {name}; expected a finite number, such as 0.5")


def _forward(node):
    values = [a.value if isinstance(a, Node) else a for a in node.arguments]
    lost = [a.name for a in node.arguments if isinstance(a, Node) and a.value != a.value]
    if lost:
        node.note = f"{lost[0]} is not a number"
    else:
        node.value, node.note = compute(node.operation, values)


def _backward(node, parent, place) -> Edge:
    """The edge from `parent` to `node`, with its local derivative and what it passes back."""
    formula, number = local_derivative(node, place)
    return Edge(node, parent, place, formula, number, finite(node.gradient * number))


def _tell(nodes, edges) -> list[Step]:
    """The steps in words: inputs, each operation, the output's own gradient of 1, each edge."""
    variables = [node for node in nodes if node.operation is None]
    operations = [node for node in nodes if node.operation]
    last = len(operations) + 1 + len(edges)
    output = nodes[-1]

    given = ", ".join(f"{node.name} = {show(node.value)}" for node in variables)
    next_pass = "Next, the forward pass computes one node at a time."
    steps = [Step("start", None, None, f"Step 0 of {last}. Given: {given}. {next_pass}")]

    for node in operations:
        head = f"Step {len(steps)} of {last}, forward: {node.name} = {node.text}"
        if node.note:
            text = f"{head} is not a number: {node.note}."
        else:
            values = [show(a.value if isinstance(a, Node) else a) for a in node.arguments]
            text = f"{head} = {write(node, values)} = {show(node.value)}."
        steps.append(Step("forward", node, None, text))

    text = (
        f"Step {len(steps)} of {last}, backward: start at the output. "
        f"{output.name} changes exactly as much as itself, so its gradient is 1."
    )
    steps.append(Step("backward", output, None, text))

    arrived = {id(node): [] for node in nodes}
    for edge in edges:
        terms = arrived[id(edge.parent)]
        terms.append(edge.passed)
        head = f"Step {len(steps)} of {last}, backward: "
        steps.append(Step("backward", edge.parent, edge, head + _tell_edge(edge, terms)))
    steps[-1] = replace(steps[-1], text=steps[-1].text + " Every gradient is known.")
    return steps


def _tell_edge(edge, terms) -> str:
    """What passing a gradient along one edge does, with what has reached its parent so far."""
    parent, child = edge.parent, edge.child
    text = (
        f"the gradient at {child.name} is {show(child.gradient)}; times the local derivative "
        f"{edge.text}, this passes {show(edge.passed)} to {parent.name}."
    )
    if edge.derivative == 0:
        text += " Where the slope is 0, nothing gets through."
    if parent.uses > 1:
        if len(terms) == 1:
            text += f" {parent.name} is used {parent.uses} times: this is the first term of a sum."
        else:
            total = terms[0]
            for term in terms[1:]:
                total += term
            sum_text = " + ".join(wrap(show(t)) if i else show(t) for i, t in enumerate(terms))
            text += f" It is added to what came before: {sum_text} = {show(total)}."
    if parent.operation is None and len(terms) == parent.uses and math.isfinite(parent.gradient):
        change = show(0.01 * parent.gradient)
        text += f" So adding 0.01 to {parent.name} would add about {change} to the output."
    return text


# --- The figure -----------------------------------------------------------------------------------

EXPRESSION = "(sigmoid(w*x + b) - t) ** 2"
INPUTS = {"w": 0.6, "x": 1.5, "b": -0.4, "t": 1}


def graph_stepper(
    expression: str = EXPRESSION, inputs: Mapping[str, float] | None = None, step: int = 0
) -> Figure:
    """A graph that the reader steps through, forward and then backward.

    Args:
        expression: such as `"(w*x + b) ** 2"`; see `parse` for its language.
        inputs: a finite number for each variable; may be left out for the default expression.
        step: the step to open at, from 0 (nothing computed) to the last (all gradients known).

    Returns:
        A figure whose state is `expression`, `inputs` and `step`.

    Raises:
        ValueError: the expression cannot be read, an input is missing, or there is no such step.
    """
    if inputs is None:
        inputs = INPUTS if expression == EXPRESSION else {}
    state = {"expression": expression, "inputs": dict(inputs), "step": step}
    check_state(state)
    evaluation = evaluate(expression, inputs)
    output = evaluation.nodes[-1]
    gradients = ", ".join(
        f"{node.name}: {show(node.gradient)}" for node in evaluation.nodes if not node.operation
    )
    alt = (
        f"Computation graph of {expression}, to be stepped through: the output is "
        f"{show(output.value)}, and its gradients are {gradients}."
    )
    return Figure(
        "graph_stepper", state, alt, graph_picture.draw(evaluation, alt), check=check_state
    )


def check_state(state: Mapping):
    """Raise ValueError unless `expression`, `inputs` and `step` fit together."""
    if not isinstance(state["inputs"], Mapping):
        raise ValueError(
            f"inputs: {state['inputs']!r} came; expected a number for each name: {{'x': 0.5}}"
        )
    last = len(evaluate(state["expression"], state["inputs"]).steps) - 1
    step = state["step"]
    if not isinstance(step, int) or isinstance(step, bool) or not 0 <= step <= last:
        raise ValueError(f"step: {step!r} came; expected a whole number from 0 to {last}")


# The package shows the function under this module's own name; so its twin goes along with it.
graph_stepper.evaluate = evaluate
