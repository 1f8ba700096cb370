"""The study of one group: candidates are asked in rounds, and told in their order once a whole round has ended.

So a study depends on the scores alone: not on the order in which candidates end, nor on how often the sweep was cut
off. It is made anew in memory from the records, by asking and telling again.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from sweep.grid.cells import Cell
from sweep.search import space
from sweep.search.groups import Group
from sweep.spec.search import Search

if TYPE_CHECKING:
    from optuna import Study as OptunaStudy

FEWEST_SCORES = 8
"""Fewer different scores say nothing about the importance of a field."""
Outcome = float | Literal["failed", "open"]
"""A validation score, where higher is better; failed by itself; or not ended yet."""


@dataclass(frozen=True)
class Candidate:
    """One setting that a group tries."""

    number: int
    """Its place in the study, from 0."""
    name: str
    values: Mapping[str, Any]
    cell: Cell


@dataclass
class Study:
    """The candidates of a group so far, and the outcomes of those whose round has ended."""

    group: Group
    search: Search
    candidates: list[Candidate] = field(default_factory=list[Candidate])
    outcomes: list[float | Literal["failed"]] = field(default_factory=list[float | Literal["failed"]])

    def __post_init__(self) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._distributions = space.distributions(self.search)
        self._study: OptunaStudy = optuna.create_study(direction="maximize", sampler=space.sampler(self.search))
        self._ask()

    @property
    def is_done(self) -> bool:
        return len(self.outcomes) == self.search.candidates

    @property
    def round(self) -> list[Candidate]:
        """The candidates that are asked and not told; empty once the study is done."""
        return self.candidates[len(self.outcomes) :]

    @property
    def best(self) -> Candidate | None:
        """The candidate with the highest score so far, the first of equals; None if none has a score."""
        scored = [(score, -number) for number, score in enumerate(self.outcomes) if score != "failed"]
        return self.candidates[-max(scored)[1]] if scored else None

    def importance(self) -> dict[str, float]:
        """Searched field -> its share of what decides whether a candidate is among the best tenth, 1 in sum.

        By PED-ANOVA (Watanabe, Bansal and Hutter 2023), in Optuna's implementation. Empty unless scores differ.
        """
        from optuna.exceptions import ExperimentalWarning
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        scores = {score for score in self.outcomes if score != "failed"}
        if len(scores) < FEWEST_SCORES:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            shares = get_param_importances(self._study, evaluator=PedAnovaImportanceEvaluator())
        return {path: float(shares[path]) for path in self.search.fields}

    def advance(self, outcome: Callable[[Candidate], Outcome]) -> bool:
        """Tells the round and asks the next one; does nothing and returns False unless the whole round has ended."""
        ends: list[float | Literal["failed"]] = []
        for candidate in self.round:
            end = outcome(candidate)
            if end == "open":
                return False
            ends.append(end)
        if not ends:
            return False
        self._tell(ends)
        self._ask()
        return True

    def _ask(self) -> None:
        first = len(self.candidates)
        for number in range(first, min(first + self.search.at_once, self.search.candidates)):
            trial = self._study.ask(self._distributions)
            values = space.values(trial.params, self.search)
            name = f"{self.group.label} · candidate {number}"
            self.candidates.append(Candidate(number, name, values, self.group.candidate(values)))

    def _tell(self, ends: list[float | Literal["failed"]]) -> None:
        from optuna.trial import TrialState

        for candidate, end in zip(self.round, ends, strict=True):
            if end == "failed":
                self._study.tell(candidate.number, state=TrialState.FAIL)
            else:
                self._study.tell(candidate.number, end)
        self.outcomes += ends
