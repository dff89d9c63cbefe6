"""Benchmarks, each one command: `python bench/NAME.py`."""
