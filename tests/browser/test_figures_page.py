"""What holds for every figure of the gallery, in Chromium: look, hand, address, faults, one text.

What a figure computes is tested in a file of its own.
"""

import io
import json
import re
from urllib.parse import quote, unquote

import pytest
from playwright.sync_api import expect

from dlcourse import figures
from dlcourse.figures import base

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
import matplotlib.pyplot as plt  # noqa: E402

pytestmark = pytest.mark.browser


def explore():
    def draw(rate, steps):
        fig, axis = plt.subplots(figsize=(4, 2))
        axis.plot([0, rate * steps])
        return fig

    alt = "A line that ends at {rate} times {steps}."
    return figures.explore(draw, alt=alt, rate=[0.1, 1.0, 3.0], steps=[1, 2, 3])


MAKERS = {
    "graph_stepper": figures.graph_stepper,
    "explore": explore,
    "optimizer_race": figures.optimizer_race,
    "line_fit": figures.line_fit,
    "activation_explorer": figures.activation_explorer,
    "bias_variance": figures.bias_variance,
    "timeline": figures.timeline,
    "convolution_explorer": figures.convolution_explorer,
    "draw_digit": figures.draw_digit,
}
_made = {}


def figure_of(name):
    if name not in _made:
        _made[name] = MAKERS[name]()
    return _made[name]


every_figure = pytest.mark.parametrize("name", MAKERS)
WIDTHS = (360, 768, 1440)
GRAPHIC = ".dl-figure-body :is(svg, img)"
SAYS = ":is(.dl-says, .dl-sentence)"
SLIDER = ".dl-figure-body input[type=range]:visible"


@every_figure
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_and_all_fits_at_every_width(visit_figures, axe, name, theme):
    page = visit_figures(figure_of(name), theme=theme)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(150)
        assert axe(page, ".dl-figure") == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        body = page.locator(".dl-figure-body").bounding_box()
        for part in page.locator(
            ".dl-figure-body :is(button, input, select, p, .dl-pane, img)"
        ).all():
            box = part.bounding_box()
            if box:
                assert box["x"] >= body["x"] - 1
                assert box["x"] + box["width"] <= body["x"] + body["width"] + 1, (width, part)


OUTSIDE = """() => [...document.querySelectorAll(".dl-pane svg text")].filter((text) => {
  const box = text.getBoundingClientRect(), room = text.closest("svg").getBoundingClientRect();
  return box.width && (box.left < room.left - 1 || box.right > room.right + 1
    || box.top < room.top - 1 || box.bottom > room.bottom + 1);
}).map((text) => text.textContent)"""
FOCUS = """() => {
  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
  return [document.activeElement.closest(".dl-figure-body") !== null,
    outlineStyle === "solid" && parseFloat(outlineWidth) >= 2];
}"""


@every_figure
def test_text_in_a_picture_stays_inside_it(visit_figures, name):
    page = visit_figures(figure_of(name))
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(150)
        outside = page.evaluate(OUTSIDE)
        assert outside == [], width


BOXES = """() => [...document.querySelectorAll(".dl-figure-body *")].map((part) => {
  const { x, y, width, height } = part.getBoundingClientRect();
  return `${part.tagName}.${part.getAttribute("class")} ${[x, y, width, height]}`;
})"""


@every_figure
def test_the_sheets_of_other_figures_do_not_reach_it(visit_figures, name):
    page = visit_figures(figure_of(name))
    alone = page.evaluate(BOXES)
    assert len(alone) > 10
    for sheet in sorted({*base.FOLDER.glob("*.css")} - {*base.style_sheets(name)}):
        if sheet.name != "kit.css":  # which always stands before those that build on it
            page.add_style_tag(content=sheet.read_text("utf-8"))
    page.wait_for_timeout(100)
    assert page.evaluate(BOXES) == alone


@every_figure
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_picture_is_not_blank(visit_figures, name, theme):
    from PIL import Image

    page = visit_figures(figure_of(name), theme=theme)
    image = Image.open(io.BytesIO(page.locator(GRAPHIC).first.screenshot())).convert("L")
    counts = image.histogram()
    ground = max(range(256), key=counts.__getitem__)
    assert (ground > 128) == (theme == "light")
    assert sum(counts) - counts[ground] > 500
    assert len(image.getcolors()) > 10


