"""The verdict of a sweep from its tidy results: every comparison by itself, and all of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from sweep.verdict.decide import Answer, Question, Verdict, ask, decide
from sweep.verdict.margin import Margin, margin_of
from sweep.verdict.rounds import follow
from sweep.verdict.tables import Block, PairedTable, paired_tables
from sweep.verdict.whole import WHOLE, whole_table

SCORE, SHARE = "test", "share_of_teacher"
SEVERAL_METRICS = "verdict.margin is in the units of one metric, and the tasks have {}; leave it null"


@dataclass(frozen=True)
class SweepVerdict:
    """The answers of a sweep. Each tuple is a family of its own for Holm's correction."""

    alpha: float
    blocks: tuple[Answer, ...]
    """Of each comparison by itself, on the main metric."""
    whole: tuple[Answer, ...]
    """Of all together, on the share of the way; empty for a single comparison, or where no seed is common to all."""

    @property
    def first(self) -> tuple[Answer, ...]:
        """What is read first: the answers of the whole or, for a single comparison, its own."""
        alone = len({answer.table.block for answer in self.blocks}) == 1
        return self.whole or (self.blocks if alone else ())

    def of(self, block: Block) -> tuple[Answer, ...]:
        return tuple(answer for answer in self.blocks if answer.table.block == block)


def judge(
    results: pd.DataFrame, margin: float | None, alpha: float, looks: Sequence[int] | None = None
) -> SweepVerdict:
    """Asks both questions of every comparison, and of all together.

    `results` has one row per cell: the columns of `Block`, `strategy`, `seed`, `main_metric`, `test`, `teacher_test`,
    `chance` and `share_of_teacher`. `margin` is in the units of the main metric; None takes a third of the gain of
    forward. `looks` are the numbers of seeds after which the scores are looked at, where seeds are added in rounds;
    `results` then has the column `status` too. Raises InputError where a column is missing or a cell comes twice.
    """
    tables, shares = paired_tables(results, SCORE), paired_tables(results, SHARE)
    metrics = [str(name) for name in results["main_metric"].unique() if name]
    several = SEVERAL_METRICS.format(" and ".join(metrics)) if margin is not None and len(metrics) > 1 else ""

    def margin_for(table: PairedTable, fixed: float | None) -> Margin:
        return Margin(None, reason=several) if several else margin_of(table, fixed)

    num_ended = ended_seeds(results) if looks else {}

    def answers(family: Sequence[PairedTable], fixed: float | None) -> list[Answer]:
        if not looks:
            return decide([each for table in family for each in _ask(table, margin_for(table, fixed), alpha)], alpha)
        return follow(
            family, lambda table: margin_for(table, fixed), alpha, looks, num_ended, is_fixed=fixed is not None
        )

    blocks = answers(tables, margin)
    whole = whole_table(shares)
    if whole is None:
        return SweepVerdict(alpha, tuple(blocks), ())
    num_ended[WHOLE] = min(num_ended.values(), default=0)
    together = answers([whole], None if margin is None else margin * _shares_per_point(shares, _widths(results)))
    return SweepVerdict(alpha, tuple(blocks), tuple(_guarded(answer, blocks) for answer in together))


def ended_seeds(results: pd.DataFrame) -> dict[Block, int]:
    """Block -> how many of its seeds, from 0 on, have ended with every strategy, well or badly."""
    ended: dict[Block, int] = {}
    for key, rows in results.groupby(list(Block._fields), sort=False):
        counts = rows[rows["status"] != "missing"].groupby("seed")["strategy"].nunique()
        num, num_strategies = 0, rows["strategy"].nunique()
        while counts.get(num, 0) == num_strategies:
            num += 1
        ended[Block(*map(str, key))] = num
    return ended


def _ask(table: PairedTable, margin: Margin, alpha: float) -> list[Answer]:
    answers = (ask(question, table, margin, alpha) for question in Question)
    return [answer for answer in answers if answer]


def _widths(results: pd.DataFrame) -> dict[Block, float]:
    """Block -> the way from chance to the teacher, in the units of the metric; not of a teacher at chance."""
    way = results.assign(way=results["teacher_test"].astype(float) - results["chance"].astype(float))
    means = way.groupby(list(Block._fields), sort=False)["way"].mean()
    return {Block(*map(str, key)): float(width) for key, width in means.items() if width > 0}  # type: ignore[misc]


def _shares_per_point(tables: Sequence[PairedTable], widths: Mapping[Block, float]) -> float:
    """The share of the way that one point of the metric is, averaged over the blocks of the whole."""
    used = [widths[each.block] for each in tables if each.seeds and len(each.strategies) > 1]
    return float(np.mean([1 / width for width in used]))


def _guarded(answer: Answer, blocks: Sequence[Answer]) -> Answer:
    """What is equivalent on average is not called so where a comparison by itself is different: differences of
    opposite sign would cancel."""
    against = [each for each in blocks if each.question is answer.question and each.verdict is Verdict.DIFFERENT]
    if answer.verdict not in (Verdict.EQUIVALENT, Verdict.MEASURABLE) or not against:
        return answer
    reason = f"equivalent on average, and different in {len(against)} of the comparisons by itself"
    return replace(answer, verdict=Verdict.UNDECIDED, reason=reason)
