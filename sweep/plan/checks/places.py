"""Checks that the storage can be written to and that the tracking server answers. Leaves nothing behind."""

from __future__ import annotations

import http.client
import socket
import sqlite3
import tempfile
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from sweep.records.storage import RIGHT, Storage
from sweep.spec.messages import quote
from sweep.spec.passwords import without_login, without_passwords
from sweep.spec.sweep import SweepConfig
from trainables import deadline
from trainables.errors import InputError, Problem

_TRIES = 2
_TRY_SECONDS = 4.5
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def storage_problems(config: SweepConfig) -> list[Problem]:
    """Writes a file to the storage and removes it. A remote storage has less than 10 s to answer."""
    try:
        storage = Storage(config.storage_url)
    except InputError as error:
        return error.problems
    reason = _why_not_writable(Path(config.storage_url)) if storage.is_local else _why_no_store(storage)
    return [Problem("storage", f"got {quote(config.storage_url)}; {reason}")] if reason else []


def tracking_problems(config: SweepConfig) -> list[Problem]:
    """Asks the tracking server, which has less than 10 s to answer. Without `tracking_required` it is not asked."""
    url = config.tracking_url
    if not config.tracking_required or url.startswith("databricks"):
        return []
    if url == f"sqlite:///{config.storage_url}/mlflow.db":
        if "://" in config.storage_url:
            return [
                Problem("tracking_uri", "got null with a storage that is no folder; give the URI of a tracking server")
            ]
        if not Path(config.storage_url, "mlflow.db").exists():
            return []  # it is created in the storage, which is checked
    # The lookup of a host name has no time limit, so the whole check has one.
    answers: list[str | None] = []
    thread = Thread(target=lambda: answers.append(_why_no_tracking(url)), daemon=True)
    thread.start()
    thread.join(_TRIES * _TRY_SECONDS + 0.5)
    reason = answers[0] if answers else "it does not answer: timed out"
    return [Problem("tracking_uri", f"got {quote(url)}; {reason}")] if reason else []


def _why_no_tracking(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        scheme = parts.scheme.partition("+")[0]
        if scheme in ("http", "https"):
            return _why_no_answer(url)
        if scheme == "sqlite":
            return _why_no_database(url.partition(":///")[2])
        if scheme in _PORTS:
            return _why_no_connection(parts.hostname or "localhost", parts.port or _PORTS[scheme])
    except (ValueError, http.client.InvalidURL) as error:
        # The error quotes the supposed port, which may be a part of the password.
        return "it is no URI; %2F, %3F, %23 stand for /, ?, # in a password" if "@" in url else f"it is no URI: {error}"
    return "expected http(s)://…, sqlite:///…, postgresql://…, mysql://… or databricks; MLflow keeps no runs in folders"


def _why_no_database(name: str) -> str | None:
    if name in ("", ":memory:"):
        return "a database in memory is seen by no other process; give sqlite:///… with the path of a file"
    path = Path(name.partition("?")[0]).absolute()
    if path.is_dir():
        return f"{path} is a folder; give sqlite:///… with the path of a file"
    if path.exists():
        try:
            # SQLite has to write where it undoes what a process that was killed has begun.
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as connection:
                connection.execute("PRAGMA schema_version")
        except sqlite3.Error as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:  # busy while another sweep writes
                return f"{path} cannot be read as an SQLite database: {error}"
    return _why_not_writable(path.parent)


def _why_no_store(storage: Storage) -> str | None:
    try:
        deadline.within(deadline.ANSWER_SECONDS, storage.try_out, (OSError,))
    except OSError as error:
        return f"it cannot be written to ({without_passwords(' '.join(str(error).split()))[:300]}); {RIGHT}"
    return None


def _why_not_writable(folder: Path) -> str | None:
    """Why a file cannot be written to the nearest existing folder; None if it can.

    A file is written, because a check of the mode lets root pass where a write fails.
    """
    try:
        there = next(path for path in (folder, *folder.parents) if path.exists())
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    try:
        with tempfile.TemporaryFile(dir=there):
            return None
    except OSError as error:
        return f"{there} cannot be written to: {error.strerror}"


def _why_no_answer(url: str) -> str | None:
    reason = None
    for _ in range(_TRIES):
        try:
            with urllib.request.urlopen(f"{without_login(url).rstrip('/')}/health", timeout=_TRY_SECONDS):
                return None
        except urllib.error.HTTPError as error:
            reason = f"a server is there but its /health gives {error.code}; is it MLflow?"
        except urllib.error.URLError as error:
            reason = f"it does not answer: {error.reason}"
        except (OSError, http.client.BadStatusLine) as error:
            reason = f"it does not answer: {error}"
    return reason


def _why_no_connection(host: str, port: int) -> str | None:
    try:
        with socket.create_connection((host, port), timeout=_TRY_SECONDS):
            return None
    except OSError as error:
        return f"it does not answer: {error}"
