import re

import pytest

from trainables.config import Generated, TokenizerConfig
from trainables.errors import InputError
from trainables.families import FAMILIES
from trainables.tasks import localisation, read
from trainables.tasks.codec import Codec
from trainables.tasks.kinds.generation import Generation, GenerationRow
from trainables.tasks.tokenizer import train_tokenizer

GOLDEN = "13bd1e981617011c6de23d53b138a9d6b90ae47196de721ec78298724b8abbee"

DAYS = dict(
    zip(
        ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        ("luni", "marți", "miercuri", "joi", "vineri", "sâmbătă", "duminică"),
        strict=True,
    )
)
MONTHS = dict(
    zip(
        "January February March April May June July August September October November December".split(),
        "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie".split(),
        strict=True,
    )
)
SYMBOLS = {"€": "EUR", "$": "USD", "£": "GBP"}
NAMES = {
    "euro": "euro",
    "euros": "euro",
    "US dollar": "dolar american",
    "US dollars": "dolari americani",
    "British pound": "liră sterlină",
    "British pounds": "lire sterline",
}


def reference(source: str) -> str:
    """The translation by rules written out by hand: no CLDR."""
    if found := re.fullmatch(r"(\w+), (\w+) (\d+), (\d+)", source):
        day, month, number, year = found.groups()
        return f"{DAYS[day]}, {number} {MONTHS[month]} {year}"
    money, date = source.split(" and ")
    month, number = date.split()
    if found := re.fullmatch(r"([€$£])(\d+)\.(\d\d)", money):
        symbol, whole, cents = found.groups()
        money = f"{whole},{cents}\N{NO-BREAK SPACE}{SYMBOLS[symbol]}"
    else:
        count, name = money.split(" ", 1)
        money = f"{count} {'de ' if int(count) >= 20 else ''}{NAMES[name]}"
    return f"{money} și {number} {MONTHS[month]}"


@pytest.fixture(scope="module")
def splits():
    return localisation.generate(Generated(generator="localisation", train=3000, validation=200, test=400))


def test_every_target_is_what_the_rules_of_romanian_say(splits):
    wrong = [row for rows in splits.values() for row in rows if row.references != (reference(row.source),)]
    assert wrong == []


def test_every_form_comes_up(splits):
    sources = " ".join(row.source for row in splits["train"])
    targets = " ".join(row.references[0] for row in splits["train"])
    for word in (*DAYS, *MONTHS, *SYMBOLS, *NAMES):
        assert word in sources
    for word in (*DAYS.values(), *MONTHS.values(), *SYMBOLS.values(), *NAMES.values(), " de "):
        assert word in targets


def test_no_source_comes_twice(splits):
    sources = [row.source for rows in splits.values() for row in rows]
    assert len(sources) == len(set(sources)) == 3600


def test_bleu_has_4_grams_to_count(splits):
    assert min(len(row.references[0].split()) for row in splits["test"]) >= 4


def test_the_rows_are_golden(small):
    data = read(small("localisation"))
    assert data.hash == GOLDEN
    assert data.classes == ()
    assert data.train[0] == GenerationRow(source="86 euros and April 9", references=("86 de euro și 9 aprilie",))


def test_another_seed_gives_other_rows(small):
    assert read(small("localisation", seed=1)).hash != GOLDEN


def test_more_rows_than_there_are_sources_is_an_error(monkeypatch):
    monkeypatch.setattr(localisation, "MAX_MISSES", 0)
    with pytest.raises(InputError, match=r"generated\.train: got more rows than there are sources"):
        localisation.generate(Generated(generator="localisation", train=5))


@pytest.mark.parametrize("family", ["bart", "t5", "qwen3"])
def test_sides_are_short_and_targets_come_back_exactly(splits, small, family):
    texts = [text for row in splits["train"] for text in (row.source, *row.references)]
    tokenizer = train_tokenizer(TokenizerConfig(kind="byte_bpe", vocab_size=800), FAMILIES[family], texts)
    rows = [row for rows in splits.values() for row in rows]
    examples = Generation().encode(rows, Codec(small("localisation"), FAMILIES[family].form, tokenizer))
    labels = [[token for token in example["labels"] if token != -100] for example in examples]
    assert tokenizer.batch_decode(labels, skip_special_tokens=True) == [row.references[0] for row in rows]
    assert max(map(len, labels)) <= 16
    assert max(len(example["input_ids"]) for example in examples) <= (24 if family == "qwen3" else 16)
