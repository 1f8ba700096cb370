"""Studies are functions of scores: whatever is interrupted, and in whatever order candidates end."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.grid.cells import Cell
from sweep.grid.fingerprint import fingerprint
from sweep.records.records import Records
from sweep.search.groups import groups
from sweep.search.studies import Studies
from sweep.search.study import Candidate, Outcome, Study
from sweep.spec.search import Search
from tests.sweep.tracked import begin, make_cell, make_result

FIELDS = {
    "train.learning_rate": {"low": 1e-5, "high": 1e-2, "log": True},
    "train.warmup_steps": {"low": 0, "high": 35, "step": 10},
    "train.weight_decay": {"low": 0.1, "high": 1, "step": 0.3},
    "losses.hidden": {"choices": [1, {"from": 3, "to": 0, "until": 1.0}]},
}
SAMPLERS = ("tpe", "random", "qmc", "gp")


def search(**fields: Any) -> Search:
    return Search.model_validate({"fields": FIELDS, "candidates": 12, "at_once": 4, **fields})


def cell(**fields: Any) -> Cell:
    config = make_cell(**fields).config
    return Cell(config, "da7a", "7eac4e4", fingerprint(config, "da7a", "7eac4e4"))


GRID = [cell(strategy=strategy, seed=seed) for strategy in ("none", "forward") for seed in (0, 1)]


def score(candidate: Candidate) -> Outcome:
    """Best at a rate of 1e-3; every fifth candidate fails."""
    if candidate.number % 5 == 3:
        return "failed"
    return -abs(math.log(candidate.values["train.learning_rate"] / 1e-3)) + (
        candidate.cell.config.strategy.kind == "none"
    )


def finished(study: Study) -> Study:
    while study.advance(score):
        pass
    return study


def history(study: Study) -> list[tuple[str, Outcome]]:
    """The cells and outcomes of a study, and what it asks for now."""
    told: list[Outcome] = [*study.outcomes, *["open"] * len(study.round)]
    return [(each.cell.fingerprint, end) for each, end in zip(study.candidates, told, strict=True)]


def test_groups_are_cells_without_their_seeds() -> None:
    none, forward = groups(GRID, search())
    assert [none.label, forward.label] == ["bert · none · teacher", "bert · forward · teacher"]
    assert [none.cells, forward.cells] == [tuple(GRID[:2]), tuple(GRID[2:])]
    tried = forward.candidate({"train.learning_rate": 0.5, "losses.hidden": 2})
    assert (tried.config.seed, tried.config.train.learning_rate, tried.config.losses.hidden) == (1000, 0.5, 2.0)
    assert (tried.data, tried.teacher_hash) == ("da7a", "7eac4e4")
    assert tried.fingerprint == fingerprint(tried.config, "da7a", "7eac4e4")
    assert [chosen.config.seed for chosen in forward.chosen({"train.learning_rate": 0.5})] == [0, 1]


def test_cells_that_differ_in_a_searched_field_alone_are_one_group() -> None:
    cells = [cell(train={"learning_rate": rate}) for rate in (1e-4, 1e-3)]
    assert [group.cells for group in groups(cells, search())] == [tuple(cells)]


def test_a_shared_axis_is_tuned_on_one_of_its_values() -> None:
    """Each strategy has one study, whose candidates start from the teacher's weights, for both inits."""
    ramp = {"from": 3, "to": 0}
    grid = [
        cell(strategy=strategy, init=init, losses={"kl": ramp})
        for init in ("random", "teacher")
        for strategy in ("none", "forward")
    ]
    none, forward = groups(grid, search(share={"init": "teacher"}))
    assert [none.label, forward.label] == ["bert · none · teacher", "bert · forward · teacher"]
    assert [none.cells, forward.cells] == [(grid[0], grid[2]), (grid[1], grid[3])]
    tried = forward.candidate({"train.learning_rate": 0.5})
    assert (tried.config.init, tried.config.strategy.kind) == ("teacher", "forward")
    alone = groups(grid[3:], search())[0]
    values = {"train.learning_rate": 0.5, "train.warmup_steps": 10, "train.weight_decay": 0.4, "losses.hidden": 1}
    assert forward.candidate(values) == alone.candidate(values)
    assert [each.config.init for each in forward.chosen({"train.learning_rate": 0.5})] == ["random", "teacher"]
    both = groups(grid, search(share={"init": "teacher", "strategy": "forward"}))
    assert [(group.label, len(group.cells)) for group in both] == [("bert · forward · teacher", 4)]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_proposals_lie_in_the_space_and_are_the_same_for_every_group_at_first(sampler: str) -> None:
    studies = [finished(Study(group, search(sampler=sampler))) for group in groups(GRID, search())]
    for study in studies:
        assert len(study.candidates) == len(study.outcomes) == 12
        for each in study.candidates:
            assert 1e-5 <= each.values["train.learning_rate"] <= 1e-2
            assert each.values["train.learning_rate"] == float(f"{each.values['train.learning_rate']:.4g}")
            assert each.values["train.warmup_steps"] in (0, 10, 20, 30)
            assert each.values["train.weight_decay"] in (0.1, 0.4, 0.7, 1.0)
            assert each.values["losses.hidden"] in FIELDS["losses.hidden"]["choices"]
    first, second = ([each.values for each in study.candidates[:4]] for study in studies)
    assert first == second


