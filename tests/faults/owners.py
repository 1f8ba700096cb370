"""A process that computes a teacher and cells of a storage beside others, as the trials of a sweep do."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune

from sweep.grid.cells import Cell
from sweep.grid.fingerprint import fingerprint
from sweep.jobs.attempts import Context, Ended
from sweep.jobs.teachers import train_teacher
from sweep.jobs.trial import train_cells
from sweep.records import heartbeats
from sweep.records.checkpoints import StoredCheckpoints
from sweep.records.environment import CodeVersion
from sweep.records.heartbeats import Judge
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.records.waiting import until_free
from sweep.tracking.runs import RunSpec
from tests.faults.cuts import TEACHER, forkserver
from tests.sweep.tiny import base
from trainables.config import TrialConfig
from trainables.tasks import read

TRAIN = {"max_steps": 24, "batch_size": 4, "evaluate_every": 1.5, "checkpoint_minutes": 1e-3}
STRATEGIES = ("none", "forward")


@dataclass(frozen=True)
class Owner:
    """One driver with one worker, in one process."""

    url: str
    name: str
    environment: Mapping[str, str]
    log: Path
    """A file for the ends of its trials."""
    gate: Path
    """As long as this file is there, the process waits after each checkpoint."""

    def start(self) -> Any:
        """The process that makes all that is missing."""
        process = forkserver.Process(target=self.make)
        process.start()
        return process

    def make(self) -> None:
        os.environ.update(self.environment)
        tune.report = lambda _: None  # type: ignore[assignment]  # there is no driver
        # Short, so that the test is; the process that stops is stopped for longer than that.
        heartbeats.BEAT_SECONDS, heartbeats.DEAD_SECONDS, heartbeats.DOUBT_SECONDS = 0.5, 10.0, 5.0
        save = StoredCheckpoints.save

        def save_and_wait(kept: StoredCheckpoints, step: int, folder: Path) -> None:
            save(kept, step, folder)
            while self.gate.exists():
                time.sleep(0.05)

        StoredCheckpoints.save = save_and_wait
        config = TrialConfig.model_validate({**base("bert"), "dtype": "fp32"})
        data = read(config.task)
        configs = [config.model_copy(update=each) for each in map(_fields, STRATEGIES)]
        cells = [Cell(each, data.hash, TEACHER, fingerprint(each, data.hash, TEACHER)) for each in configs]
        storage = Storage(self.url)
        records, judge = Records(storage), Judge(storage)
        context = Context(self.name, self.url, None, CodeVersion.here(), 1, f"driver of {self.name}")
        teacher = records.teacher(TEACHER)
        while teacher.result() is None:
            run = RunSpec.of_teacher(cells[0], "the teacher", "", {})
            self._tell(train_teacher(cells[0], run, context, data))
            until_free([teacher], judge)
        left = {cell.fingerprint: cell for cell in cells}
        while left:
            for cell in left.values():
                ended = train_cells([cell], [RunSpec.of_cell(cell, cell.fingerprint, "", {})], context, data)
                self._tell(ended)
            until_free(map(records.cell, left), judge)
            left = {key: cell for key, cell in left.items() if records.cell(key).state() == "missing"}

    def ended(self) -> dict[str, list[dict[str, Any]]]:
        """Identity -> how its trials ended, in their order."""
        by_identity: dict[str, list[dict[str, Any]]] = {}
        for line in self.log.read_text().splitlines():
            for identity, facts in json.loads(line).items():
                by_identity.setdefault(identity, []).append(facts)
        return by_identity

    def _tell(self, ends: Mapping[str, Ended]) -> None:
        with self.log.open("a") as log:
            print(json.dumps({identity: end.facts() for identity, end in ends.items()}), file=log)


def _fields(strategy: str) -> dict[str, Any]:
    fields = TrialConfig.model_validate({**base("bert"), "strategy": strategy, "train": TRAIN, "dtype": "fp32"})
    return {"strategy": fields.strategy, "train": fields.train}
