"""An interactive figure out of any Matplotlib function: a slider for each of its parameters.

In a live notebook each move of a slider calls the function. For a page of the book every picture is
drawn beforehand, as the page has no Python behind it: the lines of text that make up the pictures
are stored once, however many pictures share them, so that fifty pictures weigh little more than
one.
"""

import base64
import gzip
import io
import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from html import escape
from urllib.parse import quote

from dlcourse.figures.base import Figure

MAX_BYTES = 400_000
"""What a figure may add to a page, compressed as a server sends it."""

MAX_PICTURES = 400
_PNG_DPI = 192  # two pixels for each of CSS's, for fine screens
_LAYOUT = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>", re.DOTALL)


def explore(
    draw: Callable,
    /,
    *,
    alt: str | Callable[..., str],
    open_at: Mapping | None = None,
    picture: str = "svg",
    keep_colors: bool = False,
    **parameters: Iterable,
) -> Figure:
    """A figure with a control for each parameter of a function that draws.

    Example::

        def descend(rate, steps):
            fig, axis = plt.subplots()
            ...
            return fig

        explore(descend, rate=[0.01, 0.1, 1.0], steps=range(0, 50, 5),
                alt="Loss after {steps} steps at rate {rate}, falling towards 0.")

    Args:
        draw: called with one value of each parameter by name; returns a Matplotlib figure or axes,
            or leaves what it draws as Matplotlib's current figure.
        alt: what is to be seen, for readers who don't see it: a text with the parameters' names in
            braces, or a function of the parameters that returns a text.
        open_at: the values to open with, by name. Default: the first of each.
        picture: "svg", sharp at any size and light for lines and text, or "png", lighter for
            photographs and for many thousands of points.
        keep_colors: True for photographs, which must not be inverted on a dark page.
        parameters: one to three, each with the values it may take: numbers (a slider), or texts and
            booleans (a list to choose from). An underscore in a name is shown as a space.

    Returns:
        A figure whose state `values` holds the value of each parameter.

    Raises:
        ValueError: no or too many parameters, values that are no numbers, texts or booleans, no
            `alt`, or, once it is made for a page, more than 400 kB.
        TypeError: `draw` is no function, or draws nothing.
    """
    if not callable(draw):
        raise TypeError(f"explore: {draw!r} came; expected a function that draws, without ()")
    if picture not in ("svg", "png"):
        raise ValueError(f"explore: picture={picture!r} came; expected 'svg' or 'png'")
    if not isinstance(alt, str) and not callable(alt):
        raise ValueError(
            f"explore: alt is {alt!r}; expected a text such as 'Loss at rate {{rate}}'"
        )
    if not 1 <= len(parameters) <= 3:
        raise ValueError(
            f"explore: {len(parameters)} parameters came; expected one to three, each with its "
            "values, such as rate=[0.01, 0.1, 1.0]"
        )
    options = {name: _options(name, values) for name, values in parameters.items()}
    values = {name: choices[0] for name, choices in options.items()}
    unknown = set(open_at or {}) - set(options)
    if unknown:
        raise ValueError(
            f"explore: open_at names {unknown.pop()!r}; there are {', '.join(options)}"
        )
    values |= {name: _plain(value) for name, value in (open_at or {}).items()}
    return Explorer(draw, alt, options, values, picture, keep_colors)


class Explorer(Figure):
    """The figure that `explore` returns."""

    def __init__(self, draw, alt, options, values, format, keep_colors):
        def check(state):
            _check_values(state["values"], options)

        check({"values": values})
        self.__dict__.update(_draw=draw, _describe=alt, _options=options, _format=format, _known={})
        controls = [
            {"name": name, "label": name.replace("_", " "), "options": choices}
            for name, choices in options.items()
        ]
        state = {
            "parameters": controls,
            "values": values,
            "format": format,
            "keep_colors": bool(keep_colors),
            "frames": None,  # all pictures, on a page
            "wanted": None,  # in a notebook: the values whose picture is asked for
            "picture": None,  # and the picture, with its values
        }
        names = ", ".join(control["label"] for control in controls)
        about = f"{self.alt_of(values)} To be changed: {names}."
        super().__init__("explore", state, about, "", check=check)

    def alt_of(self, values: Mapping) -> str:
        """The text that stands for the picture at these values."""
        try:
            describe = self._describe
            text = describe.format(**values) if isinstance(describe, str) else describe(**values)
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(
                f"explore: alt cannot be filled in ({type(error).__name__}: {error}); the "
                f"parameters are {', '.join(values)}"
            ) from error
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"explore: alt gave {text!r} at {values}; expected a text")
        return text

    def picture_at(self, values: Mapping) -> str:
        """The picture at these values: SVG's text, or PNG's bytes in base64."""
        key = tuple(values.values())
        if key not in self._known:
            self._known[key] = _picture(self._draw, values, self._format)
        return self._known[key]

    @property
    def widget(self):
        new = self._widget is None
        widget = super().widget
        if new:
            widget.observe(lambda change: self._answer(change.new), "wanted")
            self._answer(self._state["values"])
        return widget

    def _answer(self, values):
        if values is None:
            return
        try:
            _check_values(values, self._options)
            values = {name: values[name] for name in self._options}
            answer = {"source": self.picture_at(values), "alt": self.alt_of(values)}
        except Exception as error:  # the reader is told, and may go on
            answer = {"error": f"{type(error).__name__}: {error}"}
        self._widget.picture = {"values": values, **answer}

    def to_html(self) -> str:
        """The figure for a static page, with every picture; ValueError if it weighs too much."""
        options, values = self._options, self.state["values"]
        count = math.prod(map(len, options.values()))
        if count > MAX_PICTURES:
            raise ValueError(
                f"explore: {count} pictures, {_times(options)}; at most {MAX_PICTURES} are drawn "
                "for a page: give fewer values"
            )
        settings = [
            dict(zip(options, choice, strict=True))
            for choice in itertools.product(*options.values())
        ]
        frames, kinds = _pack(
            [self.picture_at(setting) for setting in settings],
            [self.alt_of(setting) for setting in settings],
        )
        first = _img(self.picture_at(values), self.alt_of(values), self._format)
        full = Figure("explore", self.state | {"frames": frames}, self.alt, first)
        html = full.to_html()
        size = len(gzip.compress(html.encode(), 6))
        if size > MAX_BYTES:
            other = "svg" if self._format == "png" else "png"
            raise ValueError(
                f"explore: {size / 1000:.0f} kB compressed, at most {MAX_BYTES / 1000:.0f} kB fit "
                f"on a page: {count} pictures ({kinds} different), {_times(options)}; give fewer "
                f"values, draw less in each picture, a smaller figsize, or try picture={other!r}"
            )
        return html


