"""`make submit`: what it refuses at once, and the exit status, log and commit of a job on a head of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from sweep.cluster import submit, upload
from tests.sweep.heads import Head
from tests.sweep.tiny import base
from trainables.errors import InputError

TINY = {"name": "tiny", "base": base("bert"), "axes": {"strategy": ["forward"]}}


def run(head: Head, folder: Path, *words: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "sweep.cluster.submit", *words, "--address", head.address],
        cwd=folder,
        env={**head.environment, **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_submission_is_followed_and_the_next_one_has_the_next_number(
    head: Head,
    checkout: Path,
    tmp_path: Path,
) -> None:
    words = ("tiny.yaml", f"storage={tmp_path / 'runs'}", "axes.strategy=[none]")
    commit = "f" * 40
    status, shown = run(head, checkout, *words, SWEEP_GIT_COMMIT=commit, SWEEP_GIT_DIRTY="false")
    assert status == 0, shown
    assert shown.startswith(f"tiny-1: python sweep/run.py tiny.yaml storage={tmp_path / 'runs'}"), shown
    result = next((tmp_path / "runs").glob("cells/*/result.json"))
    assert json.loads(result.read_text())["environment"]["git_commit"] == commit
    status, shown = run(head, checkout, *words)
    assert status == 0, shown
    assert shown.startswith("tiny-2: ")
    assert "nothing to run: teachers: 1 done; cells: 1 done" in shown.splitlines()


def test_the_status_is_the_drivers_own(head: Head, checkout: Path) -> None:
    status, shown = run(head, checkout, "tiny.yaml", "storage=runs")
    assert status == 2, shown
    assert "storage: got 'runs', which is relative" in shown


def test_what_the_laptop_knows_to_be_wrong_is_not_submitted(head: Head, checkout: Path) -> None:
    status, shown = run(head, checkout, "tiny.yaml", "axes.strategy=[backward]", "resorces.cpus=1")
    assert status == 2, shown
    assert "resorces" in shown
    assert "tiny-" not in shown


def test_the_token_is_that_of_the_cluster_beside_it(head: Head, checkout: Path) -> None:
    surroundings = {name: value for name, value in head.environment.items() if not name.startswith("RAY_AUTH")}
    (checkout / ".env").write_text(f"OTHER=1\nRAY_AUTH_TOKEN={head.environment['RAY_AUTH_TOKEN']}\n")
    try:
        status, shown = run(Head(head.address, surroundings), checkout, "tiny.yaml", "storage=runs")
    finally:
        (checkout / ".env").unlink()
    assert status == 2, shown
    assert "storage: got 'runs', which is relative" in shown  # the driver's own words


def test_a_wrong_token_is_refused(head: Head, checkout: Path) -> None:
    status, shown = run(head, checkout, "tiny.yaml", RAY_AUTH_TOKEN="0" * 64)
    assert status == 2, shown
    assert shown.startswith("RAY_AUTH_TOKEN: ")
    assert "Traceback" not in shown


def test_where_no_cluster_answers(checkout: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sweep.cluster.submit", "tiny.yaml", "--address", "http://127.0.0.1:9"],
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("--address: got http://127.0.0.1:9; nothing answers there"), done.stderr


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a submission, beside which lies a file that does not go with it."""
    root = tmp_path / "project"
    (root / "data").mkdir(parents=True)
    for path in (tmp_path / "outside.jsonl", root / "data" / "train.jsonl", root / "data" / "large.jsonl"):
        path.write_text("{}")
    (root / "teacher").mkdir()
    (root / ".rayignore").write_text("large.jsonl\n")
    monkeypatch.chdir(root)
    return root


def said(folder: Path, **files: str) -> dict[str, str]:
    config = folder / "sweep.yaml"
    config.write_text(json.dumps({**TINY, "base": {"task": {"files": files}}}))
    return {problem.path: problem.message for problem in upload.problems(config, (), folder)}


