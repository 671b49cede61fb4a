"""The timeline holds what the tables hold, and its growth is that of a straight line."""

import json

import numpy as np
import pytest

from dlcourse.data import tables
from dlcourse.figures import timeline
from dlcourse.figures.timeline import doubling_months, entries


def test_every_row_of_the_tables_with_a_size_or_a_wave_is_an_entry():
    items = entries()
    count = lambda kind: sum(item["kind"] == kind for item in items)
    assert count("idea") == len(tables.load("milestones"))
    assert count("model") == np.isfinite(tables.load("model_growth")["parameters"]).sum()
    assert count("data") == len(tables.load("data_growth"))
    assert [item["year"] for item in items] == sorted(item["year"] for item in items)
    assert all(item["source"] and item["text"] for item in items)
    perceptron = next(item for item in items if item["name"] == "perceptron")
    assert (perceptron["year"], perceptron["lane"]) == (1957, 0)
    (gpt,) = (item for item in items if item["name"] == "GPT-3")
    assert gpt["size"] == 175e9


def test_names_are_told_apart():
    names = [item["name"] for item in entries()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("months", [6.0, 24.0, 130.0])
def test_doubling_of_an_exact_exponential(months):
    years = [1950, 1961, 1990, 2020]
    items = [{"year": year, "size": 2 ** ((year - 1950) * 12 / months)} for year in years]
    assert doubling_months(items) == pytest.approx(months, rel=1e-9)


def test_no_doubling_without_growth_or_data():
    assert doubling_months([{"year": 1950, "size": 1}, {"year": 1960, "size": 2}]) is None
    shrinking = [{"year": 1950 + n, "size": 100 - n} for n in range(5)]
    assert doubling_months(shrinking) is None


def test_what_it_opens_with():
    figure = timeline("LeNet-5", first=1980, kind="model", links={"LeNet-5": "#lenet"})
    chosen = figure.state["items"][figure.selected]
    assert (chosen["name"], chosen["link"]) == ("LeNet-5", "#lenet")
    assert (figure.first, figure.kind) == (1980, "model")
    assert json.dumps(figure.state)
    assert "LeNet-5" in figure.to_html()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"selected": "perceptrom"}, "no entry 'perceptrom'"),
        ({"links": {"nothing": "#x"}}, "no entry 'nothing'"),
        ({"kind": "ideas"}, "kind must be"),
        ({"first": 1900}, "1930 to 2015"),
        ({"first": 1950.5}, "1930 to 2015"),
    ],
)
def test_a_wrong_argument_is_explained(arguments, says):
    with pytest.raises(ValueError, match=says):
        timeline(**arguments)
