"""The verbs that look after a storage: what they say, and that nothing goes that a sweep names."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.records.archive import ArchivedStudy, Sweep
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.verbs import delete, list, prune, show
from tests.sweep.students.test_keep import archive, finish, left
from tests.sweep.tracked import begin, finish_teacher, make_cell, make_result, make_rows

SCORES = {"a": 0.5, "b": 0.9, "c": 0.7, "d": 0.6}
TEACHER = make_cell().teacher_hash


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Records:
    """Two sweeps that share a cell, on a storage that also has a cell and a teacher of no sweep."""
    monkeypatch.setenv("SWEEP_STORAGE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    records = Records(Storage(str(tmp_path)))
    cells = finish(records, SCORES)
    finish_teacher(records.teacher(TEACHER), {"best/accuracy": 0.95, "test/accuracy": 0.95})
    finish_teacher(records.teacher("other"), {"best/accuracy": 0.8, "test/accuracy": 0.8})
    archive(records.storage, "narrow", [cells["a"]])
    archive(records.storage, "wide", [cells["a"], cells["b"], cells["c"], make_cell("open")])
    return records


def test_a_list_has_a_line_per_sweep(records: Records, capsys: pytest.CaptureFixture[str]) -> None:
    assert list.main([]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip().startswith(("na", "wi"))]
    assert [line[:5] for line in lines] == [["narrow", "1", "of", "1", "done"], ["wide", "3", "of", "4", "done"]]
    assert [line[7:10] for line in lines] == [["2023-11-14", "22:13", "UTC"]] * 2
    assert "validation 0.500, test 0.500 of the teacher's 0.950." in " ".join(lines[0])
    assert "validation 0.900, test 0.900 of the teacher's 0.950." in " ".join(lines[1])


def test_sizes_are_those_of_the_files(records: Records, tmp_path: Path) -> None:
    files = [file for file in (tmp_path / "cells" / "a").rglob("*") if file.is_file()]
    assert records.storage.size("cells/a") == sum(file.stat().st_size for file in files) > 0
    assert records.storage.size("cells/nothing") == 0


def test_a_sweep_is_shown_and_nothing_written(
    records: Records, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert show.main(["wide"]) == 0
    assert "Best: " in capsys.readouterr().out
    assert sorted(tmp_path.rglob("*")) == before
    assert show.main(["none"]) == 2
    assert capsys.readouterr().err == "name: got 'none'; expected one of narrow, wide\n"


def test_a_deleted_sweep_leaves_what_others_have(records: Records, capsys: pytest.CaptureFixture[str]) -> None:
    assert delete.main(["wide", "--yes"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("wide has 3 cells and 0 teachers of its own: ")
    assert said[1:] == ["1 cell that other sweeps have too, and what they need, will stay.", "Deleted."]
    assert records.storage.list("sweeps") == ["narrow"]
    assert records.storage.list("cells") == ["a", "d"]
    assert records.storage.list("teachers") == [TEACHER, "other"]
    assert delete.main(["narrow", "--yes"]) == 0
    assert records.storage.list("teachers") == ["other"]
    assert delete.main(["narrow", "--yes"]) == 2


def test_a_pruned_storage_has_what_its_sweeps_name(records: Records, capsys: pytest.CaptureFixture[str]) -> None:
    begin(records.cell("b"))  # tried again by mistake, and cut off
    begin(records.cell("open"))
    assert prune.main(["--yes"]) == 0
    said = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert said == [
        "1 cell of no sweep",
        "1 teacher of no sweep",
        "1 student that no sweep keeps",
        "1 attempt without a result",
        "Deleted.",
    ]
    assert left(records) == {"a", "b"}  # c is the best of no sweep
    assert records.storage.list("cells") == ["a", "b", "c", "open"]
    assert records.storage.list("teachers") == [TEACHER]
    assert (records.cell("b").attempts(), records.cell("open").attempts()) == ([1], [1])
    assert prune.main([]) == 0
    assert capsys.readouterr().out == "There is nothing to delete: the sweeps of the storage need every file.\n"


def test_a_pruned_record_has_its_whole_journal(records: Records) -> None:
    """The attempt that made the result continued another one, and began neither of the lost ones."""
    cell = records.cell("open")
    begin(cell)
    first = begin(cell)
    first.journal.write(make_rows(1, 3))
    begin(cell)
    last = begin(cell, continues=first.number)
    last.journal.write(make_rows(4, 5))
    last.commit(make_result(last))
    assert prune.main(["--yes"]) == 0
    assert cell.attempts() == [first.number, last.number]
    assert [row["step"] for row in cell.journal()] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("answer", "is_left"), [("y", False), ("", True), ("no", True)])
def test_a_question_comes_first(records: Records, monkeypatch: pytest.MonkeyPatch, answer: str, is_left: bool) -> None:
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert delete.main(["wide"]) == 0
    assert ("wide" in records.storage.list("sweeps")) == is_left


def test_nothing_goes_where_nobody_answers(
    records: Records, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def closed(question: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", closed)
    assert prune.main([]) == 2
    assert capsys.readouterr().err.startswith("--yes: got nothing")
    assert left(records) == {"a", "b", "c", "d"}


def test_a_storage_without_sweeps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list.main(["--storage", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("storage: got ")


def test_the_candidates_of_a_search_are_needed_and_their_students_are_not(
    records: Records, capsys: pytest.CaptureFixture[str]
) -> None:
    candidates = ArchivedStudy(group="forward", cells=(make_cell("d"), make_cell("c")), num_told=2)
    wide = Sweep.load(records.storage, "wide").model_copy(update={"studies": (candidates,)})
    wide.store(records.storage)
    assert prune.main(["--yes"]) == 0
    assert records.storage.list("cells") == ["a", "b", "c", "d"]
    assert left(records) == {"a", "b"}
    assert delete.main(["wide", "--yes"]) == 0
    assert "wide has 4 cells and 0 teachers of its own: " in capsys.readouterr().out
    assert records.storage.list("cells") == ["a"]
