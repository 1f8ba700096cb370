"""The tests of a sweep's scores: the verdict over seeds, and where there is one seed, students compared row by row."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd

from sweep.records.records import Records
from sweep.report.answers import answer_lines
from sweep.report.results import ResultRow
from sweep.report.summary import NO_MATCHING, Section
from sweep.spec.baselines import BASELINES
from sweep.spec.verdict import VerdictSettings
from sweep.tracking.tags import ACUTE_SHARE
from sweep.verdict.angles import Relation, relation
from sweep.verdict.decide import Answer
from sweep.verdict.judge import SCORE, SHARE, SweepVerdict, judge
from sweep.verdict.margin import REFERENCE
from sweep.verdict.paired import Difference, difference, holm, with_holm
from sweep.verdict.rows import RowDifference, compare_bleu, compare_rows
from sweep.verdict.tables import Block, paired_tables
from sweep.verdict.variance import Variance, variance
from trainables.errors import InputError

COLUMNS = (
    *Block._fields,
    "strategy",
    "seed",
    "status",
    "main_metric",
    "test",
    "teacher_test",
    "chance",
    "share_of_teacher",
)
ACUTE = "acute_share"
BLEU = "bleu"


@dataclass(frozen=True)
class Evidence:
    """The verdict of a sweep; `obstacle` says why there is none."""

    verdict: SweepVerdict
    metrics: dict[Block, str]
    """The main metric of each comparison."""
    by_rows: dict[Block, tuple[RowDifference, ...]]
    """The comparisons with a single seed: the students against `none`, then against each other."""
    variance: Variance = field(default_factory=lambda: Variance((), {}))
    relation: Relation | None = None
    """Of acute angles and the spread of the strategies, over the comparisons."""
    obstacle: str = ""
    baselines: dict[Block, tuple[Difference, ...]] = field(default_factory=dict[Block, "tuple[Difference, ...]"])
    """What `none` and forward gain over each baseline of the sweep."""

    @property
    def is_tested(self) -> bool:
        """Whether a test over seeds was possible anywhere."""
        return any(answer.differences for answer in self.verdict.blocks)

    def of(self, section: Section, init: str) -> tuple[Answer, ...]:
        return self.verdict.of(block_of(section, init))


def block_of(section: Section, init: str) -> Block:
    return Block(section.model, section.task, section.axes_text, init)


def gather(sections: Sequence[Section], settings: VerdictSettings, records: Records) -> Evidence:
    """Tests the scores of all sections. Results that no test can be made of are said in `obstacle`."""
    metrics = {block_of(section, init): section.metric for section in sections for init in section.inits}
    results, alpha = tidy(sections), settings.alpha
    try:
        verdict = judge(results, settings.margin, alpha, settings.seeds.looks if settings.seeds else None)
    except InputError as error:
        return Evidence(SweepVerdict(alpha, (), ()), metrics, {}, obstacle=f"There is no verdict: {error}.")
    single = {answer.table.block for answer in verdict.blocks if len(answer.table.seeds) == 1}
    by_rows = {
        block_of(section, init): tuple(_by_rows(section, init, alpha, records))
        for section in sections
        for init in section.inits
        if block_of(section, init) in single
    }
    return Evidence(
        verdict,
        metrics,
        {block: found for block, found in by_rows.items() if found},
        variance(results, SHARE, alpha),
        _relation(results, alpha),
        baselines=_against_baselines(sections, alpha),
    )


def _against_baselines(sections: Sequence[Section], alpha: float) -> dict[Block, tuple[Difference, ...]]:
    """`none` and forward against each baseline at their common seeds, adjusted for the number in each comparison."""
    results = _tidy(sections)
    found: dict[Block, list[Difference]] = {}
    for baseline, other in product(BASELINES, (NO_MATCHING, REFERENCE)):
        for table in paired_tables(results[results["strategy"].isin((baseline, other))], SCORE):
            if table.seeds and len(table.strategies) == 2:
                pair = difference((other, baseline), table.of(other), table.of(baseline), None, alpha)
                found.setdefault(table.block, []).append(pair)
    return {block: tuple(with_holm(pairs)) for block, pairs in found.items()}


def tidy(sections: Iterable[Section]) -> pd.DataFrame:
    """One row per cell and section, with the columns that a verdict needs; baselines are left out."""
    results = _tidy(sections)
    return results[~results["strategy"].isin(BASELINES)]


def _tidy(sections: Iterable[Section]) -> pd.DataFrame:
    rows = [
        {
            **block_of(section, row.init)._asdict(),
            **{name: getattr(row, name) for name in COLUMNS[len(Block._fields) :]},
            ACUTE: _acute(row),
        }
        for section in sections
        for row in section.rows
    ]
    return pd.DataFrame(rows, columns=[*COLUMNS, ACUTE])


def _acute(row: ResultRow) -> float | None:
    """The share of acute angles of a cell, over its stacks; None without angles."""
    shares = [value for name, value in row.metrics.items() if name.endswith(f"/{ACUTE_SHARE}")]
    return statistics.fmean(shares) if shares else None


def _relation(results: pd.DataFrame, alpha: float) -> Relation | None:
    """Of the share of acute angles and the spread of the matching strategies' mean shares of the way."""
    acute: list[float] = []
    spreads: list[float] = []
    for table in paired_tables(results, SHARE):
        own = results[(results[list(Block._fields)] == list(table.block)).all(axis=1)][ACUTE].dropna()
        if len(table.seeds) and len(table.matching) > 1 and len(own):
            acute.append(float(own.astype(float).mean()))
            spreads.append(float(np.ptp(table.only(table.matching).scores_SK.mean(axis=0))))
    return relation(acute, spreads, alpha)


