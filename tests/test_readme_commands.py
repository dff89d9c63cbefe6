"""The README's table of commands is the one that the code makes."""

from __future__ import annotations

from pathlib import Path

from bot.client import Kindling, cog_modules
from bot.settings import Settings
from bot.ui.commands import commands_table

BEGIN, END = "<!-- commands -->", "<!-- /commands -->"


async def test_the_readme_tells_of_every_command(tmp_path: Path) -> None:
    """To mend it, put what this test expects between the two marks in README.md."""
    bot = Kindling(Settings(_env_file=None, data_dir=tmp_path))  # type: ignore[call-arg]
    for name in cog_modules():
        await bot.load_extension(name)
    expected = commands_table(bot.tree)
    await bot.close()
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert BEGIN in readme, f"README.md lacks {BEGIN} and {END}; between them belongs:\n{expected}"
    assert readme.partition(BEGIN)[2].partition(END)[0].strip() == expected.strip()
