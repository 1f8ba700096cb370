"""A plan carried out, as far as it goes without Ray."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from rich.console import Console

from sweep import conduct, interrupts, making
from sweep.jobs import gpus
from sweep.plan import checks
from sweep.plan.states import Plan
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.report.usage import SavedStudent
from sweep.run import main
from sweep.spec import command
from sweep.students import published
from sweep.tracking.experiment import TrackingError
from sweep.tracking.tracking import Tracking
from tests.sweep.own_data import write_all
from tests.sweep.tracked import begin, finish_teacher, make_result, make_rows
from trainables.errors import InputError
from trainables.forms import FILES, Exported, Form

SECRET = "profiles.there.tracking_uri=http://me:pa55w0rd@host"


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[checks.Checked, Plan]:
    """A sweep of two cells and a teacher, of which nothing is there yet."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("SWEEP_STORAGE", str(tmp_path / "runs"))
    checked = checks.prepare(write_all(tmp_path, axes={"strategy": ["none", "forward"]}))
    return checked, Plan.of(checked, Records(Storage(checked.config.storage_url)))


def finish(plan: Plan, records: Records) -> None:
    """Writes the records, as trials would have left them."""
    for key in plan.teacher_cells:
        finish_teacher(records.teacher(key), {"test/accuracy": 0.9})
    for key in plan.cells:
        attempt = begin(records.cell(key))
        attempt.journal.write(make_rows(1, 3))
        attempt.commit(make_result(attempt))


