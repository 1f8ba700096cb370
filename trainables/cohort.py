"""What the students of a cohort share: device, teacher, tokenised data, validation, probe and tests.

All students have the same `cohort_key` (trainables/sharing.py), so that each could use these objects alone.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from pathlib import Path

import torch

from trainables import device as devices
from trainables import frozen, official, plain
from trainables.config import TrialConfig
from trainables.draws import Draws
from trainables.evaluate import Evaluator, Questions
from trainables.families import FAMILIES, making
from trainables.influence import block_influence
from trainables.meter import Meter
from trainables.parts import part_size
from trainables.probe import PROBE_EXAMPLES, Probe
from trainables.seeds import stream
from trainables.shared_weights import SharedWeights
from trainables.targets import Targets
from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import Data
from trainables.validation import Validation

logger = logging.getLogger(__name__)


class Cohort:
    """A teacher and its data, loaded once for all students."""

    def __init__(self, config: TrialConfig, data: Data, teacher: Path, num_threads: int, num_parts: int = 1) -> None:
        """Loads the teacher on the host in fp32, from which students can be built; `config` is that of any cell.

        `num_parts`: the parts in which each micro-batch is computed, in evaluations too.
        """
        assert config.dtype != "auto"
        self.dtype: devices.Dtype = config.dtype
        self.seed, self.data = config.seed, data
        self.placement = devices.placement(devices.start_clean(num_threads, stream(config.seed, "start")))
        self.device = self.placement.teacher
        logger.info("the data has %s", data)
        where = " and ".join(dict.fromkeys(map(str, (self.device, *self.placement.students))))
        logger.info("the cohort is computed on %s in %s with %d threads", where, self.dtype, num_threads)
        self.family = FAMILIES[config.model.family]
        self.head = KINDS[config.task.kind].head(data.classes)
        path, revision = str(teacher), config.model.revision  # which transformers ignores where the path is a folder
        self.plain_tokenizer = plain.tokenizer(path, revision, config.task)
        self.evaluator = Evaluator(
            self.family,
            config.task,
            making.load_tokenizer(path, revision),
            self.device,
            self.dtype,
            part_size(config.train.batch_size, num_parts),
            data.classes,
        )
        self._influence_batch_size = config.train.batch_size
        self.quirks = official.quirks(self.family.name, config.losses)
        self.teacher = making.load(self.family, path, revision, self.head, seed=config.seed).requires_grad_(False)
        logger.info("the teacher is loaded from %s", teacher)
        self._weights: dict[torch.device, SharedWeights] = {}

    def weights_on(self, device: torch.device) -> SharedWeights:
        """The frozen weights that the models on a device share."""
        return self._weights.setdefault(device, SharedWeights())

    @property
    def teacher_blocks(self) -> dict[str, int]:
        """Stack -> the teacher's blocks."""
        return self.family.num_blocks(self.teacher.config.to_dict())

    @cached_property
    def influence(self) -> dict[str, tuple[float, ...]]:
        """Stack -> the influence of the teacher's blocks on the examples of the probe, measured on the host in fp32."""
        rows = self.data.validation[: self.evaluator.task.num_eval][:PROBE_EXAMPLES]
        by = self.evaluator
        return block_influence(self.family, self.teacher, by.encode(rows), by.pad_id, self._influence_batch_size)

    def begin(self, needed: Iterable[Mapping[str, Collection[int]]], kept_bytes: int) -> None:
        """Moves the teacher to the device once all students are built, and prepares targets, validation and probe.

        `needed`: stack -> the teacher's states that a cell needs; no others are kept of its forward passes.
        `kept_bytes`: as in `Validation`.
        """
        # On the host, so that a GPU never holds it in fp32.
        frozen.hold(self.teacher, self.dtype)
        self.weights_on(self.device).share(self.teacher)
        devices.place(self.teacher, self.device)
        mapped: dict[str, set[int]] = {stack: set() for stack in self.family.stacks}
        for each in needed:
            for stack, states in each.items():
                mapped[stack] |= set(states)
        draws = Draws(stream(self.seed, "teacher"), self.device) if self.quirks.teacher_dropout else None
        self.targets = Targets(self.family, self.teacher, mapped, self.quirks.last_state_normed, draws)
        task = self.evaluator.task
        self.validation = Validation(
            self.evaluator,
            self.data.validation[: task.num_eval],
            self.targets,
            by_length=self.quirks == official.CLEAN,  # the public code's means depend on the batches
            kept_bytes=kept_bytes,
        )
        self.probe = Probe(
            self.family,
            self.teacher,
            self.validation.examples,
            self.evaluator.pad_id,
            self.evaluator.batch_size,
            self.device,
        )

    @cached_property
    def tests(self) -> dict[str, Questions]:
        """Test split -> the questions for the best students."""
        return self.evaluator.tests(self.data)

    @cached_property
    def meter(self) -> Meter:
        """Measures the sizes of the best students."""
        return Meter(self.evaluator, self.data.test)
