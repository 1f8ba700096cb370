"""How the suite is spread over processes: all that start a Ray one after another in one, the rest by file."""

from __future__ import annotations

import pytest

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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those with Ray first, which take longest. Outside pytest-xdist the marks mean nothing."""
    places = {name: place for place, name in enumerate(WITH_RAY)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))
    for item in items:
        item.add_marker(pytest.mark.xdist_group("ray" if item.path.stem in places else str(item.path)))
