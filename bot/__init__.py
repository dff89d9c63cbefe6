"""Kindling, the ideation partner, and its faces: a Discord bot and a terminal studio. Importing it loads no torch."""
