"""One pass over a validation split: its numbers against examples that are measured one by one, and what is run."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tests.trainables.golden import SHAPES, config, save_teacher
from trainables import student
from trainables.cell import map_stacks
from trainables.config import TrialConfig
from trainables.evaluate import Evaluator, Questions
from trainables.families import FAMILIES, making
from trainables.metrics import Metrics
from trainables.objective import Distillation
from trainables.official import quirks
from trainables.targets import KEPT_BYTES, Targets, num_bytes
from trainables.tasks.kinds import KINDS
from trainables.tasks.kinds.multiple_choice import MultipleChoiceRow
from trainables.tasks.rows import Row
from trainables.validation import Measures, Validation

CPU = torch.device("cpu")
CHOICES = [
    MultipleChoiceRow("go to the red", (" box", " very long list of words", "it"), 0),
    MultipleChoiceRow("a", (" b", " c d e"), 1),
    MultipleChoiceRow("one two three four", (" five", " six"), 0),
]


@dataclass(frozen=True)
class Setup:
    """A teacher and a student of one family, and rows of unlike lengths to measure them on."""

    by: Evaluator
    objective: Distillation
    teacher: PreTrainedModel
    rows: Sequence[Row]

    @property
    def targets(self) -> Targets:
        mapped = {stack: set(mapping.values()) for stack, mapping in self.objective.mappings.items()}
        return Targets(self.by.family, self.teacher, mapped)

    def validation(self, rows: Sequence[Row] | None = None, **options: Any) -> Validation:
        return Validation(self.by, self.rows if rows is None else rows, self.targets, **options)


def setup(folder: Path, name: str, rows: Sequence[Row] | None = None, kind: str | None = None) -> Setup:
    cell: TrialConfig = config(name, "forward", init="random")
    data = save_teacher(cell, folder)
    task = cell.task.model_copy(update={"kind": kind or cell.task.kind})
    family, head = FAMILIES[name], KINDS[task.kind].head(data.classes)
    teacher = making.load(family, str(folder), None, head, seed=0).eval()
    built = student.build(family, teacher, cell.model, cell.init, cell.seed)
    mappings = map_stacks(cell, family, family.num_blocks(teacher.config.to_dict()))
    return Setup(
        Evaluator(family, task, making.load_tokenizer(str(folder)), CPU, "fp32", 3, data.classes),
        Distillation(family, head, built, mappings, cell.losses, quirks(name, cell.losses)),
        teacher,
        data.train[:7] if rows is None else rows,
    )


@pytest.fixture(scope="module", params=[*SHAPES, "multiple choice"])
def each(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Setup:
    folder = tmp_path_factory.mktemp("teacher")
    if request.param == "multiple choice":
        return setup(folder, "qwen3", CHOICES, "multiple_choice")
    return setup(folder, request.param)


def measured(validation: Validation, objective: Distillation) -> Measures:
    (done,) = validation.run([objective])
    return validation.measures(objective, done)


@contextmanager
def counted(model: nn.Module) -> Generator[list[int]]:
    """A list that grows by the number of examples with each pass of the model; 0 where a decoder writes a token."""
    seen: list[int] = []
    handle = model.register_forward_pre_hook(
        lambda _module, _args, kwargs: seen.append(len(kwargs.get("input_ids", ()))), with_kwargs=True
    )
    yield seen
    handle.remove()


def one_by_one(setup: Setup) -> Metrics:
    """The terms over the split as sums over examples without padding, each divided by the split's totals."""
    batches = [setup.by.split([example]).batches[0] for example in setup.by.encode(setup.rows)]
    counts = [setup.objective.totals(batch) for batch in batches]
    totals = {name: sum(count[name] for count in counts) for name in counts[0]}
    sums: Metrics = dict.fromkeys(("loss", "loss_ce", "loss_kl", "loss_hidden"), 0.0)
    with torch.no_grad():
        for batch in batches:
            terms = setup.objective.terms(batch, setup.objective.forward(batch), setup.targets(batch), totals)
            sums = {name: total + terms[name].item() for name, total in sums.items()}
    return sums


def test_terms_are_those_of_examples_without_padding(each: Setup) -> None:
    measures = measured(each.validation(), each.objective)
    assert measures.terms == pytest.approx(one_by_one(each), rel=1e-5)
    assert measures.terms["loss_hidden"] > 0


