"""Do the tests notice mistakes? Every derivative is spoiled in turn, and some case must turn red.

Derivatives are found while the tables run, by what they hand to `Tensor.from_op`; whatever the
source defines but no table reaches fails, too. So a new operation is covered without a word here.
"""

import ast
import collections
import contextlib
import inspect

import numpy as np
import pytest
from engine_tables import LAYERS, all_cases, compare, compare_layers

from dlcourse.autograd import Tensor, conv, losses, ops

pytestmark = pytest.mark.slow

RUNS = {name: lambda one=one: compare(one) for name, one in all_cases()}
RUNS |= {f"layer {name}": lambda name=name: compare_layers(name) for name in LAYERS}

MISTAKES = {
    "a factor of 1.001": lambda g: g * 1.001,
    "no gradient": lambda g: np.zeros_like(g),
    "entries in the wrong place": lambda g: np.roll(g, 1),
}


@contextlib.contextmanager
def changed_vjps(change):
    """Within the block every vjp of every operation is replaced by ``change(key, vjp)``.

    A key is the qualified name of the vjp and its place: ``("add.<locals>.<lambda>", 1)``. What is
    not defined in these modules (operations that a test has made) stays out.
    """
    original = Tensor.__dict__["from_op"]

    def from_op(cls, value, parents, vjps):
        vjps = [
            change((vjp.__qualname__, i), vjp) if vjp.__module__.startswith("dlcourse") else vjp
            for i, vjp in enumerate(vjps)
        ]
        return original.__func__(cls, value, parents, vjps)

    Tensor.from_op = classmethod(from_op)
    try:
        yield
    finally:
        Tensor.from_op = original


def spoiled(vjp, mistake):
    """`vjp` with the mistake before and after it: some derivatives don't look at what comes in."""
    return lambda g: mistake(vjp(mistake(g)))


def reached():
    """{key of a vjp: names of the runs that call it}."""
    users = collections.defaultdict(list)
    for name, run in RUNS.items():
        seen = {}

        def note(key, vjp, seen=seen):
            def noting(g):
                seen[key] = True
                return vjp(g)

            return noting

        with changed_vjps(note):
            run()
        for key in seen:
            users[key].append(name)
    return users


@pytest.fixture(scope="module")
def users():
    return reached()


def defined_vjps():
    """Names of the operations of the engine, with the number of gradients each must give."""
    counts = {}
    for module in (ops, conv, losses):
        for name, value in vars(module).items():
            if getattr(value, "__module__", None) != module.__name__:
                continue
            if hasattr(value, "__wrapped__"):
                parameters = inspect.signature(value.__wrapped__).parameters.values()
                counts[name] = sum(p.kind is p.POSITIONAL_ONLY for p in parameters)
        for node in ast.parse(inspect.getsource(module)).body:  # cat and the like
            if isinstance(node, ast.FunctionDef) and node.name != "op":
                calls = [n for n in ast.walk(node) if isinstance(n, ast.Attribute)]
                if any(n.attr == "from_op" for n in calls):
                    counts[node.name] = 1
    return counts


def test_tables_reach_every_derivative(users):
    places = collections.Counter(name.split(".")[0] for name, _ in users)
    defined = defined_vjps()
    assert len(defined) > 40
    missing = {name for name, count in defined.items() if places[name] < count}
    assert not missing, f"no case checks all gradients of {sorted(missing)}"


@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_spoiled_derivative_is_noticed(users, mistake):
    unnoticed = []
    for key, names in users.items():
        change = lambda k, vjp, key=key: spoiled(vjp, MISTAKES[mistake]) if k == key else vjp
        with changed_vjps(change):
            for name in names:
                try:
                    RUNS[name]()
                except AssertionError:
                    break
            else:
                unnoticed.append(key)
    assert not unnoticed, f"{mistake} passes every test in {unnoticed}"


def test_unspoiled_derivatives_pass():
    """The harness itself changes nothing."""
    with changed_vjps(lambda key, vjp: vjp):
        for run in RUNS.values():
            run()
