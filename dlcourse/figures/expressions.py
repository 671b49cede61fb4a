"""Arithmetic as a graph: the small language in which a reader types an expression.

`parse` turns text such as `sigmoid(w*x + b)` into nodes, one for each variable and operation. Each
operation carries its value and its derivatives side by side; nothing typed is ever run as Python.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

MAX_CHARACTERS = 120
MAX_NODES = 24
MAX_NAME = 8

NAN = math.nan


# --- Numbers as text ------------------------------------------------------------------------------


def show(number: float, digits: int = 4) -> str:
    """A number as the figure writes it: few digits, a true minus sign, half rounded away from 0."""
    if not math.isfinite(number):
        return "not a number"
    if number == 0:
        return "0"
    exact = Decimal(number)
    unit = Decimal(1).scaleb(exact.adjusted() - digits + 1)
    rounded = Decimal(repr(float(exact.quantize(unit, ROUND_HALF_UP)))).normalize()
    if Decimal("1e-4") <= abs(rounded) < Decimal("1e6"):
        text = format(rounded, "f")
    else:
        exponent = rounded.adjusted()
        text = f"{format(rounded.scaleb(-exponent).normalize(), 'f')}e{exponent}"
    return text.replace("-", "−")


# --- Operations -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operation:
    """One operation: how it is written, its value, and for each argument its local derivative.

    Texts hold `{a}` and `{b}` for the arguments and `{v}` for the value; the functions take numbers
    in the same order: value of the arguments, then (for derivatives) the operation's own value.
    """

    text: str
    forward: Callable[..., float]
    derivatives: tuple[tuple[str, Callable[..., float]], ...]
    domain: Callable[..., str | None] = lambda *arguments: None


def _sigmoid(a):
    return 1 / (1 + math.exp(-a)) if a >= 0 else math.exp(a) / (1 + math.exp(a))


def _power_domain(a, b):
    if a == 0 and b < 0:
        return "division by zero"
    if a < 0 and b != math.floor(b):
        return f"{show(a)} has no real power {show(b)}"
    return None


OPERATIONS = {
    "add": Operation(
        "{a} + {b}", lambda a, b: a + b, (("1", lambda a, b, v: 1.0), ("1", lambda a, b, v: 1.0))
    ),
    "sub": Operation(
        "{a} − {b}", lambda a, b: a - b, (("1", lambda a, b, v: 1.0), ("−1", lambda a, b, v: -1.0))
    ),
    "mul": Operation(
        "{a} · {b}", lambda a, b: a * b, (("{b}", lambda a, b, v: b), ("{a}", lambda a, b, v: a))
    ),
    "div": Operation(
        "{a} / {b}",
        lambda a, b: a / b,
        (("1/{b}", lambda a, b, v: 1 / b), ("−{a}/{b}²", lambda a, b, v: -a / (b * b))),
        lambda a, b: "division by zero" if b == 0 else None,
    ),
    "pow": Operation(
        "{a}^{b}",
        lambda a, b: a**b,
        (
            ("{b}·{a}^({b} − 1)", lambda a, b, v: b * a ** (b - 1) if b else 0.0),
            ("{v}·log({a})", lambda a, b, v: v * math.log(a) if a or b < 0 else 0.0),
        ),
        _power_domain,
    ),
    "neg": Operation("−{a}", lambda a: -a, (("−1", lambda a, v: -1.0),)),
    "exp": Operation("exp({a})", math.exp, (("{v}", lambda a, v: v),)),
    "log": Operation(
        "log({a})",
        math.log,
        (("1/{a}", lambda a, v: 1 / a),),
        lambda a: None if a > 0 else f"log needs a number above 0, and {show(a)} came",
    ),
    "sqrt": Operation(
        "sqrt({a})",
        math.sqrt,
        (("1/(2·{v})", lambda a, v: 1 / (2 * v)),),
        lambda a: None if a >= 0 else f"sqrt needs a number of at least 0, and {show(a)} came",
    ),
    "sin": Operation("sin({a})", math.sin, (("cos({a})", lambda a, v: math.cos(a)),)),
    "cos": Operation("cos({a})", math.cos, (("−sin({a})", lambda a, v: -math.sin(a)),)),
    "tanh": Operation("tanh({a})", math.tanh, (("1 − {v}²", lambda a, v: 1 - v * v),)),
    "sigmoid": Operation("sigmoid({a})", _sigmoid, (("{v}·(1 − {v})", lambda a, v: v * (1 - v)),)),
    "relu": Operation(
        "relu({a})",
        lambda a: max(a, 0.0),
        (("step({a})", lambda a, v: 1.0 if a > 0 else 0.0),),
    ),
}
FUNCTIONS = ("exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "relu")


def finite(number) -> float:
    """The number if it is finite and real, else NaN."""
    return number if isinstance(number, float) and math.isfinite(number) else NAN


def _finite(function, *arguments) -> float:
    """The function's value; NaN wherever there is no finite real one."""
    try:
        return finite(function(*arguments))
    except (ArithmeticError, ValueError):
        return NAN


