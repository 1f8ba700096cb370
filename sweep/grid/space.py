"""The space of a search: the values of each searched field, their checks, and configs in which they are set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import combinations
from typing import Any

from pydantic import BaseModel, ValidationError

from sweep.grid.axes import duplicates
from sweep.grid.cells import Draft
from sweep.spec.fields import guess, guess_axis, is_field, is_whole
from sweep.spec.messages import Path, dotted, is_same_field, quote
from sweep.spec.overlay import assign
from sweep.spec.search import Search, Span, is_searchable, is_shareable
from sweep.spec.values import TRIAL_FIELDS, Values
from trainables.config import TrialConfig
from trainables.errors import Problem

_SHARED = "got a field that sets data, batches, teacher, steps or sizes, which all candidates share; make it an axis"


@dataclass(frozen=True)
class Corner:
    """A value with which a field's range ends, or one of its choices; `key` is its place below the field."""

    key: Path
    value: Any


def with_values(config: TrialConfig, values: Mapping[str, Any]) -> TrialConfig:
    """The config with the values set at their dotted paths. Raises ValidationError where they do not fit together."""
    blocks: dict[str, dict[str, Any]] = {}
    for path, value in values.items():
        name, *rest = path.split(".")
        block: BaseModel = getattr(config, name)
        blocks[name] = assign(blocks.get(name) or block.model_dump(), rest, value)
    checked = {name: type(getattr(config, name)).model_validate(fields) for name, fields in blocks.items()}
    return config.model_copy(update=checked)


def with_shared(config: TrialConfig, share: Mapping[str, Any]) -> TrialConfig:
    """The config with the values of the axes on which a shared search runs."""
    fields = config.model_dump()
    for path, value in share.items():
        fields = assign(fields, path.split("."), value)
    return TrialConfig.model_validate(fields) if share else config


def corners(path: str, span: Span) -> list[Corner]:
    """The ends of the field's range, or its choices."""
    if span.choices is not None:
        return [Corner(("choices", index), value) for index, value in enumerate(span.choices)]
    ends = {"low": span.low, "high": span.high, "step": span.step}
    numbers = {key: value for key, value in ends.items() if value is not None}
    return [Corner((key,), _number(path, value)) for key, value in numbers.items() if key != "step" or is_whole(path)]


def _number(path: str, value: float) -> float:
    return int(value) if is_whole(path) and value.is_integer() else value


def search_problems(search: Search, drafts: Sequence[Draft]) -> list[Problem]:
    """Every problem of a search with the cells that it is for."""
    problems = [] if search.fields else [Problem("search.fields", "got {}; give at least one field to search")]
    if search.sampler == "cmaes" and find_spec("cmaes") is None:
        problems.append(Problem("search.sampler", "got 'cmaes', which needs the package cmaes; pip install cmaes"))
    sound: dict[str, Span] = {}
    for path, span in search.fields.items():
        wrong = _field_problems(path, drafts) or [*_span_problems(path, span)] or _value_problems(path, span, drafts)
        problems += wrong
        sound |= {} if wrong else {path: span}
    problems += [problem for axis, value in search.share.items() for problem in _share_problems(axis, value, drafts)]
    seeds = {each.config.seed for each in drafts if each.config is not None}
    if search.seed in seeds:
        message = "which is a seed of the sweep's cells; give another one, so that the choice is measured anew"
        problems.append(Problem("search.seed", f"got {search.seed}, {message}"))
    return problems + _pair_problems(sound, drafts)


def corner_drafts(search: Search, drafts: Iterable[Draft]) -> Iterator[tuple[str, Corner, Draft]]:
    """Each valid draft with each corner of each field in it, and where the user wrote the corner."""
    for each in drafts:
        for path, span in search.fields.items() if each.config else ():
            block = path.split(".")[0]
            for corner in corners(path, span):
                assert each.config is not None
                config = with_values(each.config, {path: corner.value})
                valid = {**each.valid, block: getattr(config, block)}
                yield _where(path, corner.key), corner, replace(each, valid=valid, config=config)


def _where(path: str, key: Path = ()) -> str:
    return dotted(("search", "fields", path, *key))


def _field_problems(path: str, drafts: Iterable[Draft]) -> list[Problem]:
    """The problem of a field that cannot be searched."""
    if not is_field(path):
        similar = guess_axis(path)
        hint = f"did you mean {similar}?" if similar else guess(path, TRIAL_FIELDS)
        return [Problem(_where(path), f"got a path that is not a field; {hint}")]
    if not is_searchable(path):
        return [Problem(_where(path), _SHARED)]
    axes = {each.part.axis_path(axis): axis for each in drafts for axis in each.part.axes}
    clash = next((place for place, axis in axes.items() if is_same_field(axis, path)), None)
    return [Problem(_where(path), f"got a field that {clash} sets too; give it in one of them")] if clash else []


