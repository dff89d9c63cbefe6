"""Themes: snippets that lie together, and the words that tell them from all others. It knows no dates.

A theme is a snippet with those nearest to it, as many as one asks for: neighbourhoods overlap and come in every size,
so whatever there is to be found lies well within one of them, and no number of clusters has to be guessed. Near is half
the cosine of the vectors and half that of the words they use (tf-idf). The words are needed: an embedder reads "In
2019" too, so by vectors alone snippets of the same years lie together whatever they tell of. Numbers are no words here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge.fulltext import STOP_WORDS
from knowledge.types import Snippet

MOST_CENTRES = 800  # neighbourhoods looked at; above it, a sample of the snippets are centres
SMALLEST, LARGEST = 5, 1500
LARGEST_SHARE = 0.2  # of all snippets: what is larger is no theme

_GROWTH = 1.4  # from one size of neighbourhood to the next
_COMMON = 0.2  # words that more than this share of the snippets use tell nothing
_WORD = re.compile(r"[^\W\d_]{3,}(?:['’-][^\W\d_]+)*")
_DULL = STOP_WORDS | frozenset(
    """
    again against almost along already although always among another anything around away back became become begin
    began beside best better bring brought call called came cannot century come comes day days decade different done
    down each early either else end enough even ever every everything far few find first five found four full gave
    gives goes going gone good got great half hand high hold holds hundred inside instead keep keeps kept kind known
    large last late later least left less line little long look looks lot lower main man men million mean means
    month months much name named near nearly never next nobody nothing now number often old once open opened others
    part people person piece place places put read right run said same say says second see seen set several show
    shown side since six small sold someone something sometimes somebody soon stand still ten thing things think
    thousand three time take taken takes hour hours minute minutes times today together told too took top toward
    towards true try turn turned turns twice two under until upon used using usually wants way ways week weeks well
    went whole whose within without word work works world year years across above below because behind between both
    came everybody everyone
    """.split()
)


def words_of(snippet: Snippet) -> list[str]:
    """The words of a snippet that may tell what it is about, in lower case, repeats kept; topics count twice."""
    said = " ".join([snippet.title, snippet.text, *snippet.topics, *snippet.topics])
    return [word for word in _WORD.findall(said.replace("’", "'").lower()) if word not in _DULL]


def root_of(word: str) -> str:
    """A word without possessive and plural endings: enough to count "boats" and "boat" as one."""
    word = word.removesuffix("'s").removesuffix("'")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


class Themes:
    """The snippets of one look at a library, and what lies together among them. The same input gives the same themes.

    Attributes:
        rows: neighbourhoods, shape (c, m): a centre, then what is nearest to it, nearest first.
        sizes: how many of a row may be a theme, ascending; the last is m.
        Both are empty where there are too few snippets for any theme.
    """

    def __init__(
        self,
        snippets: Sequence[Snippet],
        vectors: NDArray[np.float32],
        centres: NDArray[np.int64] | None = None,
        seed: int = 0,
    ) -> None:
        """`vectors` are those of the snippets, shape (n, d); `centres` the snippets to look around, None for all."""
        self._words = [Counter(root_of(word) for word in words_of(snippet)) for snippet in snippets]
        self._spelt: dict[str, Counter[str]] = {}
        for snippet in snippets:
            for word in words_of(snippet):
                self._spelt.setdefault(root_of(word), Counter())[word.removesuffix("'s")] += 1
        self._used_by = Counter(root for words in self._words for root in words)
        self.sizes = _sizes(len(snippets))
        centres = np.arange(len(snippets)) if centres is None else centres
        self.rows = np.empty((0, 0), np.int64)
        if len(self.sizes) and len(centres):
            if len(centres) > MOST_CENTRES:
                centres = np.sort(np.random.default_rng(seed).choice(centres, MOST_CENTRES, replace=False))
            self.rows = _nearest(vectors, self._worded(), centres, int(self.sizes[-1]))

    def roots(self, place: int) -> Set[str]:
        """The roots of the words of one of the snippets."""
        return self._words[place].keys()

    def terms(self, members: Iterable[int], most: int = 3) -> tuple[str, ...]:
        """The words that tell these snippets from the others, most telling first, as they are mostly spelt.

        By the log-odds of being used in a snippet, with an informative Dirichlet prior (Monroe et al. 2008). A word
        that only one of them uses names nothing.
        """
        inside = list(members)
        use = Counter(root for place in inside for root in self._words[place])
        others, least = len(self._words) - len(inside), max(2, round(len(inside) * 0.12))
        scores: dict[str, float] = {}
        for root, count in use.items():
            if count < least:
                continue
            share = self._used_by[root] / len(self._words)
            here, there = count + share, self._used_by[root] - count + share
            odds_here = here / (len(inside) + 1 - here)
            odds_there = there / (others + 1 - there)
            scores[root] = float((np.log(odds_here) - np.log(odds_there)) / np.sqrt(1 / here + 1 / there))
        best = sorted(scores, key=lambda root: (-scores[root], root))[:most]
        return tuple(min(self._spelt[root].items(), key=lambda one: (-one[1], one[0]))[0] for root in best)

    def _worded(self) -> Any:
        """The snippets' words as tf-idf, rows of length 1 or 0, sparse."""
        from scipy.sparse import csr_array

        count = len(self._words)
        known = [root for root, used in self._used_by.items() if 2 <= used <= max(2, _COMMON * count)]
        column = {root: place for place, root in enumerate(known)}
        data: list[float] = []
        columns: list[int] = []
        ends = [0]
        for words in self._words:
            weights = {
                column[root]: (1 + np.log(times)) * np.log(count / self._used_by[root])
                for root, times in words.items()
                if root in column
            }
            length = np.sqrt(sum(weight**2 for weight in weights.values())) or 1.0
            data += [weight / length for weight in weights.values()]
            columns += weights
            ends.append(len(columns))
        return csr_array((data, columns, ends), shape=(count, max(1, len(known))), dtype=np.float32)


def _sizes(count: int) -> NDArray[np.int64]:
    sizes, size, largest = [], SMALLEST, min(LARGEST, int(LARGEST_SHARE * count))
    while size <= largest:
        sizes.append(size)
        size = int(np.ceil(size * _GROWTH))
    return np.array(sizes, np.int64)


def _nearest(vectors: NDArray[np.float32], worded: Any, centres: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """The `most` nearest to each centre, itself first. What all vectors have in common is taken out before."""
    own = vectors - vectors.mean(axis=0)
    own /= np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-9)
    rows = []
    for start in range(0, len(centres), 100):
        some = centres[start : start + 100]
        near = own[some] @ own.T + (worded[some] @ worded.T).toarray()
        near[np.arange(len(some)), some] = np.inf
        rows.append(np.argsort(-near, axis=1, kind="stable")[:, :most])
    return np.concatenate(rows)
