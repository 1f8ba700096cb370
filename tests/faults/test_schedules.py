"""Schedules of faults, generated and shrunk: after each the sweep has lost nothing, and its end is the calm one.

    SCHEDULES=200 python -m pytest -n 0 tests/faults/test_schedules.py

tries as many, drawn anew, and shrinks one that shows a planted bug. The few schedules of the suite are always the same.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from mlflow import MlflowClient

from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.tracking.tracking import Tracking
from tests.faults import endings, faulty
from tests.faults.faulty import Command, Fault
from tests.sweep.tiny import base
from trainables import optimizers

NUM_SCHEDULES = int(os.environ.get("SCHEDULES", "3"))
CONFIG: dict[str, Any] = {
    "name": "small",
    "base": {
        **base("bert"),
        "dtype": "fp32",
        "train": {"max_steps": 4, "batch_size": 8, "evaluate_every": 0.25, "checkpoint_minutes": 1e-9},
    },
    "axes": {"strategy": ["none", "forward"]},
    "keep": "none",
}
WHOLE = ("result.json", "teacher.json", "cell.json", "attempt.json", "failed.json", "sweep.json")
"""Files that are whole whenever they are there."""


class Schedules(RuleBasedStateMachine):
    """A sweep of two cells, or of four once an axis is wider, under the command and its faults."""

    bugs: ClassVar[list[Callable[[], None]]] = []
    """What plants a bug in the workers."""
    steps: ClassVar[list[str]] = []
    """The rules of the last schedule."""

    def __init__(self) -> None:
        super().__init__()
        type(self).steps = []
        self.folder = Path(tempfile.mkdtemp(prefix="schedule-"))
        (runs := self.folder / "runs").mkdir()
        self.runs = runs
        shutil.copy(database(), runs / "mlflow.db")
        (self.folder / "sweep.yaml").write_text(json.dumps(CONFIG))
        self.words: tuple[str, ...] = ()
        self.results: dict[Path, bytes] = {}

    @rule(number=st.integers(1, 30))
    def kill_worker(self, number: int) -> None:
        self._run(Fault("worker", "killed", number))

    @rule(number=st.integers(1, 30))
    def kill_command(self, number: int) -> None:
        """With its worker."""
        self._run(Fault("driver", "killed", number))

    @rule(number=st.integers(1, 30))
    def interrupt(self, number: int) -> None:
        """The command, at a write of its worker, which ends there."""
        self._run(Fault("worker", "interrupted", number))

    @rule(process=st.sampled_from(["worker", "driver"]), number=st.integers(1, 30))
    def fill_disk(self, process: faulty.Process, number: int) -> None:
        self._run(Fault(process, "disk full", number))

    @rule(process=st.sampled_from(["worker", "driver"]), number=st.integers(0, 30))
    def stop_mlflow(self, process: faulty.Process, number: int) -> None:
        self._run(Fault(process, "MLflow refuses", number))

    @rule(number=st.integers(1, 30))
    def join(self, number: int) -> None:
        """Two commands at once; the worker of the first is killed."""
        first = self.command(Fault("worker", "killed", number)).start()
        second = self.command(None, "--join").start()
        for process in (first, second):
            process.join()
        self._note(f"join {number}")

    @precondition(lambda self: self._checkpoint_files())
    @rule(index=st.integers(0, 20), is_cut=st.booleans())
    def damage_checkpoint(self, index: int, is_cut: bool) -> None:
        files = self._checkpoint_files()
        file = files[index % len(files)]
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content[: len(content) // 2] if is_cut else content)
        self._note(f"damage {file.name}")

    @precondition(lambda self: not self.words)
    @rule()
    def widen(self) -> None:
        self.words = ("axes.seed=[0,1]",)
        self._note("widen")

    @rule()
    def finish(self) -> None:
        """The command without a fault; again where trials were killed too often before."""
        process = self.command(None).start()
        process.join()
        self._note("finish")
        assert process.exitcode == 0, (self.folder / "output.txt").read_text()
        assert not endings.leftovers(self.runs), endings.leftovers(self.runs)
        stored, shown = self.ending()
        calm_stored, calm_shown = calm()
        assert len(endings.every(self._records)) == (5 if self.words else 3)
        for key, value in stored.items():
            assert value == calm_stored[key], f"{key} differs"
        for key, value in shown.items():
            assert value == calm_shown[key], f"{key} differs in MLflow"
        assert shown.keys() == {"sweep ", *(root.replace("s/", " ", 1) for root in stored)}

    def teardown(self) -> None:
        try:
            self.finish()
        finally:
            shutil.rmtree(self.folder)

    @property
    def _records(self) -> Records:
        return Records(Storage(str(self.runs)))

    def command(self, fault: Fault | None, *flags: str) -> Command:
        return Command(self.folder, (*self.words, *flags), fault, tuple(self.bugs))

    def _run(self, fault: Fault) -> None:
        process = self.command(fault).start()
        process.join()
        self._note(f"{fault.process} {fault.kind} {fault.number}: {process.exitcode}")

    def _note(self, step: str) -> None:
        """Notes a rule, and looks at what has to hold after each."""
        self.steps.append(step)
        for file in self.runs.rglob("*.json"):
            if file.name in WHOLE:
                json.loads(file.read_bytes())
        results = [*self.runs.glob("cells/*/result.json"), *self.runs.glob("teachers/*/teacher.json")]
        for file in results:
            content = file.read_bytes()
            assert self.results.setdefault(file, content) == content, f"{file} has changed"
        assert set(results) == self.results.keys()

    def _checkpoint_files(self) -> list[Path]:
        return sorted(file for file in self.runs.glob("*/*/attempts/*/checkpoints/*/*") if file.is_file())

    def ending(self) -> tuple[dict[str, Any], dict[str, Any]]:
        client = MlflowClient(tracking_uri=f"sqlite:///{self.runs}/mlflow.db")
        return endings.stored(self._records), endings.shown(client, CONFIG["name"])


@cache
def database() -> Path:
    """A database of MLflow, which takes seconds to make."""
    folder = Path(tempfile.mkdtemp(prefix="schedules-"))
    atexit.register(shutil.rmtree, folder)
    file = folder / "mlflow.db"
    Tracking(f"sqlite:///{file}", "made", str(folder / "artifacts")).open_sweep({}, "", {})
    return file


@cache
def calm() -> tuple[dict[str, Any], dict[str, Any]]:
    """What an undisturbed sweep with the wider axis leaves, in its records and in MLflow."""
    schedule = Schedules()
    schedule.words = ("axes.seed=[0,1]",)
    process = schedule.command(None).start()
    process.join()
    assert process.exitcode == 0, (schedule.folder / "output.txt").read_text()
    ending = schedule.ending()
    shutil.rmtree(schedule.folder)
    return ending


SUITE = settings(
    max_examples=NUM_SCHEDULES,
    stateful_step_count=4,
    derandomize="SCHEDULES" not in os.environ,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    print_blob=False,
)


def test_a_sweep_under_a_schedule_of_faults_ends_as_a_calm_one() -> None:
    run_state_machine_as_test(Schedules, settings=SUITE)


def forget_moments() -> None:
    """A bug: the optimiser begins anew at each checkpoint."""
    optimizers.restore = lambda *_: None  # type: ignore[assignment]


class Planted(Schedules):
    bugs: ClassVar[list[Callable[[], None]]] = [forget_moments]


@pytest.mark.skipif("SCHEDULES" not in os.environ, reason="shrinking takes minutes")
def test_a_planted_bug_is_found_and_shrunk() -> None:
    phases = (Phase.generate, Phase.shrink)
    with pytest.raises(AssertionError, match="differs"):
        run_state_machine_as_test(Planted, settings=settings(SUITE, max_examples=10, phases=phases))
    assert len(Planted.steps) <= 5
