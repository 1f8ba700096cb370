"""Questions whose seeds are added in rounds: when each of them ends, and with which seeds and levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sweep.spec.verdict import Seeds
from sweep.verdict.decide import Answer, Look, Question, Verdict
from sweep.verdict.judge import SweepVerdict, ended_seeds, judge
from sweep.verdict.looks import look_levels
from sweep.verdict.margin import margin_of
from sweep.verdict.rounds import NOT_ENDED, follow
from sweep.verdict.tables import Block, PairedTable
from sweep.verdict.whole import WHOLE
from tests.sweep.verdict.scores import BLOCK, drawn, results_of

LOOKS = (3, 4, 5, 6, 8, 10)
HELPS = {"none": 0.6, "forward": 0.7, "reverse": 0.7}


def made(effects: Mapping[str, float], sd: float = 0.01, seed: int = 0, num_seeds: int = 10) -> PairedTable:
    scores = drawn(np.random.default_rng(seed), effects, num_seeds, sd)
    return PairedTable(BLOCK, tuple(effects), tuple(range(num_seeds)), scores)


def followed(*tables: PairedTable, num_ended: int = 10, margin: float | None = 0.02) -> list[Answer]:
    blocks = [replace(table, block=Block(f"model-{number}", "t", "", "i")) for number, table in enumerate(tables)]
    ended = {table.block: num_ended for table in blocks}
    return follow(blocks, lambda part: margin_of(part, margin), 0.05, LOOKS, ended, is_fixed=margin is not None)


def test_the_looks_grow_by_a_third() -> None:
    assert Seeds().looks == (3, 4, 5, 6, 8, 10, 13, 17, 20)
    assert Seeds(first=2, most=5).looks == (2, 3, 4, 5)
    assert Seeds(first=6, most=6).looks == (6,)


def test_a_question_ends_at_the_first_look_that_decides_it_whatever_comes_after() -> None:
    table = made(HELPS, 0.006)
    matching, strategy = followed(table)
    assert (matching.verdict, matching.look) == (Verdict.DIFFERENT, Look(3, 10, is_decided=True))
    assert (strategy.verdict, strategy.look) == (Verdict.EQUIVALENT, Look(5, 10, is_decided=True))
    assert [len(each.table.seeds) for each in (matching, strategy)] == [3, 5]
    for num_ended in range(3, 11):
        now = followed(table, num_ended=num_ended)
        assert now[0].look == matching.look
        assert (now[1].verdict is Verdict.EQUIVALENT) == (num_ended >= 5)
    spoiled = table.scores_SK.copy()
    spoiled[5:] = 0.1 * np.arange(15).reshape(5, 3)
    after = followed(replace(table, scores_SK=spoiled))
    assert [each.verdict for each in after] == [Verdict.DIFFERENT, Verdict.EQUIVALENT]


def test_seeds_between_two_looks_count_at_the_later_one() -> None:
    *_, strategy = followed(made(HELPS, 0.03, seed=1), num_ended=7)
    assert strategy.verdict is Verdict.UNDECIDED
    assert strategy.look == Look(6, 10, is_decided=False)
    assert strategy.table.seeds == (0, 1, 2, 3, 4, 5)


def test_what_no_look_decides_is_undecided_after_the_most() -> None:
    answers = followed(made(dict.fromkeys(HELPS, 0.6), 0.05), margin=None)
    assert [each.verdict for each in answers] == [Verdict.UNDECIDED] * 2
    assert [each.look for each in answers] == [Look(10, 10, is_decided=False)] * 2


def test_the_levels_of_a_look_are_those_of_its_part_of_alpha_by_holm() -> None:
    """Two tables have two questions each. At the first look matching is rejected in the first table alone."""
    clear, unclear = made({"none": 0.2, "forward": 0.7}, 0.001), made({"none": 0.6, "forward": 0.6}, 0.05, seed=3)
    first, second = followed(clear, unclear, num_ended=3, margin=None)
    levels = [look_levels(LOOKS, 0.05 / num, 2)[0] for num in (2, 1)]
    assert (first.level, second.level) == pytest.approx(tuple(levels))
    assert (first.verdict, second.verdict) == (Verdict.DIFFERENT, Verdict.UNDECIDED)
    later = followed(clear, unclear, num_ended=4, margin=None)[1]
    assert later.level == pytest.approx(look_levels(LOOKS, 0.05, 2)[1])


def test_a_strategy_test_allows_no_pair_more_than_its_part() -> None:
    strategy = followed(made({**HELPS, "random": 0.7}, 0.3, seed=2), num_ended=4)[1]
    levels = 3 * look_levels(LOOKS, 0.05 / 2 / 3, 2)[1], look_levels(LOOKS, 0.05 / 2, 2, dims=2)[1]
    assert strategy.level == pytest.approx(min(levels))
    assert strategy.equivalence_level == pytest.approx(look_levels(LOOKS, 0.05 / 2, 1)[1])


def test_the_intervals_go_with_the_level_of_the_look() -> None:
    matching = followed(made({"none": 0.6, "forward": 0.62}, 0.02, seed=4), num_ended=3)[0]
    (pair,) = matching.differences
    assert pair.mean.low is not None
    assert pair.p_different is not None
    level = look_levels(LOOKS, 0.05, 2)[0]
    assert (pair.mean.low > 0) == (pair.p_different < level)
    half = pair.mean.value - pair.mean.low
    assert half > 4.4 * pair.sd / 3**0.5  # a single test would take 4.3 standard errors


def test_a_seed_that_failed_leaves_a_look_with_fewer() -> None:
    whole = made(HELPS, 0.03, seed=1)
    table = replace(whole, seeds=(0, 2, *whole.seeds[3:]), scores_SK=np.delete(whole.scores_SK, 1, axis=0))
    answer = followed(table, num_ended=3)[1]
    assert answer.table.seeds == (0, 2)
    assert answer.look == Look(3, 10, is_decided=False)
    assert answer.equivalence_level == pytest.approx(look_levels((2, 4, 5, 6, 8, 10), 0.025, 1)[0])


def test_no_look_is_possible_before_the_first_round_has_ended() -> None:
    for answer in followed(made(HELPS), num_ended=2):
        assert (answer.verdict, answer.reason) == (Verdict.UNDECIDED, NOT_ENDED)
        assert answer.look == Look(0, 10, is_decided=False)
        assert not answer.differences


def judged(results: pd.DataFrame) -> SweepVerdict:
    return judge(results, 0.02, 0.05, LOOKS)


def test_a_round_has_ended_when_no_cell_of_it_is_missing() -> None:
    results = results_of(made(HELPS, num_seeds=5))
    assert ended_seeds(results) == {BLOCK: 5}
    open_cell = (results.strategy == "reverse") & (results.seed == 3)
    results.loc[open_cell, ["status", "test", "share_of_teacher"]] = ["missing", np.nan, np.nan]
    assert ended_seeds(results) == {BLOCK: 3}
    assert {answer.look.num_seeds for answer in judged(results).blocks if answer.look} == {3}
    results.loc[open_cell, "status"] = "failed"
    assert ended_seeds(results) == {BLOCK: 5}
    assert ended_seeds(results[~open_cell]) == {BLOCK: 3}


def test_all_comparisons_together_are_looked_at_once_all_have_ended() -> None:
    first, second = (replace(made(HELPS, 0.006, seed), block=Block(f"m{seed}", "t", "", "i")) for seed in (0, 1))
    results = pd.concat([results_of(first), results_of(second.first(4))])
    verdict = judged(results)
    looks = {answer.look.num_seeds for answer in verdict.whole if answer.look}
    assert looks <= {3, 4}
    assert [answer.table.block for answer in verdict.whole] == [WHOLE] * 2
    assert [answer.question for answer in verdict.whole] == list(Question)
