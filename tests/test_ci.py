"""CI: the order of its steps, the engine that it is given, and the workflow that runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
STEPS = ["check-static docs", "test"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with CI's script alone, beside programs that write down how they are called."""
    (tmp_path / "work" / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", tmp_path / "work" / ".ci")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("make", "chromedriver"):
        (programs / name).write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/{name}.log\n')
        (programs / name).chmod(0o755)
    return tmp_path / "work"


def steps(checkout: Path, **environment: str) -> list[str]:
    """The calls of make."""
    own = {name: value for name, value in os.environ.items() if name != "ENGINE"}
    path = f"{checkout.parent / 'bin'}:{os.environ['PATH']}"
    subprocess.run([checkout / ".ci" / "run"], env={**own, "PATH": path, **environment}, check=True)
    return (checkout.parent / "make.log").read_text().splitlines()


def test_the_engine_of_the_machine_where_there_is_no_script(checkout: Path) -> None:
    assert steps(checkout) == [*STEPS, "test-cluster ENGINE="]


def test_the_script_beside_the_checkout(checkout: Path) -> None:
    script = checkout.parent / "shared" / "docker" / "engine"
    script.parent.mkdir(parents=True)
    script.touch(0o755)
    assert steps(checkout) == [*STEPS, "test-cluster ENGINE=../shared/docker/engine"]


def test_the_script_that_it_is_given(checkout: Path) -> None:
    assert steps(checkout, ENGINE="/opt/engine") == [*STEPS, "test-cluster ENGINE=/opt/engine"]


def test_the_workflow_runs_it() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert job["timeout-minutes"] == 90
