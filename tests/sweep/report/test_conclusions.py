"""The verdict in sentences, as tags and metrics, and as evidence on the page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sweep.report.conclusions import by_rows, headline, rows_in_short
from sweep.report.evidence import Evidence
from sweep.report.labels import labels_of
from sweep.report.proof import proof
from sweep.verdict.judge import judge
from sweep.verdict.rows import RowDifference
from sweep.verdict.tables import PairedTable
from sweep.verdict.whole import WHOLE
from tests.sweep.verdict.scores import BLOCK, exact, results_of

ALIKE = {"none": 0.5, "forward": 0.6, "reverse": 0.6, "random": 0.6}


def evidence(*tables: PairedTable, margin: float | None = 0.02) -> Evidence:
    verdict = judge(pd.concat([results_of(table) for table in tables]), margin, 0.05)
    return Evidence(verdict, {table.block: "accuracy" for table in tables}, {})


def said(effects: dict[str, float], num_seeds: int, sd: float, margin: float | None = 0.02) -> list[str]:
    return headline(evidence(exact(effects, num_seeds, sd), margin=margin))


def test_matching_helps_and_the_strategy_does_not_matter() -> None:
    matching, strategy = said(ALIKE, 5, 0.002)
    assert matching == (
        "Matching helps: it gains 0.100 (95% interval 0.098 to 0.102, 5 seeds); shown for forward, reverse and random."
    )
    assert strategy == (
        "The strategy does not matter: all matching strategies are within 0.020 of each other (5 seeds)."
    )


def test_a_relative_margin_is_said_in_points() -> None:
    assert said(ALIKE, 5, 0.002, None)[1] == (
        "The strategy does not matter: all matching strategies are within 0.033 of each other, a third of what forward "
        "gains (5 seeds)."
    )


def test_matching_hurts_or_changes_nothing() -> None:
    worse = {**ALIKE, "none": 0.7}
    assert said(worse, 5, 0.002)[0].startswith("Matching hurts: it loses 0.100 (95% interval 0.098 to 0.102, 5 seeds);")
    assert said({**ALIKE, "none": 0.6}, 6, 0.002)[0] == (
        "Matching changes nothing that matters: every strategy is within 0.020 of none (6 seeds)."
    )
    mixed = {"none": 0.6, "forward": 0.7, "reverse": 0.5}
    assert said(mixed, 5, 0.002)[0] == (
        "Matching helps or hurts by strategy: forward gains and reverse loses against none (5 seeds)."
    )


def test_the_strategy_matters() -> None:
    apart = {**ALIKE, "reverse": 0.7}
    text = said(apart, 5, 0.002)[1]
    assert text.startswith("The strategy matters: reverse and ")
    assert " differ by 0.100 (95% interval 0.09" in text
    slightly = said({**ALIKE, "reverse": 0.607}, 12, 0.001)[1]
    assert slightly.endswith("within 0.020 of each other, though measurably different (12 seeds).")


def test_what_is_undecided_says_what_would_decide_it() -> None:
    matching, strategy = said({"none": 0.5, "forward": 0.51, "reverse": 0.51}, 4, 0.02)
    assert matching.startswith("Whether matching helps is undecided: it gains 0.010 (95% interval -0.0")
    assert matching.endswith(" more seeds would probably decide it.")
    assert strategy.startswith("Whether the strategy matters is undecided: ")
    hopeless = said({"forward": 0.6, "reverse": 0.6}, 4, 0.1, 0.0001)
    assert hopeless[0].endswith("even 1,000 seeds would probably not decide it.")


def test_a_missing_margin_is_said_once() -> None:
    texts = said({"none": 0.5, "forward": 0.49, "reverse": 0.48}, 4, 0.03, None)
    assert [text.count("There is no margin for equivalence: forward gains nothing") for text in texts] == [0, 1]


def test_the_whole_is_in_shares_of_the_way() -> None:
    found = evidence(exact(ALIKE, 5, 0.002), replace(exact(ALIKE, 5, 0.002, 1), block=BLOCK._replace(init="teacher")))
    matching, strategy = headline(found)
    assert matching.startswith("Matching helps: it gains 25.0% of the way from chance to the teacher (95% interval 24.")
    assert "5 seeds, on average over 2 comparisons" in matching
    assert strategy.startswith("The strategy does not matter: all matching strategies are within 5.0% of the way")


def row_difference(name: str, p: float) -> RowDifference:
    return RowDifference(name, "none", 0.01, 0.0, 0.02, p, 1821, p)


def test_rows_speak_of_their_students_and_never_of_equivalence() -> None:
    differences = [row_difference("forward", 0.01), row_difference("reverse", 0.4)]
    assert by_rows(differences, 0.05) == (
        "On these 1,821 test rows forward and none differ by more than the choice of rows explains; another seed may "
        "not."
    )
    assert by_rows(differences[1:], 0.05) == (
        "On these 1,821 test rows no two students differ by more than the choice of rows explains, which does not make "
        "them equal."
    )
    assert by_rows([], 0.05) == ""
    found = replace(evidence(exact(ALIKE, 1, 0.1)), by_rows={BLOCK: tuple(differences)})
    assert rows_in_short(found) == (
        "Row by row, 1 of 2 students with matching differ from the one without by more than the choice of test rows "
        "explains; that speaks of these students alone."
    )
    assert rows_in_short(evidence(exact(ALIKE, 1, 0.1))) == ""
    shown = proof(BLOCK, "sst2", found)
    assert shown is not None
    assert shown.sentences == [by_rows(differences, 0.05)]
    assert [line.cells for line in shown.differences] == [
        ("0.010", "0.000 to 0.020", "0.010", ""),
        ("0.010", "0.000 to 0.020", "0.400", ""),
    ]
    assert proof(BLOCK, "sst2", evidence(exact(ALIKE, 1, 0.1))) is None


def test_the_page_shows_the_paired_table_and_every_difference() -> None:
    table = exact({"none": 0.5, "forward": 0.6, "reverse": 0.6}, 3, 0.01)
    shown = proof(BLOCK, "bert on sst2", evidence(table))
    assert shown is not None
    assert shown.strategies == ("none", "forward", "reverse")
    assert shown.seeds == [
        (seed, tuple(f"{score:.3f}" for score in row)) for seed, row in enumerate(table.scores_SK.tolist())
    ]
    assert [line.names for line in shown.differences] == [
        "forward minus none",
        "reverse minus none",
        "forward minus reverse",
    ]
    assert shown.means[0].startswith("0.500 (0.")
    assert shown.forest is not None
    assert shown.forest.alt == "Difference in accuracy, with intervals: bert on sst2"
    start = "All matching strategies at once: F = 0.00 with 1.0 and 2.0 degrees of freedom, p = 1.000; the same test"
    assert shown.footnote.startswith(start)
    assert " p < 0.001." in shown.footnote
    assert shown.differences[2].cells[0] == "0.000"  # and not -0.000
    assert "with the margin as " in shown.footnote
    assert proof(WHOLE, "all", evidence(table)) is None


def test_the_run_of_a_sweep_is_found_by_its_verdict() -> None:
    tags, metrics = labels_of(evidence(exact({**ALIKE, "reverse": 0.604}, 5, 0.001)).verdict)
    assert tags == {
        "verdict_matching": "different",
        "verdict_strategy": "equivalent though measurably different",
    }
    assert metrics == pytest.approx({"verdict/gain": 0.304 / 3, "verdict/spread": 0.004, "verdict/margin": 0.02})
    searched = labels_of(evidence(exact(ALIKE, 1, 0.1)).verdict, {"train.learning_rate": 0.75})
    assert searched.metrics == {"importance/train.learning_rate": 0.75, "verdict/margin": 0.02}
    single = labels_of(evidence(exact(ALIKE, 1, 0.1)).verdict)
    assert single.tags == {"verdict_matching": "undecided", "verdict_strategy": "undecided"}
    assert single.metrics == {"verdict/margin": 0.02}
    assert np.isfinite(list(single.metrics.values())).all()


@pytest.mark.parametrize(
    ("num_seeds", "sd", "ends"),
    [
        (10, 0.002, ["It is decided after 3 seeds.", "It is decided after 3 seeds."]),
        (10, 0.3, ["It is undecided after the most, 10 seeds."] * 2),
        (4, 0.3, ["It is open after 4 seeds of at most 10."] * 2),
        (2, 0.3, ["It is open after 0 seeds of at most 10."] * 2),
    ],
)
def test_a_question_says_why_it_got_no_more_seeds(num_seeds: int, sd: float, ends: list[str]) -> None:
    table = exact(ALIKE, num_seeds, sd)
    verdict = judge(results_of(table), 0.02, 0.05, (3, 4, 6, 10))
    sentences = headline(Evidence(verdict, {BLOCK: "accuracy"}, {}))
    assert [sentence[-len(end) :] for sentence, end in zip(sentences, ends, strict=True)] == ends


def test_the_page_says_at_which_level_a_look_decided() -> None:
    table = exact({"none": 0.5, "forward": 0.6}, 10, 0.002)
    verdict = judge(results_of(table), 0.02, 0.05, (3, 4, 6, 10))
    evidence = Evidence(verdict, {BLOCK: "accuracy"}, {})
    shown = proof(BLOCK, "here", evidence)
    assert shown is not None
    assert [seed for seed, _ in shown.seeds] == [0, 1, 2]
    assert shown.footnote == (
        "Matching against none, after 3 seeds: since the scores are looked at repeatedly, a difference is shown at a "
        "level of 0.021, of equivalence at 0.021."
    )
