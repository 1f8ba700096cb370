"""The best student as a model in MLflow: logged once under the run of its cell, and registered if the config says so.

Only this module and sweep/tracking/experiment.py write to MLflow. Torch and transformers are loaded only to log a
student that is not logged yet.
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
"""The modules that `log` needs and that take seconds to load."""
MAX_BYTES = 1_000_000_000
"""A larger student is logged only where it is registered: uploads of that size exceed the time limits of servers."""
UPLOAD_SECONDS = "600"
NO_PIPELINE = "feature-extraction"
"""For an encoder-decoder: MLflow demands a pipeline, and transformers 5 has none that runs such a model. Under this
name, `load_model(uri, return_type="components")` loads the model, and nothing runs it by mistake."""


def obstacle(folder: Path | None, *, registering: bool) -> str | None:
    """The reason why a student is not logged; None where it is logged."""
    if folder is None:
        return "its files are gone"
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    if size > MAX_BYTES and not registering:
        return f"it has {size / 1e9:.1f} GB; register: NAME logs and registers it"
    return None


@guarded
def check_registry(tracking: Tracking) -> None:
    """Raises TrackingError where no model registry answers."""
    tracking.client.search_registered_models(max_results=1)


@guarded
def log(tracking: Tracking, run_id: str, student: SavedStudent, folder: Path) -> str:
    """The id of the student's model in MLflow. Logs it if it is not there yet, and removes incomplete models of it."""
    client, cell = tracking.client, student.row.fingerprint
    where = f"tags.{tags.CELL} = '{cell}' AND source_run_id = '{run_id}'"
    for old in client.search_logged_models([tracking.experiment_id], where):
        if old.status == "READY":
            return old.model_id
        client.delete_logged_model(old.model_id)
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    params = client.get_run(run_id).data.params
    model = client.create_logged_model(tracking.experiment_id, NAME, run_id, _tags(student, tracking), params)
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    with tempfile.TemporaryDirectory(prefix="sweep-") as place, _time_to_upload():
        files = Path(place, NAME)
        description = Model(
            artifact_path=model.artifact_location, model_uuid=model.model_id, model_id=model.model_id, run_id=run_id
        )
        _write(student, folder, files, description)
        client.log_model_artifacts(model.model_id, str(files))
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    return model.model_id


@guarded
def address(tracking: Tracking, fingerprint: str) -> str | None:
    """`models:/<id>` of the student of a cell, whichever sweep has logged it; None where there is none."""
    client = tracking.client
    experiments = [found.experiment_id for found in client.search_experiments()]
    for model in client.search_logged_models(experiments, f"tags.{tags.CELL} = '{fingerprint}'"):
        if model.status == "READY":
            return f"models:/{model.model_id}"
    return None


class Publisher:
    """Logs students in a process of its own. It loads torch while trials run, so that nobody waits for that later."""

    def __init__(self) -> None:
        context = get_context("spawn")
        self._connection, far_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(far_end,), daemon=True)
        self._process.start()
        far_end.close()

    def log(self, tracking: Tracking, run_id: str, student: SavedStudent, folder: Path) -> str:
        """Does the same as the function `log`. Raises TrackingError also where the process has ended."""
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
    """Logs each student that is sent, until the sweep ends. Trials have priority, and the sweep handles interrupts."""
    os.nice(10)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare()
    for name in MODULES:
        import_module(name)
    with suppress(EOFError):
        while request := connection.recv():
            try:
                connection.send(log(*request))
            except TrackingError as error:
                connection.send(error)


@guarded
def register(tracking: Tracking, name: str, model_id: str, run_id: str, student: SavedStudent) -> str:
    """The version of the student's registered model. Registers the student if it is not registered yet."""
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
    # A registry in a database looks up the model at the address in the environment, whatever that of the client is.
    with _environment("MLFLOW_TRACKING_URI", tracking.uri):
        version = client.create_model_version(name, f"models:/{model_id}", run_id, own, model_id=model_id)
    return str(version.version)


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


def _write(student: SavedStudent, folder: Path, files: Path, description: Any) -> None:
    """Writes the student and its card in the transformers flavour of MLflow, without the network.

    An adapter is merged, because MLflow stores adapters without their base weights, which only this storage has.
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
    student_pipeline = pipeline(
        task or NO_PIPELINE,
        model=model,
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder),
        device="cpu",
    )
    card_file = folder / card.FILE
    save: Any = save_model
    save(
        student_pipeline,
        str(files),
        task=task or NO_PIPELINE,
        # Without a card, MLflow would ask the hub for one.
        model_card=ModelCard(card_file.read_text(encoding="utf-8") if card_file.is_file() else "---\n{}\n---\n"),
        # Without requirements, MLflow would import the model in another process to find them.
        pip_requirements=[f"{name}=={metadata.version(name).partition('+')[0]}" for name in ("torch", "transformers")],
        mlflow_model=description,
    )
    (files / "LICENSE.txt").unlink(missing_ok=True)  # it only says that the folder has no licence on the hub
    if task is None:
        description.flavors.pop("python_function", None)
        description.save(str(files / "MLmodel"))


def _time_to_upload() -> AbstractContextManager[None]:
    """Gives MLflow's requests enough time for an upload, unless the environment sets their time limit."""
    name = "MLFLOW_HTTP_REQUEST_TIMEOUT"
    is_ours = os.environ.get(name) == CLIENT_ENVIRONMENT[name]
    return _environment(name, UPLOAD_SECONDS) if is_ours else nullcontext()


@contextmanager
def _environment(name: str, value: str) -> Generator[None]:
    """Sets one variable of the environment within the context."""
    previous = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if previous is None:
            del os.environ[name]
        else:
            os.environ[name] = previous
