"""One cell: a student trained under its teacher, with its evaluations and what is kept of them."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables import device as devices
from trainables import frozen, official, plain, predictions, student
from trainables.angle_file import History
from trainables.config import TrialConfig
from trainables.errors import raise_all
from trainables.evaluate import Evaluator
from trainables.families import FAMILIES, Family, lora, making
from trainables.loop import Metrics, Report, Training, check_finite, measure, shown
from trainables.objective import Distillation
from trainables.probe import Measurement, Probe
from trainables.seeds import generator, stream
from trainables.strategies import Stack, StateMapping
from trainables.targets import LiveTargets
from trainables.tasks.codec import Example
from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import Data, Row

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of a cell; the student of the best evaluation lies in `<folder>/student`."""

    metrics: Metrics
    main_metric: str
    signature: str | None
    num_steps: int
    best_step: int
    mapping: dict[str, StateMapping]


def map_stacks(config: TrialConfig, family: Family, teacher_blocks: dict[str, int]) -> dict[str, StateMapping]:
    """The mapping of each stack, each drawn from its own stream of the cell's seed."""
    return {
        name: config.strategy.mapping(
            Stack(name, num_blocks, config.model.student_blocks),
            generator(config.seed, f"strategy/{name}"),
            match_embeddings=family.match_embeddings,
        )
        for name, num_blocks in teacher_blocks.items()
    }


