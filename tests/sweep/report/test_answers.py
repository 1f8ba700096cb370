"""What the page shows of the answers of the best students."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from sweep.records.records import Record, Records
from sweep.records.storage import Storage
from sweep.report import page
from sweep.report.answers import Answer, answers
from sweep.report.confusion import MAX_CLASSES, confusion
from sweep.report.report import Report
from tests.sweep.finished import BART, BERT, finished_sweep


def answer(prediction: str, reference: str | None = None, row: int = 0) -> Answer:
    return Answer(row, prediction, None, reference)


def write(record: Record, rows: list[dict[str, Any]]) -> None:
    """Writes the answers of the attempt that made the result."""
    lines = [json.dumps({"split": "test", "row": number, **row}) for number, row in enumerate(rows)]
    result = record.result()
    assert result is not None
    record.storage.write(f"{record.root}/attempts/{result.attempt}/predictions.jsonl", "\n".join(lines).encode())


@pytest.fixture
def storage() -> Storage:
    return Storage(f"memory://{uuid4().hex}")


def drawn(storage: Storage, kind: Any, student: list[dict[str, Any]], teacher: list[dict[str, Any]] = []) -> str:  # noqa: B006
    """The page of a sweep whose best student answers so."""
    report = Report.of(storage, finished_sweep(storage, {"a-model": kind}))
    assert report.best is not None
    write(report.records.cell(report.best.fingerprint), student)
    if teacher:
        write(report.records.teacher(report.best.teacher), teacher)
    return page.page(Report.of(storage, report.sweep))


def test_the_matrix_counts_each_answer_once() -> None:
    given = [answer("a", "a"), answer("a", "b"), answer("b", "b"), answer("c", "b")]
    matrix = confusion(given)
    assert matrix is not None
    assert matrix.classes == ("b", "a", "c")  # the largest first; what is only given last
    assert dict(matrix.counts) == {("a", "a"): 1, ("b", "a"): 1, ("b", "b"): 1, ("b", "c"): 1}
    assert matrix.pairs == [("b", "a", 1), ("b", "c", 1)]
    assert confusion([answer("a")]) is None


def test_many_classes_make_a_list_of_confusions(storage: Storage) -> None:
    names = [f"class {number}" for number in range(MAX_CLASSES + 1)]
    rows = [{"prediction": names[0], "reference": name} for name in names]
    html = drawn(storage, BERT, rows)
    assert "Commonest confusions" in html
    assert "<tr><th>class 1</th><td>class 0</td>" in html


def test_the_page_has_the_confusion_matrix_of_the_best_classifier(storage: Storage) -> None:
    rows = [{"prediction": "yes", "reference": "yes"}] * 3 + [{"prediction": "yes", "reference": "<no>"}] * 2
    html = drawn(storage, BERT, rows)
    assert "What the best student of a-model on natural-logic answers" in html
    assert '<tr><th>yes</th><td class="n right">3</td><td class="n">0</td></tr>' in html
    assert '<tr><th>&lt;no&gt;</th><td class="n">2</td><td class="n right">0</td></tr>' in html


def test_the_page_has_five_examples_of_the_best_writer(storage: Storage) -> None:
    student = [{"prediction": f"<{n}>", "text": f"source {n}", "reference": [f"one {n}", f"two {n}"]} for n in range(9)]
    teacher = [{"prediction": f"taught {number}"} for number in range(9)]
    html = drawn(storage, BART, student, teacher)
    assert html.count('<dl class="example">') == 5
    assert (
        "<dt>source</dt><dd>source 4</dd>\n<dt>reference</dt><dd>one 4 | two 4</dd>\n"
        "<dt>teacher</dt><dd>taught 4</dd>\n<dt>student</dt><dd>&lt;4&gt;</dd>\n"
    ) in html
    assert "Not stored" not in html


def test_what_is_not_stored_is_said(storage: Storage) -> None:
    html = drawn(storage, BART, [{"prediction": "an answer"}])
    assert "Not stored for these rows: source, reference, teacher&#39;s answer." in html
    other = Storage(f"memory://{uuid4().hex}")
    html = drawn(other, BERT, [{"prediction": "yes"}])
    assert "predictions.jsonl has no right answers, which a confusion matrix needs." in html


def test_only_the_main_test_split_is_shown(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    report = Report.of(storage, finished_sweep(storage, {"a-model": BERT}))
    record = Records(storage).cell(report.cells[0].fingerprint)
    assert answers(record) == []
    write(record, [{"prediction": "a"}, {"prediction": "b", "split": "test_mismatched"}])
    assert answers(record) == [answer("a")]
