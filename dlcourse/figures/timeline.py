"""A timeline that a reader can walk along: ideas in three waves, models and data sets by size.

Everything on it comes from the tables of `dlcourse.data.tables`, each entry with its source.
"""

import html
import math
from collections.abc import Mapping

from dlcourse import plot
from dlcourse.figures import fields
from dlcourse.figures.base import Figure

LANES = {1: 0, None: 1, 2: 2, 3: 3}
"""Wave of an idea -> its lane; ideas between the first two waves have a lane of their own."""

# Notes that say where the course's lectures disagree belong to the table, not on the timeline.
_ABOUT_LECTURES = ("Zell", "Ki ", "Ki:", "EEE511", "Deep Learning 101", "Yang", "lecture")


KINDS = ("model", "data", "idea")
MOST, LAST = 500, 2026  # items, year


def _is_item(one):
    if not isinstance(one, Mapping) or one.get("kind") not in KINDS:
        return False
    is_text = lambda key: isinstance(one.get(key), str) and len(one[key]) < 400
    size = fields.Number(1e-12, 1e15) if one["kind"] != "idea" else fields.Number(0, 3, whole=True)
    return (
        all(map(is_text, ("name", "text", "source", "link")))
        and not fields.Number(1901, LAST, whole=True).expected(one.get("year"))
        and not size.expected(one.get("lane" if one["kind"] == "idea" else "size"))
    )


def _expected_items(value):
    if isinstance(value, (list, tuple)) and 0 < len(value) <= MOST and all(map(_is_item, value)):
        return ""
    return f"1 to {MOST} items with kind, year, name, text, source, link, and a size or a lane"


FIELDS = {
    "items": fields.Test(_expected_items),
    "kind": fields.Choice(("all", *KINDS)),
    "first": fields.Number(1930, 2015, whole=True),
    "selected": fields.Number(0, MOST - 1, whole=True),
}


def timeline(
    selected: str | None = None, first: int = 1940, kind: str = "all", links=None
) -> Figure:
    """Milestones, models and data sets by year, on a logarithmic scale where they have a size.

    Args:
        selected: name of the entry to open with, such as "perceptron". Default: the earliest shown.
        first: the first year that is shown, 1930 to 2015. Default 1940.
        kind: "all", "model", "data" or "idea". Default "all".
        links: name of an entry -> an anchor of the page, ``"#perceptron"``, where it can be seen
            to run. Default: none.

    Raises:
        ValueError: if there is no entry of a name, or an argument is out of range.
    """
    items = entries()
    names = [item["name"] for item in items]
    links = dict(links or {})
    unknown = [name for name in [*links, *([selected] if selected else [])] if name not in names]
    if unknown:
        raise ValueError(f"timeline: no entry {unknown[0]!r}; there are {', '.join(names)}")
    if kind not in ("all", "model", "data", "idea"):
        raise ValueError(f'timeline: kind must be "all", "model", "data" or "idea", got {kind!r}')
    if not (isinstance(first, int) and 1930 <= first <= 2015):
        raise ValueError(f"timeline: first must be a year from 1930 to 2015, got {first!r}")
    for item in items:
        item["link"] = links.get(item["name"], "")
    shown = [n for n, item in enumerate(items)
             if item["year"] >= first and kind in ("all", item["kind"])]  # fmt: skip
    state = {
        "items": items,
        "kind": kind,
        "first": first,
        "selected": names.index(selected) if selected else next(iter(shown), 0),
    }
    alt = (
        f"A timeline from {first}: ideas in four lanes, and sizes of models and data sets, on a "
        "logarithmic scale, from a handful to hundreds of billions."
    )
    return Figure("timeline", state, alt, _picture(items, first), check=check_state)


def check_state(state: Mapping):
    """Raise ValueError unless every value of the state is good."""
    fields.check(FIELDS, state)


def entries() -> list[dict]:
    """Everything that can stand on the timeline, ordered by year.

    Returns:
        a dict for each entry: kind ("idea", "model" or "data"), year, name, text, source, link (an
        anchor, empty), and size (parameters or examples) or lane (0 to 3).
    """
    from dlcourse.data import tables

    items = []
    for row in tables.load("milestones"):
        items.append(_entry("idea", row, row["topic"], row["people"], lane=LANES[row["wave"]]))
    for row in tables.load("model_growth"):
        if row["parameters"]:
            items.append(_entry("model", row, row["model"], row["authors"], size=row["parameters"]))
    for row in tables.load("data_growth"):
        text = row["kind"].capitalize()
        items.append(_entry("data", row, row["data_set"], text, size=row["examples"]))
    sized = {item["name"] for item in items if "size" in item}
    for item in items:
        if item["kind"] == "idea" and item["name"] in sized:  # AlexNet is an idea and a model
            item["name"] += " (milestone)"
    return sorted(items, key=lambda item: item["year"])


def _entry(kind, row, name, text, **more):
    note = row["note"] or ""
    if any(word in note for word in _ABOUT_LECTURES):
        note = ""
    sentences = [part[0].upper() + part[1:] for part in (text, note) if part]
    text = " ".join(part if part[-1] in ".?!" else part + "." for part in sentences)
    return {"kind": kind, "year": row["year"], "name": name, "text": text,
            "source": row["source"] or "", "link": "", **more}  # fmt: skip


def doubling_months(items: list[Mapping]) -> float | None:
    """Months in which a size doubles: the slope of log2(size) over the years, by least squares.

    Args:
        items: entries with year and size.

    Returns:
        months, or None for fewer than three entries, or where sizes don't grow.
    """
    import numpy as np

    if len(items) < 3:
        return None
    years, sizes = (np.array([item[key] for item in items], float) for key in ("year", "size"))
    slope = np.polyfit(years - years.mean(), np.log2(sizes), 1)[0]
    return float(12 / slope) if slope > 0 else None


def _picture(items, first):
    """Sizes over the years as a small SVG, for pages without JavaScript."""
    width, height, left = 600, 260, 60
    shown = [item for item in items if "size" in item and item["year"] >= first]
    x = lambda year: left + (year - first) / (2026 - first) * (width - left - 12)
    y = lambda size: height - 30 - (height - 50) * math.log10(size) / 12
    parts = []
    for power in range(0, 13, 3):
        label = {0: "1", 3: "thousand", 6: "million", 9: "billion", 12: "trillion"}[power]
        at = y(10**power)
        parts.append(f'<path d="M{left} {at:.0f}H{width}" stroke="currentColor" opacity=".2"/>')
        parts.append(f'<text x="{left - 5}" y="{at + 4:.0f}" text-anchor="end">{label}</text>')
    for year in range(math.ceil(first / 20) * 20, 2026, 20):
        parts.append(f'<text x="{x(year):.0f}" y="{height - 8}" text-anchor="middle">{year}</text>')
    for item in shown:
        color = plot.PALETTE["blue" if item["kind"] == "model" else "orange"]
        at = f'cx="{x(item["year"]):.0f}" cy="{y(item["size"]):.0f}"'
        title = html.escape(f"{item['year']}: {item['name']}")
        parts.append(f'<circle {at} r="4" fill="{color}"><title>{title}</title></circle>')
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" font-size="11" fill="currentColor" '
        f'role="img" aria-label="Sizes of models and data sets by year">{"".join(parts)}</svg>'
    )
