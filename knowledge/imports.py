"""Taking turns to import: transformers and what builds on it import each other in circles.

Two threads that import such libraries for the first time at once could each wait for a module that the other has half
read; Python then lets one of them go on with the half. Whoever imports one on a thread of its own holds TURN meanwhile.
"""

from __future__ import annotations

from threading import Lock

TURN = Lock()
