"""`python -m bot` and the console script `kindling`."""

from __future__ import annotations

import os


def main() -> None:
    """Run the command line."""
    # Threads that wait for each other by spinning take the cores from whoever else needs them. OpenMP reads
    # this when torch is first imported, so it is set before anything else.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from bot.cli import app

    app()


if __name__ == "__main__":
    main()
