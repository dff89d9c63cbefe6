"""The edge of the command line: opens services for a command, and turns a refusal into one line and an exit code.

Nothing heavy is imported until it is needed.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import typer

from knowledge.errors import KindlingError, sentence

if TYPE_CHECKING:
    from rich.console import Console

    from bot.services import Services
    from bot.settings import Settings


def with_services(
    work: Callable[[Services, Console], Awaitable[None]], *, quiet: bool = False, warm: bool = False
) -> None:
    """Open the services, do the work, and turn what goes wrong into one line and an exit code.

    `quiet` shows no progress, `warm` loads the language model while the library opens.
    """
    with told():
        settings = settings_of_here()
        console = console_of_here()

        async def inside() -> None:
            from bot.services import open_services, silent
            from bot.terminal import watched

            with nullcontext(silent) if quiet else watched() as progress:
                async with open_services(settings, progress=progress, warm=warm) as services:
                    await work(services, console)

        asyncio.run(inside())


@contextmanager
def told() -> Iterator[None]:
    """The edge: a refusal becomes one line on standard error."""
    try:
        yield
    except KindlingError as error:
        typer.secho(sentence(error), fg=typer.colors.RED, err=True)
        raise typer.Exit(1) from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        typer.secho("Stopped.", err=True)
        raise typer.Exit(130) from None
    except BrokenPipeError:  # the reader of a pipe has had enough
        sys.stderr.close()
        raise typer.Exit(0) from None


def settings_of_here() -> Settings:
    """The settings of this folder and environment, with logging set up as they say."""
    from bot.settings import read_settings

    settings = read_settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return settings


def console_of_here() -> Console:
    """Standard output, as wide as the screen; in a pipe as wide as each line."""
    from rich.console import Console

    # Where nobody looks at a screen, lines are as long as they are: whoever reads a pipe wraps for themselves.
    return Console(highlight=False, width=None if sys.stdout.isatty() else 100_000)
