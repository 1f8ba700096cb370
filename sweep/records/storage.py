"""The files of a sweep on an fsspec storage: a folder, an object store or memory.

It uses only what an object store can do: it reads and writes whole files and creates a file only where there is none.
It never renames a file or appends to one.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from uuid import uuid4

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from sweep.records.processes import is_writer_gone, writer
from sweep.spec.passwords import without_passwords
from trainables.errors import InputError, Problem

CREATE_ONLY = ("file", "memory", "s3", "gs", "abfs")
"""Protocols that can create a file only where there is none, so that exactly one of several writers succeeds."""
RIGHT = "use a folder that every node reaches, or a URL that starts with s3://, gs:// or abfs://"
_LIBRARY_ERRORS = {
    "botocore.exceptions": ("BotoCoreError", "ClientError"),
    "aiohttp": ("ClientError",),
    "google.auth.exceptions": ("GoogleAuthError",),
    "azure.core.exceptions": ("AzureError",),
}
"""Module -> the errors of a library behind fsspec that are not subclasses of OSError."""

_TEMPORARY = re.compile(r"\..+\.(?P<writer>[^.]+)\.[0-9a-f]{32}")
"""The name of a file that is not complete yet."""

READS_AT_ONCE = 32
"""Of a storage behind a network, where a read is mostly waiting."""

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def _as_os_error(method: Callable[P, R]) -> Callable[P, R]:
    """The method, except that errors of the storage's library become OSError."""

    @wraps(method)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except _library_errors() as error:
            raise OSError(f"{type(error).__name__}: {error}") from error

    return wrapped


def _library_errors() -> tuple[type[Exception], ...]:
    """The errors of the libraries that are loaded; a library that is not loaded raises none."""
    return tuple(
        getattr(sys.modules[module], name)
        for module, names in _LIBRARY_ERRORS.items()
        if module in sys.modules
        for name in names
    )


class Storage:
    """The files below one URL. Paths are relative to it and use `/`. A storage can be pickled.

    Its methods raise OSError for every error of the storage's library.
    """

    def __init__(self, url: str) -> None:
        """Raises InputError if the URL's protocol is unknown, lacks its package or cannot create files exclusively."""
        self.url = url
        try:
            # A cached listing would hide the files that other processes have written since.
            fs, root = url_to_fs(url, use_listings_cache=False)
        except (ImportError, OSError, ValueError) as error:
            raise InputError(
                [Problem("storage", without_passwords(f"got {url!r}; it cannot be opened: {error}"))]
            ) from None
        protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
        if not set(protocols) & set(CREATE_ONLY):
            reason = f"{protocols[0]}:// cannot write a file only where there is none, which records need; {RIGHT}"
            raise InputError([Problem("storage", without_passwords(f"got {url!r}; {reason}"))])
        self._fs: Any = fs
        self._root = root.rstrip("/")
        self.is_local = isinstance(fs, LocalFileSystem)

    @_as_os_error
    def create(self, path: str, data: bytes) -> bool:
        """Creates the file with this content. Returns False, and changes nothing, if the file exists already."""
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

    @_as_os_error
    def write(self, path: str, data: bytes) -> None:
        """Creates or replaces the file; a reader sees either the old content or the new one."""
        target = self._target(path)
        if self.is_local:
            with _temporary(Path(target), data) as temporary:
                os.replace(temporary, target)
        else:
            self._fs.pipe_file(target, data)

    @_as_os_error
    def read(self, path: str) -> bytes | None:
        """The bytes of the file; None if it does not exist."""
        try:
            return self._fs.cat_file(self._target(path))
        except FileNotFoundError:
            return None

    @_as_os_error
    def list(self, path: str) -> list[str]:
        """The sorted names of the files and folders in a folder; empty if the folder does not exist."""
        try:
            found: list[str] = self._fs.ls(self._target(path), detail=False)
        except FileNotFoundError:
            return []
        names = {name.rstrip("/").rpartition("/")[2] for name in found}
        return sorted(name for name in names if name and not name.startswith("."))

    @_as_os_error
    def size(self, path: str) -> int:
        """The bytes of a file, or of all files in a folder; 0 where there is none."""
        try:
            return int(self._fs.du(self._target(path)))
        except FileNotFoundError:
            return 0

    @_as_os_error
    def delete(self, path: str) -> None:
        """Removes a file, or a folder with its contents; does nothing if the path does not exist."""
        try:
            self._fs.rm(self._target(path), recursive=True)
        except FileNotFoundError:
            return

    @_as_os_error
    def clean(self, path: str) -> None:
        """Removes the incomplete files that processes of this machine have left in a folder when they were killed."""
        for folder, _, names in os.walk(self._target(path)) if self.is_local else ():
            for name in names:
                if (match := _TEMPORARY.fullmatch(name)) and is_writer_gone(match["writer"]):
                    Path(folder, name).unlink(missing_ok=True)

    def map(self, read: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """What a function that reads this storage gives for each item; behind a network, of many items at once."""
        if self.is_local:
            return list(map(read, items))
        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            return list(pool.map(read, items))

    def try_out(self) -> None:
        """Writes a file and removes it again. Raises OSError if either fails."""
        marker = f"tried-{uuid4().hex}"
        self.create(marker, b"")
        self.delete(marker)

    def full_url(self, path: str) -> str:
        """The address of a path for people and other programs: a URL, or a plain path on this machine."""
        target = self._target(path)
        return target if self.is_local else self._fs.unstrip_protocol(target)

    @_as_os_error
    def local(self, path: str) -> Path | None:
        """The file or folder on this machine, for reading; None if it does not exist.

        A remote one is downloaded once per process, so it must not change any more.
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
        """A folder on this machine in which to collect the files that `put` then stores at `path`."""
        if self.is_local:
            folder = Path(self._target(path))
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        return Path(tempfile.mkdtemp(dir=_downloads().name))

    @_as_os_error
    def put(self, folder: Path, path: str) -> None:
        """Moves the files of a local folder to `path`; the folder is gone afterwards, unless it is `path` itself."""
        target = self._target(path)
        if self.is_local and folder == Path(target):
            _let_read(folder)
            return
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                place = f"{target}/{file.relative_to(folder).as_posix()}"
                if self.is_local:
                    Path(place).parent.mkdir(parents=True, exist_ok=True)
                    shutil.move(file, place)
                else:
                    self._fs.put_file(str(file), place)
        shutil.rmtree(folder)
        if self.is_local:
            _let_read(Path(target))

    def _target(self, path: str) -> str:
        assert not {"", "..", "."} & set(path.split("/")), f"a path below the storage, not {path!r}"
        return f"{self._root}/{path}"


def _let_read(folder: Path) -> None:
    """Gives files the permissions of their folders: safetensors lets only their owner read them."""
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(file.parent.stat().st_mode & 0o666)


@contextmanager
def _temporary(target: Path, data: bytes) -> Generator[Path]:
    """A complete file beside the target, flushed to disk before it is given the target's name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{writer()}.{uuid4().hex}")
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
    """The folder for this process's copies of remote files; it is removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="sweep-")
