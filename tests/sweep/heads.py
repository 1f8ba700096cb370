"""A Ray head that takes jobs, and a copy of the checkout to submit from: made once for all tests of jobs."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from sweep.jobs import schedule
from tests.sweep.tiny import base

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
UPLOAD_LIMIT_BYTES = 100 * 2**20


def free_ports(number: int) -> list[str]:
    """Ports that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [str(each.getsockname()[1]) for each in sockets]


@dataclass(frozen=True)
class Head:
    """A Ray head that takes jobs."""

    address: str
    environment: dict[str, str]

    def submit(self, name: str, *entrypoint: str, folder: Path) -> tuple[int, str]:
        """Runs a job to its end from a working directory; the exit status of its driver, and its log."""
        words = ["--address", self.address, "--submission-id", name, "--working-dir", ".", "--", *entrypoint]
        done = subprocess.run(
            [BIN / "ray", "job", "submit", *words],
            cwd=folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        request = urllib.request.Request(
            f"{self.address}/api/jobs/{name}",
            headers={"Authorization": f"Bearer {self.environment['RAY_AUTH_TOKEN']}"},
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)["driver_exit_code"], done.stdout + done.stderr
        except urllib.error.HTTPError:
            raise AssertionError(done.stdout + done.stderr) from None


def is_up(agent_port: str) -> bool:
    """Whether the node of this agent takes work; the address needs no token."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{agent_port}/api/local_raylet_healthz", timeout=5):
            return True
    except OSError:
        return False


@pytest.fixture(scope="session")
def head() -> Iterator[Head]:
    """In an activated environment, as a user starts it; behind a token of its own."""
    ports = free_ports(5)
    kinds = ("--port", "--dashboard-port", "--ray-client-server-port", "--dashboard-agent-listen-port")
    # Short: sockets below it have paths of 107 characters at most.
    folder = tempfile.mkdtemp(prefix="ray-")
    left_out = ("RAY_", "MLFLOW_", "SWEEP_")
    surroundings = {
        **{name: value for name, value in os.environ.items() if not name.startswith(left_out)},
        **schedule.ENVIRONMENT,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "COLUMNS": "120",
    }
    command = [BIN / "ray", "start", "--head", "--block", "--num-cpus", "2", "--temp-dir", folder]
    command += ["--object-store-memory", str(schedule.OBJECT_STORE_BYTES)]
    command += ["--metrics-export-port", ports[4], "--min-worker-port", "0", "--max-worker-port", "0"]
    command += [word for pair in zip(kinds, ports[:4], strict=True) for word in pair]
    with tempfile.TemporaryFile("w+") as log:
        started = subprocess.Popen(command, env=surroundings, stdout=log, stderr=log, start_new_session=True)
        try:
            made = Head(f"http://127.0.0.1:{ports[1]}", surroundings)
            deadline = time.monotonic() + 600
            while not is_up(agent_port=ports[3]):
                log.seek(0)
                assert started.poll() is None, log.read()
                assert time.monotonic() < deadline, log.read()
                time.sleep(0.5)
            yield made
        finally:
            started.terminate()  # alone: it drains the node, for which the other processes have to be there
            with suppress(subprocess.TimeoutExpired):
                started.wait(timeout=45)
            with suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)
            started.wait()
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project beside whose files lie an environment and runs, each larger than an upload may be."""
    folder = tmp_path_factory.mktemp("checkout") / "project"
    for name in ("sweep", "trainables"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".gitignore", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    for name in (".venv", "runs"):
        (folder / name).mkdir()
        with (folder / name / "large").open("wb") as file:
            file.truncate(UPLOAD_LIMIT_BYTES + 1)
    # What workers write into their records shows which source they have: the uploaded, or the installed one.
    with (folder / "sweep" / "records" / "environment.py").open("a") as file:
        file.write('\n\ndef host() -> str:\n    return "the-uploaded-source"\n')
    tiny = {"name": "tiny", "base": base("bert"), "axes": {"strategy": ["forward", "none"]}, "resources": {"cpus": 2}}
    (folder / "tiny.yaml").write_text(json.dumps(tiny))
    return folder
