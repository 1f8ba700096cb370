"""How the suite is spread over processes: all that start a Ray one after another in one, the rest by file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

WITH_RAY = (
    "test_end_to_end",
    "test_outside_judge",
    "test_paper",
    "test_plugins",
    "test_reuse",
    "test_gpu_cluster",
    "test_no_gpu",
    "test_job",
    "test_submit",
)
"""In the order in which they are run: neighbours share a sweep or a head. Two Rays at once on two cores would wait
for each other's workers.
"""


class RayTogether(LoadFileScheduling):
    """All files with Ray to one process, every other file to whichever is free."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "ray" if Path(file).stem in WITH_RAY else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> RayTogether:
    return RayTogether(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those with Ray first, which take longest."""
    places = {name: place for place, name in enumerate(WITH_RAY)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))
