"""The studies in an Optuna storage, where `optuna.load_study` and optuna-dashboard find them.

They are a picture of the records that can be drawn again: no candidate depends on what the storage holds.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweep.search import space
from sweep.search.studies import Studies
from sweep.search.study import Study
from sweep.spec.messages import quote
from sweep.spec.passwords import without_passwords
from sweep.spec.sweep import SweepConfig
from trainables.errors import InputError, Problem

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

FIELD = "search.studies"
SEARCH, FINGERPRINT = "search", "fingerprint"
"""User attributes: of a study, what determines it; of a trial, its cell."""


def studies_url(config: SweepConfig) -> str | None:
    """The Optuna storage of a sweep's studies; None where search.studies is null and the storage of the sweep a URL."""
    given = config.search.studies if config.search else None
    is_local = "://" not in config.storage_url
    return given or (f"sqlite:///{config.storage_url}/sweeps/{config.name}/optuna.db" if is_local else None)


class StudiesError(RuntimeError):
    """The Optuna storage does not answer, or refuses a request."""


@dataclass(frozen=True)
class Published:
    """The studies of a sweep in an Optuna storage; each is named `<sweep>/<group>`."""

    sweep: str
    url: str

    def check(self, studies: Studies) -> None:
        """Raises InputError if the storage does not answer, or has one of the studies with another space."""
        try:
            with _answering(self.url) as storage:
                problems = [problem for study in studies.studies for problem in self._problems(study, storage)]
        except StudiesError as error:
            raise InputError([Problem(FIELD, f"got {quote(self.url)}; {error}")]) from None
        if problems:
            raise InputError(problems)

    def write(self, studies: Studies) -> None:
        """Adds the trials of ended rounds that the storage lacks. Raises StudiesError."""
        with _answering(self.url) as storage:
            for study in studies.studies:
                self._write(study, storage)

    def name(self, study: Study) -> str:
        return f"{self.sweep}/{study.group.label}"

    def _problems(self, study: Study, storage: BaseStorage) -> list[Problem]:
        import optuna

        known = {each.study_name: each for each in storage.get_all_studies()}.get(self.name(study))
        if known is None:
            return []
        if (
            SEARCH not in known.user_attrs
            and not optuna.load_study(study_name=known.study_name, storage=storage).trials
        ):
            return []  # a command was killed between the creation of the study and its description
        theirs = _flat(json.loads(known.user_attrs.get(SEARCH, "{}")))
        ours = _flat(space.description(study.search))
        keys = [key for key in dict.fromkeys([*theirs, *ours]) if theirs.get(key) != ours.get(key)]
        if not keys:
            return []
        parts = [f"{key} {quote(theirs.get(key))} there, {quote(ours.get(key))} here" for key in keys]
        there = f"which has the study {quote(self.name(study))} of another search: {'; '.join(parts)}"
        return [Problem(FIELD, f"got {quote(self.url)}, {there}. Give another name or storage, or delete that study")]

    def _write(self, study: Study, storage: BaseStorage) -> None:
        import optuna

        name, trials = self.name(study), _trials(study)
        names = {each.study_name for each in storage.get_all_studies()}
        if name in names and not _begins(trials, optuna.load_study(study_name=name, storage=storage).trials):
            optuna.delete_study(study_name=name, storage=storage)  # candidates have ended otherwise since
            names.remove(name)
        stored = optuna.create_study(study_name=name, storage=storage, direction="maximize", load_if_exists=True)
        if SEARCH not in stored.user_attrs:
            stored.set_user_attr(SEARCH, json.dumps(space.description(study.search)))
        stored.add_trials(trials[len(stored.trials) :])


def _trials(study: Study) -> list[FrozenTrial]:
    """The told candidates as Optuna stores them."""
    from optuna.trial import TrialState, create_trial

    spread = space.distributions(study.search)
    return [
        create_trial(
            state=TrialState.FAIL if outcome == "failed" else TrialState.COMPLETE,
            value=None if outcome == "failed" else outcome,
            params=space.stored(candidate.values),
            distributions=spread,
            user_attrs={FINGERPRINT: candidate.cell.fingerprint},
        )
        for candidate, outcome in zip(study.candidates, study.outcomes, strict=False)
    ]


def _begins(trials: list[FrozenTrial], stored: Iterable[FrozenTrial]) -> bool:
    """Whether the stored trials are the first of these."""
    known = [(each.user_attrs.get(FINGERPRINT), each.state, each.value) for each in stored]
    return known == [(each.user_attrs[FINGERPRINT], each.state, each.value) for each in trials[: len(known)]]


def _flat(tree: dict[str, Any]) -> dict[str, Any]:
    """The description of a search, with one key per field: `fields.train.learning_rate`."""
    fields = {f"fields.{path}": span for path, span in tree.get("fields", {}).items()}
    return {**fields, **{key: value for key, value in tree.items() if key != "fields"}}


@contextmanager
def _answering(url: str) -> Generator[BaseStorage]:
    """The storage at the URL. Raises StudiesError if it does not answer."""
    import optuna
    from optuna.exceptions import ExperimentalWarning, OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield optuna.storages.get_storage(url)
    except (OptunaError, SQLAlchemyError, ImportError, OSError) as error:
        raise StudiesError(without_passwords(str(error).splitlines()[0])) from error
