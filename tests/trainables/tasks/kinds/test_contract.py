"""The contract that every task kind keeps, run over all of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.trainables.tasks.kinds.settings import SETTINGS, Setting
from tests.trainables.tasks.kinds.tokens import codec
from trainables.errors import InputError, Problem
from trainables.families import FAMILIES
from trainables.tasks import read
from trainables.tasks.codec import IGNORED, Example
from trainables.tasks.fields import Fields
from trainables.tasks.findings import Findings
from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import Row
from trainables.tasks.serving import family_problems, served

PAIRS = [(setting, family) for setting in SETTINGS for family in FAMILIES if setting.name in served(FAMILIES[family])]


@pytest.fixture(params=SETTINGS, ids=str)
def setting(request: pytest.FixtureRequest) -> Setting:
    return request.param


def numbered(setting: Setting, questions: Sequence[Example]) -> list[Any]:
    """Answers that say the number of their question."""
    match setting.kind.answer:
        case "text":
            return [f" {number} \nQ: and" for number in range(len(questions))]
        case "log_likelihood":
            return [float(number) for number in range(len(questions))]
        case "outputs":
            return [
                np.array(setting.outputs(number, sum(label != IGNORED for label in each.get("token_labels", []))))
                for number, each in enumerate(questions)
            ]


def test_every_kind_is_listed_has_a_setting_and_a_family() -> None:
    assert [setting.name for setting in SETTINGS] == list(KINDS)
    assert all(kind.name == name for name, kind in KINDS.items())
    assert {kind for family in FAMILIES.values() for kind in served(family)} == set(KINDS)


def test_records_become_rows(setting: Setting, write: Any) -> None:
    data = read(write(setting.records, kind=setting.name, **setting.fields))
    assert data.train == data.validation == data.test == setting.rows
    assert data.classes == setting.classes
    assert all(setting.kind.fault(row, data.classes) is None for row in setting.rows)
    assert all(type(row) is setting.kind.row for row in data.train)


def test_what_is_wrong_with_a_record_is_said_with_its_row(setting: Setting, write: Any) -> None:
    for record, problem in setting.faults.values():
        task = write(setting.records, kind=setting.name, test=[setting.records[0], record], **setting.fields)
        with pytest.raises(InputError) as error:
            read(task)
        assert [re.sub(r"/\S*/", "", str(each)) for each in error.value.problems] == [problem.format("test.jsonl")]


def test_all_text_of_the_rows_goes_to_a_tokenizer(setting: Setting) -> None:
    seen = " ".join(text for row in setting.rows for text in setting.kind.texts(row))
    texts = [value for record in setting.records for name, value in record.items() if name != "label"]
    assert all(text in seen for text in re.findall(r"'([^']*)'", str(texts)))


@pytest.mark.parametrize(("setting", "family"), PAIRS, ids=str)
def test_every_row_is_encoded(setting: Setting, family: str) -> None:
    each = codec(family, setting.name, max_length=12, **setting.fields)
    examples = setting.kind.encode(setting.rows, each)
    assert len(examples) == len(setting.rows)
    for example in examples:
        assert 0 < len(example["input_ids"]) <= 12
        assert len(example.keys() & {"label", "labels", "token_labels"}) == 1
        labels = example.get("labels") or example.get("token_labels") or [0]
        assert "token_labels" not in example or len(labels) == len(example["input_ids"])
        assert any(label != IGNORED for label in labels)
        if each.form == "decoder" and "labels" in example:
            real = [(i, label) for i, label in zip(example["input_ids"], labels, strict=True) if label != IGNORED]
            assert all(token == label for token, label in real)
            assert labels[0] == IGNORED  # a first token has nothing that it could follow from


@pytest.mark.parametrize(("setting", "family"), PAIRS, ids=str)
def test_every_row_is_predicted_in_order(setting: Setting, family: str) -> None:
    questions = setting.kind.questions(setting.rows, codec(family, setting.name, **setting.fields))
    predicted = setting.kind.predict(setting.rows, questions, numbered(setting, questions))
    assert len(predicted) == len(setting.rows)
    numbers = [number for found in predicted for number in re.findall(r"\d+", str(found).replace(".0", ""))]
    assert list(dict.fromkeys(numbers)) == [str(number) for number in range(len(questions))]
    assert all(question["input_ids"] for question in questions)
    assert len(setting.kind.references(setting.rows)) == len(setting.rows)


def test_scores(setting: Setting) -> None:
    kind = setting.kind
    right, wrong = (kind.score(setting.rows, each, setting.classes) for each in (setting.right, setting.wrong))
    chance, main = kind.chance(setting.rows, setting.classes), kind.metrics[0]
    assert tuple(right) == tuple(wrong) == tuple(chance) == kind.metrics
    assert right[main] == pytest.approx(setting.best)
    assert wrong[main] == pytest.approx(setting.worst)
    assert chance[main] == pytest.approx(setting.chance)


def test_each_row_has_a_score(setting: Setting) -> None:
    """1 or 100 where it is right; for numbers, whose correlation needs many rows, the squared error."""
    squares = [(2.0 - 4.0) ** 2, (0.5 - 1.0) ** 2, (3.25 - 6.5) ** 2]
    expected = {"regression": squares}.get(setting.name, [setting.best] * len(setting.rows))
    assert setting.kind.row_scores(setting.rows, setting.right) == pytest.approx(expected)
    wrong = setting.kind.row_scores(setting.rows, setting.wrong)
    assert wrong != setting.kind.row_scores(setting.rows, setting.right)
    assert len(wrong) == len(setting.rows)


def test_a_record_without_an_answer_can_be_read(setting: Setting, write: Any) -> None:
    task, kind = write(setting.records, kind=setting.name, **setting.fields), setting.kind
    rows: list[Row] = []
    findings = Findings()
    for number, record in enumerate(setting.records):
        blank = kind.blank(task, record, setting.classes)
        asked = {name: value for name, value in record.items() if name not in blank}
        assert len(asked) < len(record)
        rows += kind.read(task, Fields("new", number, {**asked, **blank}, findings), setting.classes)
    assert findings.problems() == []
    if setting.name != "question_answering":  # its inputs hold earlier answers
        assert list(map(kind.input, rows)) == list(map(kind.input, setting.rows))
    assert len(rows) == len(setting.rows)


def test_the_main_metric_is_one_of_the_kinds(setting: Setting, write: Any) -> None:
    last = setting.kind.metrics[-1]
    task = write(setting.records, kind=setting.name, metric=last, **setting.fields)
    assert setting.kind.main_metric(task) == last
    wrong = write(setting.records, kind=setting.name, metric="beauty", **setting.fields)
    with pytest.raises(InputError, match=f"metric: got 'beauty'; the metrics of {setting.name} are "):
        read(wrong)


def test_the_head_has_a_label_for_each_class(setting: Setting) -> None:
    head = setting.kind.head(setting.classes)
    assert head.name == setting.kind.head_name
    assert head.has_labels == (head.num_outputs > 0)
    assert not setting.classes or head.labels == setting.classes


def test_an_unknown_kind_is_said(write: Any) -> None:
    with pytest.raises(
        InputError, match="kind: got 'parsing'; expected one of classification, regression, token_classification"
    ):
        read(write([{"text": "a", "label": 0}], kind="parsing"))


def test_kinds_load_no_torch() -> None:
    heavy = ("torch", "transformers", "datasets", "sklearn", "scipy", "seqeval")
    program = f"import sys, trainables.tasks; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"


LM_KINDS = "generation, multiple_choice and question_answering"


@pytest.mark.parametrize(
    ("name", "kind", "serves"),
    [
        ("bert", "generation", "classification, regression and token_classification"),
        ("bart", "token_classification", f"classification, regression, {LM_KINDS}"),
        ("t5", "classification", LM_KINDS),
    ],
)
def test_a_kind_that_a_family_does_not_serve(name: str, kind: str, serves: str) -> None:
    message = f"got {name} for a {kind} task; {name} serves {serves}"
    assert family_problems(FAMILIES[name], kind) == [Problem("model.family", message)]
    assert family_problems(FAMILIES[name], served(FAMILIES[name])[0]) == []


def test_what_is_shown_is_read_back(setting: Setting) -> None:
    """So that a metric can be measured on stored answers, which are JSON."""
    index = {name: number for number, name in enumerate(setting.classes)}
    for predicted in (setting.right, setting.wrong):
        shown = json.loads(json.dumps(setting.kind.shown(predicted, setting.classes)))
        assert setting.kind.read_shown(shown, index) == predicted