def compute(operation: str, values) -> tuple[float, str]:
    """Value of an operation, and why it is not a number (empty where it is one)."""
    op = OPERATIONS[operation]
    value = _finite(op.forward, *values)
    return value, "" if value == value else op.domain(*values) or "it is too large to be held"


# --- From text to a graph -------------------------------------------------------------------------


@dataclass(eq=False)
class Node:
    """One node of the graph: a variable, or one operation on its parents.

    `arguments` holds, for each argument of the operation, a parent (Node) or a constant (float).
    `note` says why `value` is not a number, where it is not. `terms` are the gradients that came in
    along the edges, in that order, and `gradient` is their sum: the derivative of the output with
    respect to this node.
    """

    name: str
    operation: str | None = None
    arguments: tuple = ()
    text: str = ""
    value: float = NAN
    note: str = ""
    uses: int = 0
    terms: list[float] = field(default_factory=list)
    gradient: float = NAN


_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z][A-Za-z0-9_]*)|(?P<sign>\*\*|[-+*/()])",
    re.ASCII,
)


def parse(expression: str) -> list[Node]:
    """The nodes of an expression, parents before children, the output last.

    The language is `+ - * / **`, parentheses, numbers, names, and the functions in `FUNCTIONS`,
    with Python's precedence. A name that occurs twice is one node. Parts without a name are
    computed at once and stand as constants.

    Args:
        expression: such as `"(w*x + b) ** 2"`.

    Returns:
        Nodes without values; `evaluate` fills those in.

    Raises:
        ValueError: says which character is at fault and what was expected there.
    """
    return _Parser(expression).parse()


