"""The playground in Chromium beside its twin in Python: same data, weights, losses and words."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from playground_page import visits

from dlcourse.figures import playground

pytestmark = pytest.mark.browser


@pytest.fixture
def visit(chromium, serve, tmp_path):
    yield from visits(chromium, serve, tmp_path)


RUN = """async (settings) => {
  const { engine } = await import("/_static/figures/playground.mjs");
  const { points, handle } = engine();
  let frame = handle({ settings, steps: settings.step });
  while (frame.left) frame = handle({ steps: frame.left });
  return { points: points(settings), params: [...frame.params], loss: frame.results[0].loss,
    test: frame.results[1]?.loss ?? null, step: frame.step };
}"""
SETTINGS = [
    {},
    {"activation": "relu", "regularization": "L1", "penalty": 0.01, "optimizer": "Momentum"},
    {"data": "xor", "activation": "sigmoid", "optimizer": "Adam", "rate": 0.03},
    {"data": "gauss", "classes": 3, "optimizer": "RMSprop", "rate": 0.01, "hidden": [3]},
    {"data": "spiral", "classes": 4, "features": list(playground.features), "hidden": [8, 8, 8]},
    {"data": "spiral", "batch": 7, "train": 0.3, "optimizer": "Adagrad", "hidden": [2] * 6},
    {"data": "plane", "activation": "linear", "noise": 0.5, "optimizer": "Nesterov", "rate": 0.001},
    {"data": "bumps", "features": ["sin x2", "x1x2"], "rate": 0.03, "activation": "relu"},
    {"data": "circle", "classes": 4, "hidden": [], "features": ["x1^2", "x2^2"], "rate": 0.001},
    {
        "data": "own", "classes": 3, "points": [(1, 2, 0), (-2, 0.5, 1), (3, -3.25, 2), (0, 0, 1)],
        "train": 1, "hidden": [2], "weights": np.linspace(-1, 1, 15), "regularization": "L2",
    },
]  # fmt: skip


@pytest.mark.parametrize("given", SETTINGS)
def test_the_module_trains_as_python_does(visit, given):
    page = visit()
    for seed in (1, 2, 77777):
        settings = playground.settings(**given | {"step": 60, "seed": seed})
        theirs = page.evaluate(RUN, settings)
        assert theirs["step"] == 60
        np.testing.assert_allclose(theirs["points"], playground.points(settings), rtol=1e-12)
        ours = playground.train(**settings)
        params = np.concatenate([p.data.ravel() for p in ours.model.parameters()])
        np.testing.assert_allclose(theirs["params"], params, atol=1e-6)
        assert theirs["loss"] == pytest.approx(ours.loss, abs=1e-6)
        assert theirs["test"] == pytest.approx(ours.test_loss, abs=1e-6)


CODE = """async (all) => {
  const { code } = await import("/_static/figures/playground_tools.mjs");
  return all.map(([settings, torch]) => code(settings, torch));
}"""


EXECUTE = """
import contextlib, io, json, sys
for source in json.load(sys.stdin):
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(source, {"__name__": "pasted"})
    print(json.dumps(told.getvalue()))
"""


def run_python(sources):
    """What each source prints, as {name: loss}; all run in a process of their own."""
    run = subprocess.run(
        [sys.executable, "-c", EXECUTE],
        input=json.dumps(sources),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    told = [json.loads(line) for line in run.stdout.splitlines()]
    return [{name: float(n) for name, n in re.findall(r"(\w+) loss (\S+)", text)} for text in told]


@pytest.mark.parametrize("torch", [False, True], ids=["numpy", "torch"])
def test_the_copied_code_gives_the_same_losses(visit, torch):
    if torch:
        pytest.importorskip("torch")
    page = visit()
    cases = [playground.settings(**given | {"step": 60, "seed": 5}) for given in SETTINGS]
    sources = page.evaluate(CODE, [[settings, torch] for settings in cases])
    for settings, source, ours in zip(cases, sources, run_python(sources), strict=True):
        assert ("import torch" in source) == torch
        assert ("dlcourse" in source) != torch
        theirs = page.evaluate(RUN, settings)
        assert ours["training"] == pytest.approx(theirs["loss"], abs=1e-6)
        assert ours.get("test") == pytest.approx(theirs["test"], abs=1e-6)


def test_both_refuse_the_same_settings_in_the_same_words(visit):
    page = visit()
    bad = [
        {"data": "moons"}, {"data": None}, {"classes": 5}, {"classes": 2.5}, {"classes": "2"},
        {"noise": -0.1}, {"noise": True}, {"train": 0}, {"batch": 0}, {"seed": -1}, {"rate": 0},
        {"rate": 11}, {"penalty": [1]}, {"step": 100001}, {"step": 0.5}, {"activation": "gelu"},
        {"optimizer": "adam"}, {"show_test": 1}, {"discrete": "no"}, {"quiz": "ten"},
        {"features": []}, {"features": ["x3"]}, {"features": ["x1", "x1"]}, {"features": "x1"},
        {"features": [["x1"]]}, {"hidden": [9]}, {"hidden": [0]}, {"hidden": [1] * 7},
        {"hidden": 4}, {"hidden": [1.5]}, {"hidden": ["3"]}, {"hidden": None},
        {"weights": "1_2"}, {"weights": "x"}, {"weights": "1_"}, {"weights": 5},
        {"weights": "_".join(["1e5"] * 25)}, {"points": "1_1_0", "data": "own"},
        {"data": "own"}, {"points": "7_1_0~1_1_1"}, {"points": "1_1_2~1_1_1"}, {"points": 7},
        {"points": "1_1_0~" * 10**5}, {"points": "nan_1_0~1_1_0"}, {"points": None},
        {"points": [[1, 2, 0]]},
    ]  # fmt: skip
    states = [playground.settings() | changes for changes in bad]
    full = playground.settings()
    states += [{key: full[key] for key in full if key != missing} for missing in full]
    theirs = page.evaluate(
        """async (all) => {
          const { check } = await import("/_static/figures/playground.mjs");
          const { checkTexts } = await import("/_static/figures/playground_tools.mjs");
          return all.map((state) => {
            try {
              checkTexts(check(state));
              return "accepted";
            } catch (error) {
              return error.message;
            }
          });
        }""",
        states,
    )
    for state, message in zip(states, theirs, strict=True):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            playground.check(state)
