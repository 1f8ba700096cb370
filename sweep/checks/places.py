"""Whether the storage can be written and the tracking server answers; nothing is left behind."""

from __future__ import annotations

import socket
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from sweep.config import SweepConfig
from sweep.messages import shown
from sweep.storage import Storage
from trainables.errors import InputError, Problem

_TRIES = 2
_SECONDS = 4.5
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def storage_problems(config: SweepConfig) -> list[Problem]:
    """A local storage is really written to; of a remote one, the protocol is resolved."""
    try:
        storage = Storage(config.storage_url)
    except InputError as error:
        return error.problems
    if not storage.is_local:
        return []
    reason = _why_not_writable(Path(config.storage_url.removeprefix("file://")))
    return [Problem("storage", f"got {config.storage_url!r}; {reason}")] if reason else []


def tracking_problems(config: SweepConfig) -> list[Problem]:
    """The tracking URI's server is asked, for at most 10 s; without tracking_required nothing is."""
    given, url = config.tracking_uri, config.tracking_url
    if not config.tracking_required or url.startswith("databricks"):
        return []
    parts = urlsplit(url)
    scheme = parts.scheme.partition("+")[0]
    if scheme in ("http", "https"):
        reason = _why_no_answer(url)
    elif scheme == "sqlite":
        # The database under the storage is where the storage is, and that is checked already.
        is_ours = given is None and url.startswith(f"sqlite:///{config.storage_url.removeprefix('file://')}/")
        reason = None if is_ours else _why_not_writable(Path(url.partition(":///")[2]).absolute().parent)
    elif scheme in _PORTS:
        reason = _why_no_connection(parts, _PORTS[scheme])
    else:
        reason = "http(s)://…, sqlite:///…, postgresql://…, mysql://… or databricks; MLflow keeps no runs in folders"
    return [Problem("tracking_uri", f"got {shown(_without_password(parts))}; {reason}")] if reason else []


def _why_not_writable(folder: Path) -> str | None:
    """Writes a file into the nearest folder above that is there: root may pass a check of the mode and still fail."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there):
            return None
    except OSError as error:
        return f"{there} cannot be written to: {error.strerror}"


def _why_no_answer(url: str) -> str | None:
    reason = None
    for _ in range(_TRIES):
        try:
            with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=_SECONDS):
                return None
        except urllib.error.HTTPError as error:
            reason = f"a server is there but its /health gives {error.code}; is it MLflow?"
        except urllib.error.URLError as error:
            reason = f"no answer: {error.reason}"
        except OSError as error:
            reason = f"no answer: {error}"
    return reason


def _why_no_connection(parts: SplitResult, port: int) -> str | None:
    try:
        with socket.create_connection((parts.hostname or "localhost", parts.port or port), timeout=2 * _SECONDS):
            return None
    except OSError as error:
        return f"no answer: {error}"


def _without_password(parts: SplitResult) -> str:
    if parts.password is None:
        return parts.geturl()
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{parts.username}:***@{host}").geturl()
