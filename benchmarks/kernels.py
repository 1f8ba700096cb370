"""Parts of a step that have several kernels: the optimiser, attention, and a loss over a large vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.alone import NUM_EXAMPLES
from benchmarks.run import Measured, Run
from benchmarks.setting import make, start, train
from benchmarks.shapes import shapes
from benchmarks.timing import per_step, seconds
from trainables.metrics import Metrics

REPEATS = 20
Around = Callable[[], AbstractContextManager[Any]]


def optimizers(run: Run) -> Measured:
    """Clipping and AdamW of BERT's student by each implementation; the project has the fused one."""
    setting = make(shapes(dry=run.dry)["bert-base"], "bf16", num_examples=64)
    parameters = [each for each in setting.module.parameters() if each.requires_grad]
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter)
    times: dict[str, float] = {}
    for name in ("fused", "foreach", "for-loop"):
        optimizer = torch.optim.AdamW(parameters, lr=1e-5, fused=name == "fused", foreach=name == "foreach")
        times[name] = 1000 * seconds(optimizer.step, setting.device, REPEATS)
    clip = 1000 * seconds(lambda: torch.nn.utils.clip_grad_norm_(parameters, 1.0), setting.device, REPEATS)
    speeds = {f"fused_against_{name}": times[name] / times["fused"] for name in ("foreach", "for-loop")}
    yield "bert-base", {**speeds, **{f"{name}_ms": value for name, value in times.items()}, "clipping_ms": clip}


def attention(run: Run) -> Measured:
    """Step times by attention kernel and with or without determinism, and whether a repetition has the same bits."""
    for name, kernels in (("bert-base", tuple(_kernels())), ("t5-base", ("as chosen", "math")), ("qwen3-8b", ())):
        ways: dict[str, tuple[bool, Around]] = {
            "deterministic, as the project": (True, nullcontext),
            "not deterministic": (False, nullcontext),
        }
        ways |= {f"deterministic, {kernel}": (True, _kernels()[kernel]) for kernel in kernels if kernel in _kernels()}
        base = 0.0
        for label, (deterministic, around) in ways.items():
            repeats = 1 if name == "qwen3-8b" else 2
            try:
                tries = [_steps(run, name, deterministic, around) for _ in range(repeats)]
            except RuntimeError as error:  # torch says so where a kernel does not take what it is given
                yield f"{name}, {label}", {"unavailable": " ".join(str(error).split())[:150]}
                continue
            step = min(timed for timed, _ in tries)
            base = base or step
            same = len({repr(losses) for _, losses in tries}) == 1 if repeats > 1 else "not tried"
            yield f"{name}, {label}", {"speed_against_the_project's": base / step, "ms": step, "same_bits": same}


def _kernels() -> dict[str, Around]:
    backends = {
        "math": SDPBackend.MATH,
        "memory-efficient": SDPBackend.EFFICIENT_ATTENTION,
        "flash": SDPBackend.FLASH_ATTENTION,
        "cudnn": SDPBackend.CUDNN_ATTENTION,
    }
    return {name: lambda backend=backend: sdpa_kernel([backend]) for name, backend in backends.items()}


def _steps(run: Run, name: str, deterministic: bool, around: Around) -> tuple[float, list[Metrics]]:
    """The median time of a step in ms, and the losses of all steps."""
    setting = make(shapes(dry=run.dry)[name], "bf16", num_examples=NUM_EXAMPLES // 4)
    if not deterministic:
        torch.use_deterministic_algorithms(False)
    losses: list[Metrics] = []
    with around():
        ends = train(
            setting,
            7 if run.dry or name == "qwen3-8b" else 20,
            lambda _, seen: losses.append({k: v for k, v in seen.items() if "second" not in k}),
        )
    return per_step(ends)["ms_per_step_median"], losses


def liger(run: Run) -> Measured:
    """CE + KL over Qwen3's vocabulary from the last states: by Liger's chunks, and plain."""
    try:
        from liger_kernel.chunked_loss import LigerFusedLinearJSDLoss  # pyright: ignore
    except ImportError as error:
        yield "loss", {"skipped": f"liger_kernel cannot be imported: {error}"}
        return
    device = start()
    # Liger's own code has operations without deterministic kernels.
    torch.use_deterministic_algorithms(False)
    width, vocabulary = (32, 400) if run.dry else (4096, 151936)
    head, wanted_head = (
        torch.randn(vocabulary, width, device=device, dtype=torch.bfloat16) * width**-0.5 for _ in range(2)
    )
    fused: Any = LigerFusedLinearJSDLoss(beta=0.0, compiled=not run.dry)
    for number in (32,) if run.dry else (1024, 4096):
        state, wanted = (torch.randn(number, width, device=device, dtype=torch.bfloat16) for _ in range(2))
        labels = torch.randint(vocabulary, (number,), device=device)
        state.requires_grad_(True)

        def plain(state: Any = state, wanted: Any = wanted, labels: Any = labels) -> None:
            logits, targets = (state @ head.T).float(), (wanted @ wanted_head.T).float()
            log_p, log_q = F.log_softmax(logits, -1), F.log_softmax(targets, -1)
            ce, kl = F.cross_entropy(logits, labels), F.kl_div(log_p, log_q, reduction="batchmean", log_target=True)
            (0.5 * ce + 0.5 * kl).backward()

        def chunked(state: Any = state, wanted: Any = wanted, labels: Any = labels) -> None:
            loss = fused(state, head, wanted, wanted_head, labels)
            (loss[0] if isinstance(loss, tuple) else loss).backward()

        times = {label: _time_and_memory(work, device) for label, work in (("plain", plain), ("chunked", chunked))}
        yield (
            f"{number} tokens",
            {
                "speed": times["plain"][0] / times["chunked"][0],
                "share_of_memory": times["chunked"][1] / max(times["plain"][1], 1),
                **{f"{label}_ms": 1000 * value for label, (value, _) in times.items()},
                **{f"{label}_gb": size / 1e9 for label, (_, size) in times.items()},
            },
        )


def _time_and_memory(work: Callable[[], None], device: torch.device) -> tuple[float, int]:
    """Seconds, and bytes at the height beyond what is held before."""
    if device.type == "cpu":
        return seconds(work, device, 2), 0
    held = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    return seconds(work, device, 5, warm_up=2), torch.cuda.max_memory_allocated() - held
