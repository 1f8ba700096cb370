"""The sweep config: what a YAML file, its profile and the overrides of the command say, in this precedence.

`base`, `axes` and `grids` stay plain values here; sweep/grid/cells.py makes cells of them and reports what is wrong.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from sweep.spec.messages import NEEDED, Fault, problems
from sweep.spec.partly import read_partly
from sweep.spec.sources import DEMO, read_sources
from trainables import plugins
from trainables.config import Count, Frozen, Positive, Rate
from trainables.errors import InputError, Problem


def _whole_or_part(share: float) -> float:
    if share > 1 and not share.is_integer():
        raise ValueError("0, a fraction below 1, or a whole number")
    return share


Share = Annotated[float, Field(ge=0, allow_inf_nan=False), AfterValidator(_whole_or_part)]
Axes = dict[str, list[Any]]


class Resources(Frozen):
    """What one trial takes."""

    cpus: Positive = Field(default=1, description="CPUs of a trial; torch uses as many threads.")
    gpus: Share = Field(default=0, description="GPUs of a trial: 0, a fraction below 1, or a whole number.")
    gpu_gb: Rate | None = Field(
        default=None,
        description="Memory of one GPU in GB: what cannot fit is refused. null: as a sweep's GPUs say at its start.",
    )
    gpu_tflops: Rate | None = Field(
        default=None, description="What a GPU really does, for the hours of a plan; null: 40% of an A100's 312."
    )


class Failures(Frozen):
    """When a trial is given up."""

    max_failures: Count = Field(default=2, description="Tries again after a fault that lies outside the cell.")


class PartSweep(Frozen):
    """A grid of its own; inherits the sweep's base and axes, its own take their place."""

    base: dict[str, Any] = Field(default={}, description="Laid over the base of the sweep.")
    axes: Axes = Field(default={}, description="Beside the axes of the sweep; one that both have is the part's.")


# Every class of pydantic's has a method `register` of its metaclass, which nobody calls here.
warnings.filterwarnings("ignore", 'Field name "register" in "SweepConfig" shadows an attribute')


class SweepConfig(Frozen):
    """One sweep."""

    name: str = Field(
        pattern=r"^[\w-][\w.-]*$", description="The MLflow experiment: letters, digits, `_`, `-`, and after these `.`."
    )
    base: dict[str, Any] = Field(default={}, description="The trial config that all cells share.")
    axes: Axes = Field(default={}, description="Field of the trial config, by dotted path -> its values.")
    grids: list[PartSweep] | dict[str, PartSweep] = Field(
        default=[],
        description="Part sweeps, in a list or by name, so that a profile or an override can change one of them; "
        "cells that come in several are run once.",
    )
    profiles: dict[str, dict[str, Any]] = Field(default={}, description="Name -> overrides, chosen by profile=NAME.")
    plugins: list[str] = Field(
        default=[], description="Files with strategies, families, generated tasks or metrics of one's own."
    )
    storage: str | None = Field(default=None, description="Path or fsspec URL; null: SWEEP_STORAGE, else ./runs.")
    tracking_uri: str | None = Field(
        default=None, description="null: MLFLOW_TRACKING_URI, else SQLite under the storage."
    )
    tracking_required: bool = Field(default=True, description="A tracking server that does not answer is an error.")
    resources: Resources = Resources()
    failures: Failures = Failures()
    keep: Literal["best", "all", "none"] = Field(default="best", description="Which students stay.")
    register: Annotated[str, Field(pattern=r"^\w[\w.-]*$", max_length=256)] | None = Field(
        default=None, description="Name under which MLflow's model registry gets the best student; null: it does not."
    )

    @model_validator(mode="after")
    def _something_to_register(self) -> Self:
        if self.register and self.keep == "none":
            raise ValueError(f"register: got {self.register!r} beside keep: none; the best student has to stay")
        return self

    @property
    def storage_given(self) -> str:
        """The storage as it was given: a path, perhaps a relative one, or an fsspec URL."""
        url = (self.storage or os.environ.get("SWEEP_STORAGE") or "runs").removeprefix("file://")
        return url if "://" in url else str(Path(url).expanduser())

    @property
    def storage_url(self) -> str:
        """The storage: an absolute path, or an fsspec URL."""
        return self.storage_given if "://" in self.storage_given else str(Path(self.storage_given).absolute())

    @property
    def tracking_url(self) -> str:
        """The tracking URI; where none is given, SQLite under the storage."""
        given = self.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        return given or f"sqlite:///{self.storage_url}/mlflow.db"

    @property
    def tracking_address(self) -> str:
        """The tracking server as a person's browser reaches it: the nodes of a cluster may know it by another name."""
        return os.environ.get("SWEEP_TRACKING_ADDRESS") or self.tracking_url


def load(path: Path | None, overrides: Sequence[str] = ()) -> SweepConfig:
    """The config of a file (None: the demo) under the overrides, its plug-ins known to this process.

    Raises InputError with every problem.
    """
    config, found = load_partly(path, overrides)
    if found:
        raise InputError(found)
    return config


def load_partly(path: Path | None, overrides: Sequence[str] = ()) -> tuple[SweepConfig, list[Problem]]:
    """The config with its wrong keys at their defaults, and what is wrong with them.

    Raises InputError only where nothing can be told: the file is missing or malformed, or an override or a plug-in
    is. What its plug-ins add is known to this process afterwards, and nothing of any other.
    """
    fields = read_sources(path or DEMO, overrides)
    config, found = _read(fields)
    try:
        plugins.activate_files(config.plugins)
    except InputError as error:
        raise InputError([*found, *error.problems]) from None
    return config, found


def _read(fields: dict[str, Any]) -> tuple[SweepConfig, list[Problem]]:
    def validate(given: dict[str, Any]) -> SweepConfig:
        return SweepConfig.model_validate({"name": "unnamed", **given}, strict=True)

    config, found = read_partly(validate, fields, [SweepConfig])
    assert config is not None
    unnamed = [] if "name" in fields else [Fault(("name",), NEEDED)]
    return config, problems([*unnamed, *found])
