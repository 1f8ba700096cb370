"""How the suite is spread over processes: all sweeps one after another in one, the rest beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

settings.register_profile("suite", deadline=None)  # a slow machine is no error
settings.load_profile("suite")

SWEEPS = (
    "test_end_to_end",
    "test_outside_judge",
    "test_paper",
    "test_plugins",
    "test_kinds",
    "test_walk",
    "test_reuse",
    "test_two_sweeps",
    "test_storm",
    "test_gpu_cluster",
    "test_no_gpu",
)
"""In the order in which they are run: neighbours share a sweep. Two sweeps at once on two cores would wait for each
other's workers.
"""
JOBS = ("test_job", "test_submit")
"""They share a head, which mostly waits."""


class TogetherByRay(LoadFileScheduling):
    """All sweeps to one process, all jobs to one, every other file to whichever is free."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((str(files) for files in (SWEEPS, JOBS) if Path(file).stem in files), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TogetherByRay:
    return TogetherByRay(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The sweeps first, which take longest, and the jobs last."""
    places = {name: place for place, name in enumerate(SWEEPS)} | dict.fromkeys(JOBS, len(SWEEPS) + 1)
    items.sort(key=lambda item: places.get(item.path.stem, len(SWEEPS)))
