"""The graph stepper on a static page, in Chromium: Python's numbers, and every control.

Each test writes a page of its own and opens it with no network but the loopback; a request to
anywhere else, or an error in the console, fails the test.
"""

import json
import math
import random
import re
from urllib.parse import quote, unquote

import pytest
from figures_page import write_page

from dlcourse.figures import graph_stepper
from dlcourse.figures.expressions import parse, show

pytestmark = pytest.mark.browser

evaluate = graph_stepper.evaluate
NEURON = "(sigmoid(w*x + b) - t) ** 2"
TWICE = graph_stepper("x*y + x", {"x": 3, "y": -2})

EXPRESSIONS = [
    NEURON,
    "x*y + x",
    "x * exp(-x**2)",
    "x*x*x + sin(x)*y",
    "log(1 + exp(-t*(w1*x1 + w2*x2 + b)))",
    "sqrt(x*y) / (x - y)**3 - cos(x)*tanh(y)",
    "relu(x) - relu(-y) + 2**x + x**y",
    "-x**2 - -y * 3e-7 + 12345678*x",
    "x**0 + x**1 + x**-1 + x**0.5 + (-2)*x**2",
    "1/(2 - x) + y/3",
    "valueOf * toString",
    "x",
]
BAD_EXPRESSIONS = [
    "", "  ", "x +", "x * ) + 2", "(x + 1", "x + 1)", "2x", "x y", "x ^ 2", "x $ 2", "x = 2", "_x",
    "x·y", "foo(x)", "sin x", "1 + exp", "exp()", "learning_rate*x", "1 + 2", "x + 1/0", "x, y",
    "x + log(0-2)", "1e999*x", "x" + "+x" * 60, "x" + "+x" * 24, "(" * 120, "x.real", "é",
    "x + (-8)**0.5", "0**-1 * x",
]  # fmt: skip


@pytest.fixture
def visit(chromium, serve, tmp_path):
    """visit(*figures, theme=, hash=, **context options): a page with these figures, ready."""
    pages = []

    def open_page(*figures, theme="light", hash="", ready=True, **options):
        write_page(tmp_path, *(figures or [graph_stepper()]), theme=theme)
        address = serve(tmp_path)
        context = chromium.new_context(**{"viewport": {"width": 1000, "height": 900}} | options)
        page = context.new_page()
        page.set_default_timeout(5000)
        page.address, page.external, page.messages = address, [], []
        context.route(lambda url: not url.startswith(address), lambda route: _block(page, route))
        page.on("console", lambda message: page.messages.append(message.text))
        page.on("pageerror", lambda error: page.messages.append(str(error)))
        page.goto(f"{address}/index.html{hash}")
        if ready:
            page.locator(".dl-figure[data-ready=true]").first.wait_for()
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.context.close()
        assert page.external == []
        assert page.messages == []


def _block(page, route):
    page.external.append(route.request.url)
    route.abort()


def sentence(page, number=0):
    return page.locator(".dl-sentence").nth(number).inner_text()


def position(page):
    return int(re.match(r"Step (\d+) of", sentence(page)).group(1))


def drawn(page):
    """What the graph says of each node: {name: (value, gradient)}, as text."""
    label = page.locator(".dl-stage svg").first.get_attribute("aria-label")
    parts = [
        re.fullmatch(r"(\S+).*: value (.*), gradient (.*)", part) for part in label.split("; ")
    ]
    return {part[1]: (part[2], part[3]) for part in parts}


def short(number):
    return "NaN" if math.isnan(number) else show(number, 3)


def expected(expression, inputs):
    nodes = evaluate(expression, inputs).nodes
    return {node.name: (short(node.value), short(node.gradient)) for node in nodes}


def to_the_end(page):
    page.locator(".dl-stage").first.focus()
    page.keyboard.press("End")


def settled_hash(page):
    page.wait_for_timeout(400)  # the address is written a moment after the last change
    return unquote(page.evaluate("location.hash"))


# The same as in Python --------------------------------------------------------------------------

