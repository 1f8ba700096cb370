"""A cluster of its own for the tests: a copy of the checkout, a project, ports and secrets that nobody else uses."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROJECT = "sweep-cluster-test"
LEFT_OUT = ("RAY_", "MLFLOW_", "SWEEP_", "COMPOSE_")


def copy_checkout(folder: Path) -> None:
    """What git knows of the checkout, and what it would add; a repository of one commit."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(command, cwd=ROOT, text=True).splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    author = ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"]
    for words in (["init", "--quiet"], ["add", "."], [*author, "commit", "--quiet", "--message", "The checkout"]):
        subprocess.run(["git", *words], cwd=folder, check=True)


@dataclass
class Cluster:
    """The compose file, up. `folder` is the copy of the checkout that jobs are submitted from."""

    folder: Path
    ray_port: str
    mlflow_port: str

    @cached_property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(LEFT_OUT)}
        return kept | {
            "COMPOSE_PROJECT_NAME": PROJECT,
            "IMAGE": PROJECT,
            "RAY_PORT": self.ray_port,
            "MLFLOW_PORT": self.mlflow_port,
            "RAY_WORKER_CPUS": "2",
            "RAY_WORKER_MEMORY": "4g",
            "RAY_HEAD_MEMORY": "4g",
            "PYTHONPATH": str(self.folder),
            "COLUMNS": "120",
        }

    @property
    def ray(self) -> str:
        return f"http://127.0.0.1:{self.ray_port}"

    @property
    def mlflow(self) -> str:
        return f"http://127.0.0.1:{self.mlflow_port}"

    @property
    def pages(self) -> str:
        """MLflow's address for people: without a workspace its UI asks for one."""
        return f"{self.mlflow}/?workspace=default"

    @property
    def commit(self) -> str:
        return subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=self.folder, text=True).strip()

    @property
    def secrets(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in (self.folder / ".env").read_text().splitlines())

    def make(self, *words: str) -> None:
        """docker/cluster.py, as `make` calls it."""
        done = self._run([sys.executable, "docker/cluster.py", *words])
        assert done.returncode == 0, done.stdout[-4000:]

    def compose(self, *words: str) -> str:
        done = self._run([*_compose(), *words])
        assert done.returncode == 0, done.stdout
        return done.stdout

    def docker(self, *words: str) -> str:
        done = self._run(["docker", *words])
        assert done.returncode == 0, done.stdout
        return done.stdout

    def container(self, service: str, number: int = 1) -> str:
        """The id of a container of a service."""
        labels = {"project": PROJECT, "service": service, "container-number": str(number)}
        filters = [f"--filter=label=com.docker.compose.{name}={value}" for name, value in labels.items()]
        return self.docker("ps", "--all", "--quiet", *filters).strip()

    def submission(self, *words: str) -> subprocess.Popen[str]:
        """`make submit`, under way."""
        return subprocess.Popen(
            [sys.executable, "-m", "sweep.cluster.submit", *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def submit(self, *words: str) -> tuple[int, str]:
        """`make submit` to its end: its exit status and what it printed."""
        process = self.submission(*words)
        shown, _ = process.communicate(timeout=1100)
        return process.returncode, shown

    def write(self, name: str, config: Mapping[str, Any]) -> str:
        (self.folder / name).write_text(json.dumps(config))
        return name

    def results(self, storage: str) -> list[dict[str, Any]]:
        """The manifests of the cells in a folder of the shared storage."""
        code = (
            f"import json, pathlib; files = pathlib.Path('/sweeps/{storage}').glob('cells/*/result.json');"
            "print(json.dumps([{'cell': file.parent.name, **json.loads(file.read_text())} for file in files]))"
        )
        return json.loads(self.docker("exec", self.container("ray-head"), "python", "-c", code))

    def api(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        account: str | None = "admin",
        password: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """A call of MLflow's REST API: status, and the answer."""
        given = {"Content-Type": "application/json", **(headers or {})}
        if account:
            word = password or self.secrets[f"MLFLOW_{account.upper()}_PASSWORD"]
            given["Authorization"] = "Basic " + base64.b64encode(f"{account}:{word}".encode()).decode()
        data = None if body is None else json.dumps(body).encode()
        return fetch(urllib.request.Request(self.mlflow + path, data, given, method=method))

    def experiment_id(self, sweep: str) -> str:
        status, found = self.api("GET", f"/api/2.0/mlflow/experiments/get-by-name?experiment_name={sweep}")
        assert status == 200, found
        return found["experiment"]["experiment_id"]

    def runs(self, sweep: str, kind: str) -> list[dict[str, Any]]:
        asked = {"experiment_ids": [self.experiment_id(sweep)], "filter": f"tags.kind = '{kind}'"}
        status, answer = self.api("POST", "/api/2.0/mlflow/runs/search", asked)
        assert status == 200, answer
        return answer.get("runs", [])

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )


def fetch(request: urllib.request.Request) -> tuple[int, Any]:
    """Status and answer, as JSON where it is."""
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            status, content = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, content = error.code, error.read()
    try:
        return status, json.loads(content)
    except ValueError:
        return status, content


def tags_of(run: Mapping[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in run["data"]["tags"]}


def metrics_of(run: Mapping[str, Any]) -> dict[str, float]:
    return {metric["key"]: metric["value"] for metric in run["data"].get("metrics", [])}


def _compose() -> list[str]:
    v2 = subprocess.run(["docker", "compose", "version"], capture_output=True)
    return ["docker", "compose"] if v2.returncode == 0 else ["docker-compose"]
