"""Sizes are those of the saved model, counted from its config too; speeds are rows per second of its shape."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.trainables.golden import SHAPES, config, save_teacher
from trainables import distill, finetune
from trainables.config import TrialConfig
from trainables.evaluate import Questions
from trainables.families import FAMILIES
from trainables.families.counts import count, student_shape
from trainables.member import Member
from trainables.size import BATCHES, Size
from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import Data


def cell(family: str, **model: Any) -> TrialConfig:
    whole = config(family, "forward").model_dump()
    own = {"init": "random", "train": {"max_steps": 1}, "model": {**whole["model"], **model}}
    return TrialConfig.model_validate(whole | own)


def made(cells: list[TrialConfig], teacher: Path, data: Data, folder: Path) -> list[Size]:
    """The sizes of students of one cohort."""
    members = [Member(each, folder / str(number), lambda *_: None) for number, each in enumerate(cells)]
    for member in members:
        member.folder.mkdir()
    sizes: list[Size] = []
    for result in distill.run(members, data, teacher):
        assert not isinstance(result, Exception), result
        sizes.append(result.size)
    return sizes


@pytest.mark.parametrize("family", SHAPES)
def test_the_size_of_a_student_is_that_of_its_config_and_of_its_files(family: str, tmp_path: Path) -> None:
    data = save_teacher(config(family, "forward"), tmp_path / "teacher")
    cells = [cell(family, student_blocks=2), cell(family, student_blocks=3, student_width=8)]
    shape = finetune.start(cells[0].model, cells[0].task, data, FAMILIES[family], seed=1)[0].config.to_dict()
    head = KINDS[cells[0].task.kind].head(data.classes)
    for number, (each, size) in enumerate(zip(cells, made(cells, tmp_path / "teacher", data, tmp_path), strict=True)):
        student = student_shape(FAMILIES[family], shape, each.model.student_blocks, each.model.student_width)
        counts = count(FAMILIES[family], student, head)
        assert size.parameters == counts.total
        assert size.without_embeddings == counts.total - counts.embeddings
        file = tmp_path / str(number) / "student" / "model.safetensors"
        assert size.megabytes == file.stat().st_size / 1e6
        assert 4 * size.parameters <= file.stat().st_size
        assert tuple(size.examples_per_second) == BATCHES


def test_a_ready_teacher_has_the_size_of_its_folder(tmp_path: Path) -> None:
    ready = cell("bert", teacher=str(tmp_path / "teacher"), finetune=None)
    data = save_teacher(config("bert", "forward"), tmp_path / "teacher")
    size = finetune.run(ready.model, ready.task, data, tmp_path, lambda *_: None, "fp32").size
    assert size.megabytes == (tmp_path / "teacher" / "model.safetensors").stat().st_size / 1e6


def test_equal_shapes_are_timed_once_and_by_the_fastest_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 0.08, 0.08, 0.12, 0.0, 0.5] * 2)  # two passes of 8 rows in 80 and 40 ms, one of 32 rows in 0.5 s
    monkeypatch.setattr("trainables.meter.time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    data = save_teacher(config("bert", "forward"), tmp_path / "teacher")
    cells = [cell("bert"), cell("bert", student_blocks=2), cell("bert", student_blocks=3)]
    sizes = made(cells, tmp_path / "teacher", data, tmp_path)
    assert [size.examples_per_second[1] for size in sizes] == pytest.approx([200.0] * 3)
    assert [size.examples_per_second[32] for size in sizes] == [64.0] * 3
    assert next(ticks, None) is None  # the first and the third have one shape


def test_a_model_that_generates_is_timed_at_full_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    least: list[tuple[int, Any]] = []
    predict = Questions.predict

    def watched(self: Questions, model: Any, answered: Any = ()) -> list[Any]:
        least.append((self.by.batch_size, model.generation_config.min_new_tokens))
        return predict(self, model, answered)

    data = save_teacher(config("t5", "forward"), tmp_path / "teacher")
    monkeypatch.setattr(Questions, "predict", watched)
    made([cell("t5")], tmp_path / "teacher", data, tmp_path)
    assert {each for each in least if each[1]} == {(1, 2), (32, 2)}


def test_a_batch_that_does_not_fit_has_no_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predict = Questions.predict

    def small(self: Questions, model: Any, answered: Any = ()) -> list[Any]:
        if self.by.batch_size == 32:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return predict(self, model, answered)

    data = save_teacher(config("bert", "forward"), tmp_path / "teacher")
    ready = cell("bert").model_copy(update={"train": cell("bert").train.model_copy(update={"batch_size": 4})})
    monkeypatch.setattr(Questions, "predict", small)
    (size,) = made([ready], tmp_path / "teacher", data, tmp_path)
    assert list(size.examples_per_second) == [1]