class Cell:
    """A cell being computed: everything that is loaded once and the evaluations along the way."""

    def __init__(
        self, config: TrialConfig, data: Data, teacher: Path, folder: Path, report: Report, num_threads: int
    ) -> None:
        assert config.dtype != "auto"
        self.dtype: devices.Dtype = config.dtype
        self.config, self.data, self.folder, self.report = config, data, folder, report
        self.started = time.perf_counter()
        self.eval_seconds = 0.0
        self.device = devices.start_clean(num_threads, stream(config.seed, "start"))
        logger.info("the data has %s", data)
        logger.info("the cell is computed on %s in %s with %d threads", self.device, self.dtype, num_threads)
        self.family = FAMILIES[config.model.family]
        revision = config.model.revision  # of a hub id; transformers ignores it where the teacher is a folder
        self.tokenizer = making.load_tokenizer(str(teacher), revision)
        self.plain_tokenizer = plain.tokenizer(str(teacher), revision, config.task)
        self.head = KINDS[config.task.kind].head(data.classes)
        model = making.load(self.family, str(teacher), revision, self.head, seed=config.seed)
        logger.info("the teacher is loaded from %s", teacher)
        raise_all(lora.check(self.family, config.model, config.init))
        self.student = student.build(self.family, model, config.model, config.init, config.seed)
        plain.set_generation(self.student.model, config.task)
        if config.train.freeze_embeddings:
            student.freeze_embeddings(self.family, self.student.model)
        if config.train.gradient_checkpointing:
            student.checkpoint_blocks(self.student.model, "train")
        # On the host, so that a GPU never has them in fp32.
        frozen.hold(self.student.model, self.dtype)
        frozen.hold(model.requires_grad_(False), self.dtype)
        devices.place(self.student, self.device)
        devices.place(model, self.device)
        quirks = official.quirks(self.family.name, config.losses)
        if quirks.projections_fixed:
            self.student.projections.requires_grad_(False)
        self.mappings = map_stacks(config, self.family, self.family.num_blocks(model.config.to_dict()))
        self.targets = LiveTargets(self.family, model)
        self.objective = Distillation(
            self.family, self.head, self.student, self.targets, self.mappings, config.losses, quirks
        )
        pad: Any = self.tokenizer.pad_token_id
        self.pad_id: int = pad
        self.evaluator = Evaluator(
            self.family,
            config.task,
            self.tokenizer,
            self.device,
            self.dtype,
            config.train.batch_size,
            data.classes,
        )
        self.eval_rows = data.validation[: config.task.num_eval]
        self.eval_examples = self._encode(self.eval_rows)
        self.probe = Probe(self.family, model, self.eval_examples, self.pad_id, config.train.batch_size, self.device)
        self.angles = History()
        self.per_state: dict[int, dict[str, Any]] = {}
        self.last: Metrics = {}
        self.best: Metrics = {}

    def run(self) -> Outcome:
        """Trains, evaluates, saves the best student and gives its test metrics. Raises NotFinite."""
        self.student.eval()
        self._keep(0, start := self.probe.measure(self.student, self.mappings))
        self.report(0, start.metrics())
        training = Training(
            config=self.config.train,
            seed=self.config.seed,
            module=self.student,
            objective=self.objective,
            examples=self._encode(self.data.train),
            pad_id=self.pad_id,
            device=self.device,
            dtype=self.dtype,
            report=self.report,
            evaluate=self._evaluate,
            save_best=self._save_best,
            checkpoint=self.folder / "last.pt",
            batches_at_random=self.objective.quirks.batches_at_random,
            own_rates={} if (rate := self.config.model.projection.learning_rate) is None else {"projections.": rate},
        )
        training.run()
        self.angles.save(self.folder / "angles.npz")
        states = {"teacher_rms": self.probe.teacher_rms(), "steps": self.per_state}
        (self.folder / "per_state.json").write_text(json.dumps(states, indent=1))
        metrics = self._final(training)
        self.report(training.schedule.num_steps, metrics)
        return Outcome(
            metrics={**self.last, **metrics},
            main_metric=self.evaluator.main_metric,
            signature=self.evaluator.signature(),
            num_steps=training.schedule.num_steps,
            best_step=training.best_step,
            mapping=self.mappings,
        )

    def _encode(self, rows: Sequence[Row]) -> list[Example]:
        return KINDS[self.config.task.kind].encode(rows, self.evaluator.codec())

    def _evaluate(self, step: int) -> float:
        started = time.perf_counter()
        measurement = self.probe.measure(self.student, self.mappings)
        task = self.evaluator(self.student.model, self.eval_rows)
        with devices.autocast(self.device, self.dtype):
            terms = measure(self.objective, self.eval_examples, self.pad_id, self.config.train.batch_size, self.device)
        check_finite(step, terms)
        self.last = {f"eval/{name}": value for name, value in {**terms, **task}.items()} | measurement.metrics()
        self._keep(step, measurement)
        logger.info("evaluation at step %d: %s", step, shown(self.last))
        self.report(step, self.last)
        self.eval_seconds += time.perf_counter() - started
        return task[self.evaluator.main_metric]

    def _keep(self, step: int, measurement: Measurement) -> None:
        self.angles.add(step, measurement.arrays())
        self.per_state[step] = {"student_rms": measurement.student_rms, "hidden": measurement.hidden}

    def _save_best(self) -> None:
        self.best = self.last
        self.student.save(self.folder / "student")
        self.plain_tokenizer.save_pretrained(self.folder / "student")

    def _final(self, training: Training) -> Metrics:
        """Test metrics of the best student, loaded as its user would load it; its answers are recorded."""
        logger.info("the student of step %d is tested", training.best_step)
        best = making.load(self.family, str(self.folder / "student"), None, self.head, seed=0)
        devices.place(frozen.hold(best.requires_grad_(False), self.dtype), self.device)
        started = time.perf_counter()
        answers = self.evaluator.answers(best.eval(), self.data)
        test = self.evaluator.test(answers, self.data)
        classes: Any = best.config.id2label or {}
        predictions.write(self.folder, self.config.task.kind, answers, [classes[index] for index in sorted(classes)])
        self.eval_seconds += time.perf_counter() - started
        return {
            f"best/{self.evaluator.main_metric}": training.best,
            **test,
            "seconds/total": time.perf_counter() - self.started,
            "seconds/targets": self.targets.seconds,
            "seconds/eval": self.eval_seconds,
        }


def run(config: TrialConfig, data: Data, teacher: Path, folder: Path, report: Report, num_threads: int = 1) -> Outcome:
    """Computes one cell into `folder` (student/, angles.npz, per_state.json, predictions.jsonl).

    `teacher` is a folder in `save_pretrained` form with its tokenizer, or a hub id, which is read at the model's
    `revision`. Raises NotFinite where the cell fails by itself.
    """
    return Cell(config, data, teacher, folder, report, num_threads).run()
