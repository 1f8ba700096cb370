"""`make ui`: a free port, one worker, this machine only, and nothing left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sweep import ui
from sweep.tracking import views


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    file = tmp_path / "sweep.yaml"
    file.write_text(f"name: demo\nstorage: {tmp_path / 'runs'}\n")
    return file


def test_the_next_port_where_one_is_taken(taken: int) -> None:
    assert ui.free_port(taken) > taken


def test_it_serves_this_machine_alone_with_one_worker() -> None:
    words = ui.command("sqlite:///runs/mlflow.db", 5001)
    assert words[1:4] == ["-m", "mlflow", "server"]
    options = dict(zip(words[4::2], words[5::2], strict=True))
    assert options == {
        "--backend-store-uri": "sqlite:///runs/mlflow.db",
        "--host": "127.0.0.1",
        "--port": "5001",
        "--workers": "1",
        "--uvicorn-opts": "--log-level warning",
    }
    assert ui.ENVIRONMENT["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"


def test_a_server_elsewhere_is_named(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert ui.main([str(config)]) == 0
    assert capsys.readouterr().out == "The runs of demo are on http://mlflow:5000\n"


def test_no_runs_yet(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ui.main([str(config)]) == 2
    assert f"{tmp_path / 'runs' / 'mlflow.db'} does not exist yet" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_wrong_config_is_said(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ui.main([str(config), "nmae=x"]) == 2
    assert "nmae" in capsys.readouterr().err


def test_links_are_given_where_the_experiment_has_the_views() -> None:
    tags: list[dict[str, str]] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path.endswith("experiment_name=a%20b")
            body = json.dumps({"experiment": {"experiment_id": "7", "tags": tags}}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        runs = f"{address}/#/experiments/7/runs?workflowType=machine_learning"
        assert ui.links(address, "a b") == {"runs": runs}
        tags += [{"key": key, "value": value} for key, value in views.tags([]).items()]
        assert ui.links(address, "a b") == {
            "runs": runs,
            "parallel": f"{runs}&compareRunsMode=CHART&viewStateShareKey=parallel",
            "grouped": f"{runs}&compareRunsMode=TABLE&viewStateShareKey=grouped",
        }
        server.shutdown()
    assert ui.links(address, "a b") == {}


def test_it_answers_and_ends_with_all_its_processes(config: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "mlflow.db").touch()  # the server makes the tables
    errors = tmp_path / "errors"
    with errors.open("w") as file:
        words = [sys.executable, "-m", "sweep.ui", str(config)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=file, text=True, cwd=tmp_path)
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        address = next(found.group() for line in lines if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
        with urllib.request.urlopen(address, timeout=300) as answer:
            assert b"MLflow" in answer.read()
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=300) == 0
        assert "Warning" not in errors.read_text()
    finally:
        process.kill()
        process.stdout.close()
    with socket.socket() as probe:
        port = int(address.rpartition(":")[2])
        assert probe.connect_ex(("127.0.0.1", port)) != 0