def _times(options):
    return " × ".join(f"{len(choices)} of {name}" for name, choices in options.items())


def _plain(value):
    """The value as JSON knows it: NumPy's numbers become Python's."""
    return value.item() if hasattr(value, "item") and not getattr(value, "ndim", 0) else value


def _options(name, values) -> list:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(
            f"explore: {name}={values!r} came; expected the values it may take, such as [1, 2, 3]"
        )
    choices = [_plain(value) for value in values]
    if not choices:
        raise ValueError(f"explore: {name} has no values; expected at least one")
    for value in choices:
        if not isinstance(value, (bool, int, float, str)) or (
            isinstance(value, float) and not math.isfinite(value)
        ):
            raise ValueError(
                f"explore: {name} may be {value!r}; expected finite numbers, texts or booleans "
                "(pass a text, and look the object up in the function)"
            )
    if len({(isinstance(value, bool), value) for value in choices}) < len(choices):
        raise ValueError(f"explore: {name} has a value twice: {choices!r}")
    return choices


def _check_values(values, options):
    if not isinstance(values, Mapping) or set(values) != set(options):
        raise ValueError(f"values: {values!r} came; expected a value for {', '.join(options)}")
    for name, choices in options.items():
        if values[name] not in choices:
            told = ", ".join(map(repr, choices[:8])) + (", …" if len(choices) > 8 else "")
            raise ValueError(f"values: {name} is {values[name]!r}; expected one of {told}")


def _picture(draw, values, format) -> str:
    """Call the function and turn what it draws into text; figures that it opened are closed."""
    import matplotlib
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure as Drawing

    before = plt.get_fignums()
    with plt.ioff():
        try:
            result = draw(**values)
            opened = [number for number in plt.get_fignums() if number not in before]
            drawing = getattr(result, "figure", None)
            if drawing is None and opened:
                drawing = plt.figure(opened[-1])
            if not isinstance(drawing, Drawing):
                raise TypeError(
                    f"explore: {getattr(draw, '__name__', 'draw')} drew nothing at {values}; "
                    "expected it to make a Matplotlib figure and return it"
                )
            if format == "png":
                data = io.BytesIO()
                drawing.savefig(data, format="png", dpi=_PNG_DPI)
                return base64.b64encode(data.getvalue()).decode()
            text = io.StringIO()
            # Names that depend on what is drawn alone: equal pictures are equal texts.
            with matplotlib.rc_context({"svg.hashsalt": "dlcourse"}):
                drawing.savefig(text, format="svg", metadata={"Date": None})
        finally:
            for number in set(plt.get_fignums()) - set(before):
                plt.close(number)
    lines = (line.strip() for line in _LAYOUT.sub("", text.getvalue()).splitlines())
    return "\n".join(line for line in lines if line)


def _pack(pictures: list[str], alts: list[str]) -> tuple[dict, int]:
    """Each line stored once, each picture as the numbers of its lines, equal pictures once."""
    lines, kinds = {}, {}
    which = [kinds.setdefault(picture, len(kinds)) for picture in pictures]
    packed = [
        [lines.setdefault(line, len(lines)) for line in picture.split("\n")] for picture in kinds
    ]
    frames = {"lines": list(lines), "pictures": packed, "which": which, "alts": alts}
    return frames, len(kinds)


def _img(source, alt, format) -> str:
    """The picture that stands on the page until the figure runs."""
    if format == "svg":
        address = f"data:image/svg+xml,{quote(source, safe=' =:;/,()!*@$+?-._~|[]')}"
    else:
        address = f"data:image/png;base64,{source}"
    return f'<img src="{address}" alt="{escape(alt)}" style="max-width: 100%">'
