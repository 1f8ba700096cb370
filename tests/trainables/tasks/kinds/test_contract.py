"""The contract that every task kind keeps, run over all of them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from tests.trainables.tasks.kinds.settings import SETTINGS, Setting
from tests.trainables.tasks.kinds.tokens import codec
from trainables.errors import InputError
from trainables.families import FAMILIES
from trainables.tasks import read
from trainables.tasks.codec import IGNORED, Example
from trainables.tasks.kinds import KINDS

PAIRS = [(setting, family) for setting in SETTINGS for family in FAMILIES if setting.name in FAMILIES[family].kinds]


@pytest.fixture(params=SETTINGS, ids=str)
def setting(request: pytest.FixtureRequest) -> Setting:
    return request.param


class Scripted:
    """A predictor that counts what it is asked, and answers with its own running number."""

    def __init__(self) -> None:
        self.examples: list[Example] = []

    def _numbers(self, examples: Sequence[Example]) -> list[int]:
        self.examples += examples
        return list(range(len(examples)))

    def classes(self, examples: Sequence[Example]) -> list[int]:
        return self._numbers(examples)

    def texts(self, prompts: Sequence[Example]) -> list[str]:
        return [f" {number} \nQ: and" for number in self._numbers(prompts)]

    def log_likelihoods(self, examples: Sequence[Example]) -> list[float]:
        return [float(number) for number in self._numbers(examples)]


def test_every_kind_is_listed_has_a_setting_and_a_family() -> None:
    assert [setting.name for setting in SETTINGS] == list(KINDS)
    assert all(kind.name == name for name, kind in KINDS.items())
    assert {kind for family in FAMILIES.values() for kind in family.kinds} == set(KINDS)


def test_records_become_rows(setting: Setting, write: Any) -> None:
    data = read(write(setting.records, kind=setting.name, **setting.fields))
    assert data.train == data.validation == data.test == setting.rows
    assert all(type(row) is setting.kind.row for row in data.train)


def test_what_is_wrong_with_a_record_is_said_with_its_row(setting: Setting, write: Any) -> None:
    for record, problem in setting.faults.values():
        task = write(setting.records, kind=setting.name, test=[setting.records[0], record], **setting.fields)
        with pytest.raises(InputError) as error:
            read(task)
        assert [re.sub(r"/\S*/", "", str(each)) for each in error.value.problems] == [problem.format("test.jsonl")]


def test_all_text_of_the_rows_goes_to_a_tokenizer(setting: Setting) -> None:
    seen = " ".join(text for row in setting.rows for text in setting.kind.texts(row))
    values = re.findall(r"'([^']*)'", str(setting.records))
    names = {key for record in setting.records for key in record}
    assert all(value in seen for value in values if value not in names and not value.isdecimal())


@pytest.mark.parametrize(("setting", "family"), PAIRS, ids=str)
def test_every_row_is_encoded(setting: Setting, family: str) -> None:
    each = codec(family, setting.name, max_length=12, **setting.fields)
    examples = setting.kind.encode(setting.rows, each)
    assert len(examples) == len(setting.rows)
    for example in examples:
        assert 0 < len(example["input_ids"]) <= 12
        assert ("label" in example) != ("labels" in example)
        labels = example.get("labels", [0])
        assert any(label != IGNORED for label in labels)
        if each.form == "decoder" and "labels" in example:
            real = [(i, label) for i, label in zip(example["input_ids"], labels, strict=True) if label != IGNORED]
            assert all(token == label for token, label in real)
            assert labels[0] == IGNORED  # a first token has nothing that it could follow from


@pytest.mark.parametrize(("setting", "family"), PAIRS, ids=str)
def test_every_row_is_predicted_in_order(setting: Setting, family: str) -> None:
    each, model = codec(family, setting.name, **setting.fields), Scripted()
    predicted = setting.kind.predict(setting.rows, each, model)
    assert len(predicted) == len(setting.rows)
    assert [number for found in predicted for number in re.findall(r"\d+", str(found).replace(".0", ""))] == [
        str(number) for number in range(len(model.examples))
    ]
    assert all(example["input_ids"] for example in model.examples)
    setting.kind.score(setting.rows, predicted)
    assert len(setting.kind.references(setting.rows)) == len(setting.rows)


def test_scores(setting: Setting) -> None:
    kind = setting.kind
    right, wrong = kind.score(setting.rows, setting.right), kind.score(setting.rows, setting.wrong)
    assert next(iter(right)) == kind.main_metric
    assert right.keys() == wrong.keys()
    assert right[kind.main_metric] == pytest.approx(setting.best)
    assert wrong[kind.main_metric] == 0
    assert kind.chance(setting.rows) == pytest.approx(setting.chance)


def test_an_unknown_kind_is_said(write: Any) -> None:
    with pytest.raises(InputError, match="kind: got 'parsing'; one of classification, generation, multiple_choice"):
        read(write([{"text": "a", "label": 0}], kind="parsing"))


def test_kinds_load_no_torch() -> None:
    heavy = ("torch", "transformers", "datasets", "sklearn")
    program = f"import sys, trainables.tasks; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"
