"""The fields of a trial config that cannot move its numbers, because another of its fields leaves them no effect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel

from trainables.config import TrialConfig
from trainables.strategies import NoMatching
from trainables.tasks.kinds import KINDS


def inert_fields(trial: TrialConfig) -> frozenset[str]:
    """Dotted paths of fields that have no effect on the cell or its teacher; a path stands for all that is below it."""
    finetune = trial.model.finetune
    has_no_matching = isinstance(trial.strategy, NoMatching)
    inert = {
        "losses.hidden": has_no_matching,
        "losses.hidden_norm": has_no_matching,
        "losses.distance": has_no_matching,
        # There are projections to another width alone, and only those that a mapping has are trained or measured.
        "model.projection": has_no_matching or trial.model.student_width is None,
        "model.copy_classifier": trial.init == "random",
        "train.epochs": trial.train.max_steps is not None,
        "model.finetune.epochs": finetune is not None and finetune.max_steps is not None,
        "task.metric": trial.task.metric == KINDS[trial.task.kind].metrics[0],
        # Adapters freeze the embeddings.
        "train.freeze_embeddings": trial.model.student_lora is not None,
    }
    return frozenset(path for path, has_no_effect in inert.items() if has_no_effect)


def is_within(field: str, paths: Iterable[str]) -> bool:
    """Whether the field is one of these paths, or below one of them."""
    return any(field == path or field.startswith(f"{path}.") for path in paths)


def without_inert(trial: TrialConfig) -> TrialConfig:
    """The trial with its inert fields at their defaults: equal for trials that give the same numbers."""
    return at_defaults(trial, sorted(inert_fields(trial)))


def at_defaults(trial: TrialConfig, paths: Iterable[str]) -> TrialConfig:
    """The trial with the fields at these dotted paths at their defaults."""
    for path in paths:
        trial = _at_default(trial, path.split("."))
    return trial


def _at_default(model: Any, path: Sequence[str]) -> Any:
    assert isinstance(model, BaseModel)
    key, *rest = path
    value = _at_default(getattr(model, key), rest) if rest else type(model).model_fields[key].get_default()
    return model.model_copy(update={key: value})
