"""docs/walk.md as a person goes it: its config, its commands and its service, on questions like TREC's."""

from __future__ import annotations

import csv
import json
import os
import random
import runpy
import shlex
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from http.server import HTTPServer
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sweep.records.archive import Sweep
from sweep.records.storage import Storage
from sweep.report.report import Report
from tests.pages import ROOT, blocks, commands

PAGE = "docs/walk.md"
ASKED = {"person": ("who wrote", "who found"), "number": ("how many", "how few"), "place": ("where is", "where stands")}
SIZES, THINGS = ("old", "new", "tall", "small"), ("tower", "novel", "tree", "city")


class Walk(NamedTuple):
    """The folder in which the commands ran, and what each showed."""

    folder: Path
    shown: dict[str, str]

    @property
    def report(self) -> Report:
        storage = Storage(str(self.folder / "runs"))
        return Report.of(storage, Sweep.load(storage, "trec"))

    @property
    def student(self) -> Path:
        student = self.report.student
        assert student is not None
        return Path(student.path)


def write_questions(folder: Path) -> None:
    """Every question once: two of three for training, without a validation file."""
    rows = [
        (f"{start} the {size} {thing} {number}", label)
        for label, starts in ASKED.items()
        for start, size, thing, number in product(starts, SIZES, THINGS, range(4))
    ]
    random.Random(0).shuffle(rows)
    for name, part in (("train", rows[: len(rows) * 2 // 3]), ("test", rows[len(rows) * 2 // 3 :])):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("question", "label"), *part])
    lines = [json.dumps({"question": row[0]}) for row in rows[-5:]]
    (folder / "new.jsonl").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    folder = tmp_path_factory.mktemp("walk")
    write_questions(folder)
    (folder / "trec.yaml").write_text(next(block.text for block in blocks("yaml") if block.page == PAGE))
    environment = {name: value for name, value in os.environ.items() if name not in ("SWEEP_STORAGE", "RAY_ADDRESS")}
    shown: dict[str, str] = {}
    for said in commands():
        if said.page == PAGE and said.text.startswith("distillation-sweep "):
            words = [sys.executable, "-c", "from sweep.cli import main; main()", *shlex.split(said.text)[1:]]
            done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
            assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
            shown[said.text] = done.stdout
    return Walk(folder, shown)


def test_the_walk_has_a_plan_a_sweep_and_answers(walk: Walk) -> None:
    plan, sweep, show, predict = walk.shown.values()
    assert "teachers: 1 to do; cells: 2 to do" in plan
    for shown in (sweep, show):
        assert {"onnx/model.onnx", "onnx/model_int8.onnx", "itself"} <= set(shown.split())
    assert (walk.folder / "new.answers.jsonl").is_file()
    assert predict == "Wrote 5 answers to new.answers.jsonl.\n"


def test_both_forms_stand_beside_the_best_student(walk: Walk) -> None:
    own, whole, small = walk.report.form_lines
    assert own.test is not None
    assert own.test > 0.5  # of three classes
    assert whole.test == own.test
    assert small.test == pytest.approx(own.test, abs=0.1)


@pytest.fixture
def service(walk: Walk) -> Iterator[HTTPServer]:
    server: HTTPServer = runpy.run_path(str(ROOT / "docs" / "serve.py"))["server"](
        walk.student / "onnx" / "model.onnx", port=0
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_service_answers_as_the_student_was_tested(walk: Walk, service: HTTPServer) -> None:
    file = walk.student.parent / "predictions.jsonl"
    rows: list[dict[str, Any]] = [json.loads(line) for line in file.read_text().splitlines()]
    body = json.dumps([row["text"] for row in rows]).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{service.server_port}", data=body, timeout=600) as answer:
        answers = json.load(answer)
    assert [each["class"] for each in answers] == [row["prediction"] for row in rows]
    assert all(1 / 3 <= each["probability"] <= 1 for each in answers)
