"""Files of a sweep on any fsspec storage: a folder, an object store, memory.

Only what object stores have too is relied on: whole files, create-only, no rename, no append.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from sweep.spec.passwords import hidden
from trainables.errors import InputError, Problem


class Storage:
    """The files below one URL. Paths are relative to it, with `/`. Can be pickled."""

    def __init__(self, url: str) -> None:
        """Raises InputError where the URL's protocol is unknown or needs a package that is not there."""
        self.url = url
        try:
            # A listing kept by this process would hide what the others have written since.
            fs, root = url_to_fs(url, use_listings_cache=False)
        except (ImportError, OSError, ValueError) as error:
            raise InputError([Problem("storage", hidden(f"got {url!r}; {error}"))]) from None
        self._fs: Any = fs
        self._root = root.rstrip("/")
        self.is_local = isinstance(fs, LocalFileSystem)

    def create(self, path: str, data: bytes) -> bool:
        """Writes the whole file once; False, and nothing changed, where it is there already."""
        target = self._target(path)
        try:
            if self.is_local:
                with _temporary(Path(target), data) as temporary:
                    os.link(temporary, target)
            else:
                self._fs.pipe_file(target, data, mode="create")
        except FileExistsError:
            return False
        return True

    def write(self, path: str, data: bytes) -> None:
        """Writes the whole file, over an older one too; a reader sees the older or the new one."""
        target = self._target(path)
        if self.is_local:
            with _temporary(Path(target), data) as temporary:
                os.replace(temporary, target)
        else:
            self._fs.pipe_file(target, data)

    def read(self, path: str) -> bytes | None:
        """The file's bytes; None where there is none."""
        try:
            return self._fs.cat_file(self._target(path))
        except FileNotFoundError:
            return None

    def list(self, path: str) -> list[str]:
        """The sorted names of the files and folders in a folder; empty where there is no such folder."""
        try:
            found: list[str] = self._fs.ls(self._target(path), detail=False)
        except FileNotFoundError:
            return []
        names = {name.rstrip("/").rpartition("/")[2] for name in found}
        return sorted(name for name in names if name and not name.startswith("."))

    def delete(self, path: str) -> None:
        """Removes a file, or a folder with all that is in it; nothing where there is none."""
        try:
            self._fs.rm(self._target(path), recursive=True)
        except FileNotFoundError:
            return

    def full_url(self, path: str) -> str:
        """Where a path is, for people and for other programs: a URL, or a plain path on this machine."""
        target = self._target(path)
        return target if self.is_local else self._fs.unstrip_protocol(target)

    def local(self, path: str) -> Path | None:
        """The file or folder on this machine, to read; None where there is none.

        What lies elsewhere is downloaded once a process, so it has to be final.
        """
        target = self._target(path)
        if self.is_local:
            return Path(target) if os.path.exists(target) else None
        copy = Path(_downloads().name, *self.url.split("/"), *path.split("/"))
        files: list[str] = [] if copy.exists() else self._fs.find(target)
        if files:
            whole = Path(tempfile.mkdtemp(dir=_downloads().name), "whole")
            for name in files:
                file = whole / name[len(target) :].lstrip("/")
                file.parent.mkdir(parents=True, exist_ok=True)
                self._fs.get_file(name, str(file))
            copy.parent.mkdir(parents=True, exist_ok=True)
            whole.rename(copy)
        return copy if copy.exists() else None

    def workspace(self, path: str) -> Path:
        """An existing folder on this machine to put together what `put` brings to `path`."""
        if self.is_local:
            folder = Path(self._target(path))
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        return Path(tempfile.mkdtemp(dir=_downloads().name))

    def put(self, folder: Path, path: str) -> None:
        """Brings a workspace's files to `path`; where that is elsewhere, the workspace is gone afterwards."""
        if self.is_local:
            assert folder == Path(self._target(path)), "a local workspace is its own place"
            return
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                self._fs.put_file(str(file), f"{self._target(path)}/{file.relative_to(folder).as_posix()}")
        shutil.rmtree(folder)

    def _target(self, path: str) -> str:
        assert not {"", "..", "."} & set(path.split("/")), f"a path below the storage, not {path!r}"
        return f"{self._root}/{path}"


@contextmanager
def _temporary(target: Path, data: bytes) -> Generator[Path]:
    """A finished file beside the target, on the disk before it gets its name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


@cache
def _downloads() -> tempfile.TemporaryDirectory[str]:
    """This process's copies of remote files; removed with it."""
    return tempfile.TemporaryDirectory(prefix="sweep-")
