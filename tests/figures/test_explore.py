"""A figure out of any Matplotlib function: what is drawn, what is stored, what is refused."""

import gzip
import json
import re

import numpy as np
import pytest

from dlcourse.figures import explore
from dlcourse.figures.explore import MAX_BYTES

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
import matplotlib.pyplot as plt  # noqa: E402

ALT = "Line of slope {slope} with {marks} marks."


def line(slope, marks):
    fig, axis = plt.subplots(figsize=(3, 2))
    axis.plot([0, slope], marker="o", markevery=max(1, marks))
    return fig


def noise(seed, size=40):
    fig, axis = plt.subplots(figsize=(3, 2))
    axis.imshow(np.random.default_rng(seed).random((size, size)))
    return fig


def state_of(figure):
    text = re.search(r'class="dl-state">(.*?)</script>', figure.to_html(), re.DOTALL).group(1)
    return json.loads(text)


def unpacked(frames):
    """The pictures of a page, in the order of their settings."""
    texts = ["\n".join(frames["lines"][k] for k in picture) for picture in frames["pictures"]]
    return [texts[k] for k in frames["which"]]


@pytest.fixture(autouse=True)
def all_closed():
    yield
    assert plt.get_fignums() == []


def test_each_setting_has_its_own_picture():
    figure = explore(line, alt=ALT, slope=[1, 2.5], marks=range(1, 4))
    state = state_of(figure)
    pictures = unpacked(state["frames"])
    expected = [figure.picture_at({"slope": s, "marks": m}) for s in (1, 2.5) for m in (1, 2, 3)]
    assert pictures == expected
    assert all(text.startswith("<svg") and text.endswith("</svg>") for text in pictures)
    assert state["frames"]["alts"][4] == "Line of slope 2.5 with 2 marks."
    assert state["parameters"] == [
        {"name": "slope", "label": "slope", "options": [1, 2.5]},
        {"name": "marks", "label": "marks", "options": [1, 2, 3]},
    ]
    assert state["values"] == {"slope": 1, "marks": 1}


def test_equal_pictures_are_stored_once_and_shared_lines_too():
    state = state_of(explore(lambda a, b: line(a, 1), alt="Line {a}, {b}", a=[1, 2], b=range(10)))
    frames = state["frames"]
    assert len(frames["pictures"]) == 2
    assert frames["which"] == [0] * 10 + [1] * 10
    assert len(set(frames["lines"])) == len(frames["lines"])
    # The second picture shares most of its lines with the first.
    assert len(frames["lines"]) < 0.8 * sum(map(len, frames["pictures"]))


def test_pictures_are_the_same_from_run_to_run():
    make = lambda: explore(line, alt=ALT, slope=[1, 2], marks=[1]).to_html()
    assert make() == make()


def test_fifty_pictures_weigh_little_more_than_one():
    weigh = lambda *slopes: len(
        gzip.compress(explore(line, alt=ALT, slope=slopes, marks=[1]).to_html().encode())
    )
    assert weigh(*range(1, 51)) < 4 * weigh(1)


def test_png_holds_the_picture_that_was_drawn():
    import base64
    import io

    state = state_of(explore(noise, alt="Noise {seed}", picture="png", seed=[1, 2]))
    (picture, _) = unpacked(state["frames"])
    image = plt.imread(io.BytesIO(base64.b64decode(picture)))
    assert image.shape[:2] == (2 * 192, 3 * 192)
    assert image[..., :3].std() > 0.1


def test_what_is_too_heavy_is_told_with_its_size_and_how_to_mend_it():
    figure = explore(noise, alt="Noise {seed}", picture="png", seed=range(4))
    assert len(gzip.compress(figure.to_html().encode())) < MAX_BYTES
    heavy = explore(noise, alt="Noise {seed}, {size}", seed=range(4), size=[400, 401])
    message = (
        r"explore: \d{3,4} kB compressed, at most 400 kB fit on a page: "
        r"8 pictures \(8 different\), 4 of seed × 2 of size; .* try picture='png'"
    )
    with pytest.raises(ValueError, match=message):
        heavy.to_html()


def test_too_many_pictures_are_refused_before_any_is_drawn():
    figure = explore(lambda a, b: 1 / 0, alt="x", a=range(30), b=range(30))
    with pytest.raises(ValueError, match="900 pictures, 30 of a × 30 of b; at most 400"):
        figure.to_html()


@pytest.mark.parametrize("way", ["figure", "axes", "current"])
def test_a_function_may_return_its_figure_its_axes_or_nothing(way):
    def draw(a):
        fig, axis = plt.subplots()
        axis.set_title(f"title {a}")
        return {"figure": fig, "axes": axis, "current": None}[way]

    assert explore(draw, alt="{a}", a=[1, 2]).picture_at({"a": 2}).startswith("<svg")


def test_other_open_figures_are_left_alone():
    mine = plt.figure()
    explore(line, alt=ALT, slope=[1], marks=[1]).to_html()
    assert plt.get_fignums() == [mine.number]
    with pytest.raises(TypeError, match=r"draw_nothing drew nothing at \{'a': 1\}"):
        explore(draw_nothing, alt="x", a=[1]).to_html()
    plt.close(mine)


def draw_nothing(a):
    pass


