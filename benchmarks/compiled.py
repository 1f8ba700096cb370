"""torch.compile of a BERT student and of its teacher, against the same without it; one fixed length."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.fixed import Fixed, Step
from benchmarks.run import Measured, Run
from benchmarks.timing import seconds
from trainables.device import autocast

MODES = ("default", "reduce-overhead")


def compiled(run: Run) -> Measured:
    """Students and teachers by mode, and how long compiling takes."""
    fixed = Fixed(run)
    base = seconds(Step(fixed, fixed.setting.module), fixed.device, fixed.repeats)
    base_teacher = seconds(fixed.teach, fixed.device, fixed.repeats)
    yield "none", {"student_ms": 1000 * base, "teacher_ms": 1000 * base_teacher}
    for mode in MODES:
        torch.compiler.reset()
        fixed = Fixed(run)
        how: dict[str, Any] = {"backend": "eager"} if run.dry else {"mode": mode}
        yield f"student {mode}", _timed(fixed, _student(fixed, how), base)
        yield f"teacher {mode}", _timed(fixed, _teacher(fixed, how), base_teacher)


def _timed(fixed: Fixed, work: Callable[[], None], base: float) -> dict[str, float]:
    started = time.perf_counter()
    work()
    compiling = time.perf_counter() - started
    taken = seconds(work, fixed.device, fixed.repeats)
    return {"speed_against_none": base / taken, "ms": 1000 * taken, "seconds_to_compile": compiling}


def _student(fixed: Fixed, how: dict[str, Any]) -> Callable[[], None]:
    outputs = torch.compile(_outputs(fixed, fixed.setting.module.model), dynamic=False, **how)

    def loss() -> Tensor:
        torch.compiler.cudagraph_mark_step_begin()
        with autocast(fixed.device, "bf16"):
            logits, states = outputs()
        return fixed.terms(logits, states, fixed.logits, fixed.states)

    return Step(fixed, fixed.setting.module, loss)


def _teacher(fixed: Fixed, how: dict[str, Any]) -> Callable[[], None]:
    outputs = torch.compile(_outputs(fixed, fixed.setting.teacher), dynamic=False, **how)

    def teach() -> None:
        torch.compiler.cudagraph_mark_step_begin()
        with torch.no_grad(), autocast(fixed.device, "bf16"):
            outputs()

    return teach


def _outputs(fixed: Fixed, model: nn.Module) -> Callable[[], tuple[Tensor, Any]]:
    inputs = {name: column for name, column in fixed.batch.items() if name != "labels"}

    def outputs() -> tuple[Tensor, Any]:
        given = model(**inputs, output_hidden_states=True)
        return given.logits, given.hidden_states

    return outputs
