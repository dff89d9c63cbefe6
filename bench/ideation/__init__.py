"""The parts of bench/ideas.py: what is measured, against what, with which models."""