class _Parser:
    """Recursive descent: each method reads one level of precedence, gives a node or a constant."""

    def __init__(self, expression):
        if not isinstance(expression, str):
            raise ValueError(f"an expression is text; {expression!r} came")
        if len(expression) > MAX_CHARACTERS:
            raise ValueError(
                f"The expression has {len(expression)} characters; "
                f"at most {MAX_CHARACTERS} are drawn."
            )
        self.tokens = []  # (kind, text, position from 1)
        self.nodes = []
        at = 0
        while at < len(expression):
            match = _TOKEN.match(expression, at)
            if not match:
                sign = expression[at]
                hint = "expected a number, a name or + - * / ** ( )"
                if sign == "^":
                    hint = "write a power as **"
                raise ValueError(f"Character {at + 1} is '{sign}'; {hint}.")
            if match.lastgroup != "space":
                self.tokens.append((match.lastgroup, match.group(), at + 1))
            at = match.end()
        self.tokens.append(("end", "", len(expression) + 1))
        self.next = 0

    def parse(self):
        if len(self.tokens) == 1:
            raise ValueError("The expression is empty; write one, such as sigmoid(w*x + b).")
        output = self.sum()
        if self.tokens[self.next][0] != "end":
            raise self.unexpected("an operator such as * or the end")
        if not isinstance(output, Node):
            raise ValueError("The expression has no variable; use at least one name, such as x.")
        if len(self.nodes) > MAX_NODES:
            raise ValueError(
                f"The graph has {len(self.nodes)} nodes; at most {MAX_NODES} are drawn."
            )
        operations = [node for node in self.nodes if node.operation]
        for number, node in enumerate(operations, 1):
            node.name = "v" + str(number).translate(_SUBSCRIPTS)
            node.text = write(node, [_name(argument) for argument in node.arguments])
        return self.nodes

    def sum(self):
        left = self.product()
        while self.accept("+", "-"):
            name = {"+": "add", "-": "sub"}[self.last]
            left = self.apply(name, left, self.product())
        return left

    def product(self):
        left = self.unary()
        while self.accept("*", "/"):
            name = {"*": "mul", "/": "div"}[self.last]
            left = self.apply(name, left, self.unary())
        return left

    def unary(self):
        if self.accept("-"):
            return self.apply("neg", self.unary())
        if self.accept("+"):
            return self.unary()
        base = self.atom()
        return self.apply("pow", base, self.unary()) if self.accept("**") else base

    def atom(self):
        kind, text, at = self.tokens[self.next]
        if self.accept("("):
            return self.bracketed()
        if kind not in ("number", "name"):
            raise self.unexpected("a number, a name or '('")
        self.next += 1
        if kind == "number":
            if not math.isfinite(float(text)):
                raise ValueError(f"At character {at}, {text} is too large a number.")
            return float(text)
        called = self.accept("(")
        if text in FUNCTIONS:
            if not called:
                raise ValueError(f"At character {at}, {text} stands alone; expected {text}(...).")
            return self.apply(text, self.bracketed())
        if called:
            raise ValueError(
                f"At character {at}, '{text}(' came; the functions are {', '.join(FUNCTIONS)}."
            )
        return self.variable(text, at)

    def bracketed(self):
        inside = self.sum()
        if not self.accept(")"):
            raise self.unexpected("')'")
        return inside

    def variable(self, name, at):
        if len(name) > MAX_NAME:
            raise ValueError(
                f"At character {at}, the name '{name}' has {len(name)} letters; "
                f"expected at most {MAX_NAME}."
            )
        for node in self.nodes:
            if node.name == name:
                return node
        self.nodes.append(Node(name))
        return self.nodes[-1]

    def apply(self, operation, *arguments):
        if any(isinstance(argument, Node) for argument in arguments):
            for argument in arguments:
                if isinstance(argument, Node):
                    argument.uses += 1
            self.nodes.append(Node("", operation, arguments))
            return self.nodes[-1]
        value, note = compute(operation, arguments)
        if note:
            text = OPERATIONS[operation].text.format(**_letters([_name(a) for a in arguments]))
            raise ValueError(f"{text} is not a number: {note}.")
        return value

    def accept(self, *signs):
        if self.tokens[self.next][1] not in signs:
            return False
        self.last = self.tokens[self.next][1]
        self.next += 1
        return True

    def unexpected(self, wanted):
        kind, text, at = self.tokens[self.next]
        if kind == "end":
            return ValueError(f"The expression ends too early; expected {wanted}.")
        return ValueError(f"At character {at}, '{text}' came; expected {wanted}.")


_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def _name(argument):
    return argument.name if isinstance(argument, Node) else show(argument)


def _letters(texts, **more):
    return dict(zip("ab", texts, strict=False)) | more


def power(base, exponent):
    """A power with a constant exponent, as a book prints it: x², x^0.5, and x alone for x¹."""
    if exponent == 1:
        return base
    if exponent in range(2, 10):
        return base + str(int(exponent)).translate(_SUPERSCRIPTS)
    return f"{base}^{wrap(show(exponent))}"


def wrap(text):
    """Parentheses around a negative number that stands inside a formula."""
    return f"({text})" if text.startswith("−") else text


def write(node: Node, texts) -> str:
    """An operation with the given texts in its arguments' places: `v₁ · x`, or `0.5 · (−2)`."""
    if node.operation == "pow" and not isinstance(node.arguments[1], Node):
        return power(wrap(texts[0]), node.arguments[1])
    template = OPERATIONS[node.operation].text
    if node.operation not in FUNCTIONS:
        texts = [wrap(text) for text in texts]
    return template.format(**_letters(texts))


def local_derivative(node: Node, place: int) -> tuple[str, float]:
    """∂node/∂(its argument number `place`): the formula, and its value or NaN."""
    template, derivative = OPERATIONS[node.operation].derivatives[place]
    names = [_name(argument) for argument in node.arguments]
    values = [a.value if isinstance(a, Node) else a for a in node.arguments]
    number = NAN if node.note else _finite(derivative, *values, node.value)
    if node.operation == "pow" and not isinstance(node.arguments[1], Node):
        exponent = node.arguments[1]
        if exponent in (0, 1):
            return show(exponent), number
        return f"{wrap(show(exponent))}·{power(names[0], exponent - 1)}", number
    if len(template) > len("{b}"):  # within a formula
        names = [wrap(name) for name in names]
    return template.format(**_letters(names, v=node.name)), number
