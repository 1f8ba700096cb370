"""Localisation of dates, prices and amounts from English to Romanian, with the CLDR data of `babel`.

A source is a full date, or a price or an amount with a date: "€3.50 and March 13" becomes "3,50 EUR și 13 martie",
and "25 US dollars and May 2" becomes "25 de dolari americani și 2 mai". Word order, words, plural forms and separators
follow CLDR, including the no-break space before a currency code.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from babel import Locale, dates, lists, numbers

from trainables.errors import InputError, Problem
from trainables.seeds import generator
from trainables.tasks.kinds.generation import GenerationRow
from trainables.tasks.rows import SPLITS, Row

if TYPE_CHECKING:
    from trainables.config import Generated

KIND = "generation"
CLASSES: tuple[str, ...] = ()
SOURCE, TARGET = Locale("en", "US"), Locale("ro", "RO")
CURRENCIES = ("EUR", "USD", "GBP")
FIRST_DAY, NUM_DAYS = datetime.date(2000, 1, 1), 10_958
"""The days of thirty years."""
MAX_MISSES = 20_000
"""Consecutive draws without a new source after which the sources count as exhausted."""

Writer = Callable[[Locale], str]
"""Writes one expression in a locale."""


def generate(config: Generated) -> dict[str, list[Row]]:
    """Splits that share no source; they depend on the seed and the sizes alone."""
    rng = generator(config.seed, "localisation")
    seen: set[str] = set()
    return {name: [_draw(rng, seen, name) for _ in range(getattr(config, name))] for name in SPLITS}


def _draw(rng: random.Random, seen: set[str], split: str) -> Row:
    for _ in range(MAX_MISSES):
        write = _full_date(rng) if rng.random() < 0.3 else _list(rng)
        source = write(SOURCE)
        if source not in seen:
            seen.add(source)
            return GenerationRow(source, (write(TARGET),))
    message = f"got more rows than there are sources; they were used up after {len(seen)} of all splits"
    raise InputError([Problem(f"generated.{split}", message)])


def _full_date(rng: random.Random) -> Writer:
    day = _day(rng)
    return lambda locale: dates.format_date(day, format="full", locale=locale)


def _list(rng: random.Random) -> Writer:
    """A price or an amount, and a date."""
    items = [rng.choice([_price, _amount])(rng), _date(rng)]
    return lambda locale: lists.format_list([item(locale) for item in items], locale=locale)


def _date(rng: random.Random) -> Writer:
    day = _day(rng)
    return lambda locale: dates.format_skeleton("MMMMd", day, locale=locale)


def _price(rng: random.Random) -> Writer:
    value, currency = Decimal(rng.randrange(100, 10_000)) / 100, rng.choice(CURRENCIES)
    return lambda locale: numbers.format_currency(value, currency, locale=locale)


def _amount(rng: random.Random) -> Writer:
    value, currency = rng.randrange(1, 100), rng.choice(CURRENCIES)
    return lambda locale: numbers.format_currency(
        value, currency, locale=locale, format_type="name", currency_digits=False
    )


def _day(rng: random.Random) -> datetime.date:
    return FIRST_DAY + datetime.timedelta(rng.randrange(NUM_DAYS))
