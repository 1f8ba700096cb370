"""An outside judge: the numbers that a sweep left in MLflow, computed again from the raw rows and the saved models.

Nothing of the project's losses, angles, families, batches or metrics takes part. The models run in plain
transformers one unpadded example at a time, so it is shown too that padding moves nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.sweep import judge
from tests.sweep.commands import Swept, cell_runs, runs
from tests.sweep.judge import Mappings
from tests.sweep.plain import LAST_BLOCKS, Array, Plain, Seen, Text
from tests.sweep.tiny import TASK_OF, TASKS
from trainables.config import TaskConfig
from trainables.tasks import read
from trainables.tasks.kinds.classification import ClassificationRow
from trainables.tasks.kinds.generation import GenerationRow

STRATEGY = "random"
PRECISION = {"rel": 1e-5, "abs": 1e-5}


@dataclass(frozen=True)
class Judged:
    """One cell, its teacher, and what both models show of every validation row."""

    family: str
    run: Run
    teacher_run: Run
    task: TaskConfig
    student: Plain
    teacher: Plain
    validation: list[Text]
    student_seen: list[Seen]
    teacher_seen: list[Seen]
    angles: dict[str, np.ndarray[Any, Any]]
    """Of the last step."""

    @property
    def stacks(self) -> list[str]:
        return list(LAST_BLOCKS[self.family])

    @property
    def mappings(self) -> Mappings:
        """`mapping.encoder` = `0:0 1:4 2:2` and so on."""
        given = {stack: self.run.data.params[f"mapping.{stack}"] for stack in self.stacks}
        return {
            stack: {int(s): int(t) for s, t in (pair.split(":") for pair in pairs.split())}
            for stack, pairs in given.items()
        }

    def param(self, name: str) -> float:
        return float(self.run.data.params[name])


def made(folder: Path, manifest: str) -> dict[str, Any]:
    """A record's result; the models are those of the best evaluation, the losses those of the last one."""
    result = json.loads((folder / manifest).read_text())
    assert result["best_step"] == result["steps"]
    return result


def examples(plain: Plain, rows: Sequence[ClassificationRow | GenerationRow]) -> list[Text]:
    texts = [
        plain.classified(row.texts, row.label)
        if isinstance(row, ClassificationRow)
        else plain.written(row.source, row.references[0])
        for row in rows
    ]
    assert len({len(text.inputs["input_ids"]) for text in texts}) > 1  # so that the sweep's batches were padded
    return texts


