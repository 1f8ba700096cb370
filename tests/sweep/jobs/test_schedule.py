"""What the driver logs of the trials that Tune tells it of."""

from __future__ import annotations

import pytest
from ray.tune.experiment import Trial

from sweep.jobs.schedule import Ends, WatcherCallback
from tests.sweep.tiny import Unwatched


def test_each_end_of_a_trial_is_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sweep.jobs.schedule")
    names = {"c0ffee": "bert · forward", "decaf": "bert · reverse", "facade": "bert · none"}
    trials = [Trial("train", config={"job": job}, stub=True) for job in names]
    first, second, third = trials
    progress = WatcherCallback(Unwatched(), names, Ends())
    for trial in trials:
        progress.on_trial_start(1, trials, trial)
    monkeypatch.setattr(second, "get_error", lambda: "Failure # 1\nActorDiedError: it was killed\n")
    progress.on_trial_recover(1, trials, second)
    ended = {"done": True, "reason": None, "delivered": True}
    progress.on_trial_result(1, trials, first, ended)
    progress.on_trial_complete(1, trials, first)
    progress.on_trial_error(1, trials, second)
    progress.on_trial_result(1, trials, third, {**ended, "done": False, "reason": "not finite at step 2"})
    progress.on_trial_complete(1, trials, third)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "bert · forward begins (c0ffee)"),
        ("INFO", "bert · reverse begins (decaf)"),
        ("INFO", "bert · none begins (facade)"),
        ("WARNING", "bert · reverse is tried again after Failure # 1\nActorDiedError: it was killed\n"),
        ("INFO", "bert · forward is done"),
        ("ERROR", "bert · reverse is not tried again after Failure # 1\nActorDiedError: it was killed\n"),
        ("WARNING", "bert · none has failed by itself: not finite at step 2"),
    ]
