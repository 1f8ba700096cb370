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

GOLDEN = "fd720031cb36d6a63a80d25a4a9df434cc8bae14e98bc25547d8b6d1d3d8f0f9"

BELOW = {
    "animals": {"animals", "dogs", "poodles", "birds"},
    "dogs": {"dogs", "poodles"},
    "poodles": {"poodles"},
    "birds": {"birds"},
    "move": {"move", "walk", "dance", "waltz"},
    "walk": {"walk"},
    "dance": {"dance", "waltz"},
    "waltz": {"waltz"},
}
OPPOSITE = {"small": "large", "old": "young", "black": "white", "slowly": "quickly"}
OPPOSITE |= {value: key for key, value in OPPOSITE.items()}
NUM_WITNESSES = 4
"""Worlds this large are enough: a witness for each noun phrase and each sentence (the small model property)."""


def parse(sentence: str) -> tuple[str, str, str, str, str]:
    """Quantifier, adjective, noun, verb, adverb; absent ones empty."""
    quantifier = "not all" if sentence.startswith("not all ") else sentence.split()[0]
    words = sentence.removeprefix(quantifier).split()
    adjective = "" if words[0] in BELOW else words.pop(0)
    noun, verb, *adverbs = words
    return quantifier, adjective, noun, verb, adverbs[0] if adverbs else ""


@cache
def crossings(first: tuple[str, str], second: tuple[str, str]) -> set[tuple[bool, bool]]:
    """(in the first phrase, in the second) for each sort of individual, by the lexicon written out above."""
    found = {(False, False)}
    heads = {word for words in BELOW.values() for word in words}
    modifiers = [modifier for modifier, _ in (first, second) if modifier]
    for head in heads:
        for count in range(len(modifiers) + 1):
            for has in itertools.combinations(modifiers, count):
                if not any(OPPOSITE[modifier] in has for modifier in has):
                    phrases = (first, second)
                    found.add(tuple(head in BELOW[h] and (not m or m in has) for m, h in phrases))
    return found


def is_true(quantifier: str, side: int, world: tuple) -> bool:
    chosen = [deeds[side] for things, deeds in world if things[side]]
    return {
        "all": all(chosen),
        "some": any(chosen),
        "no": not any(chosen),
        "not all": not all(chosen),
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
    one, other = parse(premise), parse(hypothesis)
    things = crossings((one[1], one[2]), (other[1], other[2]))
    deeds = crossings((one[4], one[3]), (other[4], other[3]))
    return judge(one[0], other[0], frozenset(things), frozenset(deeds))


@pytest.fixture(scope="module")
def splits():
    return natural_logic.generate(Generated(generator="natural_logic", train=2000, validation=200, test=400))


@pytest.mark.parametrize(
    ("premise", "hypothesis", "label"),
    [
        ("all dogs walk", "some dogs walk", "entailment"),
        ("all dogs walk", "all small poodles move", "entailment"),
        ("no animals move", "no young dogs waltz slowly", "entailment"),
        ("some black dogs waltz", "some animals dance", "entailment"),
        ("not all dogs move", "not all animals walk", "entailment"),
        ("all dogs walk", "no dogs dance", "entailment"),
        ("all dogs walk", "all animals walk", "neutral"),
        ("some dogs walk", "all dogs walk", "neutral"),
        ("some dogs dance", "some dogs waltz", "neutral"),
        ("some small dogs walk", "some old dogs walk", "neutral"),
        ("no dogs waltz", "no dogs dance", "neutral"),
        ("all dogs walk", "no dogs walk", "contradiction"),
        ("some dogs walk", "no animals move", "contradiction"),
        ("all dogs walk slowly", "some poodles move quickly", "contradiction"),
        ("all animals move", "not all birds move", "contradiction"),
    ],
)
def test_classes_by_hand(premise, hypothesis, label):
    one, other = (natural_logic.Sentence(*parse(sentence)) for sentence in (premise, hypothesis))
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


def test_a_pair_fits_into_16_tokens(splits):
    lengths = [sum(len(text.split()) for text in row.texts) + 3 for rows in splits.values() for row in rows]
    assert max(lengths) == 15


def test_words_alone_do_not_give_the_class_away(splits):
    """No word of the hypothesis has a class in much more than half of its pairs."""
    counts: dict[str, Counter[int]] = {}
    for row in splits["train"]:
        for word in row.texts[1].split():
            counts.setdefault(word, Counter())[row.label] += 1
    assert max(max(count.values()) / count.total() for count in counts.values()) < 0.56


def test_the_rows_are_golden(small):
    data = read(small("natural-logic"))
    assert data.hash == GOLDEN
    assert data.classes == ("entailment", "neutral", "contradiction")
    assert data.train[0] == ClassificationRow(texts=("no birds waltz slowly", "no young birds dance slowly"), label=1)


def test_another_seed_gives_other_rows(small):
    assert read(small("natural-logic", seed=1)).hash != GOLDEN


def test_more_rows_than_the_grammar_has_is_an_error(monkeypatch):
    monkeypatch.setattr(natural_logic, "MAX_MISSES", 0)
    with pytest.raises(InputError, match=r"generated\.train: got more rows than the grammar has"):
        natural_logic.generate(Generated(generator="natural_logic", train=5))
