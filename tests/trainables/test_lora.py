"""Whole teachers and cells through adapters: what is trained, what is left on disk, and that it comes out again."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import BertForSequenceClassification, PreTrainedModel, pipeline

from tests.trainables.alone import distil
from tests.trainables.golden import config, save_teacher
from trainables import distill, finetune
from trainables.config import TrialConfig
from trainables.errors import InputError
from trainables.families import FAMILIES, adapters, making
from trainables.metrics import Metrics
from trainables.tasks import read
from trainables.tasks.kinds import KINDS

TRAIN = {"max_steps": 6, "batch_size": 4, "accumulation": 2, "learning_rate": 3e-2, "evaluate_every": 1.0}
LORA = {"r": 4, "alpha": 8}
FAMILIES_HERE = ["qwen3", "bert"]


def trial(
    family: str, lora: dict[str, Any] | None, *, init: str = "teacher", dropout: float = 0.0, **train: Any
) -> TrialConfig:
    fields = config(family, "forward").model_dump()
    fields["model"] |= {"finetune": {**TRAIN, "learning_rate": 1e-2}, "lora": lora}
    if dropout:
        fields["model"]["teacher"]["config"] |= {"attention_dropout": dropout}
    return TrialConfig.model_validate({**fields, "init": init, "train": {**TRAIN, **train}})


class Journal(dict[int, Metrics]):
    """What was reported, by step."""

    def __call__(self, step: int, metrics: Metrics) -> None:
        self[step] = {**self.get(step, {}), **metrics}

    def of(self, name: str) -> list[float]:
        return [metrics[name] for metrics in self.values() if name in metrics]


def cell(given: TrialConfig, folder: Path) -> tuple[distill.Outcome, Journal]:
    """A cell under a teacher that is drawn and never trained."""
    data = save_teacher(given, folder / "teacher")
    (folder / "cell").mkdir()
    journal = Journal()
    return distil(given, data, folder / "teacher", folder / "cell", journal), journal


class Made(NamedTuple):
    """A cell whose student has adapters, and where it lies beside its teacher: not to be changed."""

    given: TrialConfig
    folder: Path
    outcome: distill.Outcome
    journal: Journal

    @property
    def student(self) -> Path:
        return self.folder / "cell" / "student"


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Made]:
    """The cell of a family whose student is saved in one form; each is made once for all tests."""

    @cache
    def make(family: str, save: str) -> Made:
        given, folder = trial(family, {"student": {**LORA, "save": save}}), tmp_path_factory.mktemp(f"{family}-{save}")
        return Made(given, folder, *cell(given, folder))

    return make


def load(given: TrialConfig, folder: Path) -> PreTrainedModel:
    head = KINDS[given.task.kind].head(read(given.task).classes)
    return making.load(FAMILIES[given.model.family], str(folder), None, head, seed=0)


def fresh(given: TrialConfig) -> tuple[str, ...]:
    """Prefixes of the weights of a trial's head."""
    return FAMILIES[given.model.family].models[KINDS[given.task.kind].head_name].fresh


def weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "model.safetensors")


# Teachers.


@pytest.fixture(scope="module", params=FAMILIES_HERE)
def teacher(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrialConfig, Path]:
    """A teacher that was fine-tuned through adapters."""
    folder = tmp_path_factory.mktemp(request.param)
    given = trial(request.param, {"teacher": LORA, "student": {**LORA, "save": "adapter"}})
    finetune.run(given.model, given.task, read(given.task), folder, Journal(), "fp32")
    return given, folder


def test_a_teacher_through_adapters_is_plain(teacher: tuple[TrialConfig, Path]) -> None:
    """Its blocks' linear layers have moved and its head, and not one bit else."""
    given, folder = teacher
    family = FAMILIES[given.model.family]
    start, _ = finetune.start(given.model, given.task, read(given.task), family, seed=0)
    before, after = start.state_dict(), weights(folder / "model")
    moved = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    heads = {name for name in before if name.startswith(fresh(given))}
    assert moved == {f"{name}.weight" for name in adapters.linears(family, start)} | heads
    assert not list(folder.glob("model/adapter*"))


def test_a_cell_under_it_with_adapters_of_its_own(teacher: tuple[TrialConfig, Path], tmp_path: Path) -> None:
    given, folder = teacher
    data, journal = read(given.task), Journal()
    outcome = distil(given, data, folder / "model", tmp_path, journal)
    assert all(map(math.isfinite, outcome.metrics.values()))
    assert journal.of("train/loss_hidden")[-1] < journal.of("train/loss_hidden")[0]
    assert (tmp_path / "student" / "adapter_config.json").exists()


# Students.


@pytest.mark.parametrize("family", FAMILIES_HERE)
def test_a_cell_with_adapters_starts_as_the_cell_without(
    family: str, adapted: Callable[[str, str], Made], tmp_path: Path
) -> None:
    """Their draws move neither the init nor the data order nor the random weights of a head."""
    one, other = cell(trial(family, None), tmp_path)[1], adapted(family, "merged").journal
    for name in ("train/loss", "train/loss_ce", "train/loss_kl", "train/loss_hidden"):
        assert one[1][name] == other[1][name]
        assert one[2][name] != other[2][name]
    assert one[1]["train/grad_norm"] > other[1]["train/grad_norm"] > 0


