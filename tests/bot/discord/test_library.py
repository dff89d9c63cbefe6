"""The library of a server: files, saved messages, rights, and deletion that deletes."""

from __future__ import annotations

import pytest

from tests.bot.discord.conftest import Stage
from tests.discord_server import Person, Upload
from tests.discord_server.fixtures import eventually

NOTES = Upload("Tide notes.md", b"# Tides\n\nThe zanzibar clock shows the tide and not the hour.\n", "text/markdown")
QUERY = "a zanzibar clock of the tide"


@pytest.fixture
def mod(stage: Stage) -> Person:
    return stage.server.member("mod", stage.home, permissions=["manage_messages"])


async def found(stage: Stage, words: str = QUERY) -> list[str]:
    hits = await stage.services.studio.search(f"guild:{stage.home.id}", words, count=8)
    return [hit.snippet.text for hit in hits]


class TestFiles:
    async def test_a_file_is_added_reported_found_listed_and_removed(self, stage: Stage, mod: Person) -> None:
        await mod.slash(stage.general, "library add", file=NOTES)
        report = await mod.sees(stage.general, "1 snippet added")
        assert "Tide notes.md" in report.text
        await mod.slash(stage.general, "library search", words=QUERY)
        await mod.sees(stage.general, "The zanzibar clock shows the tide")
        await mod.slash(stage.general, "library list")
        assert "1 snippets of your own" in (await mod.sees(stage.general, "## Library")).text
        offered = (await mod.autocomplete(stage.general, "library remove", "source", "tide")).choices
        assert [one.name for one in offered] == ["Tide notes.md · 1 snippets"]
        await mod.slash(stage.general, "library remove", source=offered[0].value)
        question = await mod.sees(stage.general, "can't be undone")
        assert question.ephemeral and await found(stage)
        await mod.clicks(question, "Remove it")
        await mod.sees(stage.general, "Removed Tide notes.md with 1 snippets")
        assert not any("zanzibar" in text for text in await found(stage))
        assert not (stage.data_dir / "incoming").exists() or not list((stage.data_dir / "incoming").iterdir())

    async def test_the_same_file_again_updates_what_it_brought(self, stage: Stage, mod: Person) -> None:
        await mod.slash(stage.general, "library add", file=NOTES)
        await mod.sees(stage.general, "1 snippet added")
        await mod.slash(stage.general, "library add", file=Upload(NOTES.name, b"# Tides\n\nThe zanzibar bell rings.\n"))
        await mod.sees(stage.general, "1 no longer in the file were removed")
        assert [text for text in await found(stage) if "zanzibar" in text] == ["The zanzibar bell rings."]

    @pytest.mark.parametrize(
        ("options", "line"),
        [
            ({"file": Upload("film.mp4", b"\0")}, "I don't read film.mp4"),
            ({"file": Upload("big.txt", b"word " * 2_000_000)}, "8 MB is the most"),
            ({"address": "ftp://example.org"}, "neither http:// nor https://"),
            ({"address": "http://169.254.169.254/latest/meta-data"}, "leads into a private network"),
            ({"address": "http://localhost:8080/"}, "leads into a private network"),
            ({}, "one of the two"),
        ],
    )
    async def test_what_cannot_be_added_is_said(
        self, stage: Stage, mod: Person, options: dict[str, object], line: str
    ) -> None:
        await mod.slash(stage.general, "library add", **options)
        assert (await mod.sees(stage.general, line)).ephemeral

    async def test_what_cannot_be_read_of_a_file_is_in_the_report(self, stage: Stage, mod: Person) -> None:
        await mod.slash(stage.general, "library add", file=Upload("empty.txt", b" \n"))
        await mod.sees(stage.general, "not read: empty.txt")
        await mod.slash(stage.general, "library add", file=Upload(".@everyone (*b*).txt", b"A zanzibar whistle.\n"))
        report = await mod.sees(stage.general, "1 snippet added")
        assert not report.pings and "**_everyone (_b_).txt**" in report.text.replace("\\", "")
        await mod.slash(stage.general, "library add", file=Upload("lost/in the/cloud.txt", b"A zanzibar whistle.\n"))
        await mod.sees(stage.general, "attach it again")

    async def test_in_direct_messages_the_library_is_ones_own(self, stage: Stage) -> None:
        await stage.alice.slash(stage.alice.dm, "library add", file=NOTES)
        await stage.alice.sees(stage.alice.dm, "1 snippet added")
        assert not any("zanzibar" in text for text in await found(stage))
        await stage.alice.slash(stage.alice.dm, "library search", words=QUERY)
        await stage.alice.sees(stage.alice.dm, "The zanzibar clock")


