"""Keys and values of prompts that were read before, for the next request that begins alike.

Everybody's brainstorm begins with the same instructions, and a conversation with itself as it was one turn ago: what
two prompts have in common from their first token on has the same keys and values, and need not be computed again.
"""

from __future__ import annotations

from collections import OrderedDict

from bot.language.chat import common_prefix
from bot.language.keyvalues import KeyValues


class PrefixCache:
    """Prefixes with their keys and values; those not used for longest make room when `budget` (bytes) is exceeded."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._kept: OrderedDict[tuple[int, ...], KeyValues] = OrderedDict()  # the one used last comes last
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes of keys and values that are kept."""
        return self._held

    def longest(self, tokens: tuple[int, ...]) -> tuple[int, KeyValues | None]:
        """How many of the first `tokens` are known, and the keys and values that begin with them. Read only."""
        best, found = 0, None
        for kept in self._kept:
            if (length := common_prefix(tokens, kept)) > best:
                best, found = length, kept
        if found is None:
            return 0, None
        self._kept.move_to_end(found)
        return best, self._kept[found]

    def keep(self, tokens: tuple[int, ...], key_values: KeyValues) -> None:
        """Remember a prefix whose keys and values are complete. Nobody may change them from now on."""
        if tokens in self._kept or key_values.bytes > self._budget:
            return
        self._kept[tokens] = key_values
        self._held += key_values.bytes
        while self._held > self._budget:
            _, dropped = self._kept.popitem(last=False)
            self._held -= dropped.bytes

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._held = 0
