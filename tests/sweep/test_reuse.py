"""A worker that has served other cells gives the same numbers, bit for bit, as one that has served none."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import torch

from sweep.jobs import schedule
from sweep.jobs.attempts import Context
from sweep.jobs.work import Job, train
from sweep.plan import checks, states
from sweep.records.environment import CodeVersion
from sweep.records.records import Record, Records
from sweep.records.storage import Storage
from sweep.tracking.runs import RunSpec
from tests.sweep.tiny import Unwatched, base
from tests.sweep.tracked import pid_of
from tests.trainables.alone import distil
from trainables import finetune
from trainables.config import TrialConfig
from trainables.metrics import Metrics
from trainables.tasks import read

# The second cell ends in an exception within its second step.
BEFORE = {"base": base("bert"), "axes": {"train.learning_rate": [1e-3, 1e30]}}
LAST = {"base": {**base("t5"), "init": "random"}}


@dataclass
class Swept:
    """A sweep that has been carried out."""

    records: Records
    cells: list[str]
    """Fingerprints, in the order of the grid."""
    teachers: list[str]
    pids: dict[str, int]
    """Of the process that computed a cell or a teacher, by its identity."""


def carry_out(grids: list[dict[str, Any]], folder: Path, *, apart: bool) -> Swept:
    """Runs the teachers and the cells on one worker; or, `apart`, each of the two on one of its own."""
    folder.mkdir()
    config = folder / "sweep.yaml"
    config.write_text(json.dumps({"name": "one", "grids": grids, "storage": str(folder)}))
    checked = checks.prepare(config)
    records = Records(Storage(checked.config.storage_url))
    planned = states.Plan.of(checked, records)
    context = Context("one", checked.config.storage_url, None, CodeVersion.here(), num_threads=1, driver="a driver")
    data = {key: ray.put(rows) for key, rows in checked.data.items()}
    teachers = {
        key: Job((cell,), (RunSpec.of_teacher(cell, key, "", {}),)) for key, cell in planned.teacher_cells.items()
    }
    cells = {key: Job((cell,), (RunSpec.of_cell(cell, key, "", {}),)) for key, cell in planned.cells.items()}
    needs = {} if apart else {key: cell.teacher_hash for key, cell in planned.cells.items()}
    pids: dict[str, int] = {}
    for jobs in (teachers, cells) if apart else (teachers | cells,):
        names = {job: {job: job} for job in jobs}
        ends = schedule.run(train, names, checked.config, Unwatched(), needs, context=context, jobs=jobs, data=data)
        assert not ends.errors
        pids |= {job: pid_of(records.teacher(job) if job in teachers else records.cell(job)) for job in ends.facts}
    return Swept(records, list(planned.cells), list(planned.teacher_cells), pids)


@pytest.fixture(scope="module")
def _one_cpu() -> Iterator[None]:
    """A Ray on which one trial runs at a time."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in schedule.ENVIRONMENT.items():
            patch.setenv(name, value)
        schedule.start(num_cpus=1)
        yield
        ray.shutdown()


@pytest.fixture(scope="module")
def after_others(_one_cpu: None, tmp_path_factory: pytest.TempPathFactory) -> Swept:
    return carry_out([BEFORE, LAST], tmp_path_factory.mktemp("reuse") / "together", apart=False)


@pytest.fixture(scope="module")
def alone(_one_cpu: None, tmp_path_factory: pytest.TempPathFactory) -> Swept:
    return carry_out([LAST], tmp_path_factory.mktemp("reuse") / "alone", apart=True)


def numbers(metrics: Metrics) -> Metrics:
    """All but times and rates."""
    return {
        name: value
        for name, value in metrics.items()
        if not name.startswith("seconds/") and name != "train/examples_per_second"
    }


def rows(record: Record) -> list[tuple[int, Metrics]]:
    return [(row["step"], numbers(row["metrics"])) for row in record.journal()]


def content(record: Record, name: str) -> bytes:
    file = record.path(name)
    assert file is not None
    return file.read_bytes()


