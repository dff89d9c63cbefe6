"""`python -m bot` and the console script `kindling`."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress

from knowledge.crew import wait_briefly


def main() -> None:
    """Run the command line."""
    wait_briefly()  # read when torch is first imported, so it is set before anything else
    from bot.cli import app

    try:
        app()
    except SystemExit as ending:
        # Everything is closed and written by now. Taking torch apart would cost another half a second for nothing.
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(ending.code if isinstance(ending.code, int) else int(bool(ending.code)))


if __name__ == "__main__":
    main()
