"""Loads what trials need on a worker that would have nothing to do until the first teacher is done.

Torch, transformers, MLflow and scikit-learn take seconds to load. The driver stops these trials once a teacher has come
to an end, and Tune gives their workers to the trials that are ready then. If such a trial ended by itself, it would
often end before the driver knows that others are ready, and Tune would keep only one of the workers.
"""

from __future__ import annotations

import time
from importlib import import_module

from ray import tune

LIMIT_SECONDS = 300.0
"""The longest wait for a teacher: a place that is only held would keep others out, such as the teacher's next try."""
POLL_SECONDS = 0.5


def load() -> None:
    """Loads the libraries, and waits until the driver stops this trial."""
    for name in ("trainables.distill", "mlflow", "sklearn.metrics"):
        import_module(name)

    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        tune.report({})
        time.sleep(POLL_SECONDS)
