"""Figures that a reader can play with, on the built site and in a live notebook alike.

Each figure is one Python function and one JavaScript module of the same name beside it. On the
site the module runs with no Python behind it; in JupyterLab, Colab or VS Code the same module is a
widget whose state Python sees. `base.Figure` chooses between the two.
"""

from dlcourse.figures.activation_explorer import activation_explorer
from dlcourse.figures.bias_variance import bias_variance
from dlcourse.figures.convolution_explorer import convolution_explorer
from dlcourse.figures.draw_digit import draw_digit
from dlcourse.figures.explore import explore
from dlcourse.figures.graph_stepper import graph_stepper
from dlcourse.figures.line_fit import line_fit
from dlcourse.figures.optimizer_race import optimizer_race
from dlcourse.figures.playground import playground
from dlcourse.figures.timeline import timeline

__all__ = [
    "activation_explorer",
    "bias_variance",
    "convolution_explorer",
    "draw_digit",
    "explore",
    "graph_stepper",
    "line_fit",
    "optimizer_race",
    "playground",
    "timeline",
]
