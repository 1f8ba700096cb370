"""Teachers and cells whose process is killed again and again, against those of a run in one piece.

    python -m tests.faults.cuts [CUTS] [SEED]

kills each family CUTS times (50) at random moments of training, evaluation, checkpoint and test. Between two cuts the
cells that are left form other cohorts. It prints a line per family, and fails at the first number that differs.
"""

from __future__ import annotations

import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray import tune

from sweep.grid.cells import Cell
from sweep.grid.fingerprint import fingerprint
from sweep.jobs.attempts import Context
from sweep.jobs.teachers import train_teacher
from sweep.jobs.trial import train_cells
from sweep.records.checkpoints import MANIFEST
from sweep.records.environment import CodeVersion
from sweep.records.records import CHECKPOINTS, Record, Records
from sweep.records.storage import Storage
from sweep.tracking.runs import RunSpec
from tests.sweep.tiny import base
from tests.trainables.alone import timeless
from trainables import clock
from trainables.config import TrialConfig
from trainables.tasks import read
from trainables.tasks.rows import Data

FAMILIES = ("bert", "bart", "t5", "qwen3")
FIELDS: tuple[dict[str, Any], ...] = (
    {"strategy": "forward", "init": "teacher"},
    {"strategy": "none", "init": "random"},
    {"strategy": {"kind": "in_order_random", "redraw": "epoch"}, "init": "teacher"},
)
TRAIN = {"max_steps": 10, "batch_size": 4, "accumulation": 2, "evaluate_every": 1.5, "checkpoint_minutes": 1e-3}
FINETUNE = {"max_steps": 8, "batch_size": 4, "evaluate_every": 0.5, "checkpoint_minutes": 1e-3}

TEACHER = "teacher"
"""The only teacher of a storage, by what stands for its hash."""

forkserver = multiprocessing.get_context("forkserver")
forkserver.set_forkserver_preload(
    ["sweep.jobs.trial", "sweep.jobs.teachers", "trainables.distill", "trainables.finetune"]
)


@dataclass(frozen=True)
class Work:
    """The teacher and the cells of a family in a storage."""

    folder: Path
    family: str

    @property
    def records(self) -> Records:
        return Records(Storage(str(self.folder)))

    def cells(self, data: Data) -> list[Cell]:
        fields = base(self.family)
        fields["model"]["finetune"] |= FINETUNE
        configs = [TrialConfig.model_validate({**fields, "train": TRAIN, "dtype": "fp32", **own}) for own in FIELDS]
        return [Cell(each, data.hash, TEACHER, fingerprint(each, data.hash, TEACHER)) for each in configs]

    def make(self, seed: int) -> None:
        """Makes what is missing, with the cells in cohorts that the seed draws. A process of its own runs this."""
        tune.report = lambda _: None  # type: ignore[assignment]  # there is no driver
        clock.MOST_SHARE = 0.5  # so that many cuts hit a checkpoint
        data = read(TrialConfig.model_validate({**base(self.family), "dtype": "fp32"}).task)
        context = Context("cuts", str(self.folder), None, CodeVersion.here(), 1, "a driver")
        cells = self.cells(data)
        if self.records.teacher(TEACHER).result() is None:
            train_teacher(cells[0], RunSpec.of_teacher(cells[0], "the teacher", "", {}), context, data)
        draw = random.Random(seed)
        draw.shuffle(cells)
        first = draw.randrange(1, len(cells) + 1)
        for cohort in (cells[:first], cells[first:]):
            if cohort:
                runs = [RunSpec.of_cell(cell, cell.fingerprint, "", {}) for cell in cohort]
                train_cells(cohort, runs, context, data)

    def start(self, seed: int) -> Any:
        """The process that runs `make`."""
        process = forkserver.Process(target=self.make, args=(seed,))
        process.start()
        return process

    def finish(self, seed: int) -> float:
        """Makes what is missing without a cut; returns the seconds that this took."""
        begun = time.monotonic()
        process = self.start(seed)
        process.join()
        assert process.exitcode == 0, process.exitcode
        return time.monotonic() - begun

    def made(self) -> list[Record]:
        """The records, the teacher's first, if all of them have a result."""
        storage = self.records.storage
        cells = [self.records.cell(name) for name in sorted(storage.list("cells"))]
        made: list[Record] = [self.records.teacher(TEACHER), *cells]
        is_done = len(cells) == len(FIELDS) and all(record.result() for record in made)
        return made if is_done else []

    def num_half_checkpoints(self) -> int:
        """The number of checkpoints that a cut has left without a manifest."""
        folders = self.folder.glob(f"*/*/attempts/*/{CHECKPOINTS}/*")
        return sum(not (folder / MANIFEST).exists() for folder in folders)


def contents(records: Iterable[Record]) -> dict[str, Any]:
    """All that teachers and cells give and leave, but for times and rates; no point of a journal may be there twice."""
    contents: dict[str, Any] = {}
    for record in records:
        result = record.result()
        assert result is not None
        points = [
            ((row["step"], name), value) for row in record.journal() for name, value in timeless(row["metrics"]).items()
        ]
        assert len(dict(points)) == len(points)
        folder = Path(record.storage.full_url(f"{record.root}/attempts/{result.attempt}"))
        names = ("angles.npz", "per_state.json", "predictions.jsonl", "*/model.safetensors")
        files = {str(path.relative_to(folder)): path.read_bytes() for name in names for path in folder.glob(name)}
        contents[record.root] = (timeless(result.metrics), result.best_step, dict(points), files)
    return contents


@dataclass
class Cuts:
    """The cuts of one family so far."""

    family: str
    draw: random.Random
    root: Path
    num_cuts: int = 0
    num_ends: int = 0
    """How often all cells have come to an end."""
    num_half_checkpoints: int = 0
    longest: list[int] = field(default_factory=list[int])
    """The attempts of the record that needed most, of each end."""

    def run(self, num_cuts: int) -> None:
        calm = Work(self.root / "calm", self.family)
        seconds = calm.finish(0)
        wanted = contents(calm.made())
        while self.num_cuts < num_cuts:
            work = Work(self.root / f"cut-{self.num_ends}", self.family)
            while not work.made():
                self._cut(work, seconds) if self.num_cuts < num_cuts else work.finish(self.draw.randrange(2**32))
            made = contents(work.made())
            for root, content in wanted.items():
                assert made[root] == content, f"{root} of {self.family} differs after {self.num_cuts} cuts"
            self.num_ends += 1
            self.num_half_checkpoints += work.num_half_checkpoints()
            self.longest.append(max(len(record.attempts()) for record in work.made()))

    def _cut(self, work: Work, seconds: float) -> None:
        process = work.start(self.draw.randrange(2**32))
        process.join(self.draw.uniform(0, seconds / 2))
        self.num_cuts += process.is_alive()
        process.kill()
        process.join()

    def __str__(self) -> str:
        return (
            f"{self.family}: {self.num_cuts} cuts, {self.num_half_checkpoints} half checkpoints; {self.num_ends} times"
            f" the teacher and {len(FIELDS)} cells, in up to {max(self.longest)} attempts, as in one piece"
        )


def main(arguments: Sequence[str]) -> None:
    num_cuts, seed = (int(word) for word in [*arguments, *("50", "0")[len(arguments) :]])
    for family in FAMILIES:
        with tempfile.TemporaryDirectory() as folder:
            cuts = Cuts(family, random.Random(f"{family} {seed}"), Path(folder))
            cuts.run(num_cuts)
            print(cuts, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
