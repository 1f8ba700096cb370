"""The order of a sweep's jobs: Tune's own grid, in which a cell waits until its teacher is there.

A worker that comes free takes the next trial at once, and the others are left to start.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search.basic_variant import BasicVariantGenerator

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController


logger = logging.getLogger(__name__)


class AfterTeachers(BasicVariantGenerator):
    """Gives out trials as soon as what they need is done; those whose need was not met are never given out.

    One experiment for teachers and cells, and not one after the other: workers go on from a teacher to its cells
    with all that they have loaded, and no GPU waits for the last teacher.

    No more are given out than there is room for, so that one that is pending has a worker that is starting.
    """

    def __init__(
        self,
        needs: Mapping[str, str],
        is_done: Callable[[str], bool],
        num_at_once: Callable[[], int],
        announce: Callable[[int, int], None],
    ) -> None:
        """`needs`: the job that a job waits for, where it waits; `is_done`: whether an ended job has succeeded;
        `num_at_once`: how many trials there is room for by now; `announce`: is told how many could run by now, and
        that number.
        """
        super().__init__()
        self._announce = announce
        self._needs, self._is_done, self._num_at_once = needs, is_done, num_at_once
        self._held: list[Trial] = []
        self._given_out: dict[str, str] = {}
        """Trial id -> job."""
        self._done: set[str] = set()
        self._ended: set[str] = set()
        """Trial ids."""

    def next_trial(self) -> Trial | None:
        while trial := super().next_trial():
            self._held.append(trial)
        room = self._num_at_once()
        self._announce(self._num_at_work() + sum(map(self._is_ready, self._held)), room)
        if self._num_at_work() >= max(1, room):
            return None
        trial = next((trial for trial in self._held if self._is_ready(trial)), None)
        if trial:
            self._held.remove(trial)
            self._given_out[trial.trial_id] = trial.config["job"]
            logger.info("%s is given to Tune, which has %d at work", trial.config["job"], self._num_at_work())
        return trial

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        super().on_trial_complete(trial_id, result, error)
        self._ended.add(trial_id)
        job = self._given_out[trial_id]  # Tune says it twice of a trial that it fails to stop
        if not error and self._is_done(job):
            self._done.add(job)
        else:
            left = [trial for trial in self._held if self._needs.get(trial.config["job"]) != job]
            if len(left) < len(self._held):
                logger.warning("%s did not succeed, so that %d cells never begin", job, len(self._held) - len(left))
            self._held = left

    def is_finished(self) -> bool:
        return super().is_finished() and not self._held

    def save_to_dir(self, dirpath: str, session_str: str) -> None:
        """Nothing: a sweep goes on from its records."""

    def _num_at_work(self) -> int:
        return len(self._given_out) - len(self._ended)

    def _is_ready(self, trial: Trial) -> bool:
        need = self._needs.get(trial.config["job"])
        return need is None or need in self._done


class NewestFirst(FIFOScheduler):
    """Of the trials that are pending, the one that was given out last goes to a worker that has come free.

    Tune's own choice is the first, for which another worker is starting: that one would be ended, and where trials are
    shorter than a worker's start, none but the first would ever come to work.
    """

    def choose_trial_to_run(self, tune_controller: TuneController) -> Trial | None:
        pending = [trial for trial in tune_controller.get_trials() if trial.status == Trial.PENDING]
        return pending[-1] if pending else None
