"""`make dashboard`: the studies of a sweep's search in optuna-dashboard, on this machine only."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from sweep.search.published import FIELD, studies_url
from sweep.spec.command import WORDS
from sweep.spec.messages import quote
from sweep.spec.passwords import without_passwords
from sweep.spec.sweep import SweepConfig, load
from sweep.verbs import call
from trainables.errors import InputError, Problem

HOST, PORT = "127.0.0.1", 8080
PACKAGE = "optuna_dashboard"
SQLITE = "sqlite:///"


def parser() -> argparse.ArgumentParser:
    """The parser of this verb's words."""
    program = "distillation-sweep dashboard"
    verb = argparse.ArgumentParser(
        program,
        usage=f"{program} CONFIG.yaml [key.path=value ...] [--port N]",
        description="Serves optuna-dashboard with the studies of a sweep's search, on this machine only.",
    )
    verb.add_argument("words", nargs="+", metavar=WORDS, help="the words of the sweep, which say where its studies are")
    verb.add_argument("--port", type=int, default=PORT, metavar="N", help=f"the port of the server; default: {PORT}")
    return verb


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the verb. The exit status is the server's, or 2 if there is nothing to show."""
    own = parser()
    options = own.parse_args(arguments)
    files = [Path(word) for word in options.words if "=" not in word]
    if len(files) != 1:
        own.error(f"got {len(files)} config files; give one")
    return call.run(lambda: _serve(load(files[0], [word for word in options.words if "=" in word]), options.port))


def _serve(config: SweepConfig, port: int) -> int:
    """Becomes the server. Raises InputError where there is nothing to serve."""
    url = _url(config)
    if find_spec(PACKAGE) is None:
        message = "got a sweep with studies, and no optuna-dashboard; pip install 'distillation-sweep[dashboard]'"
        raise InputError([Problem(FIELD, message)])
    print(f"The studies of {config.name} in {without_passwords(url)}: http://{HOST}:{port}", flush=True)
    code = f"from {PACKAGE}._cli import main; main()"
    os.execv(sys.executable, [sys.executable, "-c", code, url, "--host", HOST, "--port", str(port)])


def _url(config: SweepConfig) -> str:
    if config.search is None:
        message = f"got null, so that {config.name} has no studies; give a sweep with a search"
        raise InputError([Problem("search", message)])
    url = studies_url(config)
    if url is None:
        place = without_passwords(config.storage_url)
        message = f"got null beside the storage {quote(place)}, where no studies are written; give the URL of a storage"
        raise InputError([Problem(FIELD, message)])
    file = Path(url.removeprefix(SQLITE))
    if url.startswith(SQLITE) and not file.exists():
        raise InputError(
            [Problem(FIELD, f"got a sweep without studies: {file} does not exist yet; run the sweep first")]
        )
    return url


if __name__ == "__main__":
    sys.exit(main())
