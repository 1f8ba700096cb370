"""A teacher from labels: a pretrained model fine-tuned, or one built from a config and trained from scratch."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainables import checkpoints, clock, frozen, predictions, student
from trainables import device as devices
from trainables.checkpoints import Checkpoints
from trainables.clock import Clock, Seconds
from trainables.config import FromScratch, ModelConfig, TaskConfig, TrainConfig
from trainables.draws import Draws
from trainables.evaluate import Evaluator, Questions, tested
from trainables.families import FAMILIES, Family, adapters, making
from trainables.learner import Learner
from trainables.loop import Lockstep
from trainables.member import Outcome
from trainables.meter import Meter
from trainables.metrics import Metrics, Report, shown
from trainables.objective import FromLabels
from trainables.parts import batch_size, part_size
from trainables.seeds import stream
from trainables.size import Size
from trainables.state import State
from trainables.steps import Schedule
from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import Data, Row
from trainables.tasks.tokenizer import train_tokenizer
from trainables.validation import Measures, Validation

logger = logging.getLogger(__name__)


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
        kept: Checkpoints | None,
        num_parts: int = 1,
    ) -> None:
        self.train, self.clock = config.finetune, Clock()
        self.seed = self.train.seed if self.train else 0
        self.data, self.task, self.folder, self.report, self.checkpoints = data, task, folder, report, kept
        self.source = config.teacher
        self.dtype: devices.Dtype = dtype
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
        self.num_parts = num_parts
        self.batch_size = part_size(batch_size(self.train), num_parts)
        self.evaluator = Evaluator(self.family, task, self.tokenizer, self.device, dtype, self.batch_size, data.classes)
        self._validation = data.validation[: task.num_eval]
        self.last: Metrics = {}

    def run(self) -> Outcome:
        """Trains where there is something to train, and measures on validation and test. Raises NotFinite."""
        seconds, model = Seconds(), self.model
        num_steps, best_step, best = 0, 0, {}
        if self.train:
            learner = self._trained(self.train, seconds)
            num_steps, best_step = learner.step, learner.best_step
            best = {f"best/{self.evaluator.main_metric}": learner.best}
            best_model = making.load(self.family, str(self._best), None, self.head, seed=self.seed)
            model = devices.place(frozen.hold(best_model.requires_grad_(False), self.dtype), self.device).eval()
        else:
            validation = Questions(self.evaluator, self._validation)
            measured = validation.score(validation.predict(model))
            best = {f"best/{self.evaluator.main_metric}": measured[self.evaluator.main_metric]}
        logger.info("the teacher is tested")
        tests = self.evaluator.tests(self.data)
        answers = {split: questions.predict(model) for split, questions in tests.items()}
        names = predictions.class_names(model.config)
        predictions.write(self.folder, self.task.kind, self.data.tests, answers, names)
        self.clock.stretch([seconds])
        metrics = {
            **best,
            **tested(tests, answers),
            clock.TOTAL: seconds.total,
        }
        self.report(num_steps, metrics)
        return Outcome(
            metrics={**self.last, **metrics},
            main_metric=self.evaluator.main_metric,
            signature=self.evaluator.signature(),
            num_steps=num_steps,
            best_step=best_step,
            size=self._size(model),
        )

    def _size(self, model: PreTrainedModel) -> Size:
        """The size of the best model, whose weights are in its own folder, or where a ready teacher lies."""
        folder = self._best if self.train else self.source
        return Meter(self.evaluator, self.data.test).size(model, str(folder))

    def _trained(self, config: TrainConfig, seconds: Seconds) -> Learner:
        """Trains the model as a cohort of one without a teacher. Raises the error that stopped it."""
        if config.freeze_embeddings:
            student.freeze_embeddings(self.family, self.model)
        if config.gradient_checkpointing:
            student.checkpoint_blocks(self.model, "model.finetune")
        learner = Learner(
            config=config,
            num_steps=Schedule.of(config, len(self.data.train)).num_steps,
            objective=FromLabels(self.family, self.head, self.model),
            module=self.model,
            draws=Draws(stream(self.seed, "dropout"), self.device),
            device=self.device,
            dtype=self.dtype,
            report=self.report,
            evaluated=self._evaluated,
            save_best=self._save_best,
            checkpoint=lambda _step: self._checkpoint(learner),
            seconds=seconds,
        )
        self._resume(learner)
        Lockstep(
            learners=[learner],
            config=config,
            seed=self.seed,
            examples=self.evaluator.encode(self.data.train),
            pad_id=self.evaluator.pad_id,
            device=self.device,
            dtype=self.dtype,
            targets=None,
            validation=Validation(self.evaluator, self._validation),
            clock=self.clock,
            num_parts=self.num_parts,
        ).run()
        if learner.error:
            raise learner.error
        return learner

    def _evaluated(self, step: int, measures: Measures) -> float:
        self.last = {f"eval/{name}": value for name, value in {**measures.terms, **measures.task}.items()}
        logger.info("evaluation at step %d: %s", step, shown(self.last))
        self.report(step, self.last)
        return measures.task[self.evaluator.main_metric]

    def _save_best(self) -> None:
        adapters.save(self.model, self._best)
        self.tokenizer.save_pretrained(self._best)

    @property
    def _best(self) -> Path:
        return self.folder / "model"

    def _checkpoint(self, learner: Learner) -> None:
        if self.checkpoints:
            state = State.joined({"learner": learner.state(), "measured": State(facts=self.last)})
            checkpoints.save(self.checkpoints, learner.step, state, self._best)

    def _resume(self, learner: Learner) -> None:
        state = checkpoints.latest(self.checkpoints, self._best) if self.checkpoints else None
        if state:
            learner.restore(state.part("learner"))
            self.last = state.part("measured").facts
            logger.info("the teacher continues from the checkpoint of step %d", learner.step)


def run(
    config: ModelConfig,
    task: TaskConfig,
    data: Data,
    folder: Path,
    report: Report,
    dtype: devices.Dtype,
    num_threads: int = 1,
    kept: Checkpoints | None = None,
    num_parts: int = 1,
) -> Outcome:
    """Makes a teacher into `folder` (model/, predictions.jsonl), or measures a ready one. Raises NotFinite.

    `kept`: the checkpoints that it continues from and adds to; None: it starts anew and saves none. `num_parts`: the
    parts in which each micro-batch is computed.
    """
    return Teacher(config, task, data, folder, report, dtype, num_threads, kept, num_parts).run()