@every_figure
def test_a_key_moves_it_a_link_keeps_it_and_reset_brings_it_back(visit_figures, name):
    page = visit_figures(figure_of(name))
    said = page.locator(SAYS)
    before = said.text_content()
    assert before.strip()
    page.locator(SLIDER).first.focus()
    page.keyboard.press("ArrowRight")
    expect(said).not_to_have_text(before)
    after = said.text_content()
    page.wait_for_function("location.hash")
    written = page.evaluate("location.hash")
    page.reload()
    expect(page.locator(SAYS)).to_have_text(after)
    assert page.evaluate("location.hash") == written
    assert unquote(written).startswith(f"#{name}-1={{")
    page.get_by_role("button", name="Reset").click()  # to what the link has brought
    expect(page.locator(SAYS)).to_have_text(after)
    page.evaluate("location.hash = ''")
    page.reload()
    expect(page.locator(SAYS)).to_have_text(before)
    page.locator(SLIDER).first.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Reset").click()
    expect(page.locator(SAYS)).to_have_text(before)
    page.wait_for_function("!location.hash")


@every_figure
@pytest.mark.parametrize("by", ["mouse", "finger"])
def test_a_pointer_moves_it(visit_figures, name, by):
    phone = {"has_touch": True, "is_mobile": True, "viewport": {"width": 360, "height": 740}}
    page = visit_figures(figure_of(name), **(phone if by == "finger" else {}))
    before = page.locator(SAYS).text_content()
    slider = page.locator(SLIDER).first
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    place = box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2
    (page.mouse.click if by == "mouse" else page.touchscreen.tap)(*place)
    expect(page.locator(SAYS)).not_to_have_text(before)


@every_figure
def test_it_says_what_it_shows(visit_figures, name):
    page = visit_figures(figure_of(name))
    said = page.locator(SAYS)
    assert said.evaluate("e => e.ariaLive") == "polite"
    assert page.locator(".dl-message").first.get_attribute("role") == "status"
    assert page.get_by_role("group", name=figure_of(name).alt).count() == 1
    for part in page.locator(".dl-figure-body :is(button, input, select, [tabindex])").all():
        if part.is_visible():
            named = re.match(r"- '?\w+ [\"/]", part.aria_snapshot())
            assert named, part.evaluate("e => e.outerHTML")


@every_figure
def test_nothing_moves_by_itself_where_that_is_asked_for(visit_figures, name):
    page = visit_figures(figure_of(name), reduced_motion="reduce")
    said = page.locator(SAYS)
    page.locator(SLIDER).first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.getAnimations().length") == 0
    play = page.get_by_role("button", name="Play")
    if play.count():  # goes to where playing would end, or one step, and stays there
        before = said.text_content()
        play.click()
        expect(said).not_to_have_text(before)
        there = said.text_content()
        assert page.evaluate("document.getAnimations().length") == 0
        page.wait_for_timeout(500)
        expect(said).to_have_text(there)


@every_figure
def test_nonsense_in_the_address_is_passed_over(visit_figures, name):
    page = visit_figures(figure_of(name))
    before = page.locator(SAYS).text_content()
    texts = ["x", "%7B", "%", "5", "null", quote('{"__proto__":{"a":1},"b":2}'), ""]
    for changes, _ in MALFORMED[name]:
        if isinstance(changes, dict) and not any(map(callable, changes.values())):
            texts += [quote(text) for text in [json.dumps(changes)] if len(text) < 80]
    for text in texts:
        page.goto("about:blank")
        page.goto(f"{page.address}/index.html#{name}-1={text}")
        page.locator("[data-ready=true]").wait_for()
        expect(page.locator(SAYS)).to_have_text(before)
        assert page.locator(".dl-figure-error").count() == 0
        assert page.locator(".dl-figure-body").count() == 1


@every_figure
def test_controls_are_large_enough_to_touch_and_show_the_focus(visit_figures, name):
    page = visit_figures(figure_of(name), viewport={"width": 360, "height": 800})
    for part in page.locator(".dl-figure-body :is(button, input, select)").all():
        box = part.bounding_box()
        if box and part.get_attribute("type") != "checkbox":  # its label is touched as well
            slider = part.get_attribute("type") == "range"
            assert box["height"] >= (32 if slider else 44), part.evaluate("e => e.outerHTML")
            assert box["width"] >= 44
    page.evaluate("document.activeElement.blur()")
    rings = []
    for _ in range(60):
        page.keyboard.press("Tab")
        rings.append(page.evaluate(FOCUS))
    inside = [ring for within, ring in rings if within]
    assert len(inside) >= 3
    assert all(inside)


