"""The sweep config: a YAML file, its profiles and the overrides, later ones taking precedence.

`base`, `axes` and `grids` stay plain values here; sweep/grid/cells.py checks them and expands them into cells.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from sweep.spec.baselines import LABELS_ONLY, Baseline
from sweep.spec.messages import NEEDED, Fault, problems
from sweep.spec.partly import read_partly
from sweep.spec.search import Search
from sweep.spec.sources import DEMO, read_sources
from sweep.spec.verdict import VerdictSettings
from trainables import plugins
from trainables.config import Count, Frozen, Positive, Rate
from trainables.errors import InputError, Problem
from trainables.forms import Form


def _whole_or_part(share: float) -> float:
    if share > 1 and not share.is_integer():
        raise ValueError("expected 0, a fraction below 1, or a whole number")
    return share


Share = Annotated[float, Field(ge=0, allow_inf_nan=False), AfterValidator(_whole_or_part)]
Axes = dict[str, list[Any]]


class Resources(Frozen):
    """What one trial uses."""

    cpus: Positive = Field(default=1, description="CPUs per trial, which is also the number of torch's threads.")
    gpus: Share = Field(
        default=0,
        description="GPUs per trial: 0, a fraction below 1, or a whole number. Of several, the first holds the "
        "teacher, and the students are spread over the others.",
    )
    cohort: Literal["auto"] | Positive = Field(
        default="auto",
        description="The most cells of a trial, which one pass of their teacher serves; auto: as many as fit the "
        "memory, and with which the sweep ends first.",
    )
    gpu_gb: Rate | None = Field(
        default=None,
        description="Memory of one GPU in GB; larger cells are refused. null: the cluster is asked at the start.",
    )
    gpu_tflops: Rate | None = Field(
        default=None,
        description="Effective TFLOPS of one GPU, for the hours of a plan; null: 40% of an A100's 312.",
    )


class Failures(Frozen):
    """When a trial is no longer retried."""

    max_failures: Count = Field(default=2, description="Retries of a trial after faults outside its cell.")
    stall_minutes: Rate | None = Field(
        default=30,
        description="A trial that begins no batch for so long is ended, with the stacks of its threads in its log, and "
        "tried again; null: never.",
    )


class Students(Frozen):
    """What is made of the students."""

    export: list[Form] = Field(
        default=[],
        description="Forms in which the best student is written and measured: onnx, a graph in fp32, and int8, the "
        "same with int8 weights. They need pip install 'distillation-sweep[export]'.",
    )


class PartSweep(Frozen):
    """A grid that inherits the base and axes of the sweep; its own take precedence."""

    base: dict[str, Any] = Field(default={}, description="Changes to the base of the sweep.")
    axes: Axes = Field(default={}, description="Additional axes; they replace the sweep's axes of the same name.")


# pydantic's metaclass gives each model a method `register`, which is not used here.
warnings.filterwarnings("ignore", 'Field name "register" in "SweepConfig" shadows an attribute')


class SweepConfig(Frozen):
    """One sweep."""

    name: str = Field(
        pattern=r"^[\w-][\w.-]*$",
        description="The MLflow experiment: letters, digits, `_`, `-`, and `.` after the first.",
    )
    base: dict[str, Any] = Field(default={}, description="The part of the trial config that all cells share.")
    axes: Axes = Field(default={}, description="Dotted path of a trial config field -> its values.")
    grids: list[PartSweep] | dict[str, PartSweep] = Field(
        default=[],
        description="Part sweeps as a list, or by name so that a profile or an override can change one of them. "
        "A cell that several of them share runs once.",
    )
    baselines: list[Baseline] = Field(
        default=[],
        description="Arms beside the strategies: labels_only, none without the KL term, and none_matched_compute, none "
        "trained for as many steps as cost as much as a matching cell.",
    )
    search: Search | None = Field(
        default=None, description="Tunes fields for each group of cells by a study of Optuna; null: no search."
    )
    profiles: dict[str, dict[str, Any]] = Field(default={}, description="Name -> overrides, chosen by profile=NAME.")
    plugins: list[str] = Field(
        default=[], description="Files that define strategies, families, generated tasks or metrics."
    )
    storage: str | None = Field(default=None, description="Path or fsspec URL; null: SWEEP_STORAGE, else ./runs.")
    tracking_uri: str | None = Field(
        default=None, description="null: MLFLOW_TRACKING_URI, else SQLite under the storage."
    )
    tracking_required: bool = Field(default=True, description="Whether an unreachable tracking server is an error.")
    resources: Resources = Resources()
    failures: Failures = Failures()
    verdict: VerdictSettings = VerdictSettings()
    keep: Literal["best", "all", "none"] = Field(default="best", description="Which students are kept.")
    students: Students = Students()
    register: Annotated[str, Field(pattern=r"^\w[\w.-]*$", max_length=256)] | None = Field(
        default=None, description="Name of the best student in MLflow's model registry; null: it is not registered."
    )

    @model_validator(mode="after")
    def _something_to_register(self) -> Self:
        if self.register and self.keep == "none":
            raise ValueError(f"register: got {self.register!r} beside keep: none; set keep to best or all")
        return self

    @model_validator(mode="after")
    def _something_to_export(self) -> Self:
        if self.students.export and self.keep == "none":
            raise ValueError("students: got export beside keep: none; set keep to best or all")
        return self

    @model_validator(mode="after")
    def _distinct_baselines(self) -> Self:
        if len(set(self.baselines)) < len(self.baselines):
            raise ValueError(f"baselines: got {self.baselines}; give each one once")
        if LABELS_ONLY in self.baselines and self.search and "losses.kl" in self.search.fields:
            raise ValueError("baselines: got labels_only beside search.fields.losses.kl, which would give it a KL term")
        return self

    @property
    def storage_setting(self) -> str:
        """The storage as the user wrote it: an absolute or relative path, or an fsspec URL."""
        url = (self.storage or os.environ.get("SWEEP_STORAGE") or "runs").removeprefix("file://")
        return url if "://" in url else str(Path(url).expanduser())

    @property
    def storage_url(self) -> str:
        """The storage: an absolute path, or an fsspec URL."""
        setting = self.storage_setting
        return setting if "://" in setting else str(Path(setting).absolute())

    @property
    def tracking_url(self) -> str:
        """The tracking URI; by default SQLite under the storage."""
        uri = self.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        return uri or f"sqlite:///{self.storage_url}/mlflow.db"

    @property
    def tracking_address(self) -> str:
        """The tracking server's address for a browser; a cluster's nodes may use another address."""
        return os.environ.get("SWEEP_TRACKING_ADDRESS") or self.tracking_url


def load(path: Path | None, overrides: Sequence[str] = ()) -> SweepConfig:
    """The config of a file (None: the demo) with the overrides; activates its plug-ins in this process.

    Raises InputError with every problem.
    """
    config, problems = load_partly(path, overrides)
    if problems:
        raise InputError(problems)
    return config


def load_partly(path: Path | None, overrides: Sequence[str] = ()) -> tuple[SweepConfig, list[Problem]]:
    """The config with invalid keys at their defaults, and every problem. Activates exactly the config's plug-ins.

    Raises InputError only if the file, an override or a plug-in is missing or malformed.
    """
    fields = read_sources(path or DEMO, overrides)
    config, problems = _read(fields)
    try:
        plugins.activate_files(config.plugins)
    except InputError as error:
        raise InputError([*problems, *error.problems]) from None
    return config, problems


def _read(fields: dict[str, Any]) -> tuple[SweepConfig, list[Problem]]:
    def validate(values: dict[str, Any]) -> SweepConfig:
        return SweepConfig.model_validate({"name": "unnamed", **values}, strict=True)

    config, faults = read_partly(validate, fields, [SweepConfig])
    assert config is not None
    missing = [] if "name" in fields else [Fault(("name",), NEEDED)]
    return config, problems([*missing, *faults])
