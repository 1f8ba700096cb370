"""`make cluster`: creates secrets, images and containers, and waits until all nodes are up. Needs Docker with Compose.

    python docker/cluster.py up [--workers N] [--gpu]      python docker/cluster.py down      … purge [--yes]

The secrets are created once, in `.env` beside the compose file, where Compose reads them.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENV = ROOT / ".env"
SECRETS = (
    "RAY_AUTH_TOKEN",
    "MLFLOW_ADMIN_PASSWORD",
    "MLFLOW_DRIVER_PASSWORD",
    "MLFLOW_TRIALS_PASSWORD",
    "MLFLOW_SESSION_KEY",
    "MLFLOW_DATABASE_PASSWORD",
    "POSTGRES_PASSWORD",
)
UP_SECONDS = 300


def make_secrets() -> None:
    """Adds missing secrets to the file, which only its owner can read."""
    current = settings()
    missing = [name for name in SECRETS if not current.get(name)]
    os.close(os.open(ENV, os.O_WRONLY | os.O_CREAT, 0o600))
    ENV.chmod(0o600)
    with ENV.open("a") as file:
        file.writelines(f"{name}={secrets.token_hex(32)}\n" for name in missing)


def settings() -> dict[str, str]:
    """The settings of the file; the environment takes precedence."""
    lines = ENV.read_text().splitlines() if ENV.exists() else []
    return {name: value for line in lines for name, equals, value in [line.partition("=")] if equals} | dict(os.environ)


def compose() -> list[str]:
    """The command of Compose v2, or else of docker-compose 1.29."""
    for command in (["docker", "compose"], ["docker-compose"]):
        try:
            subprocess.run([*command, "version"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return command
    raise SystemExit("Docker with Compose is needed, but neither `docker compose` nor `docker-compose` runs here")


def run(*words: str, **environment: str) -> int:
    return subprocess.run([*compose(), *words], cwd=ROOT, env={**os.environ, **environment}).returncode


def git_commit() -> str:
    try:
        process = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return process.stdout.strip() or "unknown"


def up(workers: int, gpu: bool) -> int:
    make_secrets()
    current = settings()
    environment = {
        "GIT_COMMIT": git_commit(),
        # Ray in a container sees all CPUs of the host, so each worker is limited to its share.
        "RAY_WORKER_CPUS": current.get("RAY_WORKER_CPUS") or str(max(1, (os.cpu_count() or 1) // workers)),
    }
    if gpu:
        environment |= {"VARIANT": "gpu", "COMPOSE_PROFILES": "gpu"}
    kind, other = ("ray-worker-gpu", "ray-worker") if gpu else ("ray-worker", "ray-worker-gpu")
    scale = ["--scale", f"{kind}={workers}", *(["--scale", f"{other}=0"] if gpu else [])]
    # Compose v2 builds images in parallel by default.
    parallel = ["--parallel"] if compose() == ["docker-compose"] else []
    status = run("build", *parallel, **environment) or run("up", "--detach", *scale, **environment)
    if status:
        return status
    ray, mlflow = (
        f"http://127.0.0.1:{current.get('RAY_PORT', '8265')}",
        f"http://127.0.0.1:{current.get('MLFLOW_PORT', '5000')}",
    )
    wait(ray, current["RAY_AUTH_TOKEN"], workers + 1)
    print(f"""
MLflow           {mlflow}   sign in as admin
Ray's dashboard  {ray}   enter the token
The credentials are in {ENV}: MLFLOW_ADMIN_PASSWORD, RAY_AUTH_TOKEN

    make submit CONFIG=sweep.yaml
""")
    return 0


def wait(ray: str, token: str, num_nodes: int) -> None:
    """Waits until `num_nodes` nodes are alive. Raises SystemExit after UP_SECONDS."""
    deadline, alive = time.monotonic() + UP_SECONDS, 0
    request = urllib.request.Request(f"{ray}/nodes?view=summary", headers={"Authorization": f"Bearer {token}"})
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                nodes = json.load(answer)["data"]["summary"]
            alive = sum(node["raylet"]["state"] == "ALIVE" for node in nodes)
        except (OSError, KeyError, ValueError):
            alive = 0
        if alive >= num_nodes:
            return
        time.sleep(1)
    raise SystemExit(f"{alive} of {num_nodes} Ray nodes are up after {UP_SECONDS} s; see `docker compose logs`")


def purge(is_sure: bool) -> int:
    """Removes containers, volumes and secrets together, because the database keeps its first password."""
    if not is_sure and input("Remove all runs, results, artifacts and secrets of this cluster? [yes/no] ") != "yes":
        print("Nothing was removed.")
        return 1
    make_secrets()  # Compose needs them to read its file
    status = run("down", "--volumes", "--remove-orphans", COMPOSE_PROFILES="gpu")
    if status == 0:
        ENV.unlink()
    return status


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["up", "down", "purge"])
    parser.add_argument("--workers", type=int, default=1, help="Ray workers on this machine")
    parser.add_argument("--gpu", action="store_true", help="workers with NVIDIA GPUs")
    parser.add_argument("--yes", action="store_true", help="purge without confirmation")
    options = parser.parse_args()
    if options.workers < 1:
        parser.error(f"--workers: got {options.workers}; give at least 1")
    if options.action == "up":
        return up(options.workers, options.gpu)
    if options.action == "purge":
        return purge(options.yes)
    make_secrets()
    return run("down", "--remove-orphans", COMPOSE_PROFILES="gpu")


if __name__ == "__main__":
    sys.exit(main())
