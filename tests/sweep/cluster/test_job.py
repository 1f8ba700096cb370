"""The sweep as a submitted Ray job: a head of its own, the command of the README, from a copy of the checkout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sweep.jobs import reach
from sweep.records import environment
from sweep.spec.sweep import SweepConfig
from tests.sweep.heads import BIN, Head
from trainables.errors import InputError

COMMAND = ("python", "sweep/run.py", "tiny.yaml")


def test_a_job_runs_the_sweep_and_the_same_job_again_finds_it_done(head: Head, checkout: Path, tmp_path: Path) -> None:
    storage = tmp_path / "runs"
    command = (*COMMAND, f"storage={storage}")
    status, log = head.submit("first", *command, folder=checkout)
    assert status == 0, log
    results = sorted(storage.glob("cells/*/result.json"))
    assert len(results) == 2
    assert len(list(storage.glob("teachers/*/teacher.json"))) == 1
    attempts = sorted(storage.glob("*/*/attempts/*/attempt.json"))
    assert {json.loads(file.read_text())["host"] for file in attempts} == {"the-uploaded-source"}
    uploaded = environment.hash_sources([checkout / "sweep", checkout / "trainables"])
    assert {json.loads(file.read_text())["environment"]["source_hash"] for file in results} == {uploaded}

    def written() -> dict[Path, int]:
        return {file: file.stat().st_mtime_ns for file in storage.glob("[ct]e*/**/*") if file.is_file()}

    table, before = (storage / "sweeps" / "tiny" / "results.csv").read_bytes(), written()
    status, log = head.submit("second", *command, folder=checkout)
    assert status == 0, log
    assert "nothing to run: teachers: 1 done; cells: 2 done" in log.splitlines()
    assert (storage / "sweeps" / "tiny" / "results.csv").read_bytes() == table
    assert written() == before


def test_a_job_refuses_a_storage_that_would_go_with_it(head: Head, checkout: Path) -> None:
    status, log = head.submit("relative", "sh", "-c", f"command -v python; {' '.join(COMMAND)}", folder=checkout)
    assert status == 2, log
    assert f"{BIN / 'python'}\n" in log
    said = "in a submitted job, use an absolute path or a URL that every node reaches"
    assert f"storage: got 'runs', which is relative; {said}" in log.splitlines()
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("given", "variable", "is_refused"),
    [
        (None, None, True),
        ("here/runs", None, True),
        (None, "./runs", True),
        ("/shared/runs", "runs", False),
        ("~/runs", None, False),
        ("memory://runs", None, False),
        (None, "/shared/runs", False),
    ],
)
def test_a_relative_storage_is_an_error_in_a_job_alone(
    given: str | None, variable: str | None, is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = SweepConfig(name="tiny", storage=given)
    monkeypatch.delenv("SWEEP_STORAGE", raising=False)
    if variable:
        monkeypatch.setenv("SWEEP_STORAGE", variable)
    reach.check(config, [])
    monkeypatch.setenv(reach.JOB_VARIABLE, "{}")
    if is_refused:
        with pytest.raises(InputError, match=r"^storage: got "):
            reach.check(config, [])
    else:
        reach.check(config, [])
