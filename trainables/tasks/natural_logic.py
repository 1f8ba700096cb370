"""Sentence-pair inference from a small natural-logic grammar (after MacCartney and Manning, 2007).

A sentence is a quantifier, a noun and a verb: "no ducks tango". Nouns and verbs are trees of hyponyms whose
siblings exclude each other. A sentence demands or forbids some kind of individual, so the class of a pair is decided
exactly: a world is possible where each demand is met by a kind that no sentence forbids. Both nouns of a pair denote
something, as in classical syllogisms.
"""

from __future__ import annotations

import itertools
import random
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

NOUNS = {
    "animals": None,
    "dogs": "animals",
    "poodles": "dogs",
    "terriers": "dogs",
    "birds": "animals",
    "ducks": "birds",
    "sparrows": "birds",
    "cats": "animals",
}
"""Word -> its hypernym."""
VERBS = {
    "move": None,
    "walk": "move",
    "dance": "move",
    "waltz": "dance",
    "tango": "dance",
    "run": "move",
    "sprint": "run",
    "jog": "run",
}
QUANTIFIERS = {"all": (False, False), "some": (True, True), "no": (False, True)}
"""Quantifier -> whether it demands (or forbids) individuals of the noun, and whether inside (or outside) the verb."""


class Sentence(NamedTuple):
    """The parts of a sentence."""

    quantifier: str
    noun: str
    verb: str

    def __str__(self) -> str:
        return " ".join(self)


class Claim(NamedTuple):
    """There is (or is not) an individual of the noun of sentence `side` that is inside (or outside) its verb.

    `side` is 0 for the premise and 1 for the hypothesis; `inside` is None where the verb does not matter.
    """

    exists: bool
    side: int
    inside: bool | None


Overlap = frozenset[tuple[bool, bool]]
"""The overlap of two words: each (in the first, in the second) that holds for some kind of individual."""
Pair = tuple[Sentence, Sentence]


def generate(config: Generated) -> dict[str, list[Row]]:
    """Splits with balanced classes that share no pair in either order; they depend on the seed and the sizes alone.

    A hypothesis differs from its premise in one or two parts, equally often while there are pairs of both.
    """
    rng = generator(config.seed, "natural-logic")
    labels = {split: _labels(rng, getattr(config, split)) for split in SPLITS}
    pairs, seen = _pairs(), set[frozenset[Sentence]]()
    drawn = [
        _draw(rng, *pairs[label], sum(each.count(label) for each in labels.values()), name, seen)
        for label, name in enumerate(CLASSES)
    ]
    return {split: [_row(drawn[label].pop(), label) for label in each] for split, each in labels.items()}


def _labels(rng: random.Random, number: int) -> list[int]:
    labels = [index % len(CLASSES) for index in range(number)]
    rng.shuffle(labels)
    return labels


def _pairs() -> list[tuple[list[Pair], list[Pair]]]:
    """For each class the pairs that differ in one part, and in two."""
    sentences = [Sentence(*parts) for parts in itertools.product(QUANTIFIERS, NOUNS, VERBS)]
    pairs: list[tuple[list[Pair], list[Pair]]] = [([], []) for _ in CLASSES]
    for premise, hypothesis in itertools.permutations(sentences, 2):
        num_edits = sum(one != other for one, other in zip(premise, hypothesis, strict=True))
        if num_edits <= 2:
            pairs[CLASSES.index(infer(premise, hypothesis))][num_edits - 1].append((premise, hypothesis))
    return pairs


def _draw(
    rng: random.Random, one: list[Pair], two: list[Pair], number: int, name: str, seen: set[frozenset[Sentence]]
) -> list[Pair]:
    """`number` new pairs of a class in random order, taken in turn from those that differ in one part and in two."""
    turns = itertools.zip_longest(rng.sample(one, len(one)), rng.sample(two, len(two)))
    drawn: list[Pair] = []
    for pair in filter(None, itertools.chain.from_iterable(turns)):
        if len(drawn) < number and frozenset(pair) not in seen:
            seen.add(frozenset(pair))
            drawn.append(pair)
    if len(drawn) < number:
        message = f"got sizes that need {number} pairs of the class {name}; the grammar has {len(drawn)} of them"
        raise InputError([Problem("generated", message)])
    rng.shuffle(drawn)
    return drawn


def _row(pair: Pair, label: int) -> Row:
    return ClassificationRow((str(pair[0]), str(pair[1])), label)


def infer(premise: Sentence, hypothesis: Sentence) -> str:
    """The class of a pair, decided exactly."""
    things = _overlap(premise.noun, hypothesis.noun)
    deeds = _overlap(premise.verb, hypothesis.verb)
    return _decide(premise.quantifier, hypothesis.quantifier, things, deeds)


def _is_a(word: str | None, head: str) -> bool:
    """Whether `head` is the word itself or one of its hypernyms."""
    return word is not None and (word == head or _is_a((NOUNS | VERBS)[word], head))


@cache
def _overlap(first: str, second: str) -> Overlap:
    """Each word stands for the individuals that are of this kind, and of none of its hyponyms."""
    return frozenset({(False, False)} | {(_is_a(kind, first), _is_a(kind, second)) for kind in NOUNS | VERBS})


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