def _share_problems(axis: str, value: Any, drafts: Sequence[Draft]) -> list[Problem]:
    """The problem of an axis whose values shall share one search."""
    where = dotted(("search", "share", axis))
    if is_field(axis) and not is_shareable(axis):
        return [Problem(where, "got an axis whose values differ in data, batches or teacher; these cannot be shared")]
    all_values = [each.part.axes.get(axis, []) for each in drafts]
    if not all(all_values):
        return [Problem(where, "got a path that is not an axis of every grid; give one of the axes")]
    if all(value in values for values in all_values):
        return []
    return [Problem(where, f"got {quote(value)}; expected a value that {_all_axes(drafts, axis)} has")]


def _all_axes(drafts: Iterable[Draft], axis: str) -> str:
    """`axes.init`, or `grids[0].axes.init and grids[1].axes.init`"""
    return " and ".join(dict.fromkeys(each.part.axis_path(axis) for each in drafts))


def _span_problems(path: str, span: Span) -> Iterator[Problem]:
    """What is wrong with a range or with choices, whatever the field is."""
    numbers = {"low": span.low, "high": span.high, "step": span.step}
    given = [key for key, value in numbers.items() if value is not None]
    if span.choices is not None:
        if given or span.log:
            yield Problem(_where(path), f"got choices beside {(given or ['log'])[0]}; give choices, or low and high")
        elif len(span.choices) < 2:
            yield Problem(_where(path, ("choices",)), f"got {quote(span.choices)}; give at least two values")
        yield from duplicates(_where(path, ("choices",)), span.choices)
        return
    low, high, step = span.low, span.high, span.step
    if low is None or high is None:
        missing = [key for key in ("low", "high") if numbers[key] is None]
        got = f"no {missing[0]}" if len(missing) == 1 else "neither low and high nor choices"
        yield Problem(_where(path), f"got {got}; give low and high, or choices")
        return
    if low >= high:
        yield Problem(_where(path, ("low",)), f"got {low:g}; expected less than high, which is {high:g}")
    if span.log and low <= 0:
        yield Problem(_where(path, ("low",)), f"got {low:g} beside log: true; a logarithmic range begins above 0")
    if span.log and step is not None:
        yield Problem(_where(path, ("step",)), f"got {step:g} beside log: true; a logarithmic range has no steps")
    elif step is not None and not 0 < step <= high - low and low < high:
        yield Problem(_where(path, ("step",)), f"got {step:g}; expected more than 0 and at most {high - low:g}")


def _value_problems(path: str, span: Span, drafts: Iterable[Draft]) -> list[Problem]:
    """What the checks of the field say of its corners, in any of the cells."""
    values = Values()
    problems: list[Problem] = []
    for each in _first_of_each(drafts, path.split(".")[0]):
        known = values.read(each.fields)[1]
        for corner in corners(path, span):
            try:
                fields = assign(each.fields, path.split("."), corner.value)
            except KeyError as error:
                problems.append(Problem(_where(path), f"got a key inside {error.args[0]}, which has no keys"))
                break
            faults = [fault for fault in values.read(fields)[1] if fault not in known]
            problems += [_problem(path, corner, fault.path, fault.message) for fault in faults[:1]]
    return list(dict.fromkeys(problems))


def _problem(path: str, corner: Corner, at: Path, message: str) -> Problem:
    """A fault of a corner; one of another field, with which the corner does not fit, names that field."""
    if dotted(at) == path or dotted(at).startswith((f"{path}.", f"{path}[")):
        return Problem(_where(path, corner.key), message)
    return Problem(_where(path, corner.key), f"got {quote(corner.value)}; {dotted(at)}: {message}")


def _pair_problems(fields: Mapping[str, Span], drafts: Iterable[Draft]) -> list[Problem]:
    """The problems of two searched fields whose corners do not fit together, such as two losses of weight 0."""
    pairs = [pair for pair in combinations(fields, 2) if pair[0].split(".")[0] == pair[1].split(".")[0]]
    problems: dict[tuple[str, str], Problem] = {}
    for one, other in pairs:
        for each in _first_of_each(drafts, one.split(".")[0]):
            if each.config is None:
                continue
            if message := _clash(each.config, (one, other), fields):
                problems.setdefault((one, other), Problem(_where(one), message))
    return [*problems.values()]


def _clash(config: TrialConfig, pair: tuple[str, str], fields: Mapping[str, Span]) -> str | None:
    """Why two corners of a pair of fields cannot stand together; None if all can."""
    one, other = pair
    for first in corners(one, fields[one]):
        for second in corners(other, fields[other]):
            try:
                with_values(config, {one: first.value, other: second.value})
            except ValidationError as error:
                reason = str(error.errors()[0].get("ctx", {}).get("error", error.errors()[0]["msg"]))
                values = f"{quote(first.value)} beside {other}: {quote(second.value)}"
                return f"got {values}, which do not fit together: {reason}"
    return None


def _first_of_each(drafts: Iterable[Draft], block: str) -> list[Draft]:
    """One draft per value of a block of the trial config."""
    first: dict[str, Draft] = {}
    for each in drafts:
        first.setdefault(repr(each.fields.get(block)), each)
    return [*first.values()]
