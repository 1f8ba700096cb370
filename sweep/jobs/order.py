"""The order of the jobs of a sweep: the grid search of Tune, in which a cell waits for its teacher.

A worker that becomes free takes the next trial at once, while other workers go on starting.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search.basic_variant import BasicVariantGenerator

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController


logger = logging.getLogger(__name__)


class AfterTeachers(BasicVariantGenerator):
    """Hands each trial to Tune once its teacher is done. Trials whose teacher failed are never started.

    Teachers and cells are one experiment, not two in a row: a worker goes on from a teacher to its cells with all
    that it has loaded, and no GPU waits for the last teacher.

    Tune never holds more trials than the cluster has room for, so that a worker is starting for each pending trial.
    """

    def __init__(
        self,
        needs: Mapping[str, str],
        is_done: Callable[[str], bool],
        num_at_once: Callable[[], int],
        announce: Callable[[int, int], None],
    ) -> None:
        """`needs` maps a job to the job that it waits for. `is_done` says whether a job that has ended succeeded.
        `num_at_once` gives the number of trials that there is room for now. `announce` takes the number of trials
        that could run now, and the room.
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
        job = self._given_out[trial_id]  # Tune calls this twice for a trial that it fails to stop
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
        """Saves nothing, because a sweep resumes from its records."""

    def has_ended(self, jobs: Collection[str]) -> bool:
        """Whether any of these jobs has come to an end."""
        return any(self._given_out[trial_id] in jobs for trial_id in self._ended)

    def _num_at_work(self) -> int:
        return len(self._given_out) - len(self._ended)

    def _is_ready(self, trial: Trial) -> bool:
        need = self._needs.get(trial.config["job"])
        return need is None or need in self._done


class NewestFirst(FIFOScheduler):
    """A worker that becomes free takes the newest of the pending trials.

    Tune would choose the oldest, for which another worker is already starting, and end that worker. Where a trial is
    shorter than the start of a worker, only the first worker would ever do any work.
    """

    def __init__(self, is_over: Callable[[str], bool]) -> None:
        """`is_over` says whether a running job is no longer needed, so that its worker can take another one."""
        super().__init__()
        self._is_over = is_over

    def choose_trial_to_run(self, tune_controller: TuneController) -> Trial | None:
        pending = [trial for trial in tune_controller.get_trials() if trial.status == Trial.PENDING]
        return pending[-1] if pending else None

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:
        return TrialScheduler.STOP if self._is_over(trial.config["job"]) else TrialScheduler.CONTINUE
