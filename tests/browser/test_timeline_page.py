"""The timeline in Chromium: walking along it, and the same growth as in Python."""

import re

import pytest
from playwright.sync_api import expect

from dlcourse import figures
from dlcourse.figures.timeline import doubling_months, entries

pytestmark = pytest.mark.browser

CHOSEN = ".dl-card strong"


def open_timeline(visit_figures, **arguments):
    return visit_figures(figures.timeline(**arguments))


def test_growth_is_pythons(visit_figures):
    page = open_timeline(visit_figures)
    groups = {
        (kind, first): [
            item for item in entries() if item["kind"] == kind and item["year"] >= first
        ]
        for kind in ("model", "data")
        for first in (1940, 1990, 2010)
    }
    for items in groups.values():
        ours = page.evaluate(
            "async (items) =>"
            " (await import('./_static/figures/timeline.mjs')).doublingMonths(items)",
            items,
        )
        expected = doubling_months(items)
        assert ours == (expected and pytest.approx(expected, rel=1e-6))


def test_the_keyboard_walks_through_the_years(visit_figures):
    page = open_timeline(visit_figures)
    pane = page.locator(".dl-pane")
    pane.focus()
    names = []
    for _ in range(6):
        names.append(page.locator(CHOSEN).text_content())
        pane.press("ArrowRight")
    years = [int(name[:4]) for name in names]
    assert years == sorted(years)
    assert len(set(names)) == 6
    for _ in range(6):
        pane.press("ArrowLeft")
    expect(page.locator(CHOSEN)).to_have_text(names[0])
    pane.press("ArrowLeft")  # nothing before the first
    expect(page.locator(CHOSEN)).to_have_text(names[0])
    page.get_by_role("button", name="Later").click()
    expect(page.locator(CHOSEN)).to_have_text(names[1])


def test_a_click_selects_what_is_nearest(visit_figures):
    page = open_timeline(visit_figures)
    for name in ("GPT-3", "Adaline"):
        index = [item["name"] for item in entries()].index(name)
        page.locator(f'.dl-pane [data-index="{index}"]').first.click(force=True)
        expect(page.locator(CHOSEN)).to_contain_text(name)


def test_it_shows_one_kind_from_a_year_on(visit_figures):
    page = open_timeline(visit_figures)
    page.get_by_label("Show").select_option("data")
    data = [item for item in entries() if item["kind"] == "data" and item["year"] >= 1940]
    assert page.locator(".dl-pane [data-index]").count() == len(data)
    slider = page.get_by_role("slider", name="From the year")
    slider.focus()
    for _ in range(12):
        slider.press("ArrowRight")
    later = [item for item in data if item["year"] >= 2000]
    assert page.locator(".dl-pane [data-index]").count() == len(later)
    assert re.search(rf"\b{len(later)} of", page.locator(".dl-says").text_content())


def test_a_link_of_the_page_is_offered_and_no_other(visit_figures):
    page = open_timeline(visit_figures, selected="perceptron", links={"perceptron": "#after"})
    expect(page.get_by_role("link", name="See it run")).to_have_attribute("href", "#after")
    figure = figures.timeline(selected="perceptron", links={"perceptron": "javascript:alert(1)"})
    page = visit_figures(figure)
    expect(page.locator(CHOSEN)).to_contain_text("perceptron")
    assert page.get_by_role("link", name="See it run").count() == 0
