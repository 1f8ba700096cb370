"""Scores over seeds, and what they say of matching, against numbers worked out by hand."""

from __future__ import annotations

import statistics
from dataclasses import replace

import pytest

from sweep.report import findings
from sweep.report.formats import difference, number, score
from sweep.report.leaderboard import leaderboard, ranked
from sweep.report.results import ResultRow
from sweep.report.summary import compare, sections

TEACHER, CHANCE = 0.9, 0.4


def row(strategy: str, test: float | None, init: str = "random", seed: int = 0, **changes: object) -> ResultRow:
    share = None if test is None else (test - CHANCE) / (TEACHER - CHANCE)
    fields: dict[str, object] = {
        "kind": "cell", "label": "a label", "words": f"{strategy} · {init}", "model": "bert", "task": "sst2",
        "strategy": strategy, "init": init,
        "seed": seed, "axes": {},
        "status": "missing" if test is None else "done", "reason": "", "main_metric": "accuracy", "best": test,
        "test": test, "teacher_test": TEACHER, "chance": CHANCE, "share_of_teacher": share, "validation_share": share,
        "metrics": {} if test is None else {"angle/encoder/acute_share": test}, "mapping": {}, "mapping_note": "",
        "signature": "", "seconds": 1.0, "computed_by": "me", "teacher": "t", "fingerprint": f"{strategy}{init}{seed}",
    }  # fmt: skip
    return ResultRow(**{**fields, **changes})  # type: ignore[arg-type]


SEEDS = {"none": [0.5, 0.54], "forward": [0.6, 0.7], "reverse": [0.58, 0.6], "random": [0.5, 0.5]}
ROWS = [row(strategy, test, seed=seed) for strategy, tests in SEEDS.items() for seed, test in enumerate(tests)]


def test_a_section_per_model_task_and_further_axis() -> None:
    slow, fast = ({"train.learning_rate": rate} for rate in ("1e-05", "2e-05"))
    found = sections(
        [*(replace(each, axes=slow) for each in ROWS), row("none", 0.5, model="t5"), row("none", 0.5, axes=fast)]
    )
    assert [section.title for section in found] == [
        "bert on sst2 · lr=1e-5",
        "t5 on sst2",
        "bert on sst2 · lr=2e-5",
    ]
    assert [len(section.rows) for section in found] == [8, 1, 1]


def test_a_cell_on_which_an_axis_has_no_effect_is_in_every_section_of_it() -> None:
    alike = row("none", 0.5)
    forward = [row("forward", 0.6, axes={"losses.hidden": value}) for value in ("1", "3")]
    found = sections([alike, *forward, row("none", 0.5, model="t5")])
    assert [section.title for section in found] == [
        "bert on sst2 · hidden=1",
        "bert on sst2 · hidden=3",
        "t5 on sst2",
    ]
    assert [section.rows for section in found[:2]] == [[alike, each] for each in forward]


def test_groups_hold_seeds() -> None:
    (section,) = sections(ROWS)
    forward = section.groups[1]
    assert forward.scores == [0.6, 0.7]
    assert forward.mean == pytest.approx(0.65)
    assert forward.sd == pytest.approx(statistics.stdev([0.6, 0.7]))
    assert forward.share == pytest.approx(0.5)
    assert forward.metric("angle/encoder/acute_share") == pytest.approx(0.65)
    assert score(forward, "accuracy") == "0.650 ± 0.071 (2)"
    assert section.stacks == ["encoder"]
    assert section.teacher_test == TEACHER
    assert section.chance == CHANCE


def test_matching_against_none() -> None:
    found = compare(sections(ROWS)[0].groups)
    assert found.none == pytest.approx(0.52)
    assert found.matching == pytest.approx({"forward": 0.65, "reverse": 0.59, "random": 0.5})
    assert found.gain == pytest.approx(0.58 - 0.52)
    assert found.spread == pytest.approx(0.15)
    assert found.num_seeds == 2


def test_the_best_is_named_by_its_words() -> None:
    student = row("reverse", 0.92, best=0.914, words="reverse · teacher · lr=1e-3", teacher_test=0.932)
    sentence = findings.best(student)
    assert sentence == "Best: reverse · teacher · lr=1e-3: validation 0.914, test 0.920 of the teacher's 0.932."
    assert findings.best(replace(student, test=None, teacher_test=None)).endswith(": validation 0.914.")
    assert findings.cost(student) == "It took 1 s to train."
    assert [findings.cost(replace(student, seconds=seconds)) for seconds in (180.0, 9000.0, None)] == [
        "It took 3 min to train.",
        "It took 2.5 h to train.",
        "",
    ]


def test_the_sentences_of_a_section_say_the_numbers() -> None:
    assert findings.findings(sections(ROWS)[0]) == [
        "Random start: strategies differ by 0.150; matching gains 0.060. None scores 0.520, matching 0.580 on average. "
        "Of the matching strategies forward scores most (0.650) and random least (0.500)."
    ]
    alone = [row("forward", 0.6), row("reverse", 0.7)]
    assert findings.findings(sections(alone)[0]) == [
        "Random start: strategies differ by 0.100. The strategy none has no finished cell, so that nothing says what "
        "matching gains. Of the matching strategies reverse scores most (0.700) and forward least (0.600)."
    ]


