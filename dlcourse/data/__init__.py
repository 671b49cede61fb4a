"""Data sets that come with the library, ready to train on without a network."""

from .dataset import Dataset
from .embedded import digits

__all__ = ["Dataset", "digits"]
