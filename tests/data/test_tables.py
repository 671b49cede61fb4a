"""Tables of facts: every row has its source, and the numbers fit each other."""

from itertools import pairwise

import numpy as np
import pytest

from dlcourse import data
from dlcourse.data import tables

OF_FACTS = [name for name in tables.names() if "source" in tables.load(name).columns]


@pytest.mark.parametrize("name", tables.names())
def test_tables_can_be_read(name):
    table = tables.load(name)
    assert len(table) >= 2
    assert len({repr(row) for row in table}) == len(table)
    for column, kind in table.types.items():
        values = [row[column] for row in table]
        assert all(value is None or isinstance(value, kind) for value in values)
        assert table[column].shape == (len(table),)
        assert any(value is not None for value in values)
    assert table.about


@pytest.mark.parametrize("name", OF_FACTS)
def test_every_fact_has_a_source_with_a_year_or_a_lecture(name):
    for row in tables.load(name):
        assert row["source"], row
        known = any(c.isdigit() for c in row["source"]) or row["lecture"]
        assert known, row
        lectures = {"EEE511", "Deep Learning 101", "Zell", "Ki", "Yang", ""}
        assert set((row["lecture"] or "").split("; ")) <= lectures


def test_there_are_tables_of_facts():
    assert {"ilsvrc", "brains", "gpus", "model_growth", "data_growth", "milestones"} <= set(
        OF_FACTS
    )


def test_ilsvrc_errors_fall():
    table = tables.load("ilsvrc")
    machines = [row for row in table if row["net"] != "human"]
    years = [row["year"] for row in machines]
    errors = [row["top5_error_percent"] for row in machines]
    assert years == sorted(years)
    assert errors == sorted(errors, reverse=True)
    human = table.where(net="human")["top5_error_percent"][0]
    first_below = next(row["year"] for row in machines if row["top5_error_percent"] < human)
    assert first_below == 2015
    assert table.where(net="AlexNet")[0]["layers"] == 8
    assert np.isnan(table.where(net="XRCE")["layers"]).all()


def test_brains_cortex_is_a_part():
    table = tables.load("brains")
    for row in table.where(part="cortex"):
        for whole in table.where(part="whole", species=row["species"]):
            assert row["neurons"] < whole["neurons"]
    human = table.where(species="human", part="whole")[0]
    assert human["neurons"] == 86_000_000_000
    assert human["synapses_low"] < human["synapses_high"]
    notes = [row for row in table if "Deep Learning 101 says 100 billion" in (row["note"] or "")]
    assert notes == [human]  # where the lectures disagree, the note says so


def test_gpus_teraflops_follow_from_cores_and_clock():
    """Two operations (multiply, add) for each core and tick, at the clock that the note names."""
    for row in tables.load("gpus"):
        if row["teraflops"] is None:
            continue
        clock = row["turbo_mhz"] if "at the turbo clock" in row["note"][:40] else row["base_mhz"]
        assert row["teraflops"] == pytest.approx(2 * row["cores"] * clock / 1e6, abs=0.01)


def test_training_energy_follows_from_power_and_hours():
    for row in tables.load("training_energy"):
        if row["power_watt"] is not None:
            energy = 1.58 * row["power_watt"] * row["hours"] / 1000
            assert row["kwh_pue"] == pytest.approx(energy, rel=0.02)
            assert row["co2_pounds"] == pytest.approx(0.954 * row["kwh_pue"], rel=0.02)
        assert row["cost_low_usd"] < row["cost_high_usd"]


def test_sizes_computed_from_layers():
    models = tables.load("model_growth")
    belief = models.where(model="deep belief network")[0]
    assert belief["parameters"] == 784 * 500 + 500 * 500 + 500 * 2000
    assert belief["neurons"] == 500 + 500 + 2000 + 10
    layers = [29 * 29, 2500, 2000, 1500, 1000, 500, 10]
    deep = models.where(model="GPU-accelerated multilayer perceptron")[0]
    weights = sum((a + 1) * b for a, b in pairwise(layers))
    assert deep["parameters"] == pytest.approx(weights, rel=0.001)
    assert deep["neurons"] == sum(layers[1:])
    assert (np.diff(models["year"]) >= 0).all()


def test_milestones_are_in_order():
    table = tables.load("milestones")
    assert (np.diff(table["year"]) >= 0).all()
    waves = [row for row in table if row["wave"]]
    assert {row["wave"] for row in waves} == {1, 2, 3}
    assert [row["wave"] for row in waves] == sorted(row["wave"] for row in waves)
    for row in table:
        # The year is that of the source, or the note explains the difference.
        assert str(row["year"]) in row["source"] or row["note"], row


def test_karate_club_is_zacharys():
    club = data.karate_club()
    adjacency = club.adjacency()
    assert (len(club), len(club.edges)) == (34, 78)
    np.testing.assert_array_equal(adjacency, adjacency.T)
    assert np.diag(adjacency).sum() == 0
    degrees = adjacency.sum(axis=1).astype(int).tolist()
    # As networkx 3.6 has them.
    assert degrees == [16, 9, 10, 6, 3, 4, 4, 4, 5, 2, 3, 1, 2, 5, 2, 2, 2, 2, 2, 3, 2, 2, 2, 5, 3,
                       3, 2, 4, 3, 4, 4, 6, 12, 17]  # fmt: skip
    assert club.weights.sum() == club.adjacency(weighted=True).sum() / 2 == 231
    assert club.targets.sum() == 17
    assert (club.targets[0], club.targets[33], club.targets[8]) == (0, 1, 0)
    assert club.neighbors(11).tolist() == [0]
    assert club.neighbors(33).tolist() == np.flatnonzero(adjacency[33]).tolist()
    with pytest.raises(ValueError, match="read-only"):
        club.edges[0] = 0


def test_friendships_foretell_the_clubs():
    """The second eigenvector of the Laplacian splits the graph nearly as the club split."""
    adjacency = data.karate_club().adjacency()
    laplacian = np.diag(adjacency.sum(axis=1)) - adjacency
    vector = np.linalg.eigh(laplacian)[1][:, 1]
    agreement = ((vector > 0) == data.karate_club().targets).mean()
    assert max(agreement, 1 - agreement) >= 32 / 34


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", r"line 1: expected columns \['a', 'c'\]"),
        ("", "line 1"),
        ("a,c\n1,x\n2\n", "line 3: expected 2 cells, got 1"),
        ("a,c\n1,x\none,y\n", "line 3: a must be int, got 'one'"),
    ],
)
def test_broken_files_are_refused(tmp_path, text, words):
    path = tmp_path / "facts.csv"
    path.write_text(text)
    with pytest.raises(OSError, match=words):
        tables.read(path, {"a": int, "c": str})


def test_empty_cells_and_quotes(tmp_path):
    path = tmp_path / "facts.csv"
    path.write_text('a,c\n,"x, ""y"""\n2,\n', encoding="utf-8")
    rows = tables.read(path, {"a": int, "c": str})
    assert rows == ({"a": None, "c": 'x, "y"'}, {"a": 2, "c": None})
    table = tables.Table("facts", "", rows, {"a": int, "c": str})
    np.testing.assert_array_equal(table["a"], [np.nan, 2])
    assert table["c"].tolist() == ['x, "y"', ""]
    row = table[0]
    row["a"] = 5
    assert table[0]["a"] is None  # a copy
