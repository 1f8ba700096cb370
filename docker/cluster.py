"""`make cluster`: secrets, images, containers, and the word when all of it is up. Needs Docker with Compose alone.

    python docker/cluster.py up [--workers N] [--gpu]      python docker/cluster.py down      … purge [--yes]

The secrets are made once, in `.env` beside the compose file, which Compose reads by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
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
    """Adds the secrets that are missing to the file, which only its owner can read."""
    there = settings()
    missing = [name for name in SECRETS if not there.get(name)]
    os.close(os.open(ENV, os.O_WRONLY | os.O_CREAT, 0o600))
    ENV.chmod(0o600)
    with ENV.open("a") as file:
        file.writelines(f"{name}={secrets.token_hex(32)}\n" for name in missing)


def settings() -> dict[str, str]:
    """What the file says, under what the environment does."""
    lines = ENV.read_text().splitlines() if ENV.exists() else []
    return {name: value for line in lines for name, found, value in [line.partition("=")] if found} | dict(os.environ)


def compose() -> list[str]:
    """Compose v2, else docker-compose 1.29."""
    for command in (["docker", "compose"], ["docker-compose"]):
        try:
            subprocess.run([*command, "version"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return command
    raise SystemExit("Docker with Compose is needed: neither `docker compose` nor `docker-compose` runs here")


def run(*words: str, **environment: str) -> int:
    return subprocess.run([*compose(), *words], cwd=ROOT, env={**os.environ, **environment}).returncode


def git_commit() -> str:
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def up(workers: int, gpu: bool) -> int:
    make_secrets()
    here = settings()
    environment = {
        "GIT_COMMIT": git_commit(),
        # Ray in a container sees all of the host's CPUs: each worker gets its share.
        "RAY_WORKER_CPUS": here.get("RAY_WORKER_CPUS") or str(max(1, (os.cpu_count() or 1) // workers)),
    }
    if gpu:
        environment |= {"VARIANT": "gpu", "COMPOSE_PROFILES": "gpu"}
    kind, other = ("ray-worker-gpu", "ray-worker") if gpu else ("ray-worker", "ray-worker-gpu")
    scale = ["--scale", f"{kind}={workers}", *(["--scale", f"{other}=0"] if gpu else [])]
    # Compose v2 makes both images at once by itself.
    at_once = ["--parallel"] if compose() == ["docker-compose"] else []
    status = run("build", *at_once, **environment) or run("up", "--detach", *scale, **environment)
    if status:
        return status
    ray, mlflow = (
        f"http://127.0.0.1:{here.get('RAY_PORT', '8265')}",
        f"http://127.0.0.1:{here.get('MLFLOW_PORT', '5000')}",
    )
    wait(ray, here["RAY_AUTH_TOKEN"], workers + 1)
    print(f"""
MLflow           {mlflow}   sign in as admin
Ray's dashboard  {ray}   asks for the token
The credentials are in {ENV}: MLFLOW_ADMIN_PASSWORD, RAY_AUTH_TOKEN

    make submit CONFIG=sweep.yaml
""")
    return 0


def wait(ray: str, token: str, num_nodes: int) -> None:
    """Until so many nodes are alive."""
    until, alive = time.monotonic() + UP_SECONDS, 0
    request = urllib.request.Request(f"{ray}/nodes?view=summary", headers={"Authorization": f"Bearer {token}"})
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                nodes = json.load(answer)["data"]["summary"]
            alive = sum(node["raylet"]["state"] == "ALIVE" for node in nodes)
        except (OSError, KeyError, ValueError):
            alive = 0
        if alive >= num_nodes:
            return
        time.sleep(1)
    raise SystemExit(f"{alive} of {num_nodes} Ray nodes are up after {UP_SECONDS} s: look at `docker compose logs`")


def purge(is_sure: bool) -> int:
    """Removes containers, volumes and secrets, which go together: the database keeps the password it was made with."""
    if not is_sure and input("Remove all runs, results, artifacts and secrets of this cluster? [yes/no] ") != "yes":
        print("nothing removed")
        return 1
    make_secrets()  # Compose reads no file without them
    status = run("down", "--volumes", "--remove-orphans", COMPOSE_PROFILES="gpu")
    if status == 0:
        ENV.unlink()
    return status


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["up", "down", "purge"])
    parser.add_argument("--workers", type=int, default=1, help="Ray workers on this machine")
    parser.add_argument("--gpu", action="store_true", help="workers with NVIDIA GPUs")
    parser.add_argument("--yes", action="store_true", help="purge without a question")
    asked = parser.parse_args()
    if asked.workers < 1:
        parser.error("--workers: at least 1")
    if asked.action == "up":
        return up(asked.workers, asked.gpu)
    if asked.action == "purge":
        return purge(asked.yes)
    make_secrets()
    return run("down", "--remove-orphans", COMPOSE_PROFILES="gpu")


if __name__ == "__main__":
    sys.exit(main())
