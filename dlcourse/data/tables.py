"""Facts as tables: who won ImageNet, how many neurons a brain has, how models and data grew.

Each table is a CSV file beside this module, and each row of a table of facts names its source: the
paper it was checked against, the lecture that quotes it, and, where they disagree, what each says.
Nothing more than the standard library is needed to read one; pandas will, too.
"""

import csv
import difflib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_FOLDER = Path(__file__).parent / "tables"
_SOURCES = {"lecture": str, "source": str, "note": str}

# name: (what it is, {column: type}). Empty cells are None in rows; in columns NaN or "".
_TABLES = {
    "ilsvrc": (
        "Top-5 error of the winners of the ImageNet challenge, of two more that are as famous, and "
        "of a human; parameters in millions.",
        {"year": int, "net": str, "winner": int, "top5_error_percent": float, "layers": int,
         "parameters_millions": float, **_SOURCES},
    ),
    "networks": (
        "Famous networks for pictures: error, size, and multiplications with addition for one "
        "picture (macs).",
        {"net": str, "year": int, "data_set": str, "error_percent": float,
         "human_error_percent": float, "image_size": int, "layers": int, "weights": int,
         "macs": int, **_SOURCES},
    ),
    "mnist_errors": (
        "Test errors on MNIST as published over the years.",
        {"classifier": str, "family": str, "test_error_percent": float, "year": int, **_SOURCES},
    ),
    "brains": (
        "Neurons and synapses of animals, in the whole brain or nervous system or in the cortex "
        "alone; synapses from a low to a high estimate.",
        {"species": str, "part": str, "neurons": int, "synapses_low": float,
         "synapses_high": float, **_SOURCES},
    ),
    "gpus": (
        "Graphics processors on which deep learning ran in 2017.",
        {"gpu": str, "chip": str, "year": int, "process_nm": int, "transistors_billion": float,
         "cores": int, "texture_units": int, "raster_units": int, "base_mhz": int,
         "turbo_mhz": int, "teraflops": float, "memory_gib": int, "memory_mhz": int,
         "bus_bits": int, "bandwidth_gb_s": int, "power_watt": int, "price_euro": int, **_SOURCES},
    ),
    "compute_growth": (
        "Data, memory and operations per second, ten years apart.",
        {"decade": int, "data_set": str, "data_set_size": float, "memory_bytes": float,
         "flops": float, "machine": str, **_SOURCES},
    ),
    "model_growth": (
        "Networks from the perceptron to GPT-3, with neurons and parameters where known.",
        {"year": int, "model": str, "authors": str, "neurons": int, "parameters": int, **_SOURCES},
    ),
    "data_growth": (
        "Data sets from Iris to Open Images: examples and classes.",
        {"year": int, "data_set": str, "kind": str, "examples": int, "classes": int, **_SOURCES},
    ),
    "milestones": (
        "Ideas and systems since 1943, with the wave of neural networks they belong to (1, 2, 3, "
        "or none).",
        {"year": int, "wave": int, "people": str, "topic": str, **_SOURCES},
    ),
    "training_energy": (
        "Energy, carbon dioxide (pounds) and cloud cost of training language models; PUE is what "
        "the data center adds.",
        {"model": str, "hardware": str, "power_watt": float, "hours": float, "kwh_pue": float,
         "co2_pounds": float, "cost_low_usd": float, "cost_high_usd": float, **_SOURCES},
    ),
    "sunspots": (
        "Yearly mean sunspot numbers, 1700 to 2008 (version 1): NOAA National Geophysical Data "
        "Center, public domain, as carried by statsmodels.",
        {"year": int, "number": float},
    ),
    "karate_edges": (
        "Friendships in Zachary's karate club (1977), members numbered from 1, and in how many "
        "settings outside the club the two met.",
        {"first": int, "second": int, "contexts": int},
    ),
    "karate_members": (
        "The members of Zachary's karate club (1977) and the club each joined after the split.",
        {"member": int, "club": str},
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Table:
    """Rows and columns. ``table["year"]`` is a column, ``table[0]`` a row, a dict.

    Args:
        name: of the table.
        about: what it holds.
        rows: tuple of dicts, one value for each column; None where the cell is empty.
        types: {column: int, float or str}.
    """

    name: str
    about: str
    rows: tuple
    types: dict = field(repr=False)

    @property
    def columns(self):
        """Names of the columns, in order."""
        return tuple(self.types)

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        return iter(self.rows)

    def __getitem__(self, key):
        """A row at an integer, a copy; a column (N,) at a name.

        A column of integers with empty cells is float64, with NaN for those; in text they are "".

        Raises:
            KeyError: if there is no such column.
        """
        if isinstance(key, (int, np.integer)):
            return dict(self.rows[key])
        if key not in self.types:
            raise KeyError(
                f"{self.name} has no column {key!r}; there are {', '.join(self.columns)}"
            )
        values = [row[key] for row in self.rows]
        if self.types[key] is str:
            return np.array([value or "" for value in values])
        if None in values or self.types[key] is float:
            return np.array([np.nan if value is None else value for value in values], np.float64)
        return np.array(values, np.int64)

    def where(self, **values):
        """The rows in which every named column has the given value, as a table.

        Raises:
            KeyError: if there is no such column.
        """
        for column in values:
            self[column]
        fits = lambda row: all(row[column] == value for column, value in values.items())
        return Table(self.name, self.about, tuple(filter(fits, self.rows)), self.types)

    def __repr__(self):
        return f"Table({self.name}: {len(self)} rows, columns {', '.join(self.columns)})"


def names():
    """Names of all tables."""
    return tuple(_TABLES)


def load(name):
    """A table of facts by its name; `names` lists them.

    Args:
        name: such as "ilsvrc", "brains" or "milestones".

    Returns:
        `Table`.

    Raises:
        ValueError: if there is no such table.
        OSError: if its file is missing or broken; the message names file and line.
    """
    if name not in _TABLES:
        near = difflib.get_close_matches(str(name), _TABLES, 3, 0.5)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise ValueError(f"tables.load: no table {name!r}; {hint}There are {', '.join(_TABLES)}")
    about, types = _TABLES[name]
    return Table(name, about, read(_FOLDER / f"{name}.csv", types), types)


def read(path, types):
    """Rows of a CSV file whose first line names the columns.

    Args:
        path: of the file, in UTF-8.
        types: {column: int, float or str}, in the order of the file.

    Returns:
        tuple of dicts; None where a cell is empty.

    Raises:
        OSError: if the file is missing, has other columns, or a cell is not of its type.
    """
    with open(path, encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        header = next(lines, [])
        if header != list(types):
            raise OSError(f"{path}, line 1: expected columns {list(types)}, got {header}")
        rows = []
        for cells in lines:
            if len(cells) != len(header):
                raise OSError(
                    f"{path}, line {lines.line_num}: expected {len(header)} cells, got {len(cells)}"
                )
            row = {}
            for (column, kind), cell in zip(types.items(), cells, strict=True):
                try:
                    row[column] = kind(cell) if cell else None
                except ValueError:
                    raise OSError(
                        f"{path}, line {lines.line_num}: {column} must be {kind.__name__}, "
                        f"got {cell!r}"
                    ) from None
            rows.append(row)
    return tuple(rows)
