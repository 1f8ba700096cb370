"""A teacher from labels: a pretrained model fine-tuned, or one built from a config and trained from scratch."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainables import device as devices
from trainables import frozen, losses, student
from trainables.config import FromScratch, ModelConfig, TaskConfig, TrainConfig
from trainables.evaluate import Evaluator
from trainables.families import FAMILIES, Family, adapters, making, states
from trainables.heads import Head
from trainables.loop import Batch, Metrics, Report, Training, check_finite, measure, shown
from trainables.seeds import stream
from trainables.tasks.codec import Example
from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import Data, Row
from trainables.tasks.tokenizer import train_tokenizer

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FromLabels:
    """The objective of a teacher: cross entropy, or the squared error, over the labels of the accumulated batch."""

    family: Family
    head: Head
    model: PreTrainedModel

    def totals(self, batch: Batch) -> Metrics:
        return {"labels": float(losses.num_labels(states.aligned_labels(self.family, batch)))}

    def terms(self, batch: Batch, totals: Metrics) -> dict[str, Tensor]:
        outputs = states.forward(self.family, self.model, batch)
        ce = losses.LOSSES[self.head.loss].to_labels(outputs.logits, outputs.labels) / max(totals["labels"], 1.0)
        return {"loss": ce, "loss_ce": ce.detach()}


def texts(rows: list[Row], kind: str) -> Iterator[str]:
    """All the text of a split, to train a tokenizer on."""
    for row in rows:
        yield from KINDS[kind].texts(row)


def start(
    model: ModelConfig, task: TaskConfig, data: Data, family: Family, seed: int
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The teacher before training, with its tokenizer."""
    head = KINDS[task.kind].head(data.classes)
    if isinstance(model.teacher, FromScratch):
        tokenizer = train_tokenizer(model.teacher.tokenizer, family, texts(data.train, task.kind))
        config = making.scratch_config(family, model.teacher.config, tokenizer, head)
        return making.build(family, config, head.name, seed=seed), tokenizer
    tokenizer = making.load_tokenizer(model.teacher, model.revision)
    loaded = making.load(family, model.teacher, model.revision, head, seed=seed)
    making.check_finite(loaded, model.teacher)  # weights of the hub, and a .bin's, were not looked at before
    return loaded, tokenizer


@dataclass(frozen=True)
class Outcome:
    """What became of a teacher; its model lies in `<folder>/model`, but for a ready one."""

    metrics: Metrics
    main_metric: str
    signature: str | None
    num_steps: int
    best_step: int


class Teacher:
    """A teacher being made, or a ready one being measured."""

    def __init__(
        self,
        config: ModelConfig,
        task: TaskConfig,
        data: Data,
        folder: Path,
        report: Report,
        dtype: devices.Dtype,
        num_threads: int,
    ) -> None:
        self.train = config.finetune
        self.seed = self.train.seed if self.train else 0
        self.data, self.task, self.folder, self.report = data, task, folder, report
        self.dtype: devices.Dtype = dtype
        self.started = time.perf_counter()
        self.device = devices.start_clean(num_threads, stream(self.seed, "start"))
        logger.info("the data has %s", data)
        logger.info("the teacher is made on %s in %s with %d threads", self.device, dtype, num_threads)
        self.family = FAMILIES[config.family]
        self.head = KINDS[task.kind].head(data.classes)
        model, self.tokenizer = start(config, task, data, self.family, self.seed)
        logger.info("the teacher is loaded, or built from its config")
        if config.teacher_lora:
            adapters.add(self.family, model, config.teacher_lora, "model.lora.teacher", self.seed)
        if self.train is None:
            model.requires_grad_(False)
        self.model = devices.place(frozen.hold(model, dtype), self.device).eval()
        pad: Any = self.tokenizer.pad_token_id
        self.pad_id: int = pad
        self.batch_size = self.train.batch_size if self.train else 32
        self.evaluator = Evaluator(self.family, task, self.tokenizer, self.device, dtype, self.batch_size, data.classes)
        self.eval_rows = data.validation[: task.num_eval]
        self.eval_examples = self._encode(self.eval_rows)
        self.objective = FromLabels(self.family, self.head, self.model)
        self.last: Metrics = {}

    def run(self) -> Outcome:
        """Trains where there is something to train, and measures on validation and test. Raises NotFinite."""
        num_steps, best_step, best = 0, 0, {}
        model = self.model
        if self.train:
            training = self._training(self.train)
            training.run()
            num_steps, best_step = training.schedule.num_steps, training.best_step
            best = {f"best/{self.evaluator.main_metric}": training.best}
            best_model = making.load(self.family, str(self.folder / "model"), None, self.head, seed=self.seed)
            model = devices.place(frozen.hold(best_model.requires_grad_(False), self.dtype), self.device).eval()
        else:
            measured = self.evaluator(model, self.eval_rows)
            best = {f"best/{self.evaluator.main_metric}": measured[self.evaluator.main_metric]}
        logger.info("the teacher is tested")
        answers = self.evaluator.answers(model, self.data)
        metrics = {
            **best,
            **self.evaluator.test(answers, self.data),
            "seconds/total": time.perf_counter() - self.started,
        }
        self.report(num_steps, metrics)
        return Outcome(
            {**self.last, **metrics}, self.evaluator.main_metric, self.evaluator.signature(), num_steps, best_step
        )

    def _training(self, config: TrainConfig) -> Training:
        if config.freeze_embeddings:
            student.freeze_embeddings(self.family, self.model)
        if config.gradient_checkpointing:
            student.checkpoint_blocks(self.model, "model.finetune")
        return Training(
            config=config,
            seed=self.seed,
            module=self.model,
            objective=self.objective,
            examples=self._encode(self.data.train),
            pad_id=self.pad_id,
            device=self.device,
            dtype=self.dtype,
            report=self.report,
            evaluate=self._evaluate,
            save_best=self._save_best,
            checkpoint=self.folder / "last.pt",
        )

    def _encode(self, rows: list[Row]) -> list[Example]:
        return KINDS[self.task.kind].encode(rows, self.evaluator.codec())

    def _evaluate(self, step: int) -> float:
        task = self.evaluator(self.model, self.eval_rows)
        with devices.autocast(self.device, self.dtype):
            terms = measure(self.objective, self.eval_examples, self.pad_id, self.batch_size, self.device)
        check_finite(step, terms)
        self.last = {f"eval/{name}": value for name, value in {**terms, **task}.items()}
        logger.info("evaluation at step %d: %s", step, shown(self.last))
        self.report(step, self.last)
        return task[self.evaluator.main_metric]

    def _save_best(self) -> None:
        adapters.save(self.model, self.folder / "model")
        self.tokenizer.save_pretrained(self.folder / "model")


def run(
    config: ModelConfig,
    task: TaskConfig,
    data: Data,
    folder: Path,
    report: Report,
    dtype: devices.Dtype,
    num_threads: int = 1,
) -> Outcome:
    """Makes a teacher into `folder` (model/), or measures a ready one. Raises NotFinite."""
    return Teacher(config, task, data, folder, report, dtype, num_threads).run()
