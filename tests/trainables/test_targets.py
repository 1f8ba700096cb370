"""The teacher beside its students: its time, and what moves to another device."""

from __future__ import annotations

import time

import pytest
import torch
from torch import Tensor

from tests.trainables.families.settings import SETTINGS, Setting
from trainables.clock import Clock, Seconds
from trainables.device import Stopwatch
from trainables.targets import Targets, moved, num_bytes


class Event:
    """A mark in a GPU's queue: it is passed at the time at which it is waited for."""

    now = 0.0

    def __init__(self, *, enable_timing: bool) -> None:
        assert enable_timing
        self.at: float | None = None

    def record(self) -> None:
        Event.now += 1500.0
        self.at = Event.now

    def synchronize(self) -> None:
        WAITED.append(self)

    def elapsed_time(self, end: Event) -> float:
        assert end in WAITED
        assert self.at is not None
        assert end.at is not None
        return end.at - self.at


WAITED: list[Event] = []


def test_a_gpu_is_waited_for_when_its_seconds_are_read_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "Event", Event)
    watch = Stopwatch(torch.device("cuda", 1))
    for _ in range(2):
        with watch.running():
            pass
    assert not WAITED
    assert (watch.read(), watch.read()) == (3.0, 0.0)


def test_seconds_in_the_teacher_add_up_until_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = SETTINGS[0]
    targets = Targets(setting.family, setting.teacher())
    times = iter([1.0, 1.5, 7.0, 9.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(times))
    targets(setting.batch())
    targets(setting.batch())
    assert (targets.watch.read(), targets.watch.read()) == (2.5, 0.0)


def test_a_stretch_of_time_is_divided_among_those_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 16.0, 20.0, 23.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(times))
    clock, one, other = Clock(last=time.perf_counter()), Seconds(), Seconds()
    clock.stretch([one, other])
    clock.stretch([one, other], is_eval=True)
    clock.stretch([other])
    assert one == Seconds(total=5.0, eval=2.0)
    assert other.metrics() == {"seconds/total": 8.0, "seconds/targets": 0.0, "seconds/eval": 2.0}


def test_moved_outputs_are_the_same_and_logits_stay_a_part_of_all_of_them(setting: Setting) -> None:
    outputs = Targets(setting.family, setting.teacher())(setting.batch())
    there = moved(outputs, torch.device("cpu"))
    assert torch.equal(there.logits, outputs.logits)
    assert there.logits.data_ptr() == there.all_logits.data_ptr()
    elsewhere = moved(outputs, torch.device("meta"))
    kept: list[Tensor] = [elsewhere.all_logits, elsewhere.labels, *elsewhere.masks.values()]
    kept += [state for states in elsewhere.states.values() for state in states]
    assert {tensor.device.type for tensor in [elsewhere.logits, *kept]} == {"meta"}
    assert num_bytes(outputs) == sum(tensor.numel() * tensor.element_size() for tensor in kept)
