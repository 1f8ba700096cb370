"""The space of a search in Optuna's terms: its distributions and its samplers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sweep.grid.fingerprint import canonical
from sweep.spec.fields import is_whole
from sweep.spec.search import Search, Span

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler

Choice = bool | int | float | str | None
DIGITS = 4
"""The significant digits of a proposed number. They hide differences of the last bits between machines."""


def distributions(search: Search) -> dict[str, BaseDistribution]:
    """The distribution of each searched field."""
    return {path: _distribution(path, span) for path, span in search.fields.items()}


def _distribution(path: str, span: Span) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if span.choices is not None:
        return CategoricalDistribution([_choice(value) for value in span.choices])
    assert span.low is not None
    assert span.high is not None
    high = span.high if span.step is None else _last(span.low, span.high, span.step)
    if is_whole(path):
        return IntDistribution(int(span.low), int(high), log=span.log, step=int(span.step or 1))
    return FloatDistribution(span.low, high, log=span.log, step=span.step)


def _last(low: float, high: float, step: float) -> float:
    """The last value of a range with steps."""
    start, end, size = (Decimal(str(number)) for number in (low, high, step))
    return float(start + (end - start) // size * size)


def _choice(value: Any) -> Choice:
    """A choice as Optuna stores it: a mapping or a list becomes a text."""
    return value if isinstance(value, Choice) else canonical(value)


def values(params: Mapping[str, Any], search: Search) -> dict[str, Any]:
    """The values of a candidate from the parameters that Optuna proposed, with numbers of a few digits."""
    return {path: _value(params[path], span) for path, span in search.fields.items()}


def _value(param: Any, span: Span) -> Any:
    if span.choices is not None:
        return next(value for value in span.choices if repr(_choice(value)) == repr(param))
    if isinstance(param, int):
        return param
    assert span.low is not None
    assert span.high is not None
    rounded = float(f"{param:.{DIGITS if span.step is None else 10}g}")
    return min(max(rounded, span.low), span.high)


def stored(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a candidate as parameters of Optuna."""
    return {path: _choice(value) for path, value in values.items()}


def sampler(search: Search) -> BaseSampler:
    """The sampler of one study; each study has one of its own, with the same seed."""
    from optuna import samplers
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        match search.sampler:
            case "tpe":
                return samplers.TPESampler(seed=search.seed)
            case "gp":
                return samplers.GPSampler(seed=search.seed, warn_independent_sampling=False)
            case "random":
                return samplers.RandomSampler(seed=search.seed)
            case "qmc":
                return samplers.QMCSampler(seed=search.seed, scramble=True, warn_independent_sampling=False)
            case "cmaes":
                return samplers.CmaEsSampler(seed=search.seed, warn_independent_sampling=False)


def description(search: Search) -> dict[str, Any]:
    """What determines the candidates of a study, beside the scores that it is told."""
    fields = {path: span.model_dump(exclude_defaults=True) for path, span in search.fields.items()}
    return {"fields": fields, "sampler": search.sampler, "seed": search.seed, "at_once": search.at_once}
