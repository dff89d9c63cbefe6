"""The studio: the verbs that every face calls. One method a verb; each names the space that it happens in.

Faces parse what a person typed or clicked, call one of these and render what comes back. The studio knows no Discord
and no terminal; it knows the engine, the library and the model.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from bot.ideation import prompts
from bot.ideation.brief import read_brief
from bot.ideation.candidates import Recipe, Writer
from bot.ideation.channels import Channels
from bot.ideation.digests import Digests, Rising
from bot.ideation.engine import Engine, Request
from bot.ideation.errors import NoIdeas, NoSparks
from bot.ideation.events import Event
from bot.ideation.ideas import Ideas
from bot.ideation.journal import Entry
from bot.ideation.lexical import content_words
from bot.ideation.library import Library, spaces_for
from bot.ideation.parsing import Malformed, parse_critique, parse_outline
from bot.ideation.persons import Persons
from bot.ideation.rules import Rules
from bot.ideation.shelf import Shelf
from bot.ideation.sources import Sources
from bot.ideation.trending import Trending
from bot.ideation.tuning import Tuning
from bot.ideation.types import Brief, Critique, Idea, Move, Technique
from bot.ideation.walls import Walls
from bot.language.base import Continuation, Message, Sampling, complete
from knowledge.embedder import Embedder
from knowledge.errors import BadInput
from knowledge.fetching import Fetcher
from knowledge.ingest import Event as IngestEvent
from knowledge.ingest import Report, ingest
from knowledge.sources.ledger import EVERY
from knowledge.store import NO_FILTERS, Store
from knowledge.types import Distance, Filters, Hit

T = TypeVar("T")

TRIED = (0.6, 1.0, 0.3)
"""Temperatures of the answers asked of the model, one after the other, before a critique or an outline is given up."""
DRAFTS = 4  # candidates written for one twist, remix or swap
CHAT_SPARKS = 3
FEW_WORDS = 4  # that carry meaning: with fewer, what was said before is looked up too
LONGEST_CRITIQUED = 800  # characters of a message that a critique reads


@dataclass(frozen=True, slots=True)
class Replay:
    """Whether an idea came out the same when it was made again, and what came out."""

    entry: Entry
    same: bool
    title: str
    body: str
    first_step: str
    reason: str


class Studio:
    """Everything that can be asked of Kindling. Raises `KindlingError`s only.

    `rules` are the house rules of servers and their channels; `shelf` is what people put into their space's library,
    `sources` what it has from the web, `channels` the ones whose messages are kept; `walls` know which sources not
    everybody may see; `choices` are duels, and what a space's choices say of its taste; `trends` are what rises and
    fades in a library; `digests` are for channels that ask for them; `tuning` knows who agreed to be learned from;
    `ideas` are those that are there, to be kept and voted on; `persons` tells and forgets what is kept about somebody.
    """

    def __init__(
        self,
        library: Library,
        engine: Engine,
        writer: Writer,
        *,
        rising: Rising | None = None,
        fetcher: Fetcher | None = None,
        every: timedelta = EVERY,
    ) -> None:
        self._library = library
        self._engine = engine
        self._writer = writer
        self.rules = Rules(library)
        self.shelf = Shelf(library)
        self.choices = engine.choices
        self.channels = Channels(library)
        self.walls = Walls(library)
        self.trends = Trending(library)
        self.digests = Digests(library, rising or self.trends.rising)
        self.sources = Sources(library, self.shelf, fetcher or Fetcher(), every)
        self.tuning = Tuning(library)
        self.ideas = Ideas(library)
        self.persons = Persons(library, self.ideas, self.shelf, self.channels, self.choices, self.tuning)

    def brainstorm(
        self,
        space: str,
        text: str,
        *,
        count: int = 5,
        technique: Technique | None = None,
        distance: Distance = Distance.MIXED,
        seed: int | None = None,
        audience: str | None = None,
        tone: str | None = None,
        draw_on: tuple[str, ...] = (),
        banned: tuple[str, ...] = (),
        filters: Filters = NO_FILTERS,
        among: frozenset[int] | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Ideas for a brief, as a stream of events. A `BadInput` is raised at once, before the stream begins.

        `draw_on` are further spaces whose collections may give sparks. No idea that says a `banned` motif is
        shown, and no snippet looked at that `filters` exclude, here and by every other verb; ideas that come from a
        source which the filters exclude are as if they were not there. With `among`, only those snippets spark: see
        `trends.sparks`.
        """
        brief = read_brief(text, audience, tone)
        if not 1 <= count <= 20:
            raise BadInput(f"{count} ideas can't be had in one go: ask for 1 to 20.")
        request = Request(
            space, brief, count, technique, distance, seed, filters=filters, draw_on=draw_on, banned=banned, among=among
        )
        return self._engine.brainstorm(request)

    async def more(
        self,
        space: str,
        session_id: str,
        *,
        count: int = 5,
        distance: Distance = Distance.MIXED,
        draw_on: tuple[str, ...] = (),
        banned: tuple[str, ...] = (),
        filters: Filters = NO_FILTERS,
    ) -> AsyncGenerator[Event, None]:
        """More ideas for a session's brief, from sparks that it has not used yet."""
        journal = self._library.journal
        session = await self._library.run(journal.session, space, session_id)
        used = await self._library.run(journal.sparks_used, space, session_id)
        request = Request(
            space,
            session.brief,
            count,
            distance=distance,
            session=session,
            exclude=used,
            filters=filters,
            draw_on=draw_on,
            banned=banned,
        )
        async with aclosing(self._engine.brainstorm(request)) as events:
            async for event in events:
                yield event

    async def twist(
        self, space: str, idea_id: str, how: str, *, banned: tuple[str, ...] = (), filters: Filters = NO_FILTERS
    ) -> Idea:
        """The idea made wilder, simpler, darker: whatever `how` says. Its sparks stay."""
        if not how.strip() or len(how) > 60:
            raise BadInput("Say in a few words how to twist it: wilder, simpler, for children, no screens.")
        entry = await self._entry(space, idea_id, filters)
        idea = entry.idea
        question = prompts.twist(entry.brief, idea.title, idea.body, how)
        return await self._develop(space, question, (idea,), banned, Move.TWIST, how)

    async def remix(
        self, space: str, first_id: str, second_id: str, *, banned: tuple[str, ...] = (), filters: Filters = NO_FILTERS
    ) -> Idea:
        """One new idea that blends two, with the sparks of both."""
        if first_id == second_id:
            raise BadInput("A remix needs two different ideas.")
        first, second = [await self._entry(space, one, filters) for one in (first_id, second_id)]
        ideas = (first.idea, second.idea)
        question = prompts.remix(first.brief, *((idea.title, idea.body) for idea in ideas))
        return await self._develop(space, question, ideas, banned, Move.REMIX)

    async def swap(
        self,
        space: str,
        idea_id: str,
        *,
        draw_on: tuple[str, ...] = (),
        banned: tuple[str, ...] = (),
        filters: Filters = NO_FILTERS,
    ) -> Idea:
        """The idea made anew from another spark: same brief, same technique, a spark that its session has not used."""
        entry = await self._entry(space, idea_id, filters)
        library, idea = self._library, entry.idea
        session = await library.run(library.journal.session, space, idea.session_id)
        used = await library.run(library.journal.sparks_used, space, idea.session_id)
        draw = random.SystemRandom()
        sparks = await library.run(
            library.retriever.sparks,
            entry.brief.text,
            spaces_for(space, draw_on),
            DRAFTS,
            distance=Distance.MIXED,
            seed=draw.getrandbits(31),
            filters=filters,
            exclude=used,
        )
        if not sparks:
            raise NoSparks("The library has no other spark for this brief: add something to it, then try again.")
        recipes = [
            Recipe(
                prompts.brainstorm(entry.brief, [spark.snippet.text], idea.technique, self._writer.style),
                (spark,),
                idea.technique,
                draw.getrandbits(31),
                parents=(idea.id,),
            )
            for spark in sparks
        ]
        return await self._engine.develop(session, recipes, banned)

    async def critique(self, space: str, idea_id: str) -> Critique:
        """What holds an idea up, what could sink it, and a question back."""
        entry = await self._entry(space, idea_id)
        question = prompts.critique(entry.brief, entry.idea.title, entry.idea.body)
        return await self._asked(question, prompts.CRITIQUE_FORM, prompts.CRITIQUE_BEGINS, parse_critique)

    async def critique_text(self, text: str, audience: str | None = None) -> Critique:
        """As `critique`, of an idea that a person wrote down in their own words. Raises `BadInput` without any."""
        idea = read_brief(text[:LONGEST_CRITIQUED]).text
        brief = Brief("an idea that somebody on the team wrote down", audience)
        question = prompts.critique(brief, " ".join(idea.split()[:6]), idea)
        return await self._asked(question, prompts.CRITIQUE_FORM, prompts.CRITIQUE_BEGINS, parse_critique)

    async def expand(self, space: str, idea_id: str) -> tuple[str, ...]:
        """Five steps, scenes or sections in order."""
        entry = await self._entry(space, idea_id)
        question = prompts.expand(entry.brief, entry.idea.title, entry.idea.body)
        return await self._asked(question, prompts.OUTLINE_FORM, prompts.OUTLINE_BEGINS, parse_outline)

    async def inspire(
        self,
        space: str,
        topic: str,
        *,
        count: int = 5,
        distance: Distance = Distance.MIXED,
        seed: int | None = None,
        filters: Filters = NO_FILTERS,
    ) -> list[Hit]:
        """Sparks only, without a model. Without a topic, a handful from anywhere in the library."""
        brief = read_brief(topic or "something new")
        drawn = secrets.randbelow(2**31) if seed is None else seed
        spread = distance if topic else Distance.FAR
        retriever = self._library.retriever
        return await self._library.run(retriever.sparks, brief.text, spaces_for(space), count, spread, drawn, filters)

    async def search(self, space: str, query: str, *, count: int = 10, filters: Filters = NO_FILTERS) -> list[Hit]:
        """The snippets nearest to a query."""
        brief = read_brief(query)
        return await self._library.run(self._library.retriever.search, brief.text, spaces_for(space), count, filters)

    async def chat(
        self,
        space: str,
        history: Sequence[Message],
        *,
        audience: str | None = None,
        tone: str | None = None,
        filters: Filters = NO_FILTERS,
    ) -> AsyncGenerator[tuple[Hit, ...] | str, None]:
        """A reply to the last turn: first its sparks (numbered from 1 in the reply), then pieces of text.

        The model is asked after the sparks were taken. What is said in a few words only ("the second one") is looked up
        together with what the person said before.
        """
        brief = read_brief(history[-1].text[-1000:], audience, tone)
        before = [turn.text for turn in history[:-1] if turn.role == "user"][-1:]
        looked_up = [*before, brief.text] if len(content_words(brief.text)) < FEW_WORDS else [brief.text]
        writer = self._writer
        library = self._library
        query = " ".join(looked_up)[-1000:]
        sparks = await library.run(library.retriever.search, query, spaces_for(space), CHAT_SPARKS, filters)
        yield tuple(sparks)
        said = [*history[-6:-1], Message("user", brief.line)]
        turns = prompts.chat(said, [hit.snippet.text for hit in sparks])
        shared = [prompts.system(writer.style, prompts.CHAT_FORM), *turns[:-1]]
        sampling = Sampling(
            temperature=0.7, max_tokens=160, seed=secrets.randbelow(2**31), stop=("\nMessage:", "\nUser:")
        )
        async with aclosing(writer.model.stream(shared, [Continuation((turns[-1],), sampling)])) as pieces:
            async for piece in pieces:
                if piece.text:
                    yield piece.text

    async def why(self, space: str, idea_id: str) -> Entry:
        """An idea with its brief, its sparks and how it was made."""
        return await self._entry(space, idea_id)

    async def provenance(self, space: str, idea_id: str) -> Replay:
        """Make a brainstormed idea again from its record, and say whether it came out the same."""
        entry = await self._entry(space, idea_id)
        idea, made = entry.idea, entry.idea.provenance
        question = await self._question_of(space, entry)
        writer = self._writer
        if prompts.fingerprint([*writer.shared(), question]) != made.prompt_hash:
            reason = "the prompt is no longer the same: a spark was deleted or Kindling has changed"
            return Replay(entry, False, "", "", "", reason)
        if writer.model.name != made.model:
            return Replay(entry, False, "", "", "", f"it was made by {made.model}; this is {writer.model.name}")
        recipe = Recipe(question, idea.sparks, idea.technique, made.seed)
        try:
            words = await self._engine.replay(recipe, made.temperature)
        except Malformed as error:
            return Replay(entry, False, "", "", "", f"it came out malformed: {error}")
        same = (words.title, words.body, words.first_step) == (idea.title, idea.body, idea.first_step)
        reason = "word for word the same" if same else "other words from the same record"
        return Replay(entry, same, words.title, words.body, words.first_step, reason)

    async def ingest(
        self, space: str, paths: Sequence[Path], progress: Callable[[IngestEvent], None] | None = None
    ) -> Report:
        """Read files and folders into the space's own collection. `progress` is called on a thread of the intake."""
        library = self._library
        collection = await library.run(library.store.collection, space, "own")

        def read(store: Store, embedder: Embedder) -> Report:
            return ingest(store, embedder, collection, paths, progress)

        report = await library.take_in(read)
        await library.run(library.indexes.of, collection)  # caught up now, not in the next person's search
        return report

    async def _entry(self, space: str, idea_id: str, filters: Filters = NO_FILTERS) -> Entry:
        return await self._library.run(self._library.journal.idea, space, idea_id, filters.without_sources)

    async def _develop(
        self,
        space: str,
        question: Message,
        parents: tuple[Idea, ...],
        banned: tuple[str, ...],
        move: Move,
        how: str | None = None,
    ) -> Idea:
        session = await self._library.run(self._library.journal.session, space, parents[0].session_id)
        sparks = tuple({hit.snippet.id: hit for parent in parents for hit in parent.sparks}.values())
        draw = random.SystemRandom()
        recipes = [
            Recipe(
                question,
                sparks,
                parents[0].technique,
                draw.getrandbits(31),
                move,
                tuple(parent.id for parent in parents),
                how,
            )
            for _ in range(DRAFTS)
        ]
        return await self._engine.develop(session, recipes, banned)

    async def _asked(self, question: Message, form: str, begins: str, parse: Callable[[str], T]) -> T:
        writer = self._writer
        draw = random.SystemRandom()
        begun = [Message("assistant", begins)] if writer.style is prompts.Style.BARE else []
        for temperature in TRIED:
            sampling = Sampling(temperature=temperature, max_tokens=150, seed=draw.getrandbits(31))
            text = await complete(writer.model, [*writer.shared(form), question, *begun], sampling)
            try:
                return parse(begins + text if begun and not text.lstrip().startswith(begins) else text)
            except Malformed:
                continue
        raise NoIdeas("The model found nothing to say to that. Try again, or use a larger model (see README).")

    async def _question_of(self, space: str, entry: Entry) -> Message:
        idea = entry.idea
        if idea.move is Move.BRAINSTORM:
            sparks = [hit.snippet.text for hit in idea.sparks]
            return prompts.brainstorm(entry.brief, sparks, idea.technique, self._writer.style)
        parents = [(await self._entry(space, parent)).idea for parent in idea.parents]
        if idea.move is Move.TWIST:
            return prompts.twist(entry.brief, parents[0].title, parents[0].body, idea.how or "")
        return prompts.remix(entry.brief, *((parent.title, parent.body) for parent in parents[:2]))
