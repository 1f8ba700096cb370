"""A cell that is distilled alone, as a cohort of one, and the metrics that are the same however it is computed."""

from __future__ import annotations

from pathlib import Path

from trainables import distill
from trainables.config import TrialConfig
from trainables.member import Member, Outcome
from trainables.metrics import Metrics, Report
from trainables.tasks.rows import Data


def distil(
    config: TrialConfig, data: Data, teacher: Path, folder: Path, report: Report, num_threads: int = 1
) -> Outcome:
    """Computes the cell. Raises the error that stopped it."""
    (result,) = distill.run([Member(config, folder, report)], data, teacher, num_threads)
    if isinstance(result, Exception):
        raise result
    return result


def timeless(metrics: Metrics) -> Metrics:
    """The metrics without times and rates."""
    timed = ("seconds/", "train/examples_per_second")
    return {name: value for name, value in metrics.items() if not name.startswith(timed)}