def test_alt_may_be_a_function():
    describe = lambda slope, marks: "steep" if slope > 1 else "flat"
    state = state_of(explore(line, alt=describe, slope=[1, 2], marks=[1]))
    assert state["frames"]["alts"] == ["flat", "steep"]


def test_values_of_numpy_and_texts_and_booleans_are_taken():
    figure = explore(
        lambda rate, kind, log: plt.subplots()[1],
        alt="{kind}",
        rate=np.array([0.1, 0.5]),
        kind=["ridge", "lasso"],
        log=[False, True],
        open_at={"rate": np.float64(0.5), "kind": "lasso"},
    )
    assert figure.values == {"rate": 0.5, "kind": "lasso", "log": False}
    options = [one["options"] for one in figure.state["parameters"]]
    assert options == [[0.1, 0.5], ["ridge", "lasso"], [False, True]]
    figure.values = {"rate": 0.1, "kind": "ridge", "log": True}
    assert '"kind": "ridge"' in figure.to_html()


def test_the_picture_that_stands_in_is_the_first_one_with_its_alt_text():
    html = explore(line, alt=ALT, slope=[1, 2], marks=[1], open_at={"slope": 2}).to_html()
    fallback = html.split('<div class="dl-fallback">')[1]
    assert '<img src="data:image/svg+xml,' in fallback
    assert 'alt="Line of slope 2 with 1 marks."' in fallback


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ValueError, "0 parameters came; expected one to three"),
        ({"a": [1], "b": [1], "c": [1], "d": [1]}, ValueError, "4 parameters came"),
        ({"a": []}, ValueError, "a has no values"),
        ({"a": 3}, ValueError, "a=3 came; expected the values it may take"),
        ({"a": "abc"}, ValueError, "a='abc' came"),
        ({"a": [1, float("nan")]}, ValueError, "a may be nan; expected finite numbers"),
        ({"a": [1, None]}, ValueError, "a may be None"),
        ({"a": [[1], [2]]}, ValueError, r"a may be \[1\]"),
        ({"a": [1, 1.0]}, ValueError, "a has a value twice"),
        ({"a": [1], "open_at": {"b": 1}}, ValueError, "open_at names 'b'; there are a"),
        ({"a": [1], "open_at": {"a": 2}}, ValueError, "a is 2; expected one of 1"),
        ({"a": [1], "picture": "gif"}, ValueError, "picture='gif' came"),
        ({"a": [1], "alt": None}, ValueError, "alt is None; expected a text"),
        ({"a": [1], "alt": "rate {b}"}, ValueError, r"cannot be filled in \(KeyError: 'b'\)"),
        ({"a": [1], "alt": " "}, ValueError, "alt gave ' '"),
        ({"a": [1], "alt": lambda a: None}, ValueError, "alt gave None"),
        ({"draw": 3, "a": [1]}, TypeError, "3 came; expected a function"),
    ],
)
def test_bad_arguments_are_refused_at_once(arguments, error, message):
    with pytest.raises(error, match=message):
        explore(arguments.pop("draw", line), **({"alt": "a"} | arguments))


def test_alt_text_is_required():
    with pytest.raises(TypeError, match="alt"):
        explore(line, slope=[1], marks=[1])


@pytest.mark.parametrize(
    "values", [None, {}, {"slope": 1}, {"slope": 9, "marks": 1}, {"slope": "1", "marks": 1}]
)
def test_a_bad_change_from_python_changes_nothing(values):
    figure = explore(line, alt=ALT, slope=[1, 2], marks=[1, 2])
    with pytest.raises(ValueError, match="values: "):
        figure.values = values
    assert figure.values == {"slope": 1, "marks": 1}


# In a live notebook -----------------------------------------------------------------------------


@pytest.fixture
def live(monkeypatch):
    monkeypatch.setenv("DLCOURSE_STATIC", "0")
    pytest.importorskip("anywidget")


def test_python_draws_what_the_browser_asks_for(live):
    drawn = []

    def draw(a):
        drawn.append(a)
        return line(a, 1)

    figure = explore(draw, alt="Line {a}", a=[1, 2, 3])
    assert drawn == []
    widget = figure.widget
    assert drawn == [1]
    assert widget.picture["values"] == {"a": 1}
    assert widget.frames is None
    widget.set_state({"values": {"a": 3}, "wanted": {"a": 3}})  # as the browser does
    assert figure.values == {"a": 3}
    assert widget.picture == {
        "values": {"a": 3},
        "source": figure.picture_at({"a": 3}),
        "alt": "Line 3",
    }
    widget.set_state({"wanted": {"a": 1}})
    widget.set_state({"wanted": {"a": 3}})
    assert drawn == [1, 3]  # what was drawn once is kept


@pytest.mark.parametrize("wanted", [{"a": 9}, {"b": 1}, [], "x"])
def test_what_cannot_be_drawn_is_told_and_does_no_harm(live, wanted):
    def draw(a):
        if a == 2:
            raise RuntimeError("no such thing")
        return line(a, 1)

    figure = explore(draw, alt="Line {a}", a=[1, 2])
    figure.widget.set_state({"wanted": {"a": 2}})
    assert figure.widget.picture == {"values": {"a": 2}, "error": "RuntimeError: no such thing"}
    figure.widget.set_state({"wanted": wanted})
    assert "ValueError" in figure.widget.picture["error"]
    figure.widget.set_state({"wanted": {"a": 1}})
    assert "source" in figure.widget.picture