EVALUATE = """async ([expression, inputs]) => {
  const { evaluate } = await import("/_static/figures/graph_stepper.mjs");
  const { nodes, edges, steps } = evaluate(expression, inputs);
  return {
    nodes: nodes.map((n) => [n.name, n.text ?? "", n.uses, n.value, n.gradient, n.note, n.terms]),
    edges: edges.map((e) => [e.child.name, e.parent.name, e.place, e.text, e.derivative, e.passed]),
    steps: steps.map((s) => [s.phase, s.node?.name ?? null, s.text]),
  };
}"""


def same(ours, theirs):
    """Equal, numbers within 1e-12; what is not a number equals itself."""
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, float):
        return (math.isnan(ours) and math.isnan(theirs)) or math.isclose(
            ours, theirs, rel_tol=1e-12, abs_tol=1e-300
        )
    return ours == theirs


def test_the_module_evaluates_as_python_does(visit):
    page = visit()
    rng = random.Random(3)
    for expression in EXPRESSIONS:
        names = [node.name for node in parse(expression) if node.operation is None]
        for low, high in ((-2, 2), (-2, 2), (0.1, 3), (-1000, 1000), (0, 0)):
            inputs = {name: rng.uniform(low, high) for name in names}
            ours = evaluate(expression, inputs)
            theirs = page.evaluate(EVALUATE, [expression, inputs])
            for node, there in zip(ours.nodes, theirs["nodes"], strict=True):
                here = [node.name, node.text, node.uses, node.value, node.gradient, node.note]
                assert same([*here, node.terms], there), (expression, inputs)
            for edge, there in zip(ours.edges, theirs["edges"], strict=True):
                here = [edge.child.name, edge.parent.name, edge.place, edge.text]
                assert same([*here, edge.derivative, edge.passed], there), (expression, inputs)
            for step, there in zip(ours.steps, theirs["steps"], strict=True):
                assert [step.phase, step.node and step.node.name, step.text] == there


def test_the_module_refuses_what_python_refuses_in_the_same_words(visit):
    page = visit()
    theirs = page.evaluate(
        """async (all) => {
          const { parse } = await import("/_static/figures/graph_stepper.mjs");
          return all.map((text) => {
            try {
              return `read: ${parse(text).length} nodes`;
            } catch (error) {
              return error.message;
            }
          });
        }""",
        BAD_EXPRESSIONS,
    )
    for expression, message in zip(BAD_EXPRESSIONS, theirs, strict=True):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            parse(expression)


def test_the_module_writes_numbers_as_python_does(visit):
    page = visit()
    rng = random.Random(5)
    numbers = [rng.gauss(0, 1) * 10 ** rng.uniform(-9, 9) for _ in range(3000)]
    numbers += [rng.randrange(-20000, 20000) / 2**k for k in range(12) for _ in range(50)]
    numbers += [0.0, -0.0, 1e6, 999999.0, 999950.0, 1e-4, 9.9995e-5, 5e-324, 1.7e308, 0.03125]
    for digits in (3, 4):
        theirs = page.evaluate(
            """async ([numbers, digits]) => {
              const { show } = await import("/_static/figures/graph_stepper.mjs");
              return numbers.map((number) => show(number, digits));
            }""",
            [numbers, digits],
        )
        assert theirs == [show(number, digits) for number in numbers]


@pytest.mark.parametrize("number", range(5))
def test_every_example_is_drawn_with_pythons_numbers(visit, number):
    page = visit()
    page.get_by_label("Example").select_option(str(number))
    expression = page.get_by_label("Expression").input_value()
    inputs = {
        field.get_attribute("aria-label"): float(field.input_value())
        for field in page.locator("input[type=number]").all()
    }
    to_the_end(page)
    assert drawn(page) == expected(expression, inputs)


# Stepping ---------------------------------------------------------------------------------------


