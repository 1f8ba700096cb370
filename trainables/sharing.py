"""Which cells may be trained in lockstep with one forward pass of their teacher per batch. Imports no torch."""

from __future__ import annotations

import json

from trainables.config import TrialConfig


def cohort_key(config: TrialConfig) -> str:
    """Cells with the same teacher and the same key may share a cohort: they see the same batches at the same steps.

    The key consists of the fields that determine the batches, the teacher's outputs and the steps of evaluation.
    Strategy, init, shape and adapters of the student, optimiser and weights of the losses may differ.
    """
    train = config.train
    return json.dumps(
        {
            "family": config.model.family,
            "task": config.task.model_dump(mode="json"),
            "seed": config.seed,
            "dtype": config.dtype,
            "semantics": config.losses.semantics,
            "length": {"max_steps": train.max_steps} if train.max_steps else {"epochs": train.epochs},
            "batch_size": train.batch_size,
            "accumulation": train.accumulation,
            "evaluate_every": train.evaluate_every,
        },
        sort_keys=True,
    )
