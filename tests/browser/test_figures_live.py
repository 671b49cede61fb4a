"""Each figure in a real JupyterLab: it draws, Python sees what the reader does, and moves it.

One notebook holds all of them, each with cells of its own and a test of its own; the playground has
a file for itself.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from figures_page import ink
from live_notebook import jupyterlab, open_notebook, run_cell
from playwright.sync_api import expect

from dlcourse import plot
from dlcourse.figures import bias_variance, convolution_explorer, line_fit, optimizer_race

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@dataclass(frozen=True)
class Live:
    """What one figure does in a notebook.

    Args:
        make: Python that makes the figure; `figures` is imported, and it gets its own name.
        says: part of its sentence at first.
        hand: what the reader does, by keyboard and by pointer; gets the figure and the page.
        told: what that changes in the state as Python has it, made of the state before.
        update: arguments by which Python moves it.
        follows: part of its sentence then.
        bad: arguments that Python refuses, and part of what it says.
        picture: where it is drawn.
        ask: what Python prints of it, as JSON.
    """

    make: str
    says: str
    hand: Callable
    told: Callable[[dict], dict]
    update: str
    follows: str
    bad: tuple[str, str]
    picture: str = ".dl-pane:has(svg)"
    ask: str = "{name}.state"


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def step_through(figure, page):
    step = figure.locator(".dl-step")
    step.click()
    press(page, "ArrowRight")
    figure.get_by_label("y", exact=True).fill("5")
    expect(figure.locator(".dl-sentence")).to_have_text(
        "Step 2 of 7, forward: v₂ = v₁ + x = 15 + 3 = 18."
    )


def ask_for_pictures(figure, page):
    """Python draws each one when it is asked for; what goes wrong there is told."""
    picture = figure.locator("img.dl-frame")
    assert picture.evaluate("image => image.naturalWidth") > 300
    figure.get_by_label("kind", exact=True).select_option("dots")
    expect(picture).to_have_attribute("alt", "dots of slope 1")
    figure.get_by_role("slider", name="slope").focus()
    press(page, *["ArrowRight"] * 3)
    expect(picture).to_have_attribute("alt", "dots of slope 4")
    press(page, "ArrowRight")
    message = figure.locator(".dl-message")
    expect(message).to_have_text("AssertionError: five is not drawn")
    press(page, "ArrowRight")
    expect(picture).to_have_attribute("alt", "dots of slope 6")
    expect(message).to_have_text("")
    # A dark notebook shows the picture's dark ink inverted.
    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    assert "invert(1)" in picture.evaluate("image => getComputedStyle(image).filter")
    page.evaluate("document.body.dataset.jpThemeLight = 'true'")


def move_the_start(figure, page):
    figure.get_by_role("slider", name="Step").focus()
    press(page, "ArrowRight", "ArrowRight")
    figure.locator(".dl-land").focus()
    press(page, "ArrowRight")
    expect(figure.locator(".dl-says")).to_contain_text("Step 2 at rate 0.1")


def race(figure, page):
    figure.get_by_role("checkbox", name="Nesterov").check()
    figure.get_by_role("slider", name="Momentum").focus()
    press(page, "Home")
    figure.locator(".dl-land").focus()
    press(page, "Shift+ArrowRight")
    figure.get_by_role("button", name="Step").click()
    expect(figure.locator(".dl-says")).to_contain_text("step 61:")


def choose_gelu(figure, page):
    figure.get_by_label("Function", exact=True).select_option("gelu")
    pane = figure.locator(".dl-first")
    pane.scroll_into_view_if_needed()
    box, line = pane.bounding_box(), pane.locator("[stroke-dasharray='3 3']").bounding_box()
    page.mouse.move(line["x"], box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"], box["y"] + 100)
    page.mouse.up()
    expect(figure.locator(".dl-says")).to_contain_text("GELU(6)")
    press(page, "Shift+ArrowLeft")


def draw_samples(figure, page):
    figure.get_by_role("button", name="New samples").click()
    figure.locator(".dl-errors").focus()
    press(page, "ArrowRight")
    expect(figure.locator(".dl-says")).to_contain_text("Degree 4, samples 2")


def walk_and_draw(figure, page):
    figure.get_by_label("Picture", exact=True).select_option("empty, to draw on")
    pane = figure.locator(".dl-map").first
    pane.scroll_into_view_if_needed()
    pen = pane.locator(".dl-cursor").bounding_box()
    page.mouse.click(pen["x"] + pen["width"] / 2, pen["y"] + pen["height"] / 2)
    press(page, "ArrowDown", " ")
    figure.get_by_role("slider", name="Position").focus()
    press(page, "ArrowRight")
    expect(figure.locator(".dl-says")).to_contain_text("Row 1, column 2")


def draw_a_bar(figure, page):
    figure.get_by_role("button", name="Clear").click()
    paper = figure.locator(".dl-paper")
    paper.scroll_into_view_if_needed()
    box = paper.bounding_box()
    x, y, size = box["x"], box["y"], box["width"]
    page.mouse.move(x + 0.5 * size, y + 0.2 * size)
    page.mouse.down()
    page.mouse.move(x + 0.5 * size, y + 0.8 * size, steps=3)
    page.mouse.up()
    expect(figure.locator(".dl-says")).to_contain_text("It reads a 1")
    figure.get_by_role("slider", name="Pen").focus()
    press(page, "Home")


def walk_through_the_years(figure, page):
    figure.get_by_label("Show").select_option("data")
    figure.get_by_role("button", name="Later").click()
    figure.locator(".dl-pane").focus()
    press(page, "ArrowRight")


def see_data_alone(was):
    kind, first = "data", was["first"]
    chosen = [
        i for i, item in enumerate(was["items"]) if item["kind"] == kind and item["year"] >= first
    ]
    return {"kind": kind, "selected": chosen[1]}


def painted(*spots):
    pixels = convolution_explorer.picture("empty, to draw on")
    for row, column in spots:
        pixels[row][column] = 1
    return pixels


PAPER = [pytest.approx([50, y], abs=0.6) for y in (20, 40, 60, 80)]
SEVEN = [[[26, 18], [72, 18], [58, 44], [48, 66], [42, 87]]]
W, B, _ = line_fit.descend([[0, 0], [1, 2]], [1, 1], 0.25, 3)[-1]
LOSS = optimizer_race.path("SGD", "bowl", [1, 1], {"lr": 0.05}, 7)[7][2]
FIT = bias_variance.errors(30, 0.3, 0.0, 2)[10]
CORNER = convolution_explorer.picture("digit 3")[1][3]
RACE = optimizer_race().state
LIVE = {
    "graph_stepper": Live(
        make="figures.graph_stepper('x*y + x', {'x': 3, 'y': -2})",
        says="Step 0 of 7. Given: x = 3, y = −2.",
        hand=step_through,
        told=lambda was: {"inputs": {"x": 3, "y": 5}, "step": 2},
        update="expression='2*z', inputs={'z': 4}, step=1",
        follows="Step 1 of 3, forward: v₁ = 2 · z = 2 · 4 = 8.",
        bad=("inputs={'z': '4'}", "z"),
        picture=".dl-stage svg",
    ),
    "explore": Live(
        make="figures.explore(draw, alt='{kind} of slope {slope}', slope=range(1, 9), "
        "kind=['line', 'dots'])",
        says="line of slope 1",
        hand=ask_for_pictures,
        told=lambda was: {
            "values": {"slope": 6, "kind": "dots"},
            "drawn": [[1, "line"], [1, "dots"]],
        },
        update="values={'slope': 7, 'kind': 'line'}",
        follows="line of slope 7",
        bad=("values={'slope': 99, 'kind': 'line'}", "slope is 99; expected one of 1, 2"),
        picture="img.dl-frame",
        ask="{{'values': {name}.values, 'drawn': drawn[:2]}}",
    ),
    "optimizer_race": Live(
        make="figures.optimizer_race()",
        says="from (−3.4, 1.2), step 60: the lowest loss is",
        hand=race,
        told=lambda was: {
            "start": [-2.4, 1.2],
            "runners": [*was["runners"], "Nesterov"],
            "settings": was["settings"] | {"Nesterov": {"lr": 0.02, "momentum": 0.01}},
            "shown": "Nesterov",
            "step": 61,
        },
        update="surface='bowl', start=[1, 1], runners=['SGD'], step=7",
        follows=f"from (1, 1), step 7: the lowest loss is {LOSS:.3g}, by SGD.",
        bad=("runners=['Newton']", "runners: "),
    ),
    "line_fit": Live(
        make="figures.line_fit()",
        says="Step 0 at rate 0.1: y = −1.5 x + 3",
        hand=move_the_start,
        told=lambda was: {"start": [-1.45, 3], "step": 2},
        update="points=[[0, 0], [1, 2]], start=[1, 1], rate=0.25, step=3",
        follows=f"Step 3 at rate 0.25: y = {W:.3g} x + {B:.3g}",
        bad=("rate=99", "rate: 99 came; expected a number from 0.001 to 2"),
    ),
    "activation_explorer": Live(
        make="figures.activation_explorer()",
        says="sigmoid(1) = 0.731",
        hand=choose_gelu,
        told=lambda was: {"activation": "gelu", "z": 5},
        update="view='loss', prediction=1.5",
        follows="the loss is 6.25, its derivative 5, so descent lowers the prediction",
        bad=("layers=0", "layers: 0 came; expected a whole number from 1 to 30"),
    ),
    "bias_variance": Live(
        make="figures.bias_variance()",
        says="Degree 3, samples 1:",
        hand=draw_samples,
        told=lambda was: {"degree": 4, "seed": 2},
        update="degree=10, points=30",
        follows=f"squared error is {FIT['train']:.3g} on the points it was fitted to, "
        f"{FIT['test']:.3g} on new ones",
        bad=("noise=float('nan')", "noise"),
    ),
    "convolution_explorer": Live(
        make="figures.convolution_explorer()",
        says="Row 1, column 1 of the 8 × 8 output",
        hand=walk_and_draw,
        told=lambda was: {"pixels": painted((0, 0), (1, 0)), "position": 1},
        update="pixels=figures.convolution_explorer.picture('digit 3'), position=11, "
        "kernel=figures.convolution_explorer.KERNELS['identity']",
        follows=f"Row 2, column 4 of the 8 × 8 output: the sum of 9 products is {CORNER:.4g}.",
        bad=("kernel=[[1]]", "kernel: [[1]] came; expected 3 rows of 3"),
    ),
    "draw_digit": Live(
        make="figures.draw_digit()",
        says="It reads a 3",
        hand=draw_a_bar,
        told=lambda was: {"strokes": [PAPER], "pen": 1},
        update=f"strokes={SEVEN}, pen=2.6",
        follows="It reads a 7",
        bad=("strokes=[[]]", "strokes: [[]] came; expected up to 100 strokes"),
    ),
    "timeline": Live(
        make="figures.timeline()",
        says="shown",
        hand=walk_through_the_years,
        told=see_data_alone,
        update="kind='all', selected=[item['name'] for item in timeline.items].index('AlexNet')",
        follows="2012: AlexNet",
        bad=("kind='everything'", "kind: 'everything' came"),
    ),
}
FIRST = """from dlcourse import figures
import json
import matplotlib.pyplot as plt
drawn = []
def draw(slope, kind):
    drawn.append((slope, kind))
    fig, axis = plt.subplots()
    axis.plot([0, slope], '-' if kind == 'line' else 'o')
    assert slope != 5, 'five is not drawn'
    return fig
