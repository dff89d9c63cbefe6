"""/brainstorm and the board that grows."""

from __future__ import annotations
