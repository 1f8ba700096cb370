"""Storages and tracking databases that cannot be: what is said before anything starts."""

import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from sweep.records.storage import RIGHT
from sweep.spec.messages import quote
from tests.sweep.own_data import prepared, refused, write_all

pytestmark = pytest.mark.usefixtures("only_given_places")


def test_a_storage_of_an_unknown_kind(tmp_path: Path) -> None:
    found = refused(write_all(tmp_path), "storage=x3://runs", "tracking_uri=databricks")
    assert found == ["storage: got 'x3://runs'; it cannot be opened: Protocol not known: x3"]
    found = refused(tmp_path / "sweep.yaml", "storage=x3://me:secret@h/runs", "tracking_uri=databricks")
    assert found == ["storage: got 'x3://me:***@h/runs'; it cannot be opened: Protocol not known: x3"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/runs", "webhdfs://127.0.0.1:1/runs"])
def test_a_storage_that_cannot_hold_records(tmp_path: Path, url: str) -> None:
    kind = url.partition(":")[0]
    assert refused(write_all(tmp_path), f"storage={url}", "tracking_uri=databricks") == [
        f"storage: got '{url}'; {kind}:// cannot write a file only where there is none, which records need; {RIGHT}"
    ]


def test_what_a_storages_library_raises_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library: Any = ModuleType("botocore.exceptions")
    library.BotoCoreError = type("BotoCoreError", (Exception,), {})
    library.ClientError = type("ClientError", (Exception,), {})
    monkeypatch.setitem(sys.modules, "botocore.exceptions", library)
    raised: list[Exception] = [
        type("NoCredentialsError", (library.BotoCoreError,), {})("Unable to locate credentials"),
        library.ClientError("An error occurred (AccessDenied)\nwhen calling PutObject: http://me:secret@h"),
        PermissionError(13, "Forbidden"),
    ]

    def pipe_file(*_: Any, **__: Any) -> None:
        raise raised[0]

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", pipe_file)
    path = write_all(tmp_path)
    for reason in (
        "NoCredentialsError: Unable to locate credentials",
        "ClientError: An error occurred (AccessDenied) when calling PutObject: http://me:***@h",
        "[Errno 13] Forbidden",
    ):
        assert refused(path, "storage=memory://runs", "tracking_uri=databricks") == [
            f"storage: got 'memory://runs'; it cannot be written to ({reason}); {RIGHT}"
        ]
        raised.pop(0)


def test_a_storage_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainables.deadline.ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", lambda *_, **__: time.sleep(600))
    assert refused(write_all(tmp_path), "storage=memory://runs", "tracking_uri=databricks") == [
        f"storage: got 'memory://runs'; it cannot be written to (no answer in 0.1 seconds); {RIGHT}"
    ]


def test_nothing_is_left_in_a_storage_that_is_tried_out(tmp_path: Path) -> None:
    prepared(tmp_path, "storage=memory://tried", "tracking_uri=databricks")
    assert MemoryFileSystem().find("/tried") == []


def test_a_tracking_database_that_is_none(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    (tmp_path / "text.db").write_text("not a database, but a text that is longer than a header" * 9)
    for name, reason in (
        (f"{tmp_path}/text.db", f"{tmp_path}/text.db cannot be read as an SQLite database: file is not a database"),
        (f"{tmp_path}", f"{tmp_path} is a folder; give sqlite:///… with the path of a file"),
        (":memory:", "a database in memory is seen by no other process; give sqlite:///… with the path of a file"),
    ):
        uri = f"sqlite:///{name}"
        assert refused(path, f"tracking_uri='{uri}'") == [f"tracking_uri: got {quote(uri)}; {reason}"]


def test_a_tracking_database_whose_writer_was_killed_is_none_of_the_problems(tmp_path: Path) -> None:
    """SQLite first undoes the transaction that was cut off, for which it has to write."""
    database = tmp_path / "cut.db"
    code = f"""if True:
        import os, signal, sqlite3
        connection = sqlite3.connect({str(database)!r})
        connection.execute("create table texts (text)")
        connection.commit()
        connection.execute("pragma cache_size = 1")
        connection.executemany("insert into texts values (?)", [["x" * 4000]] * 100)
        os.kill(os.getpid(), signal.SIGKILL)"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert (tmp_path / "cut.db-journal").exists()
    prepared(tmp_path, f"tracking_uri=sqlite:///{database}")
    assert not (tmp_path / "cut.db-journal").exists()


def test_the_storages_own_database_that_is_none(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    (tmp_path / "runs").mkdir()
    database = tmp_path / "runs" / "mlflow.db"
    database.write_text("not a database, but a text that is longer than a header" * 9)
    assert refused(path, f"storage={tmp_path}/runs", "tracking_uri=null") == [
        f"tracking_uri: got {quote(f'sqlite:///{database}')}; {database} cannot be read as an SQLite database: "
        "file is not a database"
    ]
    assert [file.name for file in (tmp_path / "runs").iterdir()] == ["mlflow.db"]
