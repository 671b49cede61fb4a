"""A small chart as the text of an `<svg>`: the picture that stands in where a figure cannot run.

It takes its colors from the page, light or dark, and carries the sentence that describes it.
"""

import math
from html import escape

_LEFT, _TOP, _RIGHT, _BOTTOM = 46, 24, 12, 42


class Still:
    """Axes, and what is drawn into them.

    Args:
        x, y: lowest and highest number on each axis.
        x_name, y_name: what the axes show.
        log: is the vertical axis logarithmic? Default False.
        width, height: of the picture, in pixels.
    """

    def __init__(self, x, y, x_name="", y_name="", log=False, width=520, height=320):
        self.width, self.height, self.log = width, height, log
        self._x, self._y = x, [self._scale(end) for end in y]
        right, bottom = width - _RIGHT, height - _BOTTOM
        self.parts = [
            f'<rect x="{_LEFT}" y="{_TOP}" width="{right - _LEFT}" height="{bottom - _TOP}" '
            'fill="none" stroke="currentColor" stroke-opacity="0.3"/>',
            _text(x_name, (_LEFT + right) / 2, height - 6, "middle"),
            _text(y_name, 10, 14, "start"),
        ]
        for end, anchor in zip(x, ("start", "end"), strict=True):
            self.parts.append(_text(f"{end:g}", self._across(end), bottom + 17, anchor))
        for end, place in zip(y, (bottom, _TOP + 10), strict=True):
            self.parts.append(_text(f"{end:g}", _LEFT - 6, place, "end"))

    def _scale(self, value):
        return math.log10(max(value, 1e-300)) if self.log else value

    def _across(self, value):
        low, high = self._x
        return _LEFT + (self.width - _RIGHT - _LEFT) * (value - low) / (high - low)

    def _up(self, value):
        low, high = self._y
        bottom = self.height - _BOTTOM
        return bottom + (_TOP - bottom) * (self._scale(value) - low) / (high - low)

    def line(self, points, color="currentColor", width=2, dash="", opacity=1):
        """A line through points (x, y); what lies outside the axes is left out."""
        path, pen = "", "M"
        for x, y in points:
            inside = self._x[0] <= x <= self._x[1] and self._y[0] <= self._scale(y) <= self._y[1]
            if inside:
                path += f"{pen}{self._across(x):.1f} {self._up(y):.1f}"
            pen = "L" if inside else "M"
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<path d="{path}" fill="none" stroke="{color}" stroke-width="{width}" '
            f'stroke-opacity="{opacity}"{dashes}/>'
        )

    def dots(self, points, color="currentColor", radius=4):
        """A disk at each point (x, y)."""
        for x, y in points:
            place = f'cx="{self._across(x):.1f}" cy="{self._up(y):.1f}"'
            self.parts.append(f'<circle {place} r="{radius}" fill="{color}"/>')

    def svg(self, alt: str) -> str:
        """The picture's text; `alt` says what is to be seen."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(alt)}" '
            f'width="{self.width}" height="{self.height}" '
            f'viewBox="0 0 {self.width} {self.height}" font-family="sans-serif" '
            f'font-size="12.5" fill="currentColor">{"".join(self.parts)}</svg>'
        )


def _text(text, x, y, anchor):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(text)}</text>'
