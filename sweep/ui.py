"""`make ui`: MLflow's UI on the runs of a sweep, for this machine alone.

    python -m sweep.ui [CONFIG.yaml] [key.path=value …]

Serves the database that the config tracks to; where it tracks to a server, says where that is.
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
from sweep.spec.passwords import hidden
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
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # the job runner takes a dozen processes more
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PYTHONWARNINGS": "ignore",  # of MLflow's own about what it imports: nothing that its user could mend
}
UNREACHABLE = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)


def free_port(first: int = FIRST_PORT) -> int:
    """The first port from `first` on that nobody listens on. Raises OSError where a hundred are taken."""
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
    """The server: one worker, this machine only."""
    server = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", tracking_uri]
    return [*server, "--host", HOST, "--port", str(port), "--workers", "1", "--uvicorn-opts", "--log-level warning"]


def missing_database(tracking_uri: str) -> Path | None:
    """The SQLite file of the URI, where it is not there."""
    if not tracking_uri.startswith("sqlite:///"):
        return None
    file = Path(tracking_uri.removeprefix("sqlite:///"))
    return None if file.exists() else file


def links(server: str, experiment: str) -> dict[str, str]:
    """The addresses of the sweep's ready-made views, as far as its experiment has them."""
    name = urllib.parse.quote(experiment)
    try:
        path = f"{server}/api/2.0/mlflow/experiments/get-by-name?experiment_name={name}"
        with urllib.request.urlopen(path, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)["experiment"]
    except UNREACHABLE:
        return {}
    tags = {tag["key"] for tag in found.get("tags", [])}
    return {view: views.link(server, found["experiment_id"], view) for view in views.VIEWS if f"{VIEW}{view}" in tags}


def serve(tracking_uri: str, experiment: str) -> int:
    """Runs the server until it ends or is interrupted; its exit status, 0 where it was interrupted."""
    port = free_port()
    address = f"http://{HOST}:{port}"
    print(f"starting MLflow's UI on {hidden(tracking_uri)} …", flush=True)
    # A session of its own: the server's processes get no Ctrl-C themselves, and are ended together.
    process = subprocess.Popen(command(tracking_uri, port), env={**ENVIRONMENT, **os.environ}, start_new_session=True)
    try:
        if _answers(address, process):
            print(f"\n    {address}\n", flush=True)
            for view, link in links(address, experiment).items():
                print(f"    {view:9} {link}")
            print("\nCtrl-C ends it.", flush=True)
        return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        _end(process)


def _answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    """Waits until the server answers; False where it ends before, or takes too long."""
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
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
    """The words of this verb, with their help."""
    program = "distillation-sweep ui"
    words = argparse.ArgumentParser(
        program,
        usage=f"{program} [CONFIG.yaml] [key.path=value ...]",
        description="Serves MLflow's UI on the runs of a sweep, for this machine alone.",
    )
    words.add_argument(
        "words", nargs="*", metavar=WORDS, help="those of the sweep, which say where its runs are; none: the demo's"
    )
    return words


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: the server's, 0 where it was interrupted, 2 where there is nothing to show."""
    own = parser()
    words: list[str] = own.parse_args(arguments).words
    files = [Path(word) for word in words if "=" not in word]
    if len(files) > 1:
        own.error(f"got {len(files)} config files; one, or none for the demo")
    try:
        config = load(files[0] if files else None, [word for word in words if "=" in word])
    except InputError as error:
        print(error, file=sys.stderr)
        return WRONG_CALL
    uri = config.tracking_url
    if uri.startswith(("http://", "https://")):
        print(f"The runs of {config.name} are on {hidden(uri)}")
        return 0
    if file := missing_database(uri):
        print(
            f"tracking_uri: got {hidden(uri)}; there is no {file} yet, a sweep makes it (`make demo`)", file=sys.stderr
        )
        return WRONG_CALL
    signal.signal(signal.SIGTERM, _interrupt)
    return serve(uri, config.name)


if __name__ == "__main__":
    sys.exit(main())