@every_figure
def test_a_picture_stands_there_without_javascript(visit_figures, name):
    page = visit_figures(figure_of(name), ready=False, java_script_enabled=False)
    picture = page.locator(".dl-fallback :is(svg, img)").first
    box = picture.bounding_box()
    assert box["width"] > 200
    assert box["height"] > 100
    alt = picture.get_attribute("alt") or picture.get_attribute("aria-label")
    assert len(alt) > 20


@every_figure
def test_it_is_ready_soon_after_one_scrolls_to_it_and_not_before(visit_figures, name):
    page = visit_figures('<div style="height: 5000px"></div>', figure_of(name), ready=False)
    page.wait_for_timeout(300)
    assert page.locator("[data-ready=true]").count() == 0
    page.locator(".dl-figure").scroll_into_view_if_needed()
    page.locator("[data-ready=true]").wait_for()
    assert not page.locator(".dl-fallback").is_visible()


@every_figure
def test_as_one_text_it_runs_with_no_file_beside_it(visit_figures, name):
    """As in a notebook: the bundled module, a model without the host, a state set from outside."""
    page = visit_figures("<p>No figure.</p>", ready=False)
    page.add_style_tag(content=base.live_css(name))
    figure = figure_of(name)
    page.evaluate(
        """async ([text, html]) => {
          const state = JSON.parse(new DOMParser().parseFromString(html, "text/html")
            .querySelector(".dl-state").textContent);
          const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
          const { default: module } = await import(address);
          const el = document.createElement("div");
          document.querySelector("main").append(el);
          const listeners = [];
          window.close = await module.render({ el, model: {
            get: (key) => state[key], set: (key, value) => { state[key] = value; },
            on: (...pair) => listeners.push(pair), off: (event) => listeners.splice(
              listeners.findIndex(([other]) => other === event), 1),
            save_changes: () => {} } });
          window.listening = () => listeners.length;
        }""",
        [base.module_text(name), figure.to_html()],
    )
    assert page.locator(GRAPHIC).first.bounding_box()["width"] > 200
    assert page.evaluate("listening()") > 0
    page.evaluate("close()")  # leaves nothing behind
    assert page.locator(".dl-figure-body").count() == 0
    assert page.evaluate("listening()") == 0


@every_figure
def test_drawn_without_room_it_waits_for_some(visit_figures, name):
    page = visit_figures("<style>.dl-figure { display: none }</style>", "<p>Text.</p>", ready=False)
    page.add_style_tag(content=base.live_css(name))
    html = figure_of(name).to_html()
    page.evaluate(
        """async (html) => {
          document.querySelector("main").insertAdjacentHTML("beforeend", html);
          const host = document.createElement("script");
          Object.assign(host, { type: "module", src: "/_static/figures/host.js?again" });
          window.IntersectionObserver = class {
            constructor(seen) { this.seen = seen; }
            observe(target) { this.seen([{ isIntersecting: true, target }]); }
            unobserve() {}
          };
          document.body.append(host);
        }""",
        html,
    )
    page.locator(".dl-figure[data-ready=true]").wait_for(state="attached")
    page.evaluate("document.querySelector('main style').remove()")
    page.wait_for_timeout(200)
    assert page.locator(GRAPHIC).first.bounding_box()["width"] > 200


# Malformed states ---------------------------------------------------------------------------------

