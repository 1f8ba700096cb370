"""Where the runs of a sweep are: addresses of MLflow's pages, and the call that opens a local database."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from sweep.records.archive import Sweep
from sweep.spec.passwords import without_login
from sweep.tracking import views

SERVERS = ("http://", "https://")


def where_the_runs_are(sweep: Sweep) -> list[str]:
    """One line that opens the sweep's runs, in any folder; none where they are not tracked."""
    if not sweep.experiment_id:
        return []
    if sweep.tracking_uri.startswith(SERVERS):
        return [f"MLflow has the runs: {_page(sweep, 'runs')}"]
    words = [f"name={sweep.name}", f"tracking_uri={sweep.tracking_uri}"]
    return [f"{shlex.join([_python(), '-m', 'sweep.ui', *words])}    # opens the runs in MLflow"]


def run_link(sweep: Sweep, run_id: str) -> str:
    """The address of a run; empty where runs are tracked without a server."""
    if not sweep.tracking_uri.startswith(SERVERS) or not sweep.experiment_id:
        return ""
    return _page(sweep, f"runs/{run_id}")


def _page(sweep: Sweep, path: str) -> str:
    return views.page(without_login(sweep.tracking_uri), f"experiments/{sweep.experiment_id}/{path}")


def _python() -> str:
    """`python` where a shell finds this one by that name, else its path."""
    known = shutil.which("python")
    # Not their targets: the Python of a virtual environment is a link to that of the system.
    return "python" if known and Path(known).absolute() == Path(sys.executable) else sys.executable
