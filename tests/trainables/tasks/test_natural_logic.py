"""Labels are checked against a reference that shares nothing with the grammar's own decision: it reads the
sentences as English, lists small worlds one by one, and looks whether the sentences are true in them."""

import itertools
from collections import Counter
from functools import cache

import pytest

from trainables.config import Generated
from trainables.errors import InputError
from trainables.tasks import natural_logic, read
from trainables.tasks.kinds.classification import ClassificationRow
from trainables.tasks.rows import SPLITS

GOLDEN = "fb3319537fc72e7d46eaccb7c803eac8741ce490fcb4c94645660998860b3de4"

BELOW = {
    "animals": {"animals", "dogs", "poodles", "terriers", "birds", "ducks", "sparrows", "cats"},
    "dogs": {"dogs", "poodles", "terriers"},
    "poodles": {"poodles"},
    "terriers": {"terriers"},
    "birds": {"birds", "ducks", "sparrows"},
    "ducks": {"ducks"},
    "sparrows": {"sparrows"},
    "cats": {"cats"},
    "move": {"move", "walk", "dance", "waltz", "tango", "run", "sprint", "jog"},
    "walk": {"walk"},
    "dance": {"dance", "waltz", "tango"},
    "waltz": {"waltz"},
    "tango": {"tango"},
    "run": {"run", "sprint", "jog"},
    "sprint": {"sprint"},
    "jog": {"jog"},
}
NUM_WITNESSES = 4
"""Worlds this large are enough: a witness for each noun and each sentence (the small model property)."""


@cache
def crossings(first: str, second: str) -> frozenset[tuple[bool, bool]]:
    """(in the first word, in the second) for each sort of individual, by the lexicon written out above."""
    heads = {head for below in BELOW.values() for head in below}
    return frozenset({(False, False)} | {(head in BELOW[first], head in BELOW[second]) for head in heads})


def is_true(quantifier: str, side: int, world: tuple) -> bool:
    chosen = [deeds[side] for things, deeds in world if things[side]]
    return {
        "all": all(chosen),
        "some": any(chosen),
        "no": not any(chosen),
    }[quantifier]


@cache
def judge(first: str, second: str, things: frozenset, deeds: frozenset) -> str:
    sorts = sorted(itertools.product(things, deeds))
    outcomes = set()
    for size in range(1, NUM_WITNESSES + 1):
        for world in itertools.combinations(sorts, size):
            if all(any(thing[side] for thing, _ in world) for side in (0, 1)) and is_true(first, 0, world):
                outcomes.add(is_true(second, 1, world))
    assert outcomes, "a premise is true somewhere"
    return {(True,): "entailment", (False,): "contradiction"}.get(tuple(outcomes), "neutral")


def reference(premise: str, hypothesis: str) -> str:
    (first, noun, verb), (second, other_noun, other_verb) = premise.split(), hypothesis.split()
    return judge(first, second, crossings(noun, other_noun), crossings(verb, other_verb))


@pytest.fixture(scope="module")
def splits():
    return natural_logic.generate(Generated(generator="natural_logic", train=2000, validation=200, test=400))


@pytest.mark.parametrize(
    ("premise", "hypothesis", "label"),
    [
        ("all dogs walk", "some dogs walk", "entailment"),
        ("all dogs walk", "all poodles move", "entailment"),
        ("no animals move", "no sparrows waltz", "entailment"),
        ("some dogs waltz", "some animals dance", "entailment"),
        ("all dogs walk", "no dogs dance", "entailment"),
        ("all dogs walk", "some animals move", "entailment"),
        ("all dogs walk", "all animals walk", "neutral"),
        ("some dogs walk", "all dogs walk", "neutral"),
        ("some dogs dance", "some dogs waltz", "neutral"),
        ("some dogs walk", "some cats walk", "neutral"),
        ("no dogs waltz", "no dogs dance", "neutral"),
        ("all dogs walk", "no dogs walk", "contradiction"),
        ("some dogs walk", "no animals move", "contradiction"),
        ("all dogs tango", "some poodles waltz", "contradiction"),
        ("all animals move", "no birds sprint", "neutral"),
        ("all animals jog", "no birds run", "contradiction"),
    ],
)
def test_classes_by_hand(premise, hypothesis, label):
    one, other = (natural_logic.Sentence(*sentence.split()) for sentence in (premise, hypothesis))
    assert natural_logic.infer(one, other) == label
    assert reference(premise, hypothesis) == label


def test_every_label_is_what_small_worlds_say(splits):
    rows = [row for split in SPLITS for row in splits[split]]
    wrong = [row for row in rows if reference(*row.texts) != natural_logic.CLASSES[row.label]]
    assert wrong == []


def test_classes_are_balanced_in_every_split(splits):
    for rows in splits.values():
        counts = Counter(row.label for row in rows)
        assert set(counts) == {0, 1, 2}
        assert max(counts.values()) - min(counts.values()) <= 1


def test_no_pair_comes_twice_in_either_order(splits):
    pairs = [frozenset(row.texts) for rows in splits.values() for row in rows]
    assert len(pairs) == len(set(pairs)) == 2600
    assert all(len(pair) == 2 for pair in pairs)


def test_a_hypothesis_differs_in_one_part_or_two_alike_in_every_split(splits):
    for rows in splits.values():
        pairs = [tuple(text.split() for text in row.texts) for row in rows]
        counts = Counter(sum(one != other for one, other in zip(*pair, strict=True)) for pair in pairs)
        assert counts.keys() == {1, 2}
        assert 0.35 < counts[1] / len(rows) < 0.55


def test_words_alone_do_not_give_the_class_away(splits):
    """Whoever sees one word of the hypothesis and no premise is right in 57% of the pairs at best."""
    counts: dict[str, Counter[int]] = {}
    for row in splits["train"]:
        for word in row.texts[1].split():
            counts.setdefault(word, Counter())[row.label] += 1
    assert max(max(count.values()) / count.total() for count in counts.values()) < 0.57


def test_the_rows_are_golden(small):
    data = read(small("natural-logic"))
    assert data.hash == GOLDEN
    assert data.classes == ("entailment", "neutral", "contradiction")
    assert data.train[0] == ClassificationRow(texts=("no sparrows run", "no cats tango"), label=1)


def test_another_seed_gives_other_rows(small):
    assert read(small("natural-logic", seed=1)).hash != GOLDEN


def test_more_rows_than_the_grammar_has_is_an_error():
    message = r"^generated: got sizes that need 1669 pairs of the class entailment; the grammar has 1491 of them$"
    with pytest.raises(InputError, match=message):
        natural_logic.generate(Generated(generator="natural_logic", train=5000, validation=1, test=1))
