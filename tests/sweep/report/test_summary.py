"""Scores over seeds, and what they say of matching, against numbers worked out by hand."""

from __future__ import annotations

import statistics
from dataclasses import replace

import pytest

from sweep.report import findings
from sweep.report.results import ResultRow
from sweep.report.summary import compare, ranked, sections

TEACHER, CHANCE = 0.9, 0.4


def row(strategy: str, test: float | None, init: str = "random", seed: int = 0, **changes: object) -> ResultRow:
    share = None if test is None else (test - CHANCE) / (TEACHER - CHANCE)
    fields: dict[str, object] = {
        "kind": "cell", "label": "a label", "model": "bert", "task": "sst2", "strategy": strategy, "init": init,
        "seed": seed, "axes": {},
        "status": "missing" if test is None else "done", "reason": "", "main_metric": "accuracy", "best": test,
        "test": test, "teacher_test": TEACHER, "share_of_teacher": share, "validation_share": share,
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
        "bert on sst2 · train.learning_rate=1e-05",
        "t5 on sst2",
        "bert on sst2 · train.learning_rate=2e-05",
    ]
    assert [len(section.rows) for section in found] == [8, 1, 1]


def test_a_cell_on_which_an_axis_has_no_effect_is_in_every_section_of_it() -> None:
    alike = row("none", 0.5)
    forward = [row("forward", 0.6, axes={"losses.hidden": value}) for value in ("1", "3")]
    found = sections([alike, *forward, row("none", 0.5, model="t5")])
    assert [section.title for section in found] == [
        "bert on sst2 · losses.hidden=1",
        "bert on sst2 · losses.hidden=3",
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
    assert findings.score(forward, "accuracy") == "0.650 ± 0.071 (2)"
    assert section.stacks == ["encoder"]
    assert section.teacher_test == TEACHER
    assert section.chance == pytest.approx(CHANCE, abs=1e-9)


def test_matching_against_none() -> None:
    found = compare(sections(ROWS)[0].groups)
    assert found.none == pytest.approx(0.52)
    assert found.matching == pytest.approx({"forward": 0.65, "reverse": 0.59, "random": 0.5})
    assert found.gain == pytest.approx(0.58 - 0.52)
    assert found.spread == pytest.approx(0.15)
    assert found.num_better == 2
    assert found.num_seeds == 2


def test_the_sentence_says_the_numbers() -> None:
    (sentence,) = findings.findings(sections(ROWS)[0])
    assert sentence == (
        "Random start: without matching 0.520, with matching 0.580 on average (+0.060); 2 of 3 matching strategies "
        "score above none. Matching strategies lie between 0.500 (random) and 0.650 (forward): a spread of 0.150, "
        "250% of the step from none."
    )


def test_the_overview_counts_comparisons() -> None:
    worse = [row("none", 0.7, "teacher", seed) for seed in (0, 1)] + [row("forward", 0.6, "teacher", 0)]
    beats, differ, acute, caution = findings.overview(sections([*ROWS, *worse]))
    assert "1 of 2 comparisons" in beats
    assert "0 of 1 comparisons" in differ
    assert "50% to 70% of them are" in acute
    assert caution.startswith("One seed per cell cannot tell")
    assert "at least 2 seeds" in findings.overview(sections(ROWS))[-1]


def test_what_is_missing_is_not_counted() -> None:
    (section,) = sections([row("none", None), row("forward", 0.6)])
    found = compare(section.groups)
    assert (found.none, found.gain, found.spread, found.num_better) == (None, None, None, 0)
    assert findings.findings(section) == [
        "Random start: there is nothing to compare yet; this needs cells with and without matching."
    ]
    assert len(findings.overview([section])) == 1
    assert findings.score(section.groups[0], "accuracy") == "-"


def test_bleu_has_one_decimal() -> None:
    assert findings.number(41.26, "bleu") == "41.3"
    assert findings.number(0.41264, "accuracy") == "0.413"


def test_the_best_student_is_that_of_the_validation_split() -> None:
    lucky = row("reverse", 0.9, best=0.5, validation_share=0.2)
    strong = row("forward", 0.6, best=0.7, validation_share=0.6)
    far = row("none", 30.0, model="t5", best=30.0, validation_share=0.5)
    unscaled = row("random", 50.0, model="bart", best=50.0, validation_share=None)
    assert ranked([unscaled, lucky, row("none", None), far, strong]) == [strong, far, lucky, unscaled]
    equal = row("all_to_one", 0.1, best=0.7, validation_share=0.6)
    assert ranked([strong, equal])[0] is strong
