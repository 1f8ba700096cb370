"""A student as ONNX answers as the student does, and with int8 weights nearly so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.trainables.golden import config, save_teacher
from trainables import distill, forms
from trainables.config import TrialConfig
from trainables.exports import export
from trainables.families import FAMILIES
from trainables.forms import FILES, Exported, Form
from trainables.member import Member, Outcome
from trainables.tasks.kinds import KINDS

TEXTS = [("all cats run", "some cats run"), ("no dog sleeps", "all old dogs sleep today")]


class Made:
    """A student of two blocks in all forms."""

    def __init__(self, folder: Path) -> None:
        whole = config("bert", "forward").model_dump()
        trial = TrialConfig.model_validate({**whole, "model": {**whole["model"], "student_blocks": 2}})
        data = save_teacher(trial, folder / "teacher")
        (result,) = distill.run([Member(trial, folder, lambda *_: None)], data, folder / "teacher")
        assert isinstance(result, Outcome)
        self.outcome, self.student, self.folder = result, folder / "student", folder / "onnx"
        self.folder.mkdir()
        self.exported: dict[Form, Exported] = export(self.student, trial, data, forms.FORMS, self.folder, 1)

    def logits(self, form: Form) -> np.ndarray[Any, Any]:
        """Those of `TEXTS`, as a person would compute them."""
        session = onnxruntime.InferenceSession(str(self.folder / FILES[form]))
        columns = AutoTokenizer.from_pretrained(self.student)(TEXTS, padding=True, truncation=True, return_tensors="np")
        return session.run(None, dict(columns))[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("exported"))


def test_the_graph_gives_the_logits_of_transformers(made: Made) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(made.student)
    tokens = AutoTokenizer.from_pretrained(made.student)(TEXTS, padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        own = model(**tokens).logits.numpy()
    np.testing.assert_allclose(made.logits("onnx"), own, atol=1e-5)
    small = made.logits("int8")
    assert 0 < np.abs(small - own).max() < 0.1 * np.abs(own).max()


def test_each_form_is_measured_as_the_student_is(made: Made) -> None:
    tests = {name: value for name, value in made.outcome.metrics.items() if name.startswith("test/")}
    assert made.exported["onnx"].metrics == tests
    assert made.exported["int8"].metrics.keys() == tests.keys()
    for form, exported in made.exported.items():
        assert exported.megabytes == (made.folder / FILES[form]).stat().st_size / 1e6
        assert list(exported.examples_per_second) == [1, 32]
        assert min(exported.examples_per_second.values()) > 0


def test_int8_is_said_of_the_weights(made: Made) -> None:
    graphs = {form: onnx.load(made.folder / FILES[form]).graph for form in forms.FORMS}
    types = {
        form: {each.data_type for each in graph.initializer if len(each.dims) == 2} for form, graph in graphs.items()
    }
    assert onnx.TensorProto.FLOAT in types["onnx"]
    assert onnx.TensorProto.FLOAT not in types["int8"]
    assert onnx.TensorProto.INT8 in types["int8"]


@pytest.mark.parametrize(
    ("kind", "family", "reason"),
    [
        ("classification", "bert", None),
        ("token_classification", "distilbert", None),
        ("regression", "qwen3", None),
        ("generation", "t5", "students of generation generate texts step by step, which one ONNX graph does not hold"),
        (
            "multiple_choice",
            "qwen3",
            "students of multiple_choice are language models that rank texts, which one ONNX graph does not do",
        ),
        (
            "classification",
            "bart",
            "students of bart have a decoder too, whose graph does not take batches of every size",
        ),
    ],
)
def test_what_is_not_exported(kind: str, family: str, reason: str | None) -> None:
    assert forms.obstacle(KINDS[kind], FAMILIES[family]) == reason
