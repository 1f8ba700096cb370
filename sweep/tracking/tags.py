"""The keys of runs in MLflow: every tag, param and metric that the sweep writes or reads by name, each once.

Others build on these names: they do not change. A metric that only passes through (what a loss, a task kind or a
plug-in measures) is named where it is measured, and needs no line here.
"""

from __future__ import annotations

from sweep.records.environment import CodeVersion
from trainables import clock

# Tags of every run.
KIND = "kind"
SWEEP_KIND, CELL_KIND, TEACHER_KIND, CANDIDATE_KIND = "sweep", "cell", "teacher", "candidate"
"""Its values."""
HOST = "host"
GIT_COMMIT, GIT_DIRTY, SOURCE_HASH = "git_commit", "git_dirty", "source_hash"
DESCRIPTION = "mlflow.note.content"
"""MLflow shows it as the run's description."""
PARENT = "mlflow.parentRunId"
RUN_NAME = "mlflow.runName"

# Tags of cells and teachers.
CELL, TEACHER = "cell", "teacher"
"""The fingerprint, and the teacher's hash."""
MODEL, TASK, STRATEGY, INIT, SEED = "model", "task", "strategy", "init", "seed"
COMPUTED_BY, SIGNATURE, STUDENT = "computed_by", "signature", "student"
COHORT = "cohort"
"""The number of cells that were trained in lockstep."""
NUM_PARTS = "micro_batch_parts"
"""The parts in which each micro-batch was computed, if memory was too small for a whole one."""
REASON = "reason"
"""Why a run failed."""
NOT_FINITE = "not_finite"
"""Values that the run lacks, since MLflow takes finite numbers only."""

# Tags of a sweep.
VERDICT_MATCHING, VERDICT_STRATEGY = "verdict_matching", "verdict_strategy"
"""Whether matching helps, and whether the strategy matters, in the words of the verdict: `equivalent`, `undecided`."""

# Tags of a model in MLflow, beside those of its cell.
SWEEP = "sweep"

# Tags of the experiment.
VIEW = "mlflow.sharedViewState."
"""Starts the tag of a ready-made view."""
EXPERIMENT_MODE, MODEL_TRAINING = "mlflow.experimentKind", "custom_model_development"
"""What MLflow's UI takes the experiment for; without the tag it guesses."""

# Params: the config, flattened, the label of a cell's strategy, its mappings, and its size.
MODEL_NAME_PARAM, STRATEGY_PARAM, INIT_PARAM = "model.name", "strategy", "init"
SIZE = "size."
"""Starts the params of the best model's size and speed. They are params because a run should have under 30 metrics."""

# Metrics.
TRAIN_LOSS, TRAIN_LOSS_KL = "train/loss", "train/loss_kl"
SCORE_VALIDATION, SCORE_TEST, SCORE_OF_THE_WAY = "score/validation", "score/test", "score/of_the_way"
"""The main metric of every task under one name: the best on the validation split, the one on the test split, and the
share of the way from chance to the teacher's test score."""
VERDICT_GAIN, VERDICT_SPREAD, VERDICT_MARGIN = "verdict/gain", "verdict/spread", "verdict/margin"
"""Of a sweep: what matching gains over `none`, the largest difference between two strategies, and the largest that is
too small to matter; as shares of the way where the sweep has several comparisons."""
IMPORTANCE = "importance/"
"""Start of the metrics of a sweep with a search: `importance/train.learning_rate`."""
SECONDS_TOTAL = clock.TOTAL
COS_MEAN, ACUTE_SHARE = "cos_mean", "acute_share"
BEST, TEST, ANGLE = "best/", "test", "angle/"
"""Starts of metrics: the best validation score, the test splits (`test/`, `test_mismatched/`), the angles."""


def mapping_param(stack: str) -> str:
    return f"mapping.{stack}"


def size_param(name: str) -> str:
    """`parameters`, `without_embeddings`, `megabytes` or `examples_per_second_32` of the best model."""
    return f"{SIZE}{name}"


def eval_metric(name: str) -> str:
    """A metric of the validation split at an evaluation."""
    return f"eval/{name}"


def best_metric(name: str) -> str:
    """The best of a metric over the evaluations."""
    return f"{BEST}{name}"


def test_metric(name: str) -> str:
    """A metric of the test split."""
    return f"{TEST}/{name}"


def angle_metric(stack: str, statistic: str) -> str:
    """`COS_MEAN` or `ACUTE_SHARE` of a stack."""
    return f"{ANGLE}{stack}/{statistic}"


def identity_tag(kind: str) -> str:
    """The tag that holds the identity of a run of this kind."""
    return TEACHER if kind == TEACHER_KIND else CELL


def of_code(code: CodeVersion) -> dict[str, str]:
    """What every run says of where the command was given."""
    return {GIT_COMMIT: code.git_commit, GIT_DIRTY: str(code.git_dirty).lower(), SOURCE_HASH: code.source_hash}
