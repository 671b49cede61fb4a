"""The examples in the docstrings of the classic nets are what readers try first: they must hold."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

from dlcourse import classic

MODULES = [module.name for module in pkgutil.iter_modules(classic.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name):
    module = importlib.import_module(f"dlcourse.classic.{name}")
    found = doctest.testmod(module, extraglobs={"np": np})
    assert found.failed == 0
    assert found.attempted > 0 or name == "inputs"


def test_everything_public_has_an_example():
    bare = [name for name in classic.__all__ if ">>>" not in (getattr(classic, name).__doc__ or "")]
    assert bare == []
