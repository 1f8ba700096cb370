"""The verdict of a sweep: its comparisons by themselves, and together on the share of the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sweep.verdict.decide import Question, Verdict
from sweep.verdict.judge import SweepVerdict, judge
from sweep.verdict.tables import PairedTable
from sweep.verdict.whole import WHOLE, whole_table
from tests.sweep.verdict.scores import BLOCK, CHANCE, TEACHER, exact, results_of

ALIKE = {"none": 0.6, "forward": 0.7, "reverse": 0.7}


def tables(*effects: dict[str, float], num_seeds: int = 6, sd: float = 0.002) -> list[PairedTable]:
    """One table per mapping, each of a model of its own."""
    return [
        replace(exact(each, num_seeds, sd, number), block=BLOCK._replace(model=f"model-{number}"))
        for number, each in enumerate(effects)
    ]


def judged(parts: Sequence[PairedTable], margin: float | None = None) -> SweepVerdict:
    return judge(pd.concat([results_of(part) for part in parts]), margin, 0.05)


def verdicts(found: SweepVerdict) -> dict[Question, Verdict]:
    return {answer.question: answer.verdict for answer in found.whole}


def test_the_whole_is_the_mean_of_the_shares_at_each_seed() -> None:
    parts = tables(ALIKE, ALIKE)
    found = judged(parts)
    shares = [(part.scores_SK - CHANCE) / (TEACHER - CHANCE) for part in parts]
    assert found.whole[0].table.scores_SK == pytest.approx(np.mean(shares, axis=0))
    assert found.whole[0].table.block == WHOLE
    assert found.first == found.whole
    assert verdicts(found) == {Question.MATCHING: Verdict.DIFFERENT, Question.STRATEGY: Verdict.EQUIVALENT}
    assert len(found.blocks) == 4
    assert [answer.question for answer in found.of(parts[1].block)] == list(Question)


def test_a_margin_in_points_becomes_the_mean_share_of_the_way() -> None:
    found = judged(tables(ALIKE, ALIKE), 0.01)
    assert [answer.margin.value for answer in found.blocks] == [0.01] * 4
    assert [answer.margin.value for answer in found.whole] == pytest.approx([0.01 / (TEACHER - CHANCE)] * 2)


def test_a_margin_in_points_fits_no_two_metrics() -> None:
    first, second = tables(ALIKE, ALIKE)
    results = pd.concat([results_of(first), results_of(second, "bleu")])
    for answer in (*judge(results, 0.01, 0.05).blocks, *judge(results, 0.01, 0.05).whole):
        assert answer.margin.reason == (
            "verdict.margin is in the units of one metric, and the tasks have accuracy and bleu; leave it null"
        )
        assert answer.margin.value is None
    assert judge(results, None, 0.05).whole[0].margin.is_relative


def test_a_single_comparison_speaks_for_the_sweep() -> None:
    found = judged(tables(ALIKE))
    assert found.whole == ()
    assert found.first == found.blocks


def test_differences_of_opposite_sign_do_not_cancel() -> None:
    """Reverse wins in one comparison what it loses in the other, which no mean shows."""
    found = judged(tables({**ALIKE, "reverse": 0.75}, {**ALIKE, "reverse": 0.65}))
    (answer,) = [each for each in found.whole if each.question is Question.STRATEGY]
    assert answer.p_equivalent is not None
    assert answer.p_equivalent < 0.01
    assert answer.verdict is Verdict.UNDECIDED
    assert answer.reason == "equivalent on average, and different in 2 of the comparisons by itself"


def test_seeds_and_strategies_that_not_all_have_are_left_out_and_said() -> None:
    first, second = tables({**ALIKE, "random": 0.7}, ALIKE)
    second = replace(second, seeds=second.seeds[:4], scores_SK=second.scores_SK[:4])
    empty = replace(first, block=BLOCK, seeds=(), scores_SK=np.empty((0, 4)))
    found = whole_table([first, second, empty])
    assert found is not None
    assert (found.strategies, found.seeds) == (("none", "forward", "reverse"), (0, 1, 2, 3))
    assert found.scores_SK == pytest.approx((first.scores_SK[:4, :3] + second.scores_SK) / 2)
    assert found.notes == (
        "random is left out, since not every comparison has it.",
        "1 of 3 comparisons have no seed with two strategies, and are left out.",
        "Of the seeds 2 are left out, since not all have them.",
    )


def test_without_a_common_seed_the_whole_is_undecided() -> None:
    first, second = tables(ALIKE, ALIKE)
    second = replace(second, seeds=tuple(seed + 10 for seed in second.seeds))
    for answer in judged([first, second]).whole:
        assert answer.verdict is Verdict.UNDECIDED
        assert answer.reason == "the strategies share no seed, and a test needs two"


def test_a_teacher_at_chance_has_no_share() -> None:
    """Its comparison counts by itself, and not in the whole."""
    first, second = tables(ALIKE, ALIKE)
    at_chance = results_of(second, teacher=CHANCE + 1e-9).assign(teacher_test=CHANCE, share_of_teacher=None)
    found = judge(pd.concat([results_of(first), at_chance]), 0.01, 0.05)
    assert found.whole == ()
    assert found.first == ()
    assert len(found.blocks) == 4
