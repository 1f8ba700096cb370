"""Which rows make up each split of a task: splits by name, slices of them, and shares that are held out of train."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from trainables.errors import InputError, Problem
from trainables.seeds import generator
from trainables.tasks.rows import SPLITS

SplitPart = tuple[str, range]
"""A split of the data and the indices of its rows, from 0."""
Place = tuple[str, int]
"""A split of the data and the index of one of its rows."""
Stratum = Callable[[str, int], Hashable]
"""The class of the row at an index of a split of the data; the same for all rows of a kind without classes."""

SHARE = re.compile(r"(\d+(?:\.\d+)?) ?%")


def choose(lengths: Mapping[str, int], specs: Mapping[str, str], stratum: Stratum) -> dict[str, list[SplitPart]]:
    """The rows of each split of the task, for data with splits of these lengths.

    `specs` maps task splits to splits of the data, to slices in the notation of `datasets` (`train[-2000:]`,
    `train[:10%]`) or to a share of the training rows (`10%`), which `held_out` draws. A split without a spec is the one
    of the same name. A train split without a spec leaves out the rows that other splits take; one with a spec must
    share no rows with them, shares aside. Raises InputError.
    """
    shares, problems = _shares(specs)
    parts, more = _sliced(lengths, specs, [name for name in {**dict.fromkeys(SPLITS), **specs} if name not in shares])
    if problems or more:
        raise InputError(problems + more)
    taken = {place for name, chosen in parts.items() if name != "train" for place in _places(chosen)}
    train = _places(parts["train"])
    rest = [place for place in train if place not in taken]
    if "train" in specs and len(rest) < len(train):
        message = f"got {specs['train']!r}; {len(train) - len(rest)} of its rows are in other splits too"
        raise InputError([Problem("splits.train", message)])
    sizes = {name: max(1, round(share * len(rest))) for name, share in shares.items()}
    for name, num_rows in sizes.items():
        drawn = held_out(rest, [stratum(*place) for place in rest], num_rows, generator(0, f"splits/{name}"))
        parts[name] = _runs([place for place in rest if place in drawn])
        rest = [place for place in rest if place not in drawn]
    return {**parts, "train": _runs(rest)} if len(rest) < len(train) else parts


def hold_out(name: str) -> str:
    """The advice for a split that is missing."""
    return f"hold out a share of train, as in splits: {{{name}: 10%}}"


def held_out(
    places: Sequence[Place], strata: Sequence[Hashable], num_rows: int, draws: random.Random
) -> frozenset[Place]:
    """At most `num_rows` of the places, drawn so that each stratum has its share of them.

    A stratum gets the whole part of its share, and the largest remainders get one row more.
    """
    members: dict[Hashable, list[Place]] = {}
    for place, stratum in zip(places, strata, strict=True):
        members.setdefault(stratum, []).append(place)
    num_rows = min(num_rows, len(places))
    exact = {stratum: num_rows * len(each) / len(places) for stratum, each in members.items()}
    sizes = {stratum: int(size) for stratum, size in exact.items()}
    by_remainder = sorted(exact, key=lambda stratum: (sizes[stratum] - exact[stratum], str(stratum)))
    for stratum in by_remainder[: num_rows - sum(sizes.values())]:
        sizes[stratum] += 1
    strata_in_order = sorted(members, key=str)
    return frozenset(place for stratum in strata_in_order for place in draws.sample(members[stratum], sizes[stratum]))


def _shares(specs: Mapping[str, str]) -> tuple[dict[str, float], list[Problem]]:
    """The shares, validation first, and what is wrong with them."""
    matches = {name: match for name, spec in specs.items() if (match := SHARE.fullmatch(spec.strip()))}
    in_order = sorted(matches, key=lambda name: (name != "validation", name))
    shares = {name: float(matches[name][1]) / 100 for name in in_order}
    problems: list[Problem] = []
    if "train" in shares:
        message = f"got {specs['train']!r}; train is what the others leave: give the share to validation or test"
        problems.append(Problem("splits.train", message))
    elif any(share == 0 for share in shares.values()) or sum(shares.values()) >= 1:
        name = next(iter(shares))
        message = (
            f"got {specs[name]!r}; each share has to be more than 0%, and together they have to leave rows for train"
        )
        problems.append(Problem(f"splits.{name}", message))
    return shares, problems


def _sliced(
    lengths: Mapping[str, int], specs: Mapping[str, str], names: Iterable[str]
) -> tuple[dict[str, list[SplitPart]], list[Problem]]:
    """The rows of these splits, which are no shares, and what is wrong with them."""
    known = f"the data set has {', '.join(lengths)}"
    parts: dict[str, list[SplitPart]] = {}
    problems: list[Problem] = []
    for name in names:
        try:
            parts[name] = _parts(specs.get(name, name), lengths)
        except ValueError as error:
            missing = f"got null; {known}: name one, or {hold_out(name)}"
            message = f"got {specs[name]!r}; {known}: {error}" if name in specs else missing
            problems.append(Problem(f"splits.{name}", message))
    return parts, problems


def _parts(spec: str, lengths: Mapping[str, int]) -> list[SplitPart]:
    if spec in lengths:
        return [(spec, range(lengths[spec]))]
    import datasets

    try:
        slices: Any = datasets.ReadInstruction.from_spec(spec).to_absolute(dict(lengths))
    except (ValueError, AssertionError) as error:
        raise ValueError(" ".join(str(error).split())) from None
    return [
        (part.splitname, range(part.from_ or 0, lengths[part.splitname] if part.to is None else part.to))
        for part in slices
    ]


def _places(parts: Sequence[SplitPart]) -> list[Place]:
    return [(split, row) for split, rows in parts for row in rows]


def _runs(places: Sequence[Place]) -> list[SplitPart]:
    """Consecutive rows joined to ranges, in their order."""
    runs: list[SplitPart] = []
    for split, row in places:
        if runs and runs[-1][0] == split and runs[-1][1].stop == row:
            runs[-1] = (split, range(runs[-1][1].start, row + 1))
        else:
            runs.append((split, range(row, row + 1)))
    return runs