NAN, MANY = float("nan"), 10**6
STROKES, ROWS = "strokes: ", "4 to 16 rows"
# What the state is given instead (a function makes it of what is there), and part of what is told.
# A text stands for the whole state.
ALWAYS = [("", "JSON"), ("{", "JSON"), ("null", ""), ("[]", ""), ("{}", "")]
MALFORMED = {
    "graph_stepper": [
        ({"expression": 3}, "an expression is text; 3 came"),
        ({"expression": ""}, "expression"),
        ({"expression": "x +"}, "The expression ends too early"),
        ({"expression": "<img src=x onerror=alert(1)>"}, "Character 1 is '<'"),
        ({"expression": "x" * MANY}, "1000000 characters; at most 120"),
        ({"inputs": {}}, "inputs: nothing came for w"),
        ({"inputs": None}, "inputs: nothing came for w"),
        ({"inputs": [1]}, "inputs: nothing came for w"),
        ({"inputs": lambda inputs: inputs | {"w": "1"}}, "inputs: 1 came for w; expected a finite"),
        ({"inputs": lambda inputs: inputs | {"w": None}}, "inputs: nothing came for w"),
        ({"inputs": lambda inputs: inputs | {"w": NAN}}, "JSON"),
        ('{"expression": "x", "inputs": {"x": 1e999}, "step": 0}', "inputs: Infinity came for x"),
        ({"step": -1}, "step: -1 came; expected a whole number from 0 to 14"),
        ({"step": 1.5}, "step: 1.5 came"),
        ({"step": "2"}, "step: 2 came"),
        ({"step": None}, "step: null came"),
    ],
    "explore": [
        ({"parameters": []}, "parameters: [] came; expected one to three"),
        ({"parameters": None}, "parameters: null came"),
        ({"parameters": [{"name": 1, "label": "a", "options": [1]}]}, "parameters: "),
        ({"parameters": [{"name": "a", "label": "a", "options": [None]}]}, "parameters: "),
        ({"parameters": [{"name": "a", "label": "a", "options": [0] * MANY}]}, "1000 options"),
        ({"values": {"rate": 2, "steps": 1}}, "expected for rate one of 0.1, 1, 3"),
        ({"values": None}, "values: null came"),
        ({"format": "gif"}, 'format: "gif" came; expected one of svg, png'),
        ({"keep_colors": 1}, "keep_colors: 1 came; expected true or false"),
        ({"frames": lambda frames: frames | {"which": [0]}}, "for each of 9 settings a picture"),
        ({"frames": lambda frames: frames | {"which": [0] * 8 + [99]}}, "for each of 9 settings"),
        ({"frames": lambda frames: frames | {"which": [NAN] * 9}}, "JSON"),
        ({"frames": lambda frames: frames | {"pictures": [[MANY]] * 9}}, "for each of 9 settings"),
        ({"frames": lambda frames: frames | {"lines": 3}}, "for each of 9 settings a picture"),
        ({"frames": lambda frames: frames | {"alts": [1] * 9}}, "for each of 9 settings a picture"),
    ],
    "optimizer_race": [
        ({"surface": "hill"}, 'surface: "hill" came; expected one of bowl'),
        ({"surface": "constructor"}, "surface: "),
        ({"start": [1]}, "two numbers from -6 to 6"),
        ({"start": [None, 1]}, "two numbers from -6 to 6"),
        ({"start": [[0] * MANY, 1]}, "two numbers from -6 to 6"),
        ({"runners": ["Adam"] * MANY}, "each at most once"),
        ({"runners": "SGD"}, "a list of names"),
        ({"settings": {}}, "for lr of SGD a number"),
        ({"settings": lambda all: all | {"Adam": {"lr": "1"}}}, "for lr of Adam a number"),
        ({"tolerance": 5}, "a number from 0.0001 to 0.1"),
        ({"step": NAN}, "JSON"),
        ({"step": 0.5}, "a whole number from 0 to 400"),
        ({"shown": None}, "shown: null came"),
    ],
    "line_fit": [
        ({"points": []}, "points: [] came; expected 2 to 40 points"),
        ({"points": [[0, 0]] * MANY}, "expected 2 to 40 points"),
        ({"points": [[0, 0], [0, None]]}, "expected 2 to 40 points"),
        ({"points": [[0, 0], [0, NAN]]}, "JSON"),
        ({"points": {"0": 1}}, "expected 2 to 40 points"),
        ({"start": [0, 99]}, "w from -3 to 3"),
        ({"rate": "0.1"}, 'rate: "0.1" came; expected a number from 0.001 to 2'),
        ({"step": 101}, "step: 101 came; expected a whole number from 0 to 100"),
    ],
    "activation_explorer": [
        ({"view": ["loss"]}, 'view: ["loss"] came; expected one of activation, loss'),
        ({"activation": "__proto__"}, "activation: "),
        ({"activation": ""}, 'activation: "" came; expected one of sigmoid'),
        ({"z": "1"}, 'z: "1" came; expected a number from -6 to 6'),
        ({"z": NAN}, "JSON"),
        ({"z": float("inf")}, "JSON"),
        ({"z": [0] * MANY}, "z: [0,0,0"),
        ({"layers": MANY}, "layers: 1000000 came; expected a whole number from 1 to 30"),
        ({"weight": None}, "weight: null came"),
        ({"true_class": 0}, "true_class: 0 came; expected one of 0, 1"),
    ],
    "bias_variance": [
        ({"degree": 99}, "degree: 99 came; expected a whole number from 0 to 12"),
        ({"points": MANY}, "points: 1000000 came; expected a whole number from 15 to 60"),
        ({"points": []}, "points: [] came"),
        ({"points": [[0, 0]] * MANY}, "points: [[0,0],"),
        ({"noise": NAN}, "JSON"),
        ({"noise": None}, "noise: null came"),
        ({"ridge": -1}, "ridge: -1 came; expected a number from 0.000001 to 10"),
        ({"seed": "1"}, 'seed: "1" came'),
    ],
    "timeline": [
        ({"items": []}, "items: [] came; expected 1 to 500 items"),
        ({"items": [0] * MANY}, "1 to 500 items"),
        ({"items": [{"kind": "idea", "year": "1950"}]}, "1 to 500 items"),
        ({"items": None}, "items: null came"),
        ({"items": lambda items: [items[0] | {"year": NAN}]}, "JSON"),
        ({"selected": -1}, "selected: -1 came; expected a whole number from 0 to 499"),
        ({"first": "1950"}, 'first: "1950" came'),
        ({"kind": "everything"}, 'kind: "everything" came; expected one of all, model'),
    ],
    "convolution_explorer": [
        ({"pixels": []}, f"pixels: [] came; expected {ROWS}"),
        ({"pixels": [[0] * 1000] * 1000}, ROWS),
        ({"pixels": [[0] * 5] * 4 + [[0] * 6]}, ROWS),
        ({"pixels": [[0, 0, 0, None]] * 4}, ROWS),
        ({"pixels": [[0, 0, 0, NAN]] * 4}, "JSON"),
        ({"pixels": "digit 3"}, ROWS),
        ({"kernel": [[1]]}, "kernel: [[1]] came; expected 3 rows of 3"),
        ({"kernel": [[0] * 5] * 3}, "expected 3 rows of 3"),
        ({"stride": 1.5}, "stride: 1.5 came; expected a whole number from 1 to 4"),
        ({"layers": "2"}, 'layers: "2" came'),
        ({"position": 10**9}, "position: 1000000000 came"),
    ],
    "draw_digit": [
        ({"strokes": "three"}, f'{STROKES}"three" came; expected up to 100 strokes'),
        ({"strokes": [[]]}, "expected up to 100 strokes"),
        ({"strokes": [[[0, 0]] * MANY]}, "at most 2000 in all"),
        ({"strokes": [[[0, None]]]}, "expected up to 100 strokes"),
        ({"strokes": [[[0, NAN]]]}, "JSON"),
        ({"strokes": [[[0, 101]]]}, "expected up to 100 strokes"),
        ({"turn": "0"}, 'turn: "0" came; expected a whole number from -180 to 180'),
        ({"pen": 0}, "pen: 0 came; expected a number from 1 to 5"),
    ],
}