def _by_rows(section: Section, init: str, alpha: float, records: Records) -> list[RowDifference]:
    """The students of one comparison, pair by pair; adjusted for their number in each of the two questions."""
    students = {row.strategy: row for group in section.of(init) for row in group.rows if row.test is not None}
    matching = [name for name in students if name not in (NO_MATCHING, *BASELINES)]
    against_none = [(name, NO_MATCHING) for name in matching] if NO_MATCHING in students else []
    # Each is compared with all others.
    lines = {name: answer_lines(records.cell(row.fingerprint)) for name, row in students.items()}
    differences: list[RowDifference] = []
    for pairs in (against_none, list(combinations(matching, 2))):
        compared = [_compare(pair, students, lines, alpha) for pair in pairs]
        known = [each for each in compared if each]
        adjusted = holm([each.p for each in known])
        differences += [replace(each, p_adjusted=p) for each, p in zip(known, adjusted, strict=True)]
    return differences


def _compare(
    pair: tuple[str, str],
    students: Mapping[str, ResultRow],
    lines_of: Mapping[str, Sequence[Mapping[str, Any]]],
    alpha: float,
) -> RowDifference | None:
    """None where the stored rows do not give the metric: it is no mean over rows, or they have no scores."""
    rows, lines = [students[name] for name in pair], [lines_of[name] for name in pair]
    if not all(lines) or len(lines[0]) != len(lines[1]):
        return None
    if rows[0].main_metric == BLEU:
        if not all(isinstance(line.get("reference"), list) for line in lines[0]):
            return None
        texts = [[str(line["prediction"]) for line in each] for each in lines]
        return compare_bleu(pair, texts[0], texts[1], [line["reference"] for line in lines[0]])
    scores = [np.array([line.get("score", np.nan) for line in each], dtype=np.float64) for each in lines]
    if not all(np.isclose(np.mean(each), row.test or 0.0, atol=1e-6) for each, row in zip(scores, rows, strict=True)):
        return None
    return compare_rows(pair, scores[0], scores[1], alpha)