class TestRights:
    async def test_by_default_only_moderators_add_and_remove(self, stage: Stage, mod: Person) -> None:
        await mod.slash(stage.general, "library add", file=NOTES)
        await mod.sees(stage.general, "1 snippet added")
        await stage.alice.slash(stage.general, "library add", file=NOTES)
        assert (await stage.alice.sees(stage.general, "manage messages here")).ephemeral
        await stage.alice.slash(stage.general, "library remove", source="Tide notes.md")
        await stage.alice.sees(stage.general, "manage messages here")
        said = await stage.bob.says(stage.general, "A zanzibar lamp.")
        await stage.alice.uses_menu("Save as inspiration", said)
        await stage.alice.sees(stage.general, "manage messages here")
        assert [text for text in await found(stage) if "zanzibar" in text] == [
            "The zanzibar clock shows the tide and not the hour."
        ]

    async def test_a_server_opens_its_library_to_a_role_or_to_everyone(self, stage: Stage) -> None:
        owner = stage.server.member("boss", stage.home, permissions=["manage_guild"])
        role = stage.server.role("librarian", stage.home)
        await owner.slash(stage.general, "settings library", role=role)
        await owner.sees(stage.general, f"<@&{role.id}>")
        await stage.alice.slash(stage.general, "library add", file=NOTES)
        await stage.alice.sees(stage.general, "for the role librarian")
        stage.server.give_role(stage.home.members[stage.bob.user.id], role)
        await stage.bob.slash(stage.general, "library add", file=NOTES)
        await stage.bob.sees(stage.general, "1 snippet added")
        await owner.slash(stage.general, "settings library", role=stage.home.everyone)
        await owner.sees(stage.general, "**Library:** everyone")
        await stage.alice.slash(stage.general, "library add", file=Upload("b.txt", b"A zanzibar kettle sings.\n"))
        await stage.alice.sees(stage.general, "b.txt")

    async def test_a_right_that_was_taken_meanwhile_does_not_remove(self, stage: Stage, mod: Person) -> None:
        await mod.slash(stage.general, "library add", file=NOTES)
        await mod.sees(stage.general, "1 snippet added")
        await mod.slash(stage.general, "library remove", source="Tide notes.md")
        question = await mod.sees(stage.general, "can't be undone")
        member = stage.home.members[mod.user.id]
        stage.server.take_role(member, member.roles[0])
        await stage.restart()
        await mod.clicks(question, "Remove it")
        await mod.sees(stage.general, "manage messages here")
        assert any("zanzibar" in text for text in await found(stage))


class TestMessages:
    async def test_a_message_becomes_a_snippet_with_author_date_and_link(self, stage: Stage, mod: Person) -> None:
        said = await stage.bob.says(
            stage.general, f"{stage.alice.mention} In zanzibar the tide clock is wound by hand."
        )
        await mod.uses_menu("Save as inspiration", said)
        assert (await mod.sees(stage.general, "Saved: ")).ephemeral
        hit = (await stage.services.studio.search(f"guild:{stage.home.id}", QUERY, count=1))[0].snippet
        assert hit.author == "Bob" and hit.date and len(hit.date) == 10
        assert hit.address == f"https://discord.com/channels/{stage.home.id}/{stage.general.id}/{said.id}"
        assert "<@" not in hit.text
        await mod.uses_menu("Save as inspiration", said)
        await mod.sees(stage.general, "in the library already")

    async def test_what_bots_say_and_what_has_no_words_is_refused(self, stage: Stage, mod: Person) -> None:
        robot = stage.server.member("robot", stage.home, bot=True)
        await mod.uses_menu("Save as inspiration", await robot.says(stage.general, "A zanzibar toaster."))
        await mod.sees(stage.general, "written by a bot")
        await mod.uses_menu("Save as inspiration", await stage.bob.says(stage.general, attachments=[NOTES]))
        await mod.sees(stage.general, "no words")
        assert not any("zanzibar" in text for text in await found(stage))

    async def test_deleting_a_message_deletes_its_snippet_and_so_does_deleting_its_channel(
        self, stage: Stage, mod: Person
    ) -> None:
        side = stage.server.channel("side", stage.home)
        first = await stage.bob.says(stage.general, "A zanzibar lamp is lent out.")
        second = await stage.bob.says(side, "A zanzibar bench folds.")
        for message in (first, second):
            await mod.uses_menu("Save as inspiration", message)
            await mod.sees(message.channel, "Saved: ")
        assert len([text for text in await found(stage, "zanzibar") if "zanzibar" in text]) == 2
        await stage.bob.deletes(first)
        shelf, space = stage.services.studio.shelf, f"guild:{stage.home.id}"

        async def left(count: int) -> None:
            for _ in range(200):
                if len(await shelf.sources(space)) == count:
                    return
                await eventually(lambda: True)
            raise AssertionError(await shelf.sources(space))

        await left(1)
        stage.server.delete_channel(side)
        await left(0)
        assert not any("zanzibar" in text for text in await found(stage, "zanzibar"))
