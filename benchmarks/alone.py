"""One cell alone by the project's own loop: step time, share of the card's peak, and where the time goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.run import Measured, Run
from benchmarks.setting import Setting, make, start, train
from benchmarks.shapes import shapes
from benchmarks.timing import WARM_UP, flops_per_step, matmul_peak, per_step
from trainables.device import Dtype
from trainables.metrics import Metrics

STEPS = {"bert-base": 45, "t5-base": 25, "bart-large": 25, "qwen3-8b": 11}
PROFILED = 4
LAUNCHES = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx", "cudaGraphLaunch")
SYNCHRONISATIONS = (
    "cudaStreamSynchronize",
    "cudaDeviceSynchronize",
    "cudaEventSynchronize",
    "aten::item",
    "aten::_local_scalar_dense",
    "aten::nonzero",
)
NUM_EXAMPLES = 2048


def card(run: Run) -> Measured:
    """The card and its measured peaks."""
    device = start()
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    peaks = {
        f"{label}_tflops": matmul_peak(device, dtype, dry=run.dry) / 1e12
        for label, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32))
    }
    yield "card", {"name": name, "torch": torch.__version__, "cuda": torch.version.cuda, **peaks}


def alone(run: Run) -> Measured:
    """Each shape in bf16, and BERT in fp32 too."""
    wanted: list[tuple[str, Dtype]] = [(name, "bf16") for name in STEPS]
    wanted.append(("bert-base", "fp32"))
    for name, dtype in wanted:
        yield f"{name} {dtype}", _alone(run, name, dtype)


def _alone(run: Run, name: str, dtype: Dtype) -> dict[str, Any]:
    num_steps = 7 if run.dry else STEPS[name]
    setting = make(shapes(dry=run.dry)[name], dtype, num_examples=NUM_EXAMPLES)
    if setting.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    targets, in_teacher = setting.targets, list[float]()
    assert targets is not None
    ends = train(setting, num_steps, lambda *_: in_teacher.append(targets.watch.read()))
    timed = per_step(ends)
    step = timed["ms_per_step"] / 1000
    examples = setting.recipe.batch_size * setting.recipe.accumulation
    flops = flops_per_step(setting, num_steps)
    peak = run.results().get("card", {}).get("card", {}).get(f"{dtype}_tflops")
    teacher = sum(in_teacher[WARM_UP:]) / (num_steps - WARM_UP)
    return {
        **({"share_of_peak": flops / step / peak / 1e12} if peak else {}),
        "share_of_step_in_teacher": teacher / step,
        **timed,
        "examples_per_second": examples / step,
        "tflop_per_step": flops / 1e12,
        "peak_gb": torch.cuda.max_memory_allocated() / 1e9 if setting.device.type == "cuda" else 0.0,
    }


def where(run: Run) -> Measured:
    """What the profiler sees of a step in bf16: launches, the GPU's busy time, host synchronisations, kernels."""
    for name in STEPS:
        setting = make(shapes(dry=run.dry)[name], "bf16", num_examples=NUM_EXAMPLES)
        yield name, _profiled(setting)


def _profiled(setting: Setting) -> dict[str, Any]:
    activities = [ProfilerActivity.CPU]
    if setting.device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    profiler = profile(activities=activities)

    def each(step: int, _metrics: Metrics) -> None:
        if step == WARM_UP:
            profiler.start()

    ends = train(setting, WARM_UP + PROFILED, each)
    profiler.stop()
    events = profiler.events()
    assert events is not None
    counts = Counter(event.name for event in events)
    on_gpu = [event for event in events if event.device_type.name == "CUDA"]
    busy = _union((event.time_range.start, event.time_range.end) for event in on_gpu) / PROFILED
    kernels: Counter[str] = Counter()
    for event in on_gpu:
        kernels[event.name] += event.time_range.end - event.time_range.start
    return {
        "busy_share_under_profiler": busy / 1e6 / ((ends[-1] - ends[WARM_UP - 1]) / PROFILED),
        "launches_per_step": sum(counts[name] for name in LAUNCHES) / PROFILED,
        "gpu_ms_per_step": busy / 1000,
        "kernels_per_step": len(on_gpu) / PROFILED,
        "synchronisations_per_step": {
            **{name: counts[name] / PROFILED for name in SYNCHRONISATIONS if counts[name]},
            **{name: count / PROFILED for name, count in counts.items() if name.startswith("Memcpy DtoH")},
            "of them the benchmark's own": {"cudaDeviceSynchronize": 1},
        },
        "longest_kernels_ms_per_step": {name[:90]: time / 1000 / PROFILED for name, time in kernels.most_common(12)},
    }


def _union(intervals: Iterable[tuple[float, float]]) -> float:
    """The length of what intervals cover, each moment once."""
    total, covered = 0.0, float("-inf")
    for start_at, end in sorted(intervals):
        total += max(0.0, end - max(start_at, covered))
        covered = max(covered, end)
    return total