def test_data_that_go_with_the_job_are_fine(folder: Path) -> None:
    assert said(folder, train="data/train.jsonl", test="./data/../data/train.jsonl", validation="s3://there/v") == {}
    assert said(folder, train="/only/on/the/nodes.jsonl") == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("../outside.jsonl", "it does not lie below"),
        ("data/missing.jsonl", "there is no such file"),
        ("data/large.jsonl", "a .gitignore or .rayignore excludes it"),
        ("{absolute}", "other machines may not have it"),
    ],
)
def test_data_that_do_not_go_with_the_job_are_refused(folder: Path, text: str, reason: str) -> None:
    text = text.format(absolute=folder / "data" / "train.jsonl")
    messages = said(folder, train=text)
    assert set(messages) == {"base.task.files.train"}
    assert messages["base.task.files.train"].partition("; ")[2].startswith(reason)


def test_a_teacher_of_this_machine_is_refused_and_an_id_of_the_hub_is_not(folder: Path) -> None:
    def teacher(text: str) -> list[str]:
        return [problem.path for problem in upload.problems(None, [f"base.model.teacher={text}"], folder)]

    assert teacher("teacher") == ["base.model.teacher"]
    assert teacher("someone/teacher") == []
    assert teacher("/sweeps/teacher") == []


def test_a_config_from_elsewhere_is_refused(folder: Path) -> None:
    config = folder.parent / "sweep.yaml"
    config.write_text(json.dumps(TINY))
    with pytest.raises(InputError, match=r"^config: got .*it does not lie below"):
        submit.prepare([str(config)], folder)


class Cluster:
    """Stands in for a cluster whose jobs ended so, and whose log tears."""

    def __init__(
        self, log: str = "", torn_after: int | None = None, torn_by: Exception | None = None, **job: Any
    ) -> None:
        self._log, self._torn_after, self._torn_by = log, torn_after, torn_by
        self._job = SimpleNamespace(**{"driver_exit_code": None, "message": "", **job})

    async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
        for position in range(0, len(self._log), 4):
            if self._torn_after is not None and position >= self._torn_after:
                self._torn_after = None
                assert self._torn_by is not None
                raise self._torn_by
            yield self._log[position : position + 4]

    def get_job_logs(self, job: str) -> str:
        return self._log

    def get_job_info(self, job: str) -> Any:
        return self._job


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        ("SUCCEEDED", 0, 0),
        ("FAILED", 1, 1),
        ("FAILED", 2, 2),
        ("FAILED", 130, 130),
        ("FAILED", -9, 1),
        ("FAILED", None, 1),
        ("STOPPED", None, 130),
        ("RUNNING", None, None),
    ],
)
def test_exit_status(status: str, code: int | None, expected: int | None) -> None:
    from ray.job_submission import JobStatus

    job = SimpleNamespace(status=JobStatus(status), driver_exit_code=code, message="why")
    assert submit.exit_status(job) == expected


@pytest.mark.parametrize(
    "torn_by",
    [
        RuntimeError("WebSocket connection closed unexpectedly with close code 1006"),
        aiohttp.ServerDisconnectedError(),
        ConnectionRefusedError(),
    ],
)
def test_a_torn_log_is_taken_up_where_it_tore(torn_by: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    from ray.job_submission import JobStatus

    text = "first line\nsecond line\nthird line\n"
    cluster: Any = Cluster(text, torn_after=12, torn_by=torn_by, status=JobStatus.FAILED, driver_exit_code=2)
    assert submit.follow(cluster, "tiny-1") == 2
    assert capsys.readouterr().out == text


def test_what_a_closed_connection_left_out_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    cluster: Any = Cluster("whole")
    log = submit.Log(cluster, "tiny-1")
    asyncio.run(log.tail())
    cluster._log = "whole log"
    log.rest()
    assert capsys.readouterr().out == "whole log"