"""


def cells():
    yield FIRST
    for name, case in LIVE.items():
        yield f"{name} = {case.make}\n{name}"
        yield f"print(json.dumps({case.ask.format(name=name)}))"
        yield f"{name}.update({case.update})"
        yield f"{name}.update({case.bad[0]})"


@pytest.fixture(scope="module")
def notebook(chromium, tmp_path_factory):
    """The notebook's page, its first cell run; in `page.faults` what went wrong in it."""
    with jupyterlab(tmp_path_factory.mktemp("lab"), list(cells())) as lab:
        page = open_notebook(chromium, lab)
        page.faults = []
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("console", lambda m: m.type == "error" and page.faults.append(m.text))
        run_cell(page, 0)
        yield page
        page.context.close()


LOOK = """(element) => {
  const style = getComputedStyle(element);
  return [style.colorScheme, style.getPropertyValue("--dl-blue")];
}"""


@pytest.mark.parametrize("name", LIVE)
def test_python_and_the_reader_move_the_same_figure(notebook, name):
    page, case, first = notebook, LIVE[name], 1 + 4 * list(LIVE).index(name)
    page.faults.clear()
    output = lambda k: page.locator(".jp-CodeCell").nth(first + k).locator(".jp-OutputArea-output")
    run_cell(page, first)
    figure = output(0).locator(".dl-figure-body")
    says = figure.locator(".dl-says, .dl-sentence")
    says.wait_for()
    expect(says).to_contain_text(case.says)
    assert ink(figure.locator(case.picture).first) > 500

    def state():
        run_cell(page, first + 1)
        return json.loads(output(1).inner_text())

    was = state()
    case.hand(figure, page)
    wanted, deadline = was | case.told(was), time.monotonic() + 20
    while (now := state()) != wanted and time.monotonic() < deadline:
        page.wait_for_timeout(200)  # ipywidgets sends changes one at a time
    assert now == wanted

    run_cell(page, first + 2)
    expect(says).to_contain_text(case.follows)
    assert ink(figure.locator(case.picture).first) > 500
    before = state()
    run_cell(page, first + 3)  # refused before anything has changed
    expect(output(3).last).to_contain_text("ValueError")
    expect(output(3).last).to_contain_text(case.bad[1])
    assert state() == before
    expect(says).to_contain_text(case.follows)

    light = figure.evaluate(LOOK)
    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    dark = figure.evaluate(LOOK)
    page.evaluate("document.body.dataset.jpThemeLight = 'true'")
    assert light == ["light", plot.PALETTE["blue"]]
    assert dark == ["dark", plot.DARK_PALETTE["blue"]]
    assert page.faults == []