def test_the_importance_of_a_field_is_its_share_of_what_makes_a_candidate_good() -> None:
    """The score depends on the rate alone. Too few scores say nothing, nor do equal ones."""
    study = Study(groups(GRID, search())[1], search(candidates=40, at_once=8, sampler="random"))
    assert study.importance() == {}
    while study.advance(score):
        pass
    shares = study.importance()
    assert list(shares) == list(FIELDS)
    assert sum(shares.values()) == pytest.approx(1)
    assert max(shares, key=shares.__getitem__) == "train.learning_rate"
    assert shares["train.learning_rate"] > 0.5
    equal = Study(groups(GRID, search())[1], search())
    while equal.advance(lambda _: 0.5):
        pass
    assert equal.importance() == {}


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_study_goes_on_from_any_prefix_of_its_results(sampler: str) -> None:
    """What the records have after a kill is any part of the round that runs, beside the rounds before."""
    group, draw = groups(GRID, search())[1], random.Random(0)
    calm = finished(Study(group, search(sampler=sampler)))
    for num_ended in range(len(calm.candidates) + 1):
        begun = num_ended - num_ended % 4
        current = draw.sample(range(begun, min(begun + 4, 12)), num_ended - begun)
        ended = {calm.candidates[number].cell.fingerprint for number in [*range(begun), *current]}
        cut = Study(group, search(sampler=sampler))
        while cut.advance(lambda each, known=ended: score(each) if each.cell.fingerprint in known else "open"):
            pass
        assert history(cut)[:begun] == history(calm)[:begun]
        assert [each.cell for each in cut.round] == [each.cell for each in calm.candidates[begun : begun + 4]]
        assert history(finished(cut)) == history(calm)


@settings(max_examples=15)
@given(workers=st.sampled_from((1, 2, 8)), seed=st.integers(0, 2**32), kills=st.sets(st.integers(0, 24), max_size=4))
def test_the_order_in_which_candidates_end_changes_nothing(workers: int, seed: int, kills: set[int]) -> None:
    """Workers take candidates of both groups in any order; at a kill, the studies are made anew from the scores."""
    draw, ended = random.Random(seed), dict[str, Outcome]()
    trained: list[str] = []

    def known(candidate: Candidate) -> Outcome:
        return ended.get(candidate.cell.fingerprint, "open")

    def made() -> list[Study]:
        studies = [Study(group, search()) for group in groups(GRID, search())]
        for study in studies:
            while study.advance(known):
                pass
        return studies

    studies = made()
    while waiting := [each for study in studies for each in study.round if known(each) == "open"]:
        running = waiting[:workers]
        candidate = draw.choice(running)
        ended[candidate.cell.fingerprint] = score(candidate)
        trained.append(candidate.cell.fingerprint)
        if len(trained) in kills:
            studies = made()
        for study in studies:
            study.advance(known)
    assert list(map(history, studies)) == [
        history(finished(Study(group, search()))) for group in groups(GRID, search())
    ]
    assert sorted(trained) == sorted({each.cell.fingerprint for study in studies for each in study.candidates})


