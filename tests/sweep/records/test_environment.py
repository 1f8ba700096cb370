"""Where a sweep runs: commits in real repositories, the hash of the source, plain facts."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from sweep.records import environment
from sweep.records.environment import SweepEnvironment


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_commit_and_dirtiness_of_where_the_command_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "--quiet")
    (tmp_path / "config.yaml").write_text("name: x\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    assert environment.git_commit() == git(tmp_path, "rev-parse", "HEAD")
    assert environment.git_dirty() is False
    (tmp_path / "config.yaml").write_text("name: y\n")
    assert environment.git_dirty() is True


def test_no_repository_and_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert (environment.git_commit(), environment.git_dirty()) == ("unknown", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (environment.git_commit(), environment.git_dirty(), environment.gpus()) == ("unknown", None, [])


def test_source_hash_follows_names_and_contents(tmp_path: Path) -> None:
    hashes: list[str] = []
    for change in ({}, {"sweep/a.py": "x = 2"}, {"trainables/deep/b.py": ""}, {"sweep/readme.md": "no source"}):
        for name, text in {"sweep/__init__.py": "", "trainables/__init__.py": "", **change}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        hashes.append(environment.hash_sources([tmp_path / "sweep", tmp_path / "trainables"]))
    assert len(set(hashes)) == 3
    assert hashes[2] == hashes[3]
    assert environment.source_hash() not in hashes


def test_described_as_plain_data() -> None:
    found = environment.describe()
    assert SweepEnvironment.model_validate_json(found.model_dump_json()) == found
    assert found.versions["torch"] == importlib.metadata.version("torch")
    assert found.num_cpus is not None
    assert found.num_cpus >= 1


def test_describing_imports_no_engine() -> None:
    code = "import sys; from sweep.records import environment; environment.describe(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"torch", "transformers", "ray", "mlflow"} & set(done.stdout.split())


def test_a_worker_is_a_machine_of_its_own() -> None:
    """A driver's whole environment may stand for its code: the worker's host takes the place of the driver's."""
    driver = environment.describe().model_copy(update={"host": "driver", "cpu": "driver's"})
    worker = environment.Environment.of_worker(driver)
    assert (worker.host, worker.cpu) == (environment.host(), environment.cpu())
    assert worker.source_hash == driver.source_hash
    assert "python" not in type(worker).model_fields