def broken(name, changes):
    """A page's figure with parts of its state replaced, as a faulty builder would leave it."""
    html = figure_of(name).to_html()
    start = html.index('class="dl-state">') + len('class="dl-state">')
    end = html.index("</script>", start)
    if not isinstance(changes, str):
        state = json.loads(html[start:end])
        for key, value in changes.items():
            state[key] = value(state[key]) if callable(value) else value
        changes = json.dumps(state).replace("<", "\\u003c")
    return html[:start] + changes + html[end:]


@every_figure
def test_a_malformed_state_is_told_and_the_rest_of_the_page_works(visit_figures, name):
    cases = [*ALWAYS, *MALFORMED[name]]
    wrong = [broken(name, changes) for changes, told in cases]
    page = visit_figures(*wrong, figure_of(name), ready=False)
    for number, (changes, told) in enumerate(cases):
        figure = page.locator(".dl-figure").nth(number)
        figure.scroll_into_view_if_needed()
        message = figure.get_by_role("alert")
        message.wait_for()
        text = message.inner_text()
        assert text.startswith("This figure does not run here; its picture is shown"), changes
        assert told in text, changes
        assert len(text) < 400, changes
        assert figure.locator(".dl-fallback :is(svg, img)").first.is_visible(), changes
        assert figure.locator(".dl-figure-body").count() == 0, changes
    page.locator(".dl-figure").last.scroll_into_view_if_needed()
    said = page.locator(SAYS)
    before = said.text_content()
    page.locator(SLIDER).first.focus()
    page.keyboard.press("ArrowRight")
    expect(said).not_to_have_text(before)
