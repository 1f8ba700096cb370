"""CUDA graphs of a BERT student's step and of its teacher's pass, against the same without them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.fixed import Fixed, Step
from benchmarks.lockstep import Cohort, copied
from benchmarks.run import Measured, Run
from benchmarks.timing import seconds

NUMBER = 10


def captured(work: Callable[[], Any]) -> torch.cuda.CUDAGraph:
    """The kernels of `work` as a graph, after three runs beside it, as torch's documentation asks for."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph


def graphs(run: Run) -> Measured:
    """Students of one fixed length, plain and as CUDA graphs, under a teacher that is captured too."""
    fixed = Fixed(run)
    students = [fixed.setting.module, *(copied(fixed.setting.module) for _ in range(NUMBER - 1))]
    cohorts = {number: Cohort(fixed.setting, number) for number in (1, NUMBER)}
    # As the project computes it, and with no selection by index.
    ours = {k: seconds(lambda c=c: c.step([fixed.indices]), fixed.device, fixed.repeats) for k, c in cohorts.items()}
    steps = [Step(fixed, student) for student in students]
    plain = {
        number: seconds(lambda n=number: _all(fixed.teach, steps[:n]), fixed.device, fixed.repeats)
        for number in (1, NUMBER)
    }
    figures = {f"ms, {k} students, the project's step": 1000 * value for k, value in ours.items()}
    figures |= {f"ms, {k} students, no selection": 1000 * value for k, value in plain.items()}
    yield "plain", {"teacher_ms": 1000 * seconds(fixed.teach, fixed.device, fixed.repeats), **figures}
    if fixed.device.type != "cuda":
        yield "graphs", {"skipped": "CUDA graphs need a GPU"}
        return
    teacher = captured(fixed.teach)
    teacher.replay()  # a capture computes nothing, and the students read what it leaves
    made = [captured(step) for step in steps]
    times = {
        number: seconds(
            lambda n=number: _all(teacher.replay, [each.replay for each in made[:n]]), fixed.device, fixed.repeats
        )
        for number in (1, NUMBER)
    }
    replayed = 1000 * seconds(teacher.replay, fixed.device, fixed.repeats)
    yield (
        "graphs",
        {
            **{f"speed_of_{k}_against_the_project's": ours[k] / value for k, value in times.items()},
            **{f"speed_of_{k}_against_no_selection": plain[k] / value for k, value in times.items()},
            **{f"ms, {k} students": 1000 * value for k, value in times.items()},
            "teacher_ms": replayed,
            "peak_gb": torch.cuda.max_memory_allocated() / 1e9,
        },
    )


def _all(teach: Callable[[], Any], steps: list[Any]) -> None:
    teach()
    for step in steps:
        step()
