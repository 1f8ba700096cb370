"""One cell of a cohort: its student, its objective, its measurements and its artifacts."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from trainables import checkpoints, frozen, plain, predictions, student
from trainables import device as devices
from trainables.angle_file import History
from trainables.clock import Clock
from trainables.cohort import Cohort
from trainables.config import TrialConfig
from trainables.draws import Draws
from trainables.errors import raise_all
from trainables.evaluate import tested
from trainables.families import Family, lora, making
from trainables.learner import Learner
from trainables.member import Member, Outcome
from trainables.metrics import Metrics, shown
from trainables.objective import Distillation
from trainables.probe import Measurement
from trainables.seeds import generator, stream
from trainables.size import Size
from trainables.state import State
from trainables.steps import Schedule
from trainables.strategies import Stack, StateMapping, most_influential, weights_of
from trainables.validation import Measures

logger = logging.getLogger(__name__)


Influence = Mapping[str, tuple[float, ...]]


def map_stacks(
    config: TrialConfig,
    family: Family,
    teacher_blocks: dict[str, int],
    influence: Influence | None = None,
    epoch: int = 0,
) -> dict[str, StateMapping]:
    """The mapping of each stack, each drawn from its own stream of the cell's seed, and of the epoch if not the first.

    `influence`: stack -> the influence of the teacher's blocks, for a strategy that needs it.
    """
    suffix = f"/{epoch}" if epoch else ""
    return {
        name: config.strategy.mapping(
            Stack(name, num_blocks, config.model.student_blocks, influence[name] if influence else None),
            generator(config.seed, f"strategy/{name}{suffix}"),
            match_embeddings=family.match_embeddings,
        )
        for name, num_blocks in teacher_blocks.items()
    }


class Cell:
    """A member of a cohort with its student."""

    def __init__(self, member: Member, cohort: Cohort, schedule: Schedule, device: torch.device) -> None:
        """Builds the student on its device. Raises ValueError for a student that the teacher cannot have."""
        config, family = member.config, cohort.family
        self.config, self.cohort, self.device, self.report = config, cohort, device, member.report
        self.folder, self.checkpoints, self.name = member.folder, member.checkpoints, member.name
        num_epochs = -(-schedule.num_steps // schedule.steps_per_epoch) if config.strategy.redraws else 1
        influence = cohort.influence if config.strategy.needs_influence else None
        self.mappings = [
            map_stacks(config, family, cohort.teacher_blocks, influence, epoch) for epoch in range(num_epochs)
        ]
        """The mappings of each epoch; of the first one alone where all have the same."""
        self.student = self._student()
        self.objective = Distillation(
            family, cohort.head, self.student, self.mappings[0], config.losses, cohort.quirks, schedule, self.mappings
        )
        rate = config.model.projection.learning_rate
        self.learner = Learner(
            config=config.train,
            num_steps=schedule.num_steps,
            objective=self.objective,
            module=self.student,
            draws=Draws(stream(config.seed, "dropout"), device),
            device=device,
            dtype=cohort.dtype,
            report=member.report,
            evaluated=self._evaluated,
            save_best=self._save_best,
            checkpoint=self._checkpoint,
            own_rates={} if rate is None else {"projections.": rate},
        )
        self.angles = History()
        self.per_state: dict[str, dict[str, Any]] = {}
        """Step -> the RMS and the hidden losses of the student's states."""
        self.last: Metrics = {}

    def _student(self) -> student.Student:
        config, cohort, family = self.config, self.cohort, self.cohort.family
        raise_all(lora.check(family, config.model, config.init))
        made = student.build(family, cohort.teacher, config.model, config.init, config.seed, self._copied())
        plain.set_generation(made.model, config.task)
        if config.train.freeze_embeddings:
            student.freeze_embeddings(family, made.model)
        if config.train.gradient_checkpointing:
            student.checkpoint_blocks(made.model, "train")
        if cohort.quirks.projections_fixed:
            made.projections.requires_grad_(False)
        # On the host, so that a GPU never has them in fp32.
        frozen.hold(made.model, cohort.dtype)
        cohort.weights_on(self.device).share(made)
        return devices.place(made, self.device)

    def teacher_states(self) -> dict[str, set[int]]:
        """Stack -> the teacher's states that the objective needs: those of all mappings, or all."""
        if self.config.losses.own:
            return {stack: set(range(depth + 1)) for stack, depth in self.cohort.teacher_blocks.items()}
        return {
            stack: {state for each in self.mappings for match in each[stack].values() for state in weights_of(match)}
            for stack in self.cohort.teacher_blocks
        }

    def _copied(self) -> dict[str, list[int]] | None:
        """Stack -> the blocks that are copied, where they are not those of the family."""
        if self.config.init != "block_influence":
            return None
        num_student, influence = self.config.model.student_blocks, self.cohort.influence
        return {
            name: most_influential(Stack(name, num_teacher, num_student, influence[name]))
            for name, num_teacher in self.cohort.teacher_blocks.items()
        }

    def begin(self) -> None:
        """Restores the last checkpoint; without one, measures the untrained student on the probe."""
        state = checkpoints.latest(self.checkpoints, self._best) if self.checkpoints else None
        if state:
            self._restore(state)
            logger.info("%s continues from the checkpoint of step %d", self.name, self.learner.step)
        else:
            self._keep(0, start := self.cohort.probe.measure(self.student, self.objective.mappings))
            self.report(0, start.metrics())

    @property
    def _best(self) -> Path:
        return self.folder / "student"

    def _checkpoint(self, step: int) -> None:
        if self.checkpoints:
            checkpoints.save(self.checkpoints, step, self._state(), self._best)

    def _state(self) -> State:
        angles = {name: torch.from_numpy(array) for name, array in self.angles.arrays().items()}
        draws = self.cohort.targets.draws
        return State.joined(
            {
                "learner": self.learner.state(),
                "angles": State(angles, {"steps": self.angles.steps}),
                "measured": State(facts={"per_state": self.per_state, "last": self.last}),
                "teacher": draws.state() if draws else State(),
            }
        )

    def _restore(self, state: State) -> None:
        self.learner.restore(state.part("learner"))
        angles, measured = state.part("angles"), state.part("measured").facts
        arrays = {name: each.numpy() for name, each in angles.tensors.items()}
        self.angles.restore(self.mappings[0], angles.facts["steps"], arrays)
        self.per_state, self.last = measured["per_state"], measured["last"]
        if self.cohort.targets.draws:
            self.cohort.targets.draws.restore(state.part("teacher"))

    def _evaluated(self, step: int, measures: Measures) -> float:
        measurement = self.cohort.probe.measure(self.student, self.objective.mappings)
        values = {f"eval/{name}": value for name, value in {**measures.terms, **measures.task}.items()}
        self.last = values | measurement.metrics()
        self._keep(step, measurement)
        logger.info("%s at step %d: %s", self.name, step, shown(self.last))
        self.report(step, self.last)
        return measures.task[self.cohort.evaluator.main_metric]

    def _keep(self, step: int, measurement: Measurement) -> None:
        self.angles.add(step, measurement.arrays())
        self.per_state[str(step)] = {"student_rms": measurement.student_rms, "hidden": measurement.hidden}

    def _save_best(self) -> None:
        self.student.save(self._best)
        self.cohort.plain_tokenizer.save_pretrained(self._best)

    def finish(self, clock: Clock) -> Outcome:
        """Writes the artifacts, tests the best student and reports the final metrics. Raises what a metric raises."""
        self.angles.save(self.folder / "angles.npz")
        states = {"teacher_rms": self.cohort.probe.teacher_rms(), "steps": self.per_state}
        (self.folder / "per_state.json").write_text(json.dumps(states, indent=1))
        learner, evaluator = self.learner, self.cohort.evaluator
        clock.stretch([learner.seconds])
        test, size = self._test()
        clock.stretch([learner.seconds], is_eval=True)
        metrics = {f"best/{evaluator.main_metric}": learner.best, **test, **learner.seconds.metrics()}
        self.report(learner.step, metrics)
        return Outcome(
            metrics={**self.last, **metrics},
            main_metric=evaluator.main_metric,
            signature=evaluator.signature(),
            num_steps=learner.step,
            best_step=learner.best_step,
            size=size,
            mapping=self.mappings[0],
        )

    def _test(self) -> tuple[Metrics, Size]:
        """The test metrics and the size of the best student, loaded as a user loads it; writes its predictions."""
        logger.info("%s: the student of step %d is tested", self.name, self.learner.best_step)
        cohort, path = self.cohort, str(self._best)
        best = making.load(cohort.family, path, None, cohort.head, seed=0).requires_grad_(False)
        devices.place(frozen.hold(best, cohort.dtype), self.device).eval()
        answers = {split: questions.predict(best) for split, questions in cohort.tests.items()}
        names = predictions.class_names(best.config)
        rows = {split: questions.rows for split, questions in cohort.tests.items()}
        predictions.write(self.folder, self.config.task.kind, rows, answers, names)
        return tested(cohort.tests, answers), cohort.meter.size(best, path)
