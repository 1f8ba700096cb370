"""Ready-made views of a sweep in MLflow's UI: all cells in parallel coordinates, and grouped by strategy and init.

They are MLflow's shared views: a tag of the experiment holds a view's state, and an address names the tag.
"""

from __future__ import annotations

import json
from typing import Any

from sweep.tracking.tags import (
    CELL_KIND,
    EVAL_LOSS,
    INIT_PARAM,
    KIND,
    MODEL_NAME_PARAM,
    RUN_NAME,
    SECONDS_TOTAL,
    STRATEGY_PARAM,
    TRAIN_LOSS_KL,
    VIEW,
)

PARAMS = [MODEL_NAME_PARAM, STRATEGY_PARAM, INIT_PARAM]
METRICS = [SECONDS_TOTAL, TRAIN_LOSS_KL, EVAL_LOSS]  # what cells of every task have; the last one gives the colour

_CELLS: dict[str, Any] = {
    "searchFilter": f"tags.{KIND} = '{CELL_KIND}'",
    "orderByKey": f"tags.`{RUN_NAME}`",  # sorted by date, the cells would hide under their parent run
    "orderByAsc": True,
    "runsHiddenMode": "SHOWALL",
}
_SECTION = {"uuid": "cells", "name": "All cells", "display": True, "isReordered": False}
_PARALLEL = {
    "type": "PARALLEL",
    "uuid": "parallel",
    "metricSectionId": "cells",
    "selectedParams": PARAMS,
    "selectedMetrics": METRICS,
    "showAllRuns": True,
    "runsCountToCompare": 100,
    "deleted": False,
    "isGenerated": False,
}
_GROUPS = {
    "aggregateFunction": "average",
    "groupByKeys": [{"mode": "param", "groupByData": name} for name in (STRATEGY_PARAM, INIT_PARAM)],
}
_STATES: dict[str, dict[str, Any]] = {
    "parallel": {**_CELLS, "compareRunCharts": [_PARALLEL], "compareRunSections": [_SECTION]},
    "grouped": {**_CELLS, "groupBy": _GROUPS, "selectedColumns": [f"metrics.`{name}`" for name in METRICS]},
}
_MODES = {"parallel": "CHART", "grouped": "TABLE"}

VIEWS = tuple(_STATES)


def tags() -> dict[str, str]:
    """The tags that make an experiment offer these views."""
    return {f"{VIEW}{view}": json.dumps(state) for view, state in _STATES.items()}


def page(server: str, path: str) -> str:
    """The address of a page of the UI; what the server's address asks for goes along (`?workspace=default`)."""
    address, _, asked = server.partition("?")
    return f"{address.rstrip('/')}/#/{path}" + (f"?{asked}" if asked else "")


def link(server: str, experiment_id: str, view: str) -> str:
    """The address of a view."""
    runs = page(server, f"experiments/{experiment_id}/runs")
    return f"{runs}{'&' if '?' in runs else '?'}compareRunsMode={_MODES[view]}&viewStateShareKey={view}"
