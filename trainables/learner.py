"""One model in training, without the data: its optimiser, learning rate, random stream and best evaluation so far.

The losses of a step stay on the device until they are read, so that the host does not wait for each step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from trainables import device as devices
from trainables import optimizers
from trainables.clock import Seconds
from trainables.config import TrainConfig
from trainables.draws import Draws
from trainables.errors import NotFinite
from trainables.families.base import Outputs
from trainables.metrics import Metrics, Report, check_finite, summed
from trainables.objective import Objective
from trainables.state import State
from trainables.tasks.batches import Batch
from trainables.validation import Measures


def learning_rate_factor(step: int, warmup_steps: int, num_steps: int) -> float:
    """Linear warm-up to 1 over `warmup_steps`, then linear decay to 0 at the end; `step` counts from 0."""
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    return max(0.0, (num_steps - step) / max(1, num_steps - warmup_steps))


class Unread(NamedTuple):
    """The numbers of one step, on the device."""

    step: int
    rate: float
    terms: list[dict[str, Tensor]]
    """The terms of each micro-batch."""
    norm: Tensor
    """The norm of the gradient before clipping."""

    def tensors(self) -> Iterator[Tensor]:
        """All numbers, in the order that `values` expects."""
        for terms in self.terms:
            yield from terms.values()
        yield self.norm

    def values(self, numbers: Iterator[float]) -> Metrics:
        """The terms of the whole step, and `grad_norm`."""
        parts = [{name: next(numbers) for name in terms} for terms in self.terms]
        return {**summed(parts), "grad_norm": next(numbers)}


@dataclass
class Learner:
    """One model being trained."""

    config: TrainConfig
    num_steps: int
    objective: Objective
    module: nn.Module
    """The objective's model, and all else that is trained with it."""
    draws: Draws
    device: torch.device
    dtype: devices.Dtype
    report: Report
    evaluated: Callable[[int, Measures], float]
    """Reports the measures of an evaluation at a step; returns the main metric, for which higher is better."""
    save_best: Callable[[], None]
    checkpoint: Callable[[int], None]
    """Saves a checkpoint after a step."""
    own_rates: Mapping[str, float] = field(default_factory=dict)
    """Prefix of parameter names -> a learning rate for these parameters, with the same warm-up and decay."""
    seconds: Seconds = field(default_factory=Seconds)
    error: NotFinite | ValueError | None = field(default=None, init=False)
    """What stopped it before its last step."""

    def __post_init__(self) -> None:
        self.parameters = [p for p in self.module.parameters() if p.requires_grad]
        groups = optimizers.groups(self.module.named_parameters(), self.own_rates)
        self.optimizer = optimizers.make(groups, self.config)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer,
            lambda step: learning_rate_factor(step, self.config.warmup_steps, self.num_steps),
        )
        self.step = 0
        """The number of steps taken."""
        self.best_step, self.best = 0, -math.inf
        self.num_stale = 0
        """The number of evaluations since the best one."""
        self._terms: list[dict[str, Tensor]] = []
        self._unread: list[Unread] = []
        self._last: Metrics = {}

    def learn(self, batch: Batch, wanted: Outputs | None, totals: Metrics) -> None:
        """Adds the gradient of a micro-batch; `wanted` are the teacher's outputs, `totals` those of the whole step."""
        if not self.module.training:
            self.module.train()
        self.objective.begin_step(self.step + 1)
        with self.draws.drawn():
            with devices.autocast(self.device, self.dtype):
                terms = self.objective.terms(batch, self.objective.forward(batch), wanted, totals)
            terms["loss"].backward()
        self._terms.append({name: term.detach() for name, term in terms.items()})

    def update(self, step: int) -> None:
        """Clips the gradient and takes an optimiser step."""
        norm = nn.utils.clip_grad_norm_(self.parameters, self.config.clip_norm)
        self.step = step
        self._unread.append(Unread(step, float(self.scheduler.get_last_lr()[0]), self._terms, norm))
        self._terms = []
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.scheduler.step()

    def read(self) -> Metrics:
        """The losses, the learning rate and the gradient norm of the last step; waits for the device.

        Raises NotFinite with the step and its terms if any step since the last reading is not finite.
        """
        if self._unread:
            tensors = [tensor.reshape(1) for step in self._unread for tensor in step.tensors()]
            numbers = iter(torch.cat(tensors).tolist())
            for step in self._unread:
                values = step.values(numbers)
                check_finite(step.step, values)
                self._last = {f"train/{name}": value for name, value in values.items()} | {"train/lr": step.rate}
            self._unread = []
        return self._last

    def judge(self, step: int, measures: Measures) -> None:
        """Records an evaluation, and saves the model if it is the best so far. Raises NotFinite."""
        check_finite(step, measures.terms)
        value = self.evaluated(step, measures)
        self.num_stale += 1
        if self.best_step == 0 or value > self.best:
            self.best_step, self.best, self.num_stale = step, value, 0
            self.save_best()
        if self.is_over:
            self._free()

    @property
    def is_over(self) -> bool:
        """Whether the patience of the config is over."""
        return self.config.patience is not None and self.num_stale >= self.config.patience

    def leave(self, error: NotFinite | ValueError) -> None:
        """Stops the training of this model with an error."""
        self.error = error
        self._free()

    def _free(self) -> None:
        """Frees the gradients and the optimiser's state of a model that takes no further step."""
        self.optimizer.zero_grad(set_to_none=True)
        self.optimizer.state.clear()

    def state(self) -> State:
        """Everything that later steps depend on; the steps so far must have been read."""
        assert not self._unread
        weights: dict[str, Tensor] = {name: each for name, each in self.module.named_parameters() if each.requires_grad}
        names = ("step", "best_step", "best", "num_stale")
        facts = {**{name: getattr(self, name) for name in names}, "seconds": asdict(self.seconds)}
        return State.joined(
            {
                "weights": State(weights),
                "optimizer": optimizers.state(self.optimizer),
                "schedule": State(facts=self.scheduler.state_dict()),
                "draws": self.draws.state(),
                "progress": State(facts=facts),
            }
        )

    def restore(self, state: State) -> None:
        """Continues from a saved state."""
        weights = state.part("weights").tensors
        with torch.no_grad():
            for name, parameter in self.module.named_parameters():
                if parameter.requires_grad:
                    parameter.copy_(weights[name])
        optimizers.restore(self.optimizer, state.part("optimizer"))
        self.scheduler.load_state_dict(state.part("schedule").facts)
        self.draws.restore(state.part("draws"))
        progress = state.part("progress").facts
        self.step, self.best_step, self.best = (progress[name] for name in ("step", "best_step", "best"))
        self.num_stale = progress.get("num_stale", 0)  # a checkpoint without it is of a training without patience
        vars(self.seconds).update(progress["seconds"])