@pytest.mark.parametrize("family", FAMILIES_HERE)
@pytest.mark.parametrize("save", ["merged", "adapter"])
def test_only_what_is_trained_has_moved(family: str, save: str, adapted: Callable[[str, str], Made]) -> None:
    made = adapted(family, save)
    teacher, student = weights(made.folder / "teacher"), weights(made.student)
    of = FAMILIES[family]
    (stack,) = of.stacks.values()
    copied = of.copied_blocks(6, made.given.model.student_blocks)
    source = {f"{stack.path}.{index}.": f"{stack.path}.{number - 1}." for index, number in enumerate(copied)}

    def origin(name: str) -> Tensor:
        block = next((block for block in source if name.startswith(block)), "")
        return teacher[source.get(block, "") + name.removeprefix(block)]

    moved = {name for name, tensor in student.items() if not torch.equal(tensor, origin(name))}
    heads = {name for name in student if name.startswith(fresh(made.given))}
    inside = tuple(f".{name}.weight" for name in of.linears)
    adapted = {name for name in student if name.startswith(tuple(source)) and name.endswith(inside)}
    assert moved == (adapted | heads if save == "merged" else heads)
    assert len(adapted) == 3 * len(of.linears)
    assert made.outcome.best_step > 0


@pytest.mark.parametrize("family", FAMILIES_HERE)
def test_both_forms_are_one_student(family: str, adapted: Callable[[str, str], Made]) -> None:
    """Trained alike; the same metrics of what lies on disk, and the same logits of it."""
    forms = [adapted(family, save) for save in ("merged", "adapter")]
    merged, adapter = ((each.journal.of("train/loss"), final(each.outcome.metrics)) for each in forms)
    assert merged == adapter
    ids = torch.arange(6, 14)[None]
    inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with torch.no_grad():
        one, other = (load(each.given, each.student).eval()(**inputs).logits for each in forms)
    torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES_HERE)
def test_what_was_loaded_from_an_adapter_is_saved_plain(
    family: str, adapted: Callable[[str, str], Made], tmp_path: Path
) -> None:
    """As a teacher that is one, and is trained on: under the model's own names, not peft's."""
    made = adapted(family, "adapter")
    model = load(made.given, made.student)
    adapters.save(model, tmp_path / "again")
    assert not list(tmp_path.glob("again/adapter*"))
    again = load(made.given, tmp_path / "again").state_dict()
    assert model.state_dict().keys() == again.keys()
    assert all(torch.equal(tensor, again[name]) for name, tensor in model.state_dict().items())


def test_an_adapter_is_loaded_by_a_pipeline(adapted: Callable[[str, str], Made]) -> None:
    scores: list[list[float]] = []
    for save in ("merged", "adapter"):
        answer: Any = pipeline("text-classification", model=str(adapted("bert", save).student), top_k=None)
        scores.append([each["score"] for each in answer(["no dog runs"])[0]])
    base: Any = BertForSequenceClassification.from_pretrained(adapted("bert", "adapter").student)
    assert any(".lora_A." in name for name in base.state_dict())
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)


def final(metrics: Metrics) -> Metrics:
    return {name: value for name, value in metrics.items() if name.startswith(("test/", "best/"))}


@pytest.mark.parametrize("family", FAMILIES_HERE)
def test_it_is_repeated_bit_for_bit(family: str, tmp_path: Path) -> None:
    given = trial(family, {"student": {**LORA, "dropout": 0.2, "save": "adapter"}})
    journals = [cell(given, tmp_path / name)[1] for name in ("a", "b")]
    assert journals[0].of("train/loss") == journals[1].of("train/loss")
    for name in ("model.safetensors", "adapter_model.safetensors"):
        one, other = (tmp_path / run / "cell" / "student" / name for run in ("a", "b"))
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("lora", [None, {"student": {**LORA, "dropout": 0.2}}], ids=["all weights", "adapters"])
def test_checkpointed_blocks_give_the_same_cell(lora: dict[str, Any] | None, tmp_path: Path) -> None:
    plain, again = (
        cell(trial("qwen3", lora, dropout=0.2, gradient_checkpointing=checkpointed), tmp_path / str(checkpointed))
        for checkpointed in (False, True)
    )
    for name in ("train/loss", "train/loss_hidden", "train/grad_norm", "eval/loss"):
        assert plain[1].of(name) == again[1].of(name)
    assert final(plain[0].metrics) == final(again[0].metrics)


def test_a_teacher_takes_checkpointed_blocks_too(tmp_path: Path) -> None:
    journals: list[Journal] = []
    for checkpointed in (False, True):
        given = trial("qwen3", {"teacher": LORA}, dropout=0.2)
        fields = {**given.model.model_dump(), "finetune": {**TRAIN, "gradient_checkpointing": checkpointed}}
        folder, journal = tmp_path / str(checkpointed), Journal()
        finetune.run(type(given.model).model_validate(fields), given.task, read(given.task), folder, journal, "fp32")
        journals.append(journal)
    assert journals[0].of("train/loss") == journals[1].of("train/loss")
    assert len(set(journals[0].of("train/loss"))) > 1


# What is refused as a trial begins.


def test_a_student_of_drawn_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.lora\.student: got adapters with init: random"):
        cell(trial("qwen3", {"student": LORA}, init="random"), tmp_path)


@pytest.mark.parametrize("role", ["teacher", "student"])
def test_targets_that_the_model_has_not_are_refused(role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the family does not declare its layers, and a plan could not know."""
    given = trial("qwen3", {role: {**LORA, "targets": ["query", "v_proj"]}})
    monkeypatch.setattr("trainables.families.lora.check", lambda *_: [])
    start = {
        "teacher": lambda: finetune.run(given.model, given.task, read(given.task), tmp_path, Journal(), "fp32"),
        "student": lambda: cell(given, tmp_path),
    }
    with pytest.raises(InputError) as error:
        start[role]()
    assert str(error.value.problems[0]).startswith(f"model.lora.{role}.targets: got query; the blocks' linear layers")
    assert not (tmp_path / "model").exists()
    assert not (tmp_path / "cell" / "student").exists()