def test_the_buttons_go_through_every_step_and_back(visit):
    page = visit(TWICE)
    texts = [step.text for step in evaluate("x*y + x", {"x": 3, "y": -2}).steps]
    forward = page.get_by_role("button", name="Step")
    back = page.get_by_role("button", name="Back")
    for text in texts:
        assert sentence(page) == text
        forward.click(force=True)  # at the end it is marked as disabled
    assert sentence(page) == texts[-1]
    assert drawn(page) == {"x": ("3", "−1"), "y": ("−2", "3"), "v₁": ("−6", "1"), "v₂": ("−3", "1")}
    for text in reversed(texts):
        assert sentence(page) == text
        back.click(force=True)
    assert sentence(page) == texts[0]
    assert drawn(page) == {"x": ("3", "–"), "y": ("−2", "–"), "v₁": ("–", "–"), "v₂": ("–", "–")}


def test_a_gradient_that_is_a_sum_shows_its_terms(visit):
    page = visit(TWICE)
    sums = page.locator(".dl-sum")
    seen = []
    for _ in range(8):
        seen.append(sums.text_content())
        page.get_by_role("button", name="Step").click(force=True)
    assert seen == [*["used 2 times"] * 5, "= 1 + …", "= 1 + (−2)", "= 1 + (−2)"]
    to_the_end(page)
    page.keyboard.press("ArrowLeft")
    assert re.sub(r"\s+", " ", page.locator(".dl-strip").inner_text()) == (
        "1 gradient at v₁ × −2 y = −2 passed to x 1 + (−2) gradient at x = −1 the sum"
    )


def test_edges_carry_their_local_derivative_once_it_is_known(visit):
    page = visit(TWICE)
    labels = page.locator(".dl-chip")
    assert labels.count() == 4
    assert not any(label.is_visible() for label in labels.all())
    page.get_by_role("button", name="Step").click()
    visible = [label.text_content().split() for label in labels.all() if label.is_visible()]
    assert visible == [["y", "×", "−2"], ["x", "×", "3"]]
    to_the_end(page)
    assert all(label.is_visible() for label in labels.all())
    dashes = "element => getComputedStyle(element).strokeDasharray"
    assert page.locator(".dl-edge > .dl-wire").first.evaluate(dashes) == "none"
    assert page.locator(".dl-back .dl-wire").first.evaluate(dashes) != "none"


