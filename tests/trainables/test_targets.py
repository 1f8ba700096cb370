"""The teacher beside the student: the time it takes."""

from __future__ import annotations

import time

import pytest
import torch

from tests.trainables.families.settings import SETTINGS
from trainables import device
from trainables.targets import LiveTargets


def test_a_gpu_is_waited_for_before_its_time_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda waited: done.append(str(waited)))
    monkeypatch.setattr(time, "perf_counter", lambda: float(len(done)))
    assert device.clock(torch.device("cuda", 1)) == 1.0
    assert done == ["cuda:1"]
    assert device.clock(torch.device("cpu")) == 1.0


def test_seconds_add_up_over_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = SETTINGS[0]
    times = iter([1.0, 1.5, 7.0, 9.0])
    monkeypatch.setattr(device, "clock", lambda of: next(times) if of == torch.device("cpu") else None)
    targets = LiveTargets(setting.family, setting.teacher())
    targets(setting.batch())
    targets(setting.batch())
    assert targets.seconds == 2.5
