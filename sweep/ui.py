"""`make ui`: serves MLflow's UI with the runs of a sweep, on this machine only.

    python -m sweep.ui [CONFIG.yaml] [key.path=value …]

It serves the database that the config tracks to. If the config tracks to a server, it prints the server's address.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sweep.spec.command import WORDS
from sweep.spec.passwords import without_passwords
from sweep.spec.sweep import load
from sweep.tracking import views
from sweep.tracking.tags import VIEW
from trainables.errors import InputError

HOST = "127.0.0.1"
FIRST_PORT = 5000
NUM_PORTS = 100
START_SECONDS = 120.0
WRONG_CALL = 2
ENVIRONMENT = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # the job runner would start a dozen more processes
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PYTHONWARNINGS": "ignore",  # MLflow warns about its own imports, which a user cannot change
}
UNREACHABLE = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)


def free_port(first: int = FIRST_PORT) -> int:
    """The first free port from `first` on. Raises OSError if all of the next hundred are taken."""
    for port in range(first, first + NUM_PORTS):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise OSError(f"ports {first} to {first + NUM_PORTS - 1} of {HOST} are all taken")


def command(tracking_uri: str, port: int) -> list[str]:
    """The command of a server with one worker, on this machine only."""
    server = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", tracking_uri]
    return [*server, "--host", HOST, "--port", str(port), "--workers", "1", "--uvicorn-opts", "--log-level warning"]


def missing_database(tracking_uri: str) -> Path | None:
    """The SQLite file of the URI if it does not exist; otherwise None."""
    if not tracking_uri.startswith("sqlite:///"):
        return None
    file = Path(tracking_uri.removeprefix("sqlite:///"))
    return None if file.exists() else file


def links(server: str, experiment: str) -> dict[str, str]:
    """Name -> address, for the runs of the sweep's experiment and its ready-made views."""
    name = urllib.parse.quote(experiment)
    try:
        path = f"{server}/api/2.0/mlflow/experiments/get-by-name?experiment_name={name}"
        with urllib.request.urlopen(path, timeout=10) as answer:
            entry: dict[str, Any] = json.load(answer)["experiment"]
    except UNREACHABLE:
        return {}
    tags = {tag["key"] for tag in entry.get("tags", [])}
    experiment_id = entry["experiment_id"]
    known = [view for view in views.VIEWS if f"{VIEW}{view}" in tags]
    runs = views.page(server, f"experiments/{experiment_id}/runs")
    return {"runs": runs, **{view: views.link(server, experiment_id, view) for view in known}}


def serve(tracking_uri: str, experiment: str) -> int:
    """Runs the server until it ends or is interrupted; returns its exit status, 0 if interrupted."""
    port = free_port()
    address = f"http://{HOST}:{port}"
    print(f"Starting MLflow's UI on {without_passwords(tracking_uri)} …", flush=True)
    # In a session of its own, the server's processes do not receive Ctrl-C and can be ended together.
    process = subprocess.Popen(command(tracking_uri, port), env={**ENVIRONMENT, **os.environ}, start_new_session=True)
    try:
        if _answers(address, process):
            print(f"\n    {address}\n", flush=True)
            for view, link in links(address, experiment).items():
                print(f"    {view:9} {link}")
            print("\nPress Ctrl-C to stop it.", flush=True)
        return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        _end(process)


def _answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    """Waits for the server to answer; returns False if it ends first or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return True
        except UNREACHABLE:
            time.sleep(0.3)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the server and its workers."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=10)
    except ProcessLookupError:
        return
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def parser() -> argparse.ArgumentParser:
    """The parser of this verb's words."""
    program = "distillation-sweep ui"
    words = argparse.ArgumentParser(
        program,
        usage=f"{program} [CONFIG.yaml] [key.path=value ...]",
        description="Serves MLflow's UI with the runs of a sweep, on this machine only.",
    )
    words.add_argument(
        "words",
        nargs="*",
        metavar=WORDS,
        help="the words of the sweep, which say where its runs are; default: the demo's",
    )
    return words


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the verb. The exit status is the server's, 0 if interrupted, 2 if there is nothing to show."""
    own = parser()
    words: list[str] = own.parse_args(arguments).words
    files = [Path(word) for word in words if "=" not in word]
    if len(files) > 1:
        own.error(f"got {len(files)} config files; give one, or none for the demo")
    try:
        config = load(files[0] if files else None, [word for word in words if "=" in word])
    except InputError as error:
        print(error, file=sys.stderr)
        return WRONG_CALL
    uri = config.tracking_url
    if uri.startswith(("http://", "https://")):
        print(f"The runs of {config.name} are on {without_passwords(uri)}")
        return 0
    if file := missing_database(uri):
        print(
            f"tracking_uri: got {without_passwords(uri)}; {file} does not exist yet; a sweep creates it (`make demo`)",
            file=sys.stderr,
        )
        return WRONG_CALL
    signal.signal(signal.SIGTERM, _interrupt)
    return serve(uri, config.name)


if __name__ == "__main__":
    sys.exit(main())
