"""Two students on the same rows: against exact enumerations, the normal theory, and sacreBLEU's scores."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from sacrebleu import corpus_bleu
from scipy import stats

from sweep.verdict.rows import NUM_RESAMPLES, compare_bleu, compare_rows

NAMES = ("forward", "none")


def test_the_p_value_of_all_signs() -> None:
    first, second = np.array([0.9, 0.2, 0.7, 0.8, 0.4, 0.9, 0.6]), np.array([0.5, 0.1, 0.7, 0.2, 0.5, 0.3, 0.1])
    differences = first - second
    means = [abs(float(np.mean(signs * differences))) for signs in product((1, -1), repeat=7)]
    exact = float(np.mean(np.array(means) >= abs(differences.mean()) - 1e-12))
    found = compare_rows(NAMES, first, second, 0.05)
    assert found.p == pytest.approx(exact, abs=4 * (exact * (1 - exact) / NUM_RESAMPLES) ** 0.5)
    assert found.value == pytest.approx(differences.mean())
    assert (found.first, found.second, found.num_rows) == (*NAMES, 7)


def test_right_and_wrong_answers_are_a_sign_test() -> None:
    """Of 20 rows on which two classifiers differ, one is right on 16: the exact test of McNemar."""
    first = np.array([1.0] * 16 + [0.0] * 4 + [1.0] * 80)
    second = np.array([0.0] * 16 + [1.0] * 4 + [1.0] * 80)
    exact = stats.binomtest(16, 20).pvalue
    found = compare_rows(NAMES, first, second, 0.05)
    assert found.p == pytest.approx(exact, abs=4 * (exact / NUM_RESAMPLES) ** 0.5)
    assert found.value == pytest.approx(0.12)


def test_the_interval_of_many_rows_is_nearly_normal() -> None:
    random = np.random.default_rng(1)
    first, second = random.normal(0.5, 1, 2000), random.normal(0.4, 1, 2000)
    found = compare_rows(NAMES, first, second, 0.05)
    error = float(np.std(first - second, ddof=1)) / 2000**0.5
    assert found.low == pytest.approx(found.value - 1.96 * error, abs=0.1 * error)
    assert found.high == pytest.approx(found.value + 1.96 * error, abs=0.1 * error)


def test_students_that_answer_alike_do_not_differ() -> None:
    found = compare_rows(NAMES, np.array([0.0, 1.0]), np.array([0.0, 1.0]), 0.05)
    assert (found.value, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_the_same_call_gives_the_same_numbers() -> None:
    scores = np.array([0.1, 0.5, 0.2, 0.9]), np.array([0.3, 0.1, 0.3, 0.2])
    assert compare_rows(NAMES, *scores, 0.05) == compare_rows(NAMES, *scores, 0.05)


def test_bleu_by_sacrebleu() -> None:
    references = [[f"a dog number {number} runs in the park", f"dog {number} runs"] for number in range(30)]
    references[0] = references[0][:1]
    good = [row[0] for row in references]
    bad = [f"a dog number {number} sleeps at home" for number in range(30)]
    found = compare_bleu(NAMES, good, bad, references)
    streams = [[row[index] if index < len(row) else None for row in references] for index in (0, 1)]
    assert found.value == pytest.approx(100 - corpus_bleu(bad, streams).score)  # type: ignore[arg-type]
    assert found.p < 0.01
    assert (found.low, found.high, found.num_rows) == (None, None, 30)
    assert compare_bleu(NAMES, good, good, references).p == 1.0
