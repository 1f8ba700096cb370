"""Sentence-pair inference from a small natural-logic grammar (after MacCartney and Manning, 2007).

A sentence is a quantifier, a noun phrase and a verb phrase: "not all small dogs walk slowly". Nouns and verbs
are trees of hyponyms whose siblings exclude each other; modifiers restrict, and opposites exclude each other.
A sentence demands or forbids some kind of individual, so the class of a pair is decided exactly: a world is
possible where each demand has a kind that nothing forbids. Every noun phrase of the pair denotes something,
as syllogisms assume.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from trainables.errors import InputError, Problem
from trainables.seeds import generator
from trainables.tasks.kinds.classification import ClassificationRow
from trainables.tasks.rows import SPLITS, Row

if TYPE_CHECKING:
    from trainables.config import Generated

KIND = "classification"
CLASSES = ("entailment", "neutral", "contradiction")
MAX_MISSES = 20_000
"""Draws in a row that may fail before the grammar counts as used up."""


@dataclass(frozen=True)
class Lexicon:
    """The words of a phrase: heads in a tree (word, hypernym or None), modifiers in pairs of opposites."""

    heads: tuple[tuple[str, str | None], ...]
    opposites: tuple[tuple[str, str], ...]

    @property
    def words(self) -> list[str]:
        return [word for word, _ in self.heads]

    @property
    def modifiers(self) -> list[str]:
        """All modifiers, and the empty one."""
        return ["", *itertools.chain(*self.opposites)]

    def is_a(self, word: str | None, head: str) -> bool:
        """Whether `head` is the word itself or above it."""
        return word is not None and (word == head or self.is_a(dict(self.heads)[word], head))

    def kinds(self) -> list[tuple[str, ...]]:
        """The kinds of individual: a word (itself, no hyponym of it), and one, the other or neither of opposites."""
        return list(itertools.product(self.words, *((*pair, "") for pair in self.opposites)))

    def denotation(self, modifier: str, head: str) -> frozenset[tuple[str, ...]]:
        """The kinds of individual in a phrase."""
        return frozenset(k for k in self.kinds() if self.is_a(k[0], head) and (not modifier or modifier in k[1:]))


NOUNS = Lexicon(
    heads=(("animals", None), ("dogs", "animals"), ("poodles", "dogs"), ("birds", "animals")),
    opposites=(("small", "large"), ("old", "young"), ("black", "white")),
)
VERBS = Lexicon(
    heads=(("move", None), ("walk", "move"), ("dance", "move"), ("waltz", "dance")),
    opposites=(("slowly", "quickly"),),
)
QUANTIFIERS = {"all": (False, False), "some": (True, True), "no": (False, True), "not all": (True, False)}
"""Quantifier -> whether it demands (or forbids) individuals of the noun phrase inside (or outside) the verb phrase."""


class Sentence(NamedTuple):
    """The parts of a sentence; adjective and adverb may be empty."""

    quantifier: str
    adjective: str
    noun: str
    verb: str
    adverb: str

    def __str__(self) -> str:
        return " ".join(filter(None, self))


class Claim(NamedTuple):
    """There is (or there is not) an individual in noun phrase `side` that is inside verb phrase `side` or not.

    `side` is 0 for the premise, 1 for the hypothesis; `inside` None: whatever it does.
    """

    exists: bool
    side: int
    inside: bool | None


Overlap = frozenset[tuple[bool, bool]]
"""How two phrases lie to each other: the (in the first, in the second) that some kind of individual has."""


def generate(config: Generated) -> dict[str, list[Row]]:
    """Splits of balanced classes that share no pair, in either order; a function of the seed and the sizes."""
    rng = generator(config.seed, "natural-logic")
    seen: set[frozenset[Sentence]] = set()
    splits: dict[str, list[Row]] = {}
    for name in SPLITS:
        labels = [index % len(CLASSES) for index in range(getattr(config, name))]
        rng.shuffle(labels)
        splits[name] = [_draw(rng, label, seen, name) for label in labels]
    return splits


def _draw(rng: random.Random, label: int, seen: set[frozenset[Sentence]], split: str) -> Row:
    """A new pair of this class."""
    for _ in range(MAX_MISSES):
        premise = _sentence(rng)
        hypothesis = _edited(premise, rng)
        pair = frozenset((premise, hypothesis))
        if len(pair) == 2 and pair not in seen and infer(premise, hypothesis) == CLASSES[label]:
            seen.add(pair)
            return ClassificationRow((str(premise), str(hypothesis)), label)
    message = f"got more rows than the grammar has; it was used up after {len(seen)} pairs of all splits"
    raise InputError([Problem(f"generated.{split}", message)])


def _sentence(rng: random.Random) -> Sentence:
    return Sentence(
        rng.choice(list(QUANTIFIERS)),
        rng.choice(NOUNS.modifiers),
        rng.choice(NOUNS.words),
        rng.choice(VERBS.words),
        rng.choice(VERBS.modifiers),
    )


def _edited(premise: Sentence, rng: random.Random) -> Sentence:
    """The premise with one or two of its parts drawn anew."""
    drawn = _sentence(rng)
    parts = rng.sample(Sentence._fields, rng.randint(1, 2))
    return premise._replace(**{part: getattr(drawn, part) for part in parts})


def infer(premise: Sentence, hypothesis: Sentence) -> str:
    """The class of a pair, decided exactly."""
    things = _overlap(NOUNS, (premise.adjective, premise.noun), (hypothesis.adjective, hypothesis.noun))
    deeds = _overlap(VERBS, (premise.adverb, premise.verb), (hypothesis.adverb, hypothesis.verb))
    return _decide(premise.quantifier, hypothesis.quantifier, things, deeds)


@cache
def _overlap(lexicon: Lexicon, first: tuple[str, str], second: tuple[str, str]) -> Overlap:
    one, other = lexicon.denotation(*first), lexicon.denotation(*second)
    return frozenset({(False, False)} | {(kind in one, kind in other) for kind in lexicon.kinds()})


@cache
def _decide(premise: str, hypothesis: str, things: Overlap, deeds: Overlap) -> str:
    exists, inside = QUANTIFIERS[premise]
    known = [Claim(True, 0, None), Claim(True, 1, None), Claim(exists, 0, inside)]
    exists, inside = QUANTIFIERS[hypothesis]
    if not _possible([*known, Claim(exists, 1, inside)], things, deeds):
        return "contradiction"
    return "neutral" if _possible([*known, Claim(not exists, 1, inside)], things, deeds) else "entailment"


def _possible(claims: list[Claim], things: Overlap, deeds: Overlap) -> bool:
    """Whether some world fulfils all claims: each demand has a kind of individual that no claim forbids."""

    def meets(thing: tuple[bool, bool], deed: tuple[bool, bool], claim: Claim) -> bool:
        return thing[claim.side] and claim.inside in (None, deed[claim.side])

    allowed = [
        (thing, deed)
        for thing, deed in itertools.product(things, deeds)
        if not any(meets(thing, deed, claim) for claim in claims if not claim.exists)
    ]
    return all(any(meets(*kind, claim) for kind in allowed) for claim in claims if claim.exists)
