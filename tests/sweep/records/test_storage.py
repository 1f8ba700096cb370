"""Storages: create-only, whole files, local copies; on a folder and on a remote storage (memory)."""

from __future__ import annotations

import os
import pickle
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from sweep.records import processes
from sweep.records import storage as module
from sweep.records.storage import Storage
from trainables.errors import InputError


@pytest.fixture(params=["folder", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return Storage(str(tmp_path / "runs") if request.param == "folder" else f"memory://{uuid4().hex}")


def test_create_writes_once(storage: Storage) -> None:
    assert storage.create("a/b/result.json", b"first")
    assert not storage.create("a/b/result.json", b"second")
    assert storage.read("a/b/result.json") == b"first"


def test_write_replaces(storage: Storage) -> None:
    storage.write("a.csv", b"a long first one")
    storage.write("a.csv", b"second")
    assert storage.read("a.csv") == b"second"


def test_what_is_not_there(storage: Storage) -> None:
    assert storage.read("nothing/here") is None
    assert storage.list("nothing") == []
    assert storage.local("nothing") is None
    storage.delete("nothing")


def test_list_names_files_and_folders(storage: Storage) -> None:
    for path in ("a/2.json", "a/10.json", "a/deep/er/x", "b"):
        storage.create(path, b"")
    assert storage.list("a") == ["10.json", "2.json", "deep"]


def test_delete_takes_a_folder_and_nothing_beside_it(storage: Storage) -> None:
    for path in ("a/1/x", "a/1/deep/y", "a/11/x"):
        storage.create(path, b"")
    storage.delete("a/1")
    assert storage.list("a") == ["11"]
    storage.delete("a/11/x")
    assert storage.read("a/11/x") is None


def test_workspace_comes_to_its_place(storage: Storage) -> None:
    folder = storage.workspace("a/1")
    (folder / "student").mkdir()
    (folder / "student" / "model.bin").write_bytes(b"\x00\xff")
    (folder / "angles.npz").write_bytes(b"angles")
    storage.put(folder, "a/1")
    assert storage.read("a/1/student/model.bin") == b"\x00\xff"
    assert storage.list("a/1") == ["angles.npz", "student"]
    assert folder.exists() == storage.is_local


def test_local_gives_files_and_folders(storage: Storage) -> None:
    storage.create("a/model/config.json", b"{}")
    storage.create("a/model/deep/w", b"weights")
    folder, file = storage.local("a/model"), storage.local("a/model/config.json")
    assert folder is not None
    assert file is not None
    assert file.read_bytes() == b"{}"
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == [
        "config.json",
        "deep/w",
    ]
    assert storage.local("a/model") == folder


def test_full_url(tmp_path: Path) -> None:
    assert Storage(f"file://{tmp_path}").full_url("a/b") == f"{tmp_path}/a/b"
    assert Storage("memory://bucket").full_url("a/b") == "memory:///bucket/a/b"


def test_pickled_reads_the_same_files(storage: Storage) -> None:
    storage.create("a", b"x")
    assert pickle.loads(pickle.dumps(storage)).read("a") == b"x"


def test_of_many_creators_one_wins(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    contents = [bytes([number]) * 200_000 for number in range(32)]
    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(lambda content: storage.create("result.json", content), contents))
    assert won.count(True) == 1
    assert storage.read("result.json") == contents[won.index(True)]
    assert os.listdir(tmp_path) == ["result.json"]


def test_many_reads_keep_their_order_and_wait_together_behind_a_network(storage: Storage) -> None:
    """Behind a network all of these meet, which one after another never would."""
    names = [f"{number}.json" for number in range(8)]
    for name in names:
        storage.create(name, name.encode())
    meeting = threading.Barrier(1 if storage.is_local else len(names), timeout=600)

    def read(name: str) -> bytes | None:
        meeting.wait()
        return storage.read(name)

    assert storage.map(read, names) == [name.encode() for name in names]
    with pytest.raises(OSError, match="away"):
        storage.map(_away, names)


def _away(name: str) -> bytes:
    raise OSError(f"{name} is away")


def test_interrupted_writer_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module.os, "fsync", interrupt)
    for writer in (Storage(str(tmp_path)).create, Storage(str(tmp_path)).write):
        with pytest.raises(KeyboardInterrupt):
            writer("result.json", b"half")
    assert os.listdir(tmp_path) == []


def test_what_killed_writers_have_left_is_removed(tmp_path: Path) -> None:
    """That of living ones stays, and that of other machines, where no one can tell."""
    with subprocess.Popen(["true"]) as ended:
        pass
    ended_here = f"{processes.machine()}-{ended.pid}"
    names = {who: f".result.json.{who}.{uuid4().hex}" for who in (ended_here, processes.writer(), f"there-{ended.pid}")}
    for name in (*names.values(), "result.json", ".seen-by-every-node"):
        (tmp_path / "a" / "b").mkdir(parents=True, exist_ok=True)
        (tmp_path / "a" / "b" / name).write_text("")
    Storage(str(tmp_path)).clean("a")
    left = {*names.values(), "result.json", ".seen-by-every-node"} - {names[ended_here]}
    assert {file.name for file in (tmp_path / "a" / "b").iterdir()} == left
    Storage("memory://clean").clean("a")


def test_a_file_that_is_not_complete_names_its_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it is removed once its writer is gone."""
    seen: list[str] = []
    monkeypatch.setattr(module.os, "fsync", lambda _: seen.extend(os.listdir(tmp_path / "a")))
    Storage(str(tmp_path)).create("a/result.json", b"")
    (name,) = seen
    (tmp_path / "a" / name).write_text("half")
    Storage(str(tmp_path)).clean("a")
    assert (tmp_path / "a" / name).exists()
    monkeypatch.setattr(module, "is_writer_gone", lambda writer: writer == processes.writer())
    Storage(str(tmp_path)).clean("a")
    assert os.listdir(tmp_path / "a") == ["result.json"]


def test_unknown_protocol_is_the_users_error() -> None:
    with pytest.raises(InputError, match=r"^storage: got 'zz://bucket'; it cannot be opened: Protocol not known: zz$"):
        Storage("zz://bucket")


@pytest.mark.parametrize("path", ["", "../x", "a//b", "/a"])
def test_paths_stay_below_the_storage(tmp_path: Path, path: str) -> None:
    with pytest.raises(AssertionError):
        Storage(str(tmp_path)).read(path)
