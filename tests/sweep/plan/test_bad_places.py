"""Storages and tracking databases that cannot be: what is said before anything starts."""

from pathlib import Path

import pytest

from sweep.spec.messages import shown
from tests.sweep.own_data import refused, write_all

pytestmark = pytest.mark.usefixtures("only_given_places")


def test_a_storage_of_an_unknown_kind(tmp_path: Path) -> None:
    found = refused(write_all(tmp_path), "storage=x3://runs", "tracking_uri=databricks")
    assert found == ["storage: got 'x3://runs'; Protocol not known: x3"]
    found = refused(tmp_path / "sweep.yaml", "storage=x3://me:secret@h/runs", "tracking_uri=databricks")
    assert found == ["storage: got 'x3://me:***@h/runs'; Protocol not known: x3"]


def test_a_tracking_database_that_is_none(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    (tmp_path / "text.db").write_text("not a database, but a text that is longer than a header" * 9)
    for name, reason in (
        (f"{tmp_path}/text.db", f"{tmp_path}/text.db cannot be read as an SQLite database: file is not a database"),
        (f"{tmp_path}", f"{tmp_path} is a folder; sqlite:///…, with the path of a file"),
        (":memory:", "a database in memory is seen by no other process; sqlite:///…, with the path of a file"),
    ):
        uri = f"sqlite:///{name}"
        assert refused(path, f"tracking_uri='{uri}'") == [f"tracking_uri: got {shown(uri)}; {reason}"]


def test_the_storages_own_database_that_is_none(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    (tmp_path / "runs").mkdir()
    database = tmp_path / "runs" / "mlflow.db"
    database.write_text("not a database, but a text that is longer than a header" * 9)
    assert refused(path, f"storage={tmp_path}/runs", "tracking_uri=null") == [
        f"tracking_uri: got {shown(f'sqlite:///{database}')}; {database} cannot be read as an SQLite database: "
        "file is not a database"
    ]
    assert [file.name for file in (tmp_path / "runs").iterdir()] == ["mlflow.db"]
