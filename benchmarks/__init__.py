"""Measurements, recorded rather than asserted: run one with ``python -m benchmarks.NAME``."""
