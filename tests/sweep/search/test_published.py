"""The studies in an Optuna storage, as Optuna's users read them."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from sweep.records.records import Records
from sweep.search.groups import groups
from sweep.search.published import Published, StudiesError
from sweep.search.studies import Studies
from sweep.search.study import Study
from sweep.spec.messages import quote
from tests.sweep.search.test_studies import FIELDS, GRID, finished, search
from trainables.errors import InputError

NAME = "mine/bert · forward · teacher"


def of(study: Study, records: Records) -> Studies:
    return Studies(study.search, tuple(GRID), (study,), records)


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return Published("mine", f"sqlite:///{tmp_path}/optuna.db")


def forward() -> Study:
    return Study(groups(GRID, search())[1], search())


def trials(published: Published) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=NAME, storage=published.url).trials


def test_optuna_loads_what_was_tried(published: Published, records: Records) -> None:
    study = finished(forward())
    published.write(of(study, records))
    stored = optuna.load_study(study_name=NAME, storage=published.url)
    assert stored.direction.name == "MAXIMIZE"
    assert study.best is not None
    assert stored.best_trial.number == study.best.number
    for trial, candidate, outcome in zip(stored.trials, study.candidates, study.outcomes, strict=True):
        assert trial.state is (TrialState.FAIL if outcome == "failed" else TrialState.COMPLETE)
        assert trial.value == (None if outcome == "failed" else outcome)
        assert trial.user_attrs == {"fingerprint": candidate.cell.fingerprint}
        ramp = '{"from":3,"to":0,"until":1}'
        hidden = candidate.values["losses.hidden"]
        assert trial.params == {**candidate.values, "losses.hidden": hidden if hidden == 1 else ramp}


def test_each_round_is_added_once(published: Published, records: Records) -> None:
    study = forward()
    lengths: list[int] = []
    for _ in range(2):
        published.write(of(study, records))
        lengths.append(len(trials(published)))
        study.advance(lambda each: float(each.number))
        published.write(of(study, records))
        published.write(of(study, records))
        lengths.append(len(trials(published)))
    assert lengths == [0, 4, 4, 8]


def test_a_study_whose_candidates_ended_otherwise_is_drawn_again(published: Published, records: Records) -> None:
    study, other = forward(), forward()
    study.advance(lambda _: "failed")
    published.write(of(study, records))
    other.advance(lambda each: float(each.number))
    published.write(of(other, records))
    assert [trial.value for trial in trials(published)] == [0.0, 1.0, 2.0, 3.0]


def test_a_study_of_another_space_is_refused_with_the_difference(published: Published, records: Records) -> None:
    published.write(of(forward(), records))
    published.check(of(forward(), records))
    fields = {path: span for path, span in FIELDS.items() if path != "train.weight_decay"}
    changed = search(fields=fields, seed=7, candidates=99)
    with pytest.raises(InputError) as error:
        published.check(of(Study(groups(GRID, changed)[1], changed), records))
    decay = "{'low': 0.1, 'high': 1.0, 'step': 0.3}"
    assert str(error.value) == (
        f"search.studies: got {quote(published.url)}, which has the study '{NAME}' of another search: "
        f"fields.train.weight_decay {decay} there, null here; seed 1000 there, 7 here. "
        "Give another name or storage, or delete that study"
    )


def test_a_study_of_someone_else_is_refused(published: Published, records: Records) -> None:
    optuna.create_study(study_name=NAME, storage=published.url).add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(InputError, match=f"which has the study '{NAME}' of another search: "):
        published.check(of(forward(), records))


def test_a_study_that_a_kill_left_without_its_description_is_completed(published: Published, records: Records) -> None:
    optuna.create_study(study_name=NAME, storage=published.url, direction="maximize")
    study = finished(forward())
    published.check(of(study, records))
    published.write(of(study, records))
    assert len(trials(published)) == 12
    published.check(of(forward(), records))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nowhere", "Could not parse SQLAlchemy URL from given URL string"),
        ("sqlite:////proc/x/optuna.db", "(sqlite3.OperationalError) unable to open database file"),
    ],
)
def test_a_storage_that_does_not_answer(url: str, reason: str, records: Records) -> None:
    with pytest.raises(InputError) as error:
        Published("mine", url).check(of(forward(), records))
    assert str(error.value) == f"search.studies: got '{url}'; {reason}"
    with pytest.raises(StudiesError):
        Published("mine", url).write(of(forward(), records))
