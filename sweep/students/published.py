"""The best student as a model of MLflow: logged once under the run of its cell, and registered where that is asked for.

Only this module and sweep/tracking/experiment.py write to MLflow. Torch and transformers are loaded only to log a
student that is not there yet.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from importlib import import_module, metadata
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sweep.report.usage import SavedStudent, pipeline_task
from sweep.students import card
from sweep.tracking import tags
from sweep.tracking.experiment import CLIENT_ENVIRONMENT, TrackingError, guarded, prepare
from sweep.tracking.tracking import Tracking
from trainables import plugins
from trainables.families import FAMILIES
from trainables.tasks.kinds import KINDS

NAME = "student"
MODULES = ("mlflow.transformers", "transformers.pipelines")
"""What `log` needs and takes seconds to load."""
MAX_BYTES = 1_000_000_000
"""A larger student is logged only where it is registered: uploads of that size run into servers' time limits."""
UPLOAD_SECONDS = "600"
NO_PIPELINE = "feature-extraction"
"""MLflow wants a pipeline for every model, and transformers 5 has none that runs an encoder-decoder. Under this one it
is loaded whole, `load_model(uri, return_type="components")`, and not run by mistake."""


def why_not(folder: Path | None, *, registering: bool) -> str | None:
    """Why a student is not logged; None: it is."""
    if folder is None:
        return "its files are gone"
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    if size > MAX_BYTES and not registering:
        return f"it has {size / 1e9:.1f} GB; register: NAME logs and registers it"
    return None


@guarded
def check_registry(tracking: Tracking) -> None:
    """Raises TrackingError where the tracking store has no model registry that answers."""
    tracking.client.search_registered_models(max_results=1)


@guarded
def log(tracking: Tracking, run_id: str, student: SavedStudent, folder: Path) -> str:
    """The id of the student's model in MLflow, logged where it is not yet; what broke off before is removed."""
    client, cell = tracking.client, student.row.fingerprint
    where = f"tags.{tags.CELL} = '{cell}' AND source_run_id = '{run_id}'"
    for found in client.search_logged_models([tracking.experiment_id], where):
        if found.status == "READY":
            return found.model_id
        client.delete_logged_model(found.model_id)
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    params = client.get_run(run_id).data.params
    model = client.create_logged_model(tracking.experiment_id, NAME, run_id, _tags(student, tracking), params)
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    with tempfile.TemporaryDirectory(prefix="sweep-") as place, _time_to_upload():
        files = Path(place, NAME)
        about = Model(
            artifact_path=model.artifact_location, model_uuid=model.model_id, model_id=model.model_id, run_id=run_id
        )
        _write(student, folder, files, about)
        client.log_model_artifacts(model.model_id, str(files))
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    return model.model_id


class Publisher:
    """Logs in a process of its own, which loads torch while trials run: at the end of a sweep nobody waits for that."""

    def __init__(self) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def log(self, tracking: Tracking, run_id: str, student: SavedStudent, folder: Path) -> str:
        """As `log`."""
        try:
            self._connection.send((tracking, run_id, plugins.Carried(student), folder))
            answer: str | TrackingError = self._connection.recv()
        except (EOFError, OSError) as error:
            raise TrackingError("the process that logs the best student was ended") from error
        if isinstance(answer, TrackingError):
            raise answer
        return answer

    def close(self) -> None:
        self._process.kill()


def is_loaded() -> bool:
    """Whether this process has loaded what `log` needs."""
    return all(name in sys.modules for name in MODULES)


def _serve(connection: Connection) -> None:
    """Logs what comes, as long as there is a sweep. Trials come first; an interrupt is the sweep's to deal with."""
    os.nice(10)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare()
    for name in MODULES:
        import_module(name)
    with suppress(EOFError):
        while asked := connection.recv():
            try:
                connection.send(log(*asked))
            except TrackingError as error:
                connection.send(error)


@guarded
def register(tracking: Tracking, name: str, model_id: str, run_id: str, student: SavedStudent) -> str:
    """The version of the registered model that is this student; a new one where there is none yet."""
    from mlflow.exceptions import MlflowException

    client, own = tracking.client, _tags(student, tracking)
    for version in client.search_model_versions(f"name = '{name}'"):
        if version.tags.get(tags.CELL) == own[tags.CELL] and version.status == "READY":
            return str(version.version)
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    # A registry in a database looks its model up by the environment's address, whatever the client's own is.
    with _environment("MLFLOW_TRACKING_URI", tracking.uri):
        made = client.create_model_version(name, f"models:/{model_id}", run_id, own, model_id=model_id)
    return str(made.version)


def _tags(student: SavedStudent, tracking: Tracking) -> dict[str, str]:
    row = student.row
    return {
        tags.CELL: row.fingerprint,
        tags.STRATEGY: row.strategy,
        tags.INIT: row.init,
        tags.MODEL: row.model,
        tags.TASK: row.task,
        tags.SWEEP: tracking.experiment,
    }


def _write(student: SavedStudent, folder: Path, files: Path, about: Any) -> None:
    """The student as MLflow's transformers flavour has it, its card with it; no network.

    An adapter is merged: MLflow keeps adapters without the weights that they adapt, which are nowhere but here.
    """
    import transformers
    from huggingface_hub import ModelCard
    from mlflow.transformers import save_model

    from trainables.families import adapters

    transformers.logging.disable_progress_bar()
    config, task = student.config, pipeline_task(student.config)
    models = FAMILIES[config.model.family].models
    model_class: Any = getattr(transformers, models[KINDS[config.task.kind].head_name].name)
    pipeline: Any = transformers.pipeline
    adapters.merge(model := model_class.from_pretrained(folder))
    built = pipeline(
        task or NO_PIPELINE,
        model=model,
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder),
        device="cpu",
    )
    described = folder / card.FILE
    save: Any = save_model
    save(
        built,
        str(files),
        task=task or NO_PIPELINE,
        # Without a card, MLflow asks the hub for one.
        model_card=ModelCard(described.read_text(encoding="utf-8") if described.is_file() else "---\n{}\n---\n"),
        # Without requirements, it imports the model in another process to see which it needs.
        pip_requirements=[f"{name}=={metadata.version(name).partition('+')[0]}" for name in ("torch", "transformers")],
        mlflow_model=about,
    )
    (files / "LICENSE.txt").unlink(missing_ok=True)  # says that the folder has no licence on the hub
    if task is None:
        about.flavors.pop("python_function", None)
        about.save(str(files / "MLmodel"))


def _time_to_upload() -> AbstractContextManager[None]:
    """MLflow's time for one request as uploads need it, where nobody else has set it."""
    name = "MLFLOW_HTTP_REQUEST_TIMEOUT"
    is_ours = os.environ.get(name) == CLIENT_ENVIRONMENT[name]
    return _environment(name, UPLOAD_SECONDS) if is_ours else nullcontext()


@contextmanager
def _environment(name: str, value: str) -> Generator[None]:
    """One variable of the environment for a while."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
