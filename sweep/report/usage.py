"""Code that uses a saved student without this project: in plain transformers, and from MLflow."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sweep.report.results import ResultRow
from trainables.config import TrialConfig
from trainables.families import FAMILIES
from trainables.tasks.kinds import KINDS

COPY = "student"
"""The folder into which a student is copied from a URL."""


@dataclass(frozen=True)
class SavedStudent:
    """The student of a cell, and the full URL of its folder."""

    row: ResultRow
    config: TrialConfig
    path: str


def pipeline_task(config: TrialConfig) -> str | None:
    """The task of the `transformers.pipeline` that runs a student; None where transformers 5 has no such task."""
    return KINDS[config.task.kind].pipeline(FAMILIES[config.model.family].form)


def usage(config: TrialConfig, path: str) -> list[str]:
    """Lines of Python that load a student from `path` and print its answer to one input.

    From a URL, which transformers does not read, they copy it first, into the folder `student`.
    """
    if "://" in path:
        copy = f"import fsspec; fs, place = fsspec.url_to_fs({json.dumps(path, ensure_ascii=False)})"
        return [f'{copy}; fs.get(f"{{place}}/", "{COPY}/", recursive=True)', *usage(config, COPY)]
    folder = json.dumps(path, ensure_ascii=False)
    return KINDS[config.task.kind].usage(config.task, FAMILIES[config.model.family].form, folder)


def usage_from_mlflow(config: TrialConfig, tracking_uri: str, model_id: str) -> list[str]:
    """Three lines of Python that load a student from MLflow and print its answer to one input."""
    uri, model = (json.dumps(text, ensure_ascii=False) for text in (tracking_uri, f"models:/{model_id}"))
    _, load, answer = usage(config, "")
    name = load.partition(" = ")[0]
    if pipeline_task(config):
        loaded = f"{name} = mlflow.transformers.load_model({model})"
    else:
        parts = f'mlflow.transformers.load_model({model}, return_type="components")'
        loaded = f'{name} = map({parts}.get, ("tokenizer", "model"))'
    return [f"import mlflow; mlflow.set_tracking_uri({uri})", loaded, answer]
