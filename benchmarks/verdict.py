"""Error rates, coverage and power of the verdict over made sweeps: `python -m benchmarks.verdict`.

A made sweep has one comparison of `none` and three matching strategies. Each seed moves all of them alike, and every
cell has normal noise of its own. The figures are in docs/verdict.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from sweep.spec.verdict import Seeds
from sweep.verdict.decide import Answer, Question, Verdict, ask, decide
from sweep.verdict.looks import look_levels, path_statistics
from sweep.verdict.margin import margin_of
from sweep.verdict.power import difference_power, equivalence_power
from sweep.verdict.rounds import follow
from sweep.verdict.tables import Block, Floats, PairedTable

ALPHA = 0.05
MARGIN = 0.02
SEED_SD = 0.05
PLANNED = 0.95
"""The power of the single test that repeated tests are compared with."""
DIFFERENT = (Verdict.DIFFERENT, Verdict.MEASURABLE)
EQUIVALENT = (Verdict.EQUIVALENT, Verdict.MEASURABLE)


@dataclass(frozen=True)
class Case:
    """One kind of sweep: the true means, the noise of each strategy, and the margin (None: a third of the gain)."""

    name: str
    means: Mapping[str, float]
    sds: Sequence[float]
    margin: float | None = MARGIN


NONE = {"none": 0.60, "forward": 0.60, "reverse": 0.60, "random": 0.60}
HELPS = {"none": 0.60, "forward": 0.66, "reverse": 0.66, "random": 0.66}
CASES = (
    Case("no effect", NONE, [0.01] * 4),
    Case("no effect, unequal noise", NONE, [0.01, 0.002, 0.01, 0.03]),
    Case("one strategy off by the margin", {**HELPS, "random": 0.66 - MARGIN}, [0.004] * 4),
    Case("the same, a third of the gain", {**HELPS, "random": 0.66 - 0.02}, [0.004] * 4, None),
    Case("the same, noisy", {**HELPS, "random": 0.66 - 0.02}, [0.02] * 4, None),
    Case("matching helps, strategies alike", HELPS, [0.004] * 4),
    Case("large effects", {**HELPS, "reverse": 0.76}, [0.01] * 4),
)


def made(random: np.random.Generator, case: Case, num_seeds: int) -> PairedTable:
    """The scores of one made sweep."""
    scores_SK: Floats = np.array(list(case.means.values())) + random.normal(0, SEED_SD, (num_seeds, 1))
    scores_SK += random.normal(0, 1, scores_SK.shape) * np.array(case.sds)
    return PairedTable(Block("", "", "", "made"), tuple(case.means), tuple(range(num_seeds)), scores_SK)


def answers(table: PairedTable, case: Case) -> list[Answer]:
    """The answers of one made sweep with a fixed number of seeds."""
    asked = [ask(question, table, margin_of(table, case.margin), ALPHA) for question in Question]
    return decide([each for each in asked if each], ALPHA)


def answers_in_rounds(table: PairedTable, case: Case, looks: Sequence[int]) -> list[Answer]:
    """The answers of one made sweep that adds seeds until both questions are decided."""
    ended, is_fixed = {table.block: len(table.seeds)}, case.margin is not None
    return follow([table], lambda part: margin_of(part, case.margin), ALPHA, looks, ended, is_fixed=is_fixed)


def wrong(case: Case, answer: Answer) -> tuple[bool, bool]:
    """Whether the answer is a wrong *different*, and a wrong *equivalent*."""
    true = [abs(case.means[each.first] - case.means[each.second]) for each in answer.differences]
    margin = case.margin or (case.means["forward"] - case.means["none"]) / 3
    is_alike, is_beyond = max(true) < 1e-12, max(true) >= margin - 1e-12
    return is_alike and answer.verdict in DIFFERENT, is_beyond and answer.verdict in EQUIVALENT


def measure(case: Case, num_seeds: int, num_sweeps: int) -> list[str]:
    """One row of the table: rates in percent."""
    random = np.random.default_rng(num_seeds)
    wrongs = np.zeros(2)
    covered = 0
    verdicts = {question: dict.fromkeys(Verdict, 0) for question in Question}
    for _ in range(num_sweeps):
        found = answers(made(random, case, num_seeds), case)
        wrongs += np.any([wrong(case, answer) for answer in found], axis=0)
        for answer in found:
            verdicts[answer.question][answer.verdict] += 1
        covered += covers(case, found)
    matching, strategy = verdicts[Question.MATCHING], verdicts[Question.STRATEGY]
    shares = [
        matching[Verdict.DIFFERENT] + matching[Verdict.MEASURABLE],
        strategy[Verdict.EQUIVALENT] + strategy[Verdict.MEASURABLE],
        strategy[Verdict.DIFFERENT] + strategy[Verdict.MEASURABLE],
    ]
    return [
        case.name,
        str(num_seeds),
        *(f"{100 * value / num_sweeps:.1f}" for value in (*wrongs, covered, *shares)),
    ]


def covers(case: Case, found: Sequence[Answer]) -> bool:
    """Whether the interval of the first difference holds the true one."""
    first = found[0].differences[0]
    true = case.means[first.first] - case.means[first.second]
    return first.mean.low is not None and first.mean.high is not None and first.mean.low <= true <= first.mean.high


def in_rounds(case: Case, num_sweeps: int) -> list[str]:
    """One row per case of sweeps that add seeds; the last column is the fixed number that decides as many of them."""
    random, looks = np.random.default_rng(3), Seeds().looks
    tables = [made(random, case, looks[-1]) for _ in range(num_sweeps)]
    found = [answers_in_rounds(table, case, looks) for table in tables]
    wrongs = np.sum([np.any([wrong(case, each) for each in pair], axis=0) for pair in found], axis=0)
    covered = sum(covers(case, pair) for pair in found)
    ends = [[each.look for each in pair if each.look] for pair in found]
    seeds = [max(each.num_seeds for each in end) for end in ends]
    num_decided = sum(all(each.is_decided for each in end) for end in ends)
    fixed = next(
        (num for num in range(looks[0], looks[-1] + 1) if _num_decided(case, tables, num) >= num_decided), None
    )
    rates = [f"{100 * float(each) / num_sweeps:.1f}" for each in (*wrongs, covered, num_decided)]
    return [case.name, *rates, f"{np.median(seeds):g}", f"{np.mean(seeds):.1f}", f"{fixed or 'more than 20'}"]


def _num_decided(case: Case, tables: Sequence[PairedTable], num_seeds: int) -> int:
    """How many of the sweeps a fixed number of seeds decides in both questions."""
    return sum(all(e.verdict is not Verdict.UNDECIDED for e in answers(each.first(num_seeds), case)) for each in tables)


def power(num_sweeps: int) -> list[list[str]]:
    """Planned power against the share of made pairs that are decided: one row per plan."""
    random, lines = np.random.default_rng(1), []
    for effect, sd, num in ((0.0, 0.01, 4), (0.0, 0.01, 6), (0.005, 0.01, 10), (0.03, 0.015, 4), (0.03, 0.02, 6)):
        pairs = random.normal(effect, sd, (num_sweeps, num))
        means, errors = pairs.mean(axis=1), pairs.std(axis=1, ddof=1) / num**0.5
        shown = np.abs(means) / errors > stats.t.isf(ALPHA / 2, num - 1)
        within = np.abs(means) + stats.t.isf(ALPHA, num - 1) * errors < MARGIN
        lines.append(
            [
                f"{effect:g}",
                f"{sd:g}",
                str(num),
                f"{100 * difference_power(effect, sd, num, ALPHA):.1f}",
                f"{100 * shown.mean():.1f}",
                f"{100 * equivalence_power(effect, sd, MARGIN, num, ALPHA):.1f}",
                f"{100 * within.mean():.1f}",
            ]
        )
    return lines


def repeated(num_pairs: int) -> list[list[str]]:
    """Made pairs that are tested at every look until they are decided: one row per effect."""
    looks, lines = Seeds().looks, []
    df = np.array(looks) - 1
    levels = {
        "every look at alpha": (np.full(len(looks), ALPHA),) * 2,
        "obrien_fleming": (
            look_levels(looks, ALPHA, 2, spending="obrien_fleming"),
            look_levels(looks, ALPHA, 1, spending="obrien_fleming"),
        ),
        "pocock": (look_levels(looks, ALPHA, 2), look_levels(looks, ALPHA, 1)),
    }
    for effect in (0.0, MARGIN, 2 * MARGIN):
        drawn = np.random.default_rng(2).normal(effect, 0.015, (num_pairs, looks[-1]))
        p_different = 2 * stats.t.sf(np.abs(path_statistics(drawn, looks)), df)
        sides = [stats.t.sf(path_statistics(MARGIN + sign * drawn, looks), df) for sign in (1, -1)]
        p_equivalent = np.maximum(*sides)
        for name, (of_difference, of_equivalence) in levels.items():
            differs, within = p_different <= of_difference, p_equivalent <= of_equivalence
            ends = differs | within
            stop, decided = ends.argmax(axis=1), ends.any(axis=1)
            at_stop = np.arange(num_pairs), stop
            wrong_different = effect == 0 and 100 * np.mean(differs[at_stop] & decided)
            wrong_equivalent = effect >= MARGIN and 100 * np.mean(within[at_stop] & decided)
            fixed = next(num for num in range(3, 200) if _decides(effect, num) >= PLANNED)
            median = float(np.median(np.array(looks)[stop[decided]]))
            rates = [f"{float(each):.1f}" for each in (wrong_different, wrong_equivalent, 100 * decided.mean())]
            lines.append([f"{effect:g}", name, *rates, f"{median:g}", str(fixed)])
    return lines


def _decides(effect: float, num_seeds: int) -> float:
    """How probably a single test after so many seeds decides; of an effect only one verdict is probable."""
    different = difference_power(effect, 0.015, num_seeds, ALPHA)
    return max(different if effect else 0.0, equivalence_power(effect, 0.015, MARGIN, num_seeds, ALPHA))


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.verdict", description=__doc__)
    parser.add_argument("--sweeps", type=int, default=2000, help="made sweeps per row (2,000)")
    num_sweeps = parser.parse_args().sweeps
    low, high = (100 * each / num_sweeps for each in stats.binom.ppf([0.005, 0.995], num_sweeps, [ALPHA, ALPHA]))
    print(f"99% of the counts of a rate of 5% lie between {low:.1f}% and {high:.1f}%, of 95% likewise.\n")
    head = [
        "case",
        "seeds",
        "wrong different",
        "wrong equivalent",
        "covered",
        "matching differs",
        "strategies equivalent",
    ]
    print(f"| {' | '.join([*head, 'strategies differ'])} |")
    print("| --- |" + " ---: |" * (len(head)))
    for case in CASES:
        for num_seeds in (3, 5, 10):
            print(f"| {' | '.join(measure(case, num_seeds, num_sweeps))} |", flush=True)
    head = ["wrong different", "wrong equivalent", "covered", "decided", "median seeds", "mean seeds", "fixed seeds"]
    print(f"\n| case | {' | '.join(head)} |")
    print("| --- |" + " ---: |" * len(head))
    for case in CASES:
        print(f"| {' | '.join(in_rounds(case, num_sweeps))} |", flush=True)
    print("\n| effect | sd | seeds | planned: different | seen | planned: equivalent | seen |")
    print("| ---: |" + " ---: |" * 6)
    for line in power(num_sweeps * 10):
        print(f"| {' | '.join(line)} |")
    print("\n| effect | levels | wrong different | wrong equivalent | decided | median seeds | seeds of one test |")
    print("| ---: | --- |" + " ---: |" * 5)
    for line in repeated(num_sweeps * 10):
        print(f"| {' | '.join(line)} |")


if __name__ == "__main__":
    main()