def test_a_sweep_that_is_done_needs_neither_ray_nor_torch(planned: tuple[checks.Checked, Plan], tmp_path: Path) -> None:
    finish(planned[1], Records(Storage(planned[0].config.storage_url)))
    code = (
        f"import sys; from sweep.run import main; code = main([{str(tmp_path / 'sweep.yaml')!r}, {SECRET!r}]); "
        "print(code, [name for name in ('torch', 'transformers', 'ray', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert done.stdout.splitlines()[-1] == "0 []", done.stdout + done.stderr
    assert done.stderr == ""
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/runs/mlflow.db")
    found = client.get_experiment_by_name("own")
    assert found is not None
    assert len(client.search_runs([found.experiment_id])) == 4
    # The password of the command stands in no file, neither in the report nor in an artifact of MLflow.
    stored = {file: file.read_bytes() for file in (tmp_path / "runs").rglob("*") if file.is_file()}
    assert [file.name for file, content in stored.items() if b"pa55w0rd" in content] == []
    hiding = {file.name for file, content in stored.items() if b"http://me:***@host" in content}
    assert {"config.json", "report.html", "sweep.json"} <= hiding


def test_a_sync_draws_what_is_finished_on_an_empty_server_and_computes_nothing(
    planned: tuple[checks.Checked, Plan], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a cell without a result there is a row in the report, and no run."""
    checked, plan = planned
    records = Records(Storage(checked.config.storage_url))
    (done, open_one), (teacher,) = plan.cells, plan.teacher_cells
    finish_teacher(records.teacher(teacher), {"test/accuracy": 0.9})
    attempt = begin(records.cell(done))
    attempt.journal.write(make_rows(1, 3))
    attempt.commit(make_result(attempt))
    uri = f"sqlite:///{tmp_path}/empty.db"
    assert main([str(tmp_path / "sweep.yaml"), f"tracking_uri={uri}", "--sync"]) == 1
    assert "nothing is computed: teachers: 1 done; cells: 1 done, 1 to do" in capsys.readouterr().out
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("own")
    assert experiment is not None
    runs = {run.data.tags["kind"]: run for run in client.search_runs([experiment.experiment_id])}
    assert {kind: run.info.status for kind, run in runs.items()} == {
        "sweep": "FAILED",
        "teacher": "FINISHED",
        "cell": "FINISHED",
    }
    assert runs["cell"].data.tags["cell"] == done
    assert [point.step for point in client.get_metric_history(runs["cell"].info.run_id, "train/loss")] == [1, 2, 3]
    assert records.cell(open_one).state() == "missing"


def test_a_model_that_mlflow_refuses_is_an_error_and_loses_nothing(
    planned: tuple[checks.Checked, Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next run, in which it does not, is a success."""
    records = Records(Storage(planned[0].config.storage_url))
    finish(planned[1], records)
    for key in planned[1].cells:
        folder = tmp_path / "runs" / records.cell(key).root / "attempts" / "1" / "student"
        folder.mkdir()
        (folder / "config.json").write_text("{}")
    arguments = [str(tmp_path / "sweep.yaml"), "register=ours"]
    checked = checks.prepare(tmp_path / "sweep.yaml", ["register=ours"])
    plan = Plan.of(checked, Records(Storage(checked.config.storage_url)))
    asked: list[tuple[str, str, str]] = []

    def log(tracking: Tracking, run_id: str, student: SavedStudent, folder: Path) -> str:
        if not asked:
            asked.append(("broken", "", ""))
            raise TrackingError("413 Request Entity Too Large")
        cell = MlflowClient(tracking.uri).get_run(run_id).data.tags["cell"]
        assert cell == student.row.fingerprint
        assert folder == Path(student.path)
        return "m-1"

    def register(tracking: Tracking, name: str, model_id: str, run_id: str, student: SavedStudent) -> str:
        asked.append((name, model_id, student.row.fingerprint))
        return "1"

    monkeypatch.setattr(published, "log", log)
    monkeypatch.setattr(published, "register", register)
    shown: list[str] = []
    for status in (1, 0):
        console = Console(file=io.StringIO(), width=200)
        assert conduct.run(checked, plan, command.parse(arguments), arguments, console) == status
        assert isinstance(console.file, io.StringIO)
        shown.append(console.file.getvalue())
    assert "Tracking has stopped: 413 Request Entity Too Large" in shown[0]
    assert "The best student: " in shown[0]
    uri = f"sqlite:///{tmp_path}/runs/mlflow.db"
    opens, *model = shown[1].splitlines()[-6:]
    assert opens.endswith(f" -m sweep.ui name=own tracking_uri={uri}    # opens the runs in MLflow")
    assert model[:4] == [
        "The best student in MLflow: models:/m-1",
        "Registered: models:/ours/1",
        f'    import mlflow; mlflow.set_tracking_uri("{uri}")',
        '    classify = mlflow.transformers.load_model("models:/m-1")',
    ]
    # Of equals the first is kept.
    assert asked[1:] == [("ours", "m-1", next(iter(planned[1].cells)))]
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/runs/mlflow.db")
    found = client.get_experiment_by_name("own")
    assert found is not None
    assert {run.info.status for run in client.search_runs([found.experiment_id])} == {"FINISHED"}


def test_the_best_student_is_exported_once_in_each_form(
    planned: tuple[checks.Checked, Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails is said, and the next run makes it up."""
    records = Records(Storage(planned[0].config.storage_url))
    finish(planned[1], records)
    best = next(iter(planned[1].cells))  # of equals the first
    student = tmp_path / "runs" / records.cell(best).root / "attempts" / "1" / "student"
    student.mkdir()
    (student / "config.json").write_text("{}")
    written: list[list[Form]] = []

    def export(folder: Path, config: Any, data: Any, forms: list[Form], files: Path, num_threads: int) -> Any:
        if len(written) == 1:
            written.append([])
            raise ValueError("torch cannot write it as ONNX: no kernel")
        assert (folder, data) == (student, planned[0].data[planned[1].cells[best].data])
        written.append(forms)
        for form in forms:
            (files / FILES[form]).write_text(form)
        return {form: Exported(1.5, {1: 30.0, 32: 600.0}, {"test/accuracy": 0.625}) for form in forms}

    monkeypatch.setattr("trainables.exports.export", export)
    monkeypatch.setattr(published, "log", lambda *_: "m-1")
    shown: list[str] = []
    for asked, status in (("onnx", 0), ("onnx,int8", 1), ("onnx,int8", 0), ("int8", 0)):
        arguments = [str(tmp_path / "sweep.yaml"), f"students.export=[{asked}]"]
        checked = checks.prepare(tmp_path / "sweep.yaml", arguments[1:])
        console = Console(file=(file := io.StringIO()), width=200)
        assert conduct.run(checked, Plan.of(checked, records), command.parse(arguments), arguments, console) == status
        shown.append(file.getvalue())
    assert written == [["onnx"], [], ["int8"]]
    assert "The best student is not exported: torch cannot write it as ONNX: no kernel" in shown[1]
    assert {file.name for file in (student / "onnx").iterdir()} == {"model.onnx", "model_int8.onnx", "exports.json"}
    for form in ("model.onnx", "model_int8.onnx"):
        line = next(line for line in shown[3].splitlines() if line.startswith(f" onnx/{form}"))
        assert line.split()[1:] == ["1.5", "30", "600", "0.625"]
    html = (tmp_path / "runs" / "sweeps" / "own" / "report.html").read_text()
    assert "<h2>The best student in other forms</h2>" in html
    assert '<td>onnx/model_int8.onnx</td><td class="n">1.5</td>' in html


def test_a_registry_that_does_not_answer_is_said_first(
    planned: tuple[checks.Checked, Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(planned[1], Records(Storage(planned[0].config.storage_url)))

    def refuse(*_: Any, **__: Any) -> None:
        raise MlflowException("Registry features are disabled")

    monkeypatch.setattr(MlflowClient, "search_registered_models", refuse)
    arguments = [str(tmp_path / "sweep.yaml"), "register=ours"]
    checked = checks.prepare(tmp_path / "sweep.yaml", ["register=ours"])
    plan = Plan.of(checked, Records(Storage(checked.config.storage_url)))
    with pytest.raises(InputError) as error:
        conduct.run(checked, plan, command.parse(arguments), arguments, Console(quiet=True))
    where = f"sqlite:///{tmp_path}/runs/mlflow.db"
    reason = f"no model registry answers at {where}: Registry features are disabled"
    assert str(error.value) == f"register: got 'ours'; {reason}"
    assert [file for file in (tmp_path / "runs" / "sweeps").rglob("*") if file.is_file()] == []


def test_a_termination_is_an_interrupt(
    planned: tuple[checks.Checked, Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Ray is there, and after: it sets a handler of its own, which aborts the process."""

    def connect(_: str | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def check(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    path, ended = str(tmp_path / "sweep.yaml"), []
    for where in ("sweep.jobs.work.check_families", "sweep.jobs.reach.check"):
        with monkeypatch.context() as patch:
            patch.setattr("sweep.jobs.schedule.connect", connect)
            patch.setattr("sweep.jobs.room.ensure", lambda *_: None)
            patch.setattr(where, check)
            ended.append(conduct.run(*planned, command.parse([path]), [path], Console(quiet=True)))
    assert ended == [interrupts.STATUS] * 2


def test_a_termination_while_ray_starts_is_an_interrupt(
    planned: tuple[checks.Checked, Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "sweep.yaml")
    monkeypatch.setattr("sweep.jobs.schedule.connect", lambda _: sys.exit(signal.SIGTERM))
    ended = conduct.run(*planned, command.parse([path]), [path], Console(quiet=True))
    assert ended == interrupts.STATUS


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense"])
def test_an_address_where_no_ray_is(planned: tuple[checks.Checked, Plan], tmp_path: Path, address: str) -> None:
    arguments = [str(tmp_path / "sweep.yaml"), "--address", address]
    with pytest.raises(InputError, match=f"^--address: got '{address}'; no Ray answers there: "):
        conduct.run(*planned, command.parse(arguments), arguments, Console(quiet=True))


def test_an_interrupt_before_anything_is_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def prepare(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sweep.plan.checks.prepare", prepare)
    assert main([]) == interrupts.STATUS
    assert capsys.readouterr().err == "\nInterrupted before anything was started.\n"


def test_the_machine_is_watched_while_cells_are_made(
    planned: tuple[checks.Checked, Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    monkeypatch.setattr("sweep.jobs.work.connected", lambda *_: nullcontext())
    seen: list[set[str]] = []

    def make(maker: making.Maker, *_: Any, **__: Any) -> None:
        client, deadline = MlflowClient(maker.sweep_run.tracking.uri), time.monotonic() + 300
        while not client.get_run(maker.sweep_run.parent).data.metrics and time.monotonic() < deadline:
            time.sleep(0.1)
        seen.append(set(client.get_run(maker.sweep_run.parent).data.metrics))

    monkeypatch.setattr(making.Maker, "make", make)
    path = str(tmp_path / "sweep.yaml")
    assert conduct.run(*planned, command.parse([path]), [path], Console(quiet=True)) == 1
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_percentage"} <= seen[0]


def test_what_fits_no_gpu_of_the_cluster_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `resources.gpu_gb` would have it, which says more than the cluster does where it is given."""
    there = [gpus.Gpu("node-1", "Small", 10**9), gpus.Gpu("node-2", "Large", 1_234_567_890)]
    monkeypatch.setattr(gpus, "gpus_of_nodes", lambda: there)
    monkeypatch.setattr("sweep.jobs.work.connected", lambda *_: nullcontext())
    monkeypatch.setattr(conduct.Conductor, "_start_tracking", lambda _: sys.exit("it starts"))
    monkeypatch.setenv("SWEEP_STORAGE", str(tmp_path / "runs"))
    path, small = str(write_all(tmp_path)), ["base.train.batch_size=1", "base.model.finetune.batch_size=1"]
    assert main([path, *small, "resources.gpus=1"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"resources.gpu_gb: got null, and Large of node-2 has 1.2; {what} needs 1.6 GB: CUDA 1.6. "
        "What would help: a GPU of 2 GB"
        for what in ("teacher of own on words", "own on words")
    ]
    assert main([path, *small, "resources.gpus=0.5"]) == 2
    assert "null, and Large of node-2 has 0.6 on 0.5 of a GPU; teacher" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
    for started in (["resources.gpus=1", "resources.gpu_gb=2"], ["resources.gpus=0"]):
        with pytest.raises(SystemExit, match="it starts"):
            main([path, *small, *started])
    there[:] = []
    with pytest.raises(SystemExit, match="it starts"):
        main([path, *small, "resources.gpus=1"])


def test_a_narrower_call_leaves_the_report_whole(planned: tuple[checks.Checked, Plan], tmp_path: Path) -> None:
    """Its own cells are marked, and its exit status is theirs."""
    records = Records(Storage(planned[0].config.storage_url))
    finish(planned[1], records)
    failing, done = planned[1].cells
    (records.storage.workspace(records.cell(failing).root) / "result.json").unlink()
    begin(records.cell(failing)).fail("not finite at step 3: loss nan", "", by_itself=True)
    config = str(tmp_path / "sweep.yaml")
    assert main([config]) == 1
    table = tmp_path / "runs/sweeps/own/results.csv"
    before = table.read_bytes()
    assert main([config, "axes.strategy=[forward]"]) == 0
    assert table.read_bytes() == before
    page = (tmp_path / "runs/sweeps/own/report.html").read_text()
    assert '<td class="n">• 1</td><td>forward</td>' in page
    assert '<td class="n"></td><td>none</td>' in page
    assert "not finite at step 3" in page
    sweep = json.loads((tmp_path / "runs/sweeps/own/sweep.json").read_text())
    assert sweep["own"] == [done]
    assert {failing, done} <= sweep["runs"].keys()