def test_an_init_that_the_paper_does_not_have_is_called_by_its_name() -> None:
    (section,) = sections([row("none", 0.5, "an_own_init"), row("forward", 0.6, "an_own_init")])
    assert findings.findings(section)[0].startswith("An own init: forward gains 0.100.")


def test_the_overview_says_each_comparison_once() -> None:
    (compared, acute, caution) = findings.overview(sections(ROWS))
    assert compared == "Strategies differ by 0.150; matching gains 0.060."
    assert acute == "At the end of training 50% to 70% of the angles are acute, 56% on average."
    assert "over 2 seeds or more" in caution
    worse = [row("none", 0.7, "teacher", seed) for seed in (0, 1)] + [row("forward", 0.6, "teacher", 0)]
    first, second, _, caution = findings.overview(sections([*ROWS, *worse]))
    assert first == "Random start: strategies differ by 0.150; matching gains 0.060."
    assert second == "Teacher's weights: forward loses 0.100."
    assert caution.startswith("Every number is of one seed")


def test_many_comparisons_are_summed_up_per_metric() -> None:
    """Each of them names its metric, since BLEU and accuracy have no common scale."""
    many = [
        row(strategy, 0.5 + gain * number, init, axes={"losses.hidden": str(number)})
        for number in (1, 2, 3)
        for init in ("random", "teacher")
        for strategy, gain in (("none", 0.0), ("forward", 0.01), ("reverse", 0.02))
    ]
    assert findings.overview(sections(many))[0] == (
        "6 comparisons by accuracy: strategies differ by 0.010 to 0.030; matching gains 0.015 to 0.045."
    )
    lost = [replace(each, test=0.6) if each.strategy == "none" and each.init == "random" else each for each in many]
    assert findings.overview(sections(lost))[0] == (
        "6 comparisons by accuracy: strategies differ by 0.010 to 0.030; "
        "matching gains in 3 (up to 0.045) and loses in 3 (up to 0.085)."
    )
    lost = [replace(each, test=0.6) if each.strategy == "none" else each for each in many]
    assert "matching loses 0.055 to 0.085" in findings.overview(sections(lost))[0]


def test_what_is_missing_is_not_counted() -> None:
    (section,) = sections([row("none", None), row("forward", 0.6)])
    found = compare(section.groups)
    assert (found.none, found.gain, found.spread) == (None, None, None)
    assert findings.findings(section) == [
        "Random start: there is nothing to compare yet; that needs finished cells of two strategies."
    ]
    assert findings.overview([section]) == [
        "There is nothing to compare yet: that needs finished cells of two strategies."
    ]
    assert score(section.groups[0], "accuracy") == ""


def test_bleu_has_one_decimal() -> None:
    assert number(41.26, "bleu") == "41.3"
    assert number(0.41264, "accuracy") == "0.413"


def test_a_difference_that_rounds_to_nothing_is_small_and_not_zero() -> None:
    assert difference(0.0064, "accuracy") == "0.006"
    assert difference(0.0004, "accuracy") == "less than 0.001"
    assert difference(0.04, "bleu") == "less than 0.1"
    assert difference(0.0, "accuracy") == "0.000"


def test_the_best_student_is_that_of_the_validation_split() -> None:
    lucky = row("reverse", 0.9, best=0.5, validation_share=0.2)
    strong = row("forward", 0.6, best=0.7, validation_share=0.6)
    far = row("none", 30.0, model="t5", best=30.0, validation_share=0.5)
    unscaled = row("random", 50.0, model="bart", best=50.0, validation_share=None)
    assert ranked([unscaled, lucky, row("none", None), far, strong]) == [strong, far, lucky, unscaled]
    equal = row("all_to_one", 0.1, best=0.7, validation_share=0.6)
    assert ranked([strong, equal])[0] is strong


def test_the_leaderboard_has_a_column_per_axis_and_the_best_first() -> None:
    rates = {"1e-05": 0.6, "0.001": 0.7}
    cells = [row("forward", test, axes={"train.learning_rate": rate}, fingerprint=rate) for rate, test in rates.items()]
    cells += [row("none", 0.65), row("reverse", None, axes={"train.learning_rate": "0.001"})]
    board = leaderboard([row("teacher", 0.9, kind="teacher"), *cells])
    assert board.columns == ("strategy", "init", "lr")
    assert [(line.place, line.identity) for line in board.lines] == [
        (1, ("forward", "random", "1e-3")),
        (2, ("none", "random", "")),
        (3, ("forward", "random", "1e-5")),
        (None, ("reverse", "random", "1e-3")),
    ]
    wider = leaderboard([row("none", 0.5), row("none", 0.6, seed=1, model="t5", task="e2e")])
    assert wider.columns == ("model", "task", "strategy", "init", "seed")
    assert wider.lines[0].identity == ("t5", "e2e", "none", "random", "1")