def test_the_keyboard_steps(visit):
    page = visit()
    page.locator(".dl-stage").focus()
    for key, at in [
        ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 14), ("ArrowRight", 14),
        ("ArrowLeft", 13), ("Home", 0), ("ArrowLeft", 0),
    ]:  # fmt: skip
        page.keyboard.press(key)
        assert position(page) == at
    page.get_by_role("slider", name="Step", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert position(page) == 1
    page.get_by_role("button", name="Step").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    assert position(page) == 4


def test_the_focus_is_kept_at_the_last_step(visit):
    page = visit(TWICE)
    step = page.get_by_role("button", name="Step")
    step.focus()
    for _ in range(9):
        page.keyboard.press("Enter")
    assert position(page) == 7
    assert step.get_attribute("aria-disabled") == "true"
    page.keyboard.press("ArrowLeft")
    assert position(page) == 6
    assert step.get_attribute("aria-disabled") == "false"


def test_keys_in_a_field_stay_in_the_field(visit):
    page = visit()
    page.get_by_label("Expression").focus()
    for key in ("ArrowRight", "Home", "End", "Space"):
        page.keyboard.press(key)
    assert position(page) == 0
    page.get_by_label("w", exact=True).focus()
    page.keyboard.press("ArrowUp")
    assert page.get_by_label("w", exact=True).input_value() == "0.7"
    page.get_by_label("w, slider").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_label("w", exact=True).input_value() == "0.75"
    assert position(page) == 0


def test_the_slider_goes_to_any_step(visit):
    page = visit()
    slider = page.get_by_role("slider", name="Step", exact=True)
    slider.fill("9")
    assert position(page) == 9
    assert slider.evaluate("element => element.ariaValueText") == "9 of 14, backward"
    assert slider.get_attribute("max") == "14"


def test_play_goes_on_by_itself_and_stops_at_the_end(visit):
    page = visit(TWICE, ready=False)
    page.clock.install()
    page.reload()
    page.locator(".dl-figure[data-ready=true]").wait_for()
    play = page.get_by_role("button", name="Play")
    play.click()
    assert position(page) == 1
    page.clock.run_for(2300)
    assert position(page) == 2
    page.get_by_role("button", name="Pause").click()
    page.clock.run_for(9000)
    assert position(page) == 2
    page.locator(".dl-stage").focus()
    page.keyboard.press("Space")
    assert position(page) == 3
    page.clock.run_for(20000)
    assert position(page) == 7
    assert play.is_visible()
    play.click()  # from the end it starts anew
    assert position(page) == 1
    page.get_by_role("button", name="Step").click()  # a step by hand stops it
    page.clock.run_for(9000)
    assert position(page) == 2


def test_it_works_by_touch(visit):
    page = visit(has_touch=True, is_mobile=True, viewport={"width": 360, "height": 740})
    for name, at in (("Step", 1), ("Step", 2), ("Back", 1)):
        page.get_by_role("button", name=name).tap()
        assert position(page) == at
    # The controls stay at the foot of the screen while the graph, taller than it, is read.
    page.evaluate("document.querySelector('.dl-stage').scrollIntoView()")
    step = page.get_by_role("button", name="Step")
    assert page.locator(".dl-stage").bounding_box()["height"] > 550
    assert 370 < step.bounding_box()["y"] < 540
    for _ in range(5):
        step.tap()
    # The node of the step comes into view, above the controls.
    node = page.locator(".dl-node.is-now-grad").bounding_box()
    assert node["y"] >= 0
    assert node["y"] + node["height"] <= page.locator(".dl-run").bounding_box()["y"]


# Editing ----------------------------------------------------------------------------------------


def test_the_reader_writes_an_expression(visit):
    page = visit()
    page.get_by_label("Expression").fill("w*w + tanh(z)")
    assert position(page) == 0
    fields = page.locator("input[type=number]")
    values = {f.get_attribute("aria-label"): f.input_value() for f in fields.all()}
    assert values == {"w": "0.6", "z": "1"}  # known names keep their value
    to_the_end(page)
    assert drawn(page) == expected("w*w + tanh(z)", {"w": 0.6, "z": 1})
    assert page.get_by_label("Example").input_value() == ""


def test_the_reader_changes_an_input(visit):
    page = visit()
    to_the_end(page)
    inputs = {"w": 0.6, "x": 1.5, "b": -0.4, "t": 1}
    page.get_by_label("w", exact=True).fill("-2.5")
    assert position(page) == 14
    assert drawn(page) == expected(NEURON, inputs | {"w": -2.5})
    assert page.get_by_label("w, slider").input_value() == "-2.5"
    page.get_by_label("x, slider").fill("4.25")
    assert drawn(page) == expected(NEURON, inputs | {"w": -2.5, "x": 4.25})
    page.get_by_label("b", exact=True).fill("1e2")
    assert drawn(page) == expected(NEURON, inputs | {"w": -2.5, "x": 4.25, "b": 100})


def test_reset_brings_back_what_the_page_came_with(visit):
    page = visit(graph_stepper(step=3))
    assert position(page) == 3
    page.get_by_label("Expression").fill("a*b")
    page.get_by_label("a", exact=True).fill("7")
    page.get_by_role("button", name="Reset").click()
    assert page.get_by_label("Expression").input_value() == NEURON
    assert position(page) == 3
    assert page.get_by_label("w", exact=True).input_value() == "0.6"


def test_a_bad_expression_is_told_and_the_last_good_graph_stays(visit):
    page = visit()
    before = drawn(page)
    field = page.get_by_label("Expression")
    field.fill("w * ) + 2")
    message = page.locator(".dl-setup .dl-message")
    assert message.inner_text() == ""  # the reader may still be typing
    page.wait_for_timeout(1100)
    told = "At character 5, ')' came; expected a number, a name or '('."
    assert message.inner_text() == f"{told} The graph is still that of {NEURON}."
    assert field.get_attribute("aria-invalid") == "true"
    assert drawn(page) == before
    page.get_by_role("button", name="Step").click()
    assert position(page) == 1
    field.fill("w * 2")
    assert message.inner_text() == ""
    assert field.get_attribute("aria-invalid") == "false"
    field.fill("x" * 300)
    field.blur()
    assert "300 characters; at most 120" in message.inner_text()


@pytest.mark.parametrize(("typed", "kept"), [("", "0.6"), ("-", "0.6"), ("-3e", "−3")])
def test_a_bad_number_is_told_and_the_last_good_one_stays(visit, typed, kept):
    page = visit()
    to_the_end(page)
    field = page.get_by_label("w", exact=True)
    field.fill("")
    field.press_sequentially(typed)
    message = page.locator(".dl-inputs .dl-message")
    assert "came; expected a finite number, such as 0.5." in message.inner_text()
    assert f"The graph still has w = {kept}." in message.inner_text()
    assert field.get_attribute("aria-invalid") == "true"
    assert drawn(page)["w"][0] == kept
    field.fill("2")
    assert message.inner_text() == ""


def test_what_has_no_value_is_shown_as_such(visit):
    page = visit(graph_stepper("log(x) + 1/y", {"x": -1, "y": 0}))
    page.get_by_role("button", name="Step").click()
    assert sentence(page).endswith(
        "v₁ = log(x) is not a number: log needs a number above 0, and −1 came."
    )
    to_the_end(page)
    assert drawn(page) == expected("log(x) + 1/y", {"x": -1, "y": 0})
    assert drawn(page)["v₃"] == ("NaN", "1")


# When something is wrong ------------------------------------------------------------------------

STATE = {"expression": "x + 1", "inputs": {"x": 1}, "step": 0}


def broken(state, module="graph_stepper"):
    """A figure with any text for its state, as a faulty builder would leave it."""
    return (
        f'<div class="dl-figure" data-module="{module}" role="group" aria-label="Broken">'
        f'<script type="application/json" class="dl-state">{state}</script>'
        '<div class="dl-fallback"><p class="picture">The picture.</p></div></div>'
    )


@pytest.mark.parametrize("module", ["nowhere", "host", "../../palette.css", ""])
def test_a_module_that_is_not_there_is_told(visit, module):
    page = visit(broken(json.dumps(STATE), module), TWICE)
    page.locator(".dl-figure-error").wait_for()
    assert page.locator(".picture").is_visible()
    page.locator(".dl-figure[data-ready=true]").wait_for()
    page.messages.clear()  # the browser itself notes the missing file


def test_a_huge_step_is_the_last_one(visit):
    page = visit(broken(json.dumps(STATE | {"step": 10**9})))
    assert position(page) == 3


# The address ------------------------------------------------------------------------------------


def test_a_link_opens_the_figure_as_it_was_left(visit):
    page = visit()
    assert page.evaluate("location.hash") == ""
    page.get_by_label("Expression").fill("tanh(10*x)")
    page.get_by_label("x", exact=True).fill("0.25")
    to_the_end(page)
    written = settled_hash(page)
    assert written == ('#graph_stepper-1={"expression":"tanh(10*x)","inputs":{"x":0.25},"step":5}')
    before = drawn(page), sentence(page)
    page.reload()
    page.locator("[data-ready=true]").wait_for()
    assert (drawn(page), sentence(page)) == before
    assert settled_hash(page) == written


def test_an_untouched_figure_leaves_the_address_alone(visit):
    page = visit(hash="#after", ready=False)
    assert settled_hash(page) == "#after"
    assert page.evaluate("scrollY") > 500
    page.evaluate("scrollTo(0, 0)")
    page.locator("[data-ready=true]").wait_for()
    page.get_by_role("button", name="Step").click()
    assert settled_hash(page) == '#after&graph_stepper-1={"step":1}'
    page.get_by_role("button", name="Back").click()
    assert settled_hash(page) == "#after"


def test_an_anchor_and_a_figure_share_the_address(visit):
    page = visit(hash="#after&graph_stepper-1=" + quote('{"step":2}'), ready=False)
    page.wait_for_function("scrollY > 500")
    page.evaluate("location.hash = '#top'")
    page.wait_for_function("scrollY < 100")
    page.locator("[data-ready=true]").wait_for()
    assert position(page) == 2


def test_a_link_followed_on_the_page_moves_the_figure(visit):
    page = visit()
    page.evaluate("hash => { location.hash = hash }", "graph_stepper-1=" + quote('{"step":5}'))
    page.wait_for_function(
        "document.querySelector('.dl-sentence').textContent.startsWith('Step 5')"
    )
    page.evaluate("hash => { location.hash = hash }", "graph_stepper-1=" + quote('{"step":-5}'))
    page.locator(".dl-setup .dl-message", has_text="step: -5 came").wait_for()
    assert position(page) == 5


@pytest.mark.parametrize(
    "text",
    ["x", "{", "5", "null", "%", "%7B%22step%22%3A%22two%22%7D", quote('{"expression":"x +"}'),
     quote('{"inputs":{"w":"1"}}'), quote('{"__proto__":{"step":3},"steps":3}'), ""],
)  # fmt: skip
def test_nonsense_in_the_address_is_passed_over(visit, text):
    page = visit(hash=f"#graph_stepper-1={text}")
    assert position(page) == 0
    assert page.locator(".dl-figure-error").count() == 0
    assert page.locator(".dl-figure-body").count() == 1
    page.get_by_role("button", name="Step").click()
    assert position(page) == 1


def test_two_figures_do_not_meet(visit):
    page = visit(graph_stepper(), TWICE)
    page.locator("[data-ready=true]").nth(1).wait_for()
    steps = page.get_by_role("button", name="Step")
    steps.nth(0).click()
    steps.nth(1).click()
    steps.nth(1).click()
    assert sentence(page, 0).startswith("Step 1 of 14")
    assert sentence(page, 1).startswith("Step 2 of 7")
    written = settled_hash(page)
    assert written == '#graph_stepper-1={"step":1}&graph_stepper-2={"step":2}'
    page.reload()
    page.locator("[data-ready=true]").nth(1).wait_for()
    assert sentence(page, 0).startswith("Step 1 of 14")
    assert sentence(page, 1).startswith("Step 2 of 7")


def test_a_figure_far_below_waits_and_keeps_its_place_in_the_address(visit):
    far = '<div style="height: 4000px"></div>'
    page = visit(graph_stepper(), far, TWICE, hash="#top&graph_stepper-2=" + quote('{"step":3}'))
    assert page.locator("[data-ready=true]").count() == 1
    page.get_by_role("button", name="Step").first.click()
    assert settled_hash(page) == '#top&graph_stepper-1={"step":1}&graph_stepper-2={"step":3}'
    page.locator(".dl-figure").nth(1).scroll_into_view_if_needed()
    page.locator("[data-ready=true]").nth(1).wait_for()
    assert sentence(page, 1).startswith("Step 3 of 7")


# How it looks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1000])
def test_axe_finds_nothing(visit, axe, theme, width):
    page = visit(theme=theme, viewport={"width": width, "height": 900}, color_scheme=theme)
    page.add_style_tag(content="* { animation: none !important }")
    for step in (0, 3, 9, 14):
        page.get_by_role("slider", name="Step", exact=True).fill(str(step))
        assert axe(page, ".dl-figure") == []
    page.get_by_label("Expression").fill("x +")
    page.get_by_label("Expression").blur()
    page.get_by_label("w", exact=True).fill("")
    assert page.locator(".dl-message:not(:empty)").count() == 2
    assert axe(page, ".dl-figure") == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_in_the_graph_stands_out_from_its_ground(visit, theme):
    page = visit(theme=theme)
    for step in (0, 2, 8, 14):
        page.get_by_role("slider", name="Step", exact=True).fill(str(step))
        for text, ratio in page.evaluate(CONTRAST):
            assert ratio >= 4.5, (step, text, ratio)


# Contrast of each text of the graph with the plate it stands on (axe does not look into a picture).
CONTRAST = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const luminance = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return [...document.querySelectorAll(".dl-stage g > text")]
    .filter((text) => text.textContent.trim() && getComputedStyle(text).visibility === "visible")
    .map((text) => {
      const ink = luminance(getComputedStyle(text).fill);
      const ground = luminance(getComputedStyle(text.parentNode.querySelector("rect")).fill);
      return [text.textContent,
        (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05)];
    });
}"""


@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize(
    "expression", [NEURON, "x", "x*x*x + sin(x)*y", "a*b + c*d + e*f + g*h + a*h", "x+" * 23 + "x"]
)
def test_nothing_is_wider_than_the_window(visit, width, expression):
    names = {node.name for node in parse(expression) if node.operation is None}
    figure = graph_stepper(expression, dict.fromkeys(sorted(names), -0.012345))
    page = visit(figure, viewport={"width": width, "height": 800})
    to_the_end(page)
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
    body = page.locator(".dl-figure-body").bounding_box()
    for part in page.locator(".dl-figure-body :is(button, input, select, p, .dl-strip)").all():
        box = part.bounding_box()
        assert box["x"] >= body["x"]
        assert box["x"] + box["width"] <= body["x"] + body["width"], part


@pytest.mark.parametrize("expression", [*EXPRESSIONS, "a*b + c*d + e*f + g*h + a*h"])
def test_the_drawing_holds_its_nodes_apart(visit, expression):
    names = {node.name for node in parse(expression) if node.operation is None}
    page = visit(graph_stepper(expression, dict.fromkeys(sorted(names), 0.5)))
    to_the_end(page)
    boxes = [node.bounding_box() for node in page.locator(".dl-node rect").all()]
    stage = page.locator(".dl-stage svg").bounding_box()
    for i, a in enumerate(boxes):
        assert a["x"] >= stage["x"]
        assert a["x"] + a["width"] <= stage["x"] + stage["width"]
        assert a["y"] + a["height"] <= stage["y"] + stage["height"]
        for b in boxes[:i]:
            apart_x = a["x"] + a["width"] <= b["x"] or b["x"] + b["width"] <= a["x"]
            apart_y = a["y"] + a["height"] <= b["y"] or b["y"] + b["height"] <= a["y"]
            assert apart_x or apart_y


@pytest.mark.parametrize(("motion", "moving"), [("reduce", False), ("no-preference", True)])
def test_nothing_moves_where_that_is_asked_for(visit, motion, moving):
    page = visit(reduced_motion=motion)
    running = set()
    for _ in range(14):
        page.get_by_role("button", name="Step").click()
        running.add(page.evaluate("document.getAnimations().length > 0"))
    assert (True in running) == moving


def test_dark_is_dark(visit):
    page = visit(theme="dark")
    ground = page.locator(".dl-figure-body").evaluate("e => getComputedStyle(e).backgroundColor")
    assert ground == "rgb(20, 24, 30)"
    assert (
        page.locator(".dl-figure-body").evaluate("e => getComputedStyle(e).colorScheme") == "dark"
    )
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    ground = page.locator(".dl-figure-body").evaluate("e => getComputedStyle(e).backgroundColor")
    assert ground == "rgb(255, 255, 255)"


def test_without_the_theme_of_the_site_it_still_has_colors(visit):
    page = visit(broken(json.dumps(STATE)))
    page.add_style_tag(
        content="html { --pst-color-background: initial !important;"
        "--pst-color-text-base: initial !important }"
    )
    body = page.locator(".dl-figure-body")
    assert body.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(255, 255, 255)"
    assert body.evaluate("e => getComputedStyle(e).color") == "rgb(31, 41, 51)"