def test_one_worker_serves_all_teachers_and_cells_the_last_cell_last(after_others: Swept) -> None:
    records, cells = after_others.records, after_others.cells
    assert [records.cell(cell).state() for cell in cells] == ["done", "failed", "done"]
    assert after_others.pids.keys() == {*cells, *after_others.teachers}
    assert len(set(after_others.pids.values())) == 1
    begun = [records.cell(cell).attempt(1).time for cell in cells]
    assert begun == sorted(begun)


def test_a_cell_after_others_is_the_cell_alone(after_others: Swept, alone: Swept) -> None:
    (cell,) = alone.cells
    assert cell == after_others.cells[-1]
    assert len({after_others.pids[cell], *alone.pids.values()}) == 3
    one, other = alone.records.cell(cell), after_others.records.cell(cell)
    assert rows(one) == rows(other)
    assert {step for step, _ in rows(one)} == {0, 1, 2, 3}
    for name in ("student/model.safetensors", "per_state.json"):
        assert content(one, name) == content(other, name)


def test_a_teacher_after_another_is_the_teacher_alone(after_others: Swept, alone: Swept) -> None:
    (teacher,) = alone.teachers
    assert teacher == after_others.teachers[-1]
    one, other = alone.records.teacher(teacher), after_others.records.teacher(teacher)
    assert rows(one) == rows(other) != []
    assert content(one, "model/model.safetensors") == content(other, "model/model.safetensors")


@dataclass
class Bench:
    """A cell and its teacher, to be run in this process."""

    config: TrialConfig
    folder: Path

    def __post_init__(self) -> None:
        self.data = read(self.config.task)
        finetune.run(self.config.model, self.config.task, self.data, self.folder, lambda step, metrics: None, "fp32")

    def run(self, name: str) -> tuple[list[tuple[int, Metrics]], bytes]:
        """All that was reported but times and rates, and the student's weights."""
        reported: list[tuple[int, Metrics]] = []
        folder = self.folder / name
        folder.mkdir()
        distil(
            self.config,
            self.data,
            self.folder / "model",
            folder,
            lambda step, metrics: reported.append((step, numbers(metrics))),
        )
        return reported, (folder / "student" / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    given = {**base("bert"), "init": "random", "strategy": {"kind": "random"}, "dtype": "fp32"}
    return Bench(TrialConfig.model_validate(given), tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def clean(bench: Bench) -> tuple[list[tuple[int, Metrics]], bytes]:
    return bench.run("clean")


@pytest.fixture
def _torch_as_it_was() -> Iterator[None]:
    num_threads, dtype, precision = (
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.get_float32_matmul_precision(),
    )
    yield
    torch.set_num_threads(num_threads)
    torch.set_default_dtype(dtype)
    torch.set_float32_matmul_precision(precision)
    torch.use_deterministic_algorithms(False)
    torch.set_grad_enabled(True)


POISONS: dict[str, Callable[[], object]] = {
    "default dtype": lambda: torch.set_default_dtype(torch.float64),
    "threads": lambda: torch.set_num_threads(3),
    "deterministic": lambda: torch.use_deterministic_algorithms(True),
    "matmul precision": lambda: torch.set_float32_matmul_precision("medium"),
    "grad mode": lambda: torch.set_grad_enabled(False),
    "random state": lambda: (random.seed(7), np.random.seed(7), torch.manual_seed(7)),
}


@pytest.mark.usefixtures("_torch_as_it_was")
@pytest.mark.parametrize("poison", POISONS)
def test_what_was_set_before_changes_nothing(
    poison: str, bench: Bench, clean: tuple[list[tuple[int, Metrics]], bytes]
) -> None:
    POISONS[poison]()
    assert bench.run(poison.replace(" ", "-")) == clean
    assert torch.get_num_threads() == 1
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() == torch.float32
    assert torch.get_float32_matmul_precision() == "highest"
    assert torch.are_deterministic_algorithms_enabled() == torch.cuda.is_available()
