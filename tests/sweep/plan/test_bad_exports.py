"""What of a sweep cannot be exported is said before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.run import main
from tests.sweep.own_data import lines, prepared
from trainables import forms


@pytest.fixture(autouse=True)
def _no_places_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_a_classifier_can_be(tmp_path: Path) -> None:
    assert prepared(tmp_path, "students.export=[onnx,int8]").config.students.export == ["onnx", "int8"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["students.export=[torch]"], "students.export[0]: got 'torch'; expected 'onnx' or 'int8'"),
        (["students.export=onnx"], "students.export: got 'onnx'; expected a list"),
        (
            ["students.export=[onnx]", "keep=none"],
            "students: got export beside keep: none; set keep to best or all",
        ),
    ],
)
def test_what_the_config_cannot_say(tmp_path: Path, asked: list[str], said: str) -> None:
    assert lines(tmp_path, *asked) == [said]


def test_missing_packages_are_named_with_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "PACKAGES", ("onnx", "no_such_package", "nor_this_one"))
    cure = "pip install 'distillation-sweep[export]'"
    assert lines(tmp_path, "students.export=[int8]") == [
        f"students.export: got [int8]; no_such_package and nor_this_one are not installed: {cure}"
    ]


def test_students_that_generate_are_refused_in_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SWEEP_STORAGE", str(tmp_path))
    assert main(["profile=taste", "students.export=[onnx]", "--plan"]) == 0
    assert main(["students.export=[onnx]", "--plan"]) == 2
    reason = "students of generation generate texts step by step, which one ONNX graph does not hold"
    assert capsys.readouterr().err == f"students.export: got [onnx]; {reason}: leave it empty\n"