@pytest.fixture(scope="module", params=list(TASK_OF))
def judged(request: pytest.FixtureRequest, swept: Swept, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    config, done = swept
    assert done.returncode == 0, done.stdout + done.stderr
    torch.set_num_threads(1)
    family, storage = request.param, config.parent
    wanted = {"model": f"tiny-{family}", "strategy": STRATEGY}
    (run,) = [run for run in cell_runs(storage, "tiny") if wanted.items() <= run.data.tags.items()]
    (teacher_run,) = [
        each for each in runs(storage, "tiny", "teacher") if each.data.tags["teacher"] == run.data.tags["teacher"]
    ]
    record = storage / "teachers" / run.data.tags["teacher"]
    task = TaskConfig.model_validate(TASKS[TASK_OF[family]])
    made_teacher = made(record, "teacher.json")
    teacher = Plain(family, record / "attempts" / str(made_teacher["attempt"]) / "model", task.max_length)
    student = Plain(family, Path(run.data.tags["student"]), task.max_length)
    validation = examples(teacher, read(task).validation)
    assert validation == examples(student, read(task).validation)
    made(storage / "cells" / run.data.tags["cell"], "result.json")
    client = MlflowClient(tracking_uri=f"sqlite:///{storage}/mlflow.db")
    file = client.download_artifacts(run.info.run_id, "angles.npz", str(tmp_path_factory.mktemp("angles")))
    with np.load(file) as arrays:
        angles = {name: arrays[name][-1] for name in arrays.files if not name.startswith("axes/")}
    return Judged(
        family,
        run,
        teacher_run,
        task,
        student,
        teacher,
        validation,
        [student.see(text) for text in validation],
        [teacher.see(text) for text in validation],
        angles,
    )


def test_losses(judged: Judged) -> None:
    metrics = judged.run.data.metrics
    ce = judge.cross_entropy(judged.student_seen)
    kl = judge.kl(judged.student_seen, judged.teacher_seen, judged.param("losses.temperature"))
    hidden = judge.hidden(judged.student_seen, judged.teacher_seen, judged.mappings)
    assert metrics["eval/loss_ce"] == pytest.approx(ce, **PRECISION)
    assert metrics["eval/loss_kl"] == pytest.approx(kl, **PRECISION)
    assert metrics["eval/loss_hidden"] == pytest.approx(hidden, **PRECISION)
    weights = [judged.param(f"losses.{term}") for term in ("ce", "kl", "hidden")]
    assert metrics["eval/loss"] == pytest.approx(np.dot(weights, [ce, kl, hidden]), **PRECISION)
    assert judged.teacher_run.data.metrics["eval/loss"] == pytest.approx(
        judge.cross_entropy(judged.teacher_seen), **PRECISION
    )


def test_the_mapping_is_a_permutation_of_the_even_blocks(judged: Judged) -> None:
    for mapping in judged.mappings.values():
        assert {state: mapping[state] for state in mapping if state == 0} == (
            {} if judged.family == "qwen3" else {0: 0}
        )
        assert sorted(mapping[state] for state in (1, 2, 3)) == [2, 4, 6]


@pytest.mark.parametrize("whose", ["student", "teacher"])
def test_metrics_of_the_task(judged: Judged, whose: str) -> None:
    plain, run = (judged.student, judged.run) if whose == "student" else (judged.teacher, judged.teacher_run)
    data, metrics = read(judged.task), run.data.metrics
    for split, rows in (("eval", data.validation), ("test", data.test)):
        if judged.family == "bert":
            seen = [plain.see(text) for text in examples(plain, rows)]
            found = {"accuracy": judge.accuracy(seen), "f1": judge.macro_f1(seen)}
        else:
            texts = [plain.write(row.source, judged.task.max_new_tokens) for row in rows]
            references = [reference for row in rows for reference in row.references]
            found = {"bleu": judge.bleu(texts, references), "exact_match": judge.exact_match(texts, references)}
        for name, value in found.items():
            assert metrics[f"{split}/{name}"] == pytest.approx(value, **PRECISION)
        main = next(iter(found))
        if split == "eval":
            assert metrics[f"best/{main}"] == pytest.approx(found[main], **PRECISION)
        if whose == "teacher":
            assert found[main] > 0


def test_angles(judged: Judged) -> None:
    for stack in judged.stacks:
        wanted = judge.angles(judged.student_seen, judged.teacher_seen, stack)
        found = {name: judged.angles[f"{stack}/{name}"] for name in ("cos_mean", "acute_share", "count", "histogram")}
        np.testing.assert_array_equal(judged.angles[f"{stack}/left_out"], wanted.left_out_LM)
        assert found["count"].sum() == sum(map(len, wanted.cosines.values()))
        for place, cosines in wanted.cosines.items():
            entry = {name: array[place] for name, array in found.items()}
            assert entry["count"] == len(cosines)
            assert entry["cos_mean"] == pytest.approx(
                cosines.mean() if len(cosines) else np.nan, nan_ok=True, **PRECISION
            )
            if len(cosines):
                assert_above(cosines, 0, entry["acute_share"] * len(cosines))
            for index, edge in enumerate(np.linspace(-1, 1, 21)[1:-1], start=1):
                assert_above(cosines, edge, entry["histogram"][index:].sum())
        pooled, metrics = wanted.pooled(), judged.run.data.metrics
        assert metrics[f"angle/{stack}/cos_mean"] == pytest.approx(pooled.mean(), **PRECISION)
        assert_above(pooled, 0, metrics[f"angle/{stack}/acute_share"] * len(pooled))


def assert_above(cosines: Array, bound: float, count: float) -> None:
    """The count of cosines above a bound is a whole number, and right but for cosines at the bound itself."""
    least, most = judge.num_above(cosines, bound)
    assert count == pytest.approx(round(count), abs=1e-6)
    assert least <= round(count) <= most


# The judge can fail: what others have got wrong moves the numbers by more than it allows.


def with_one_pad_token(judged: Judged, plain: Plain, seen: Sequence[Seen]) -> list[Seen]:
    """The first example with a masked token of padding behind it, which is then counted as if it were real."""
    first = judged.validation[0]
    added = {"input_ids": plain.tokenizer.pad_token_id, "token_type_ids": 0, "attention_mask": 0}
    inputs = {"attention_mask": [1] * len(first.inputs["input_ids"]), **first.inputs}
    inputs = {name: [*ids, added[name]] if name in added else ids for name, ids in inputs.items()}
    return [plain.see(replace(first, inputs=inputs)), *seen[1:]]


def both_padded(judged: Judged) -> tuple[list[Seen], list[Seen]]:
    return (
        with_one_pad_token(judged, judged.student, judged.student_seen),
        with_one_pad_token(judged, judged.teacher, judged.teacher_seen),
    )


def last_normed(seen: Sequence[Seen]) -> list[Seen]:
    """The last states as transformers gives them."""
    return [
        replace(each, states={stack: [*states[:-1], each.normed[stack]] for stack, states in each.states.items()})
        for each in seen
    ]


def moved(mappings: Mappings, by: int) -> Mappings:
    return {stack: {s: max(0, t + by) for s, t in mapping.items()} for stack, mapping in mappings.items()}


def mean_of_examples(judged: Judged) -> float:
    each = zip(judged.student_seen, judged.teacher_seen, strict=True)
    return float(np.mean([judge.hidden([mine], [theirs], judged.mappings) for mine, theirs in each]))


WRONG_HIDDEN: dict[str, Callable[[Judged], float]] = {
    "one token of padding": lambda x: judge.hidden(*both_padded(x), x.mappings),
    "the block before": lambda x: judge.hidden(x.student_seen, x.teacher_seen, moved(x.mappings, -1)),
    "a sum over the pairs": lambda x: (
        sum(map(len, x.mappings.values())) * judge.hidden(x.student_seen, x.teacher_seen, x.mappings)
    ),
    "a mean of the examples' means": mean_of_examples,
}


@pytest.mark.parametrize("wrong", WRONG_HIDDEN)
def test_a_wrong_hidden_term_is_seen(judged: Judged, wrong: str) -> None:
    assert judged.run.data.metrics["eval/loss_hidden"] != pytest.approx(WRONG_HIDDEN[wrong](judged), **PRECISION)


def test_a_state_behind_the_final_norm_is_seen(judged: Judged) -> None:
    if judged.family in ("t5", "qwen3"):
        value = judge.hidden(judged.student_seen, last_normed(judged.teacher_seen), judged.mappings)
        assert judged.run.data.metrics["eval/loss_hidden"] != pytest.approx(value, **PRECISION)
    else:
        for seen, normed in zip(judged.teacher_seen, last_normed(judged.teacher_seen), strict=True):
            assert all(np.array_equal(seen.states[stack][-1], normed.states[stack][-1]) for stack in judged.stacks)


def test_a_wrong_kl_and_cross_entropy_are_seen(judged: Judged) -> None:
    metrics = judged.run.data.metrics
    mine, theirs = judged.student_seen, judged.teacher_seen
    assert metrics["eval/loss_kl"] != pytest.approx(judge.kl(theirs, mine, 1.0), **PRECISION)
    assert metrics["eval/loss_kl"] != pytest.approx(judge.kl(mine, theirs, 2.0), **PRECISION)
    assert metrics["eval/loss_ce"] != pytest.approx(judge.cross_entropy(theirs), **PRECISION)


def test_wrong_angles_are_seen(judged: Judged) -> None:
    stack = judged.stacks[0]
    mean = judged.run.data.metrics[f"angle/{stack}/cos_mean"]
    assert mean != pytest.approx(judge.angles(*both_padded(judged), stack).pooled().mean(), **PRECISION)
    cosines = judge.angles(judged.student_seen, judged.teacher_seen, stack).cosines
    last_only = np.concatenate([values for (_, _, k), values in cosines.items() if k == 6])
    assert mean != pytest.approx(last_only.mean(), **PRECISION)
