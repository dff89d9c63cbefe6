"""The rule for answers that a whole channel reads, by its definition: everybody who sees the one sees the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain, combinations
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.cogs.sight import sees_all_of

PEOPLE = (101, 102)
views = st.sampled_from([None, True, False])


@dataclass(frozen=True)
class Role:
    id: int
    view: bool

    @property
    def permissions(self) -> Any:
        return SimpleNamespace(view_channel=self.view, administrator=False)

    def is_default(self) -> bool:
        return self.id == 0


@dataclass(eq=False)
class Channel:
    guild: Any
    views: dict[int, bool | None] = field(default_factory=dict)

    def overwrites_for(self, role: Role) -> Any:
        return SimpleNamespace(view_channel=self.views.get(role.id))

    @property
    def overwrites(self) -> dict[Any, Any]:
        return {SimpleId(one): SimpleNamespace(view_channel=view) for one, view in self.views.items()}

    def seen_by(self, roles: tuple[Role, ...], person: int) -> bool:
        """As Discord's reference computes it, "Permissions", section "Permission Overwrites"."""
        sees = self.guild.default_role.view or any(role.view for role in roles)
        if (said := self.views.get(0)) is not None:
            sees = said
        said_of = [self.views.get(role.id) for role in roles]
        sees = (sees and False not in said_of) or True in said_of
        return sees if (own := self.views.get(person)) is None else own


@dataclass(frozen=True)
class SimpleId:
    id: int


@st.composite
def two_channels(draw: st.DrawFn, people: bool) -> tuple[Channel, Channel]:
    roles = [Role(number, draw(st.booleans())) for number in range(draw(st.integers(1, 5)))]
    guild = SimpleNamespace(roles=roles, default_role=roles[0])
    ids = [role.id for role in roles] + list(PEOPLE if people else ())
    first, second = ({one: draw(views) for one in ids} for _ in range(2))
    return Channel(guild, first), Channel(guild, second)


def subset_holds(place: Channel, source: Channel) -> bool:
    roles = place.guild.roles[1:]
    sets = chain.from_iterable(combinations(roles, size) for size in range(len(roles) + 1))
    return all(
        source.seen_by(chosen, person) or not place.seen_by(chosen, person)
        for chosen in sets
        for person in (*PEOPLE, 100)
    )


@settings(max_examples=150, deadline=None)
@given(two_channels(people=False))
def test_for_roles_it_is_exact(channels: tuple[Any, Any]) -> None:
    assert sees_all_of(*channels) == subset_holds(*channels)


@settings(max_examples=150, deadline=None)
@given(two_channels(people=True))
def test_with_rights_of_single_people_it_never_shows_too_much(channels: tuple[Any, Any]) -> None:
    assert not sees_all_of(*channels) or subset_holds(*channels)
