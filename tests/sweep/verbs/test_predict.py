"""The answers of a saved student to a file, against those that it gave to the same rows when it was tested."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sweep.verbs import predict
from tests.trainables.test_plain import CASES, Made, made

NAMES = ("one text", "words", "questions")


@pytest.fixture(scope="module", params=NAMES)
def student(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Path]:
    """A student as a storage has it: its folder lies below that of its cell."""
    place = tmp_path_factory.mktemp("made")
    done = made(CASES[request.param], place)
    cell = place / "cells" / "c0ffee"
    folder = shutil.copytree(done.folder / "student", cell / "attempts" / "1" / "student")
    (cell / "cell.json").write_text(json.dumps({"config": done.config.model_dump(mode="json")}))
    return done, folder


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_the_rows_of_the_test_split_get_the_recorded_answers(
    student: tuple[Made, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    done, folder = student
    file = folder.parents[4] / "test.jsonl"
    assert predict.main(["--sweep", str(folder), "--file", str(file)]) == 0
    assert [
        {"split": "test", "row": row, **line} for row, line in enumerate(lines(file.with_name("test.answers.jsonl")))
    ] == done.recorded
    assert f"with a reference: {len(done.data.test)} rows, " in capsys.readouterr().out


def test_rows_without_an_answer_get_one(student: tuple[Made, Path], tmp_path: Path) -> None:
    done, folder = student
    kept = {"text", "words", "story", "questions"}
    records = [json.loads(line) for line in (folder.parents[4] / "test.jsonl").read_text().splitlines()]
    bare = [{name: value for name, value in record.items() if name in kept} for record in records]
    (tmp_path / "new.jsonl").write_text("".join(json.dumps(record) + "\n" for record in [*records, *bare]))
    out = tmp_path / "out.jsonl"
    assert predict.main(["--sweep", str(folder), "--file", str(tmp_path / "new.jsonl"), "--out", str(out)]) == 0
    answered, new = lines(out)[: len(done.recorded)], lines(out)[len(done.recorded) :]
    assert {line["reference"] for line in new} == {line["score"] for line in new} == {None}
    if done.case.task["kind"] == "question_answering":  # a later question follows the answers to the earlier ones
        return
    assert [line["prediction"] for line in new] == [line["prediction"] for line in answered]


def test_what_is_wrong_is_said(student: tuple[Made, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, folder = student
    (tmp_path / "new.jsonl").write_text('{"nothing": 1}\n')
    assert predict.main(["--sweep", str(folder), "--file", str(tmp_path / "new.jsonl")]) == 2
    assert "new.jsonl: there is no such field (row 1: it has nothing" in capsys.readouterr().err
    assert predict.main(["--sweep", str(tmp_path), "--file", "x.jsonl"]) == 2
    assert capsys.readouterr().err == (
        f"--sweep: got {str(tmp_path)!r}, a folder that is no student of a storage; expected …/attempts/<n>/student\n"
    )