def test_more_candidates_continue_the_same_study() -> None:
    group = groups(GRID, search())[0]
    few, many = finished(Study(group, search(candidates=8))), finished(Study(group, search(candidates=16)))
    assert history(few) == history(many)[:8]


def test_a_study_learns_from_its_scores() -> None:
    """Later candidates of TPE lie nearer to the best rate than the random ones before."""
    study = finished(Study(groups(GRID, search())[1], search(candidates=40)))
    far = [abs(math.log(each.values["train.learning_rate"] / 1e-3)) for each in study.candidates]
    assert sum(far[20:]) / 20 < 0.6 * sum(far[:12]) / 12


def test_the_first_of_equals_is_chosen() -> None:
    study = Study(groups(GRID, search())[0], search())
    ends = ["failed", 0.5, 0.25, 0.5, 0.5]
    while study.advance(lambda each: ends[each.number % 5]):  # type: ignore[arg-type]
        pass
    assert study.best == study.candidates[1]
    failing = Study(groups(GRID, search())[0], search())
    while failing.advance(lambda _: "failed"):
        pass
    assert failing.is_done
    assert failing.best is None


def end(records: Records, candidate: Candidate, value: float | None) -> None:
    attempt = begin(records.cell(candidate.cell.fingerprint))
    if value is None:
        attempt.fail("loss nan", "a message", by_itself=True)
    else:
        attempt.commit(make_result(attempt, metrics={"best/accuracy": value}))


def test_scores_come_from_the_records(records: Records) -> None:
    tuned = search(candidates=4, at_once=2)
    studies = Studies.of(tuned, GRID, records)
    first = studies.open_candidates
    assert [each.name for each in first] == [
        *(f"bert · none · teacher · candidate {number}" for number in (0, 1)),
        *(f"bert · forward · teacher · candidate {number}" for number in (0, 1)),
    ]
    begin(records.cell(first[0].cell.fingerprint)).fail("node lost", "a message", by_itself=False)
    end(records, first[1], 0.5)
    studies.advance()
    assert studies.open_candidates == [first[0], *first[2:]]
    end(records, first[0], None)
    end(records, first[2], math.nan)
    end(records, first[3], 0.25)
    studies.advance()
    assert [study.outcomes for study in studies.studies] == [["failed", 0.5], ["failed", 0.25]]
    assert studies.describe() == [
        "search: 2 groups with 4 candidates each in 2 rounds of 2, with tpe; 4 of 8 candidates have ended"
    ]
    assert (studies.chosen, studies.waiting) == ([], GRID)
    for each in studies.open_candidates[:2]:
        end(records, each, 0.75)
    studies.advance()
    none = studies.studies[0].candidates[2]
    assert [chosen.config.seed for chosen in studies.chosen] == [0, 1]
    assert {chosen.config.train.learning_rate for chosen in studies.chosen} == {none.values["train.learning_rate"]}
    assert studies.waiting == GRID[2:]
    again = Studies.of(tuned, GRID, records)
    assert [history(study) for study in again.studies] == [history(study) for study in studies.studies]


def test_rounds_are_of_the_same_size_but_the_last() -> None:
    study = Study(groups(GRID, search())[0], search(candidates=10))
    sizes = [len(study.round)]
    while study.advance(score):
        sizes.append(len(study.round))
    assert sizes == [4, 4, 2, 0]
    numbers = [each.number for each in study.candidates]
    assert all(after == before + 1 for before, after in pairwise(numbers))
