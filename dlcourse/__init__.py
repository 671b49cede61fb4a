"""The library behind the book: small enough to read, real enough to train with.

Data flows one way through it: ``data -> net -> loss -> backward -> optimizer -> metrics -> plot``.
Importing ``dlcourse`` itself is cheap; its submodules bring NumPy, Matplotlib or PyTorch when they
are used.
"""

__version__ = "0.1.0"