def test_predictions_are_in_the_order_of_the_rows(each: Setup) -> None:
    """Each is that of its row alone."""
    model = each.objective.model
    predicted = Questions(each.by, each.rows).predict(model)
    alone = [Questions(each.by, [row]).predict(model)[0] for row in each.rows]
    assert len({str(prediction) for prediction in alone}) > 1
    for mine, wanted in zip(predicted, alone, strict=True):
        assert mine == pytest.approx(wanted, rel=1e-4) if isinstance(wanted, list) else mine == wanted


def test_the_tasks_metrics_are_those_of_its_questions(each: Setup) -> None:
    questions = Questions(each.by, each.rows)
    wanted = questions.score(questions.predict(each.objective.model))
    assert measured(each.validation(), each.objective).task == wanted


def test_the_order_of_the_rows_moves_nothing_but_last_bits(each: Setup) -> None:
    one, other = (measured(each.validation(rows), each.objective) for rows in (each.rows, each.rows[::-1]))
    assert one.terms == pytest.approx(other.terms, rel=1e-5)
    assert one.task == pytest.approx(other.task)


def test_a_student_runs_over_each_example_once(each: Setup) -> None:
    """With labels the answers come from the pass of the losses; generation has passes of its own."""
    validation = each.validation()
    with counted(each.objective.model) as seen:
        measured(validation, each.objective)
    if each.by.kind.answer == "text":
        assert sum(seen[:3]) == len(each.rows)
        assert len(seen) > 3
    else:
        assert sum(seen) == len(each.by.kind.questions(each.rows, each.by.codec))


def test_students_are_measured_together_as_they_are_alone(each: Setup) -> None:
    other = replace(each.objective, config=each.objective.config.model_copy(update={"hidden": 7.0, "temperature": 2.0}))
    validation = each.validation()
    passes = validation.run([each.objective, other])
    together = [validation.measures(each.objective, passes[0]), validation.measures(other, passes[1])]
    assert together == [measured(each.validation(), objective) for objective in (each.objective, other)]
    assert together[0].terms["loss"] != together[1].terms["loss"]
    assert together[0].task == together[1].task


@pytest.mark.parametrize("num_kept", [0, 1, 3])
def test_the_teacher_runs_once_as_far_as_its_outputs_fit(each: Setup, num_kept: int) -> None:
    """The numbers are the same bit for bit, kept or not."""
    targets = each.targets
    outputs = [targets(batch) for batch in each.by.split(each.by.encode(each.rows)).batches]
    assert len(outputs) == -(-len(each.rows) // 3)
    validation = each.validation(kept_bytes=sum(map(num_bytes, outputs[:num_kept])))
    with counted(each.teacher) as seen:
        first, second = measured(validation, each.objective), measured(validation, each.objective)
    later = len(outputs[num_kept:])
    assert len(seen) == len(outputs) + later
    assert first == second == measured(each.validation(kept_bytes=KEPT_BYTES), each.objective)


def test_of_the_teacher_only_mapped_states_are_kept(each: Setup) -> None:
    batch = each.by.split(each.by.encode(each.rows)).batches[0]
    whole, kept = Targets(each.by.family, each.teacher)(batch), each.targets(batch)
    assert torch.equal(whole.all_logits, kept.all_logits)
    for stack, states in kept.states.items():
        mapped = set(each.objective.mappings[stack].values())
        assert 0 < len(mapped) < len(states) == len(whole.states[stack])
        for index, state in enumerate(states):
            wanted: Tensor = whole.states[stack][index] if index in mapped else torch.empty(0)
            assert torch.equal(state, wanted)


def test_examples_stay_in_their_order_where_the_loss_depends_on_it(each: Setup) -> None:
    """The public code's means over micro-batches: the last batch of 7 has one example."""
    objective = replace(each.objective, quirks=replace(each.objective.quirks, ce_by_micro_batch=True))
    found = measured(each.validation(by_length=False), objective).terms["loss_ce"]
    examples = each.by.encode(each.rows)
    means: list[float] = []
    for start in range(0, len(examples), 3):
        split = each.by.split(examples[start : start + 3])
        with torch.no_grad():
            terms = [
                objective.terms(batch, objective.forward(batch), each.targets(batch), objective.totals(batch))
                for batch in split.batches
            ]
        means.append(terms[0]["loss_ce"].item())
    assert found == pytest.approx(float(np.mean(means)), rel=1e-5)
