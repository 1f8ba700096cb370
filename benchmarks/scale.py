"""Time and peak memory of large sweeps: `python -m benchmarks.scale [--planned N] [--finished N]`.

It plans a grid of which nothing is stored; then it plans and reports a sweep whose cells have all ended, from records
that are made of numbers alone. Each part runs in a process of its own, which imports what that part needs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

STRATEGIES = ["none", "forward", "reverse", "all_to_one", "random"]
INITS = ["random", "teacher"]


def write_config(folder: Path, num_cells: int) -> Path:
    """A grid of strategies, inits and as many seeds as give that many cells."""
    seeds = list(range(num_cells // (len(STRATEGIES) * len(INITS))))
    base = {"model": "tiny-bert", "task": "natural-logic", "train": {"max_steps": 200}}
    axes = {"strategy": STRATEGIES, "init": INITS, "seed": seeds}
    path = folder / "sweep.yaml"
    path.write_text(json.dumps({"name": "large", "storage": str(folder / "runs"), "base": base, "axes": axes}))
    return path


def finish(config: Path) -> None:
    """Writes the records of all cells and of their teacher."""
    from sweep.plan.checks import prepare
    from sweep.plan.states import Plan
    from sweep.records.archive import Sweep
    from sweep.records.records import Records
    from sweep.records.storage import Storage
    from tests.sweep.finished import BERT, ENVIRONMENT, finish_cell
    from tests.sweep.tracked import finish_teacher

    checked = prepare(config)
    storage = Storage(checked.config.storage_url)
    records, draw = Records(storage), random.Random(0)
    plan = Plan.of(checked, records)
    for key in plan.teacher_cells:
        metrics = {"best/accuracy": 0.9, "test/accuracy": 0.9}
        finish_teacher(records.teacher(key), metrics, main_metric=BERT.metric, chance=BERT.chance)
    for cell in checked.cells:
        finish_cell(records.cell(cell.fingerprint), cell.config, BERT, draw, None)
    about = {"command": "", "time": 0, "tracking_uri": "", "experiment_id": "", "runs": {}}
    Sweep(name="large", environment=ENVIRONMENT, cells=tuple(checked.cells), **about).store(storage)  # type: ignore[arg-type]


def plan(config: Path) -> None:
    from sweep.run import main as command

    with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
        assert command([str(config), "--plan"]) == 0


def report(config: Path) -> None:
    from sweep.records.archive import Sweep
    from sweep.records.storage import Storage
    from sweep.report import page
    from sweep.report.report import Report

    storage = Storage(str(config.parent / "runs"))
    page.write(Report.of(storage, Sweep.load(storage, "large")))


def _measured(part: Callable[[Path], None], config: Path) -> tuple[float, float]:
    """Seconds of this process's CPU, and its highest memory in MB."""
    start = time.process_time()
    part(config)
    return time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def show(what: str, part: Callable[[Path], None], config: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds, megabytes = pool.apply(_measured, (part, config))
    print(f"{what}: {seconds:.1f} s, {megabytes:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planned", type=int, default=10_000, help="the cells of the grid that is only planned")
    parser.add_argument("--finished", type=int, default=2_000, help="the cells that have ended")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as planned, tempfile.TemporaryDirectory() as finished:
        show(f"plan of {options.planned} cells", plan, write_config(Path(planned), options.planned))
        config = write_config(Path(finished), options.finished)
        show(f"records of {options.finished} cells", finish, config)
        show(f"plan of {options.finished} finished cells", plan, config)
        show(f"report of {options.finished} cells", report, config)


if __name__ == "__main__":
    main()
