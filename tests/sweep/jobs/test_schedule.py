"""What the driver logs of the trials that Tune tells it of."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest
import ray
from ray.tune.experiment import Trial

from sweep.jobs import schedule
from sweep.jobs.schedule import Ends, WatcherCallback
from sweep.records import processes
from tests.sweep.tiny import Unwatched
from trainables.errors import InputError


def test_each_end_of_a_cell_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sweep.jobs.schedule")
    names = {
        "c0ffee": {"c0ffee": "bert · forward", "facade": "bert · none"},
        "decaf": {"decaf": "bert · reverse"},
    }
    first, second = trials = [Trial("train", config={"job": job}, stub=True) for job in names]
    told: list[tuple[str, str]] = []
    progress = WatcherCallback(Unwatched(), names, Ends(), lambda *failure: told.append(failure))
    for trial in trials:
        progress.on_trial_start(1, trials, trial)
    (tmp_path / "error.txt").write_text("Failure # 1\nActorDiedError: it was killed\n")
    monkeypatch.setattr(Trial, "error_file", str(tmp_path / "error.txt"))
    progress.on_trial_recover(1, trials, second)
    done = {"done": True, "reason": None, "delivered": True, "elsewhere": None}
    failed = {**done, "done": False, "reason": "not finite at step 2"}
    progress.on_trial_result(1, trials, first, {"progress": {"c0ffee": (2, 0.5)}})
    progress.on_trial_result(1, trials, first, {"ended": {"c0ffee": done, "facade": failed}})
    progress.on_trial_complete(1, trials, first)
    left = {**done, "done": False, "elsewhere": "computed by the sweep other"}
    progress.on_trial_result(1, trials, second, {"ended": {"decaf": left}})
    progress.on_trial_complete(1, trials, second)
    progress.on_trial_error(1, trials, second)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "bert · forward begins (c0ffee)"),
        ("INFO", "bert · none begins (facade)"),
        ("INFO", "bert · reverse begins (decaf)"),
        ("WARNING", "bert · reverse is tried again after ActorDiedError: it was killed"),
        ("INFO", "bert · forward is done"),
        ("WARNING", "bert · none has failed by itself: not finite at step 2"),
        ("INFO", "bert · reverse is left: computed by the sweep other"),
        ("ERROR", "bert · reverse is not tried again after ActorDiedError: it was killed"),
    ]
    assert progress.ends.facts == {"c0ffee": done, "facade": failed, "decaf": left}
    assert progress.ends.errors == {"decaf": "ActorDiedError: it was killed"}
    assert told == [("decaf", "ActorDiedError: it was killed")] * 2


def test_the_folder_of_a_killed_driver_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with subprocess.Popen(["true"]) as ended:
        pass
    names = [f"sweep-tune-{processes.machine()}-{ended.pid}-a_1", f"sweep-tune-{processes.writer()}-b_2", "other"]
    for name in names:
        (tmp_path / name).mkdir()
    schedule.clean()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])


@pytest.mark.parametrize("num_failures", [schedule.START_TRIES - 1, schedule.START_TRIES])
def test_a_ray_that_is_slow_to_start_is_started_again(num_failures: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []

    def init(address: str, **options: object) -> None:
        tries.append(address)
        if len(tries) <= num_failures:
            raise Exception("The current node timed out during startup.\nThis could happen.")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if num_failures < schedule.START_TRIES:
        schedule.connect(None)
    else:
        with pytest.raises(InputError, match=r"^Ray does not start .+ in 5 tries: The current node timed out during"):
            schedule.connect(None)
    assert tries == ["local"] * schedule.START_TRIES
