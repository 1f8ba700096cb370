"""Ready-made views of a sweep in MLflow's UI: all cells in parallel coordinates, and grouped by what tells them apart.

They are MLflow's shared views: a tag of the experiment holds a view's state, and an address names the tag.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sweep.tracking.tags import (
    CELL_KIND,
    EXPERIMENT_MODE,
    INIT_PARAM,
    KIND,
    MODEL_NAME_PARAM,
    MODEL_TRAINING,
    SCORE_OF_THE_WAY,
    SCORE_TEST,
    SCORE_VALIDATION,
    SECONDS_TOTAL,
    STRATEGY_PARAM,
    VIEW,
)

METRICS = [SECONDS_TOTAL, SCORE_VALIDATION, SCORE_TEST, SCORE_OF_THE_WAY]
"""What cells of every task have. The last one colours the lines: alone among them it compares cells of all tasks."""
_MODES = {"parallel": "CHART", "grouped": "TABLE"}

VIEWS = tuple(_MODES)
MODE = "workflowType=machine_learning"
"""MLflow 3.17 takes the mode of its side bar from the address; other versions take it from the experiment's tag."""


def tags(axes: Sequence[str]) -> dict[str, str]:
    """The tags of an experiment: that it is one of model training, and the views that it offers.

    `axes` are the params, besides model, strategy and init, that the sweep varies.
    """
    states = {"parallel": _parallel(axes), "grouped": _grouped(axes)}
    return {EXPERIMENT_MODE: MODEL_TRAINING, **{f"{VIEW}{view}": json.dumps(state) for view, state in states.items()}}


def _cells() -> dict[str, Any]:
    """What both views show: the cells, the best first."""
    return {
        "searchFilter": f"tags.{KIND} = '{CELL_KIND}'",
        "orderByKey": f"metrics.`{SCORE_VALIDATION}`",
        "orderByAsc": False,
        "runsHiddenMode": "SHOWALL",
    }


def _parallel(axes: Sequence[str]) -> dict[str, Any]:
    chart = {
        "type": "PARALLEL",
        "uuid": "parallel",
        "metricSectionId": "cells",
        "selectedParams": [MODEL_NAME_PARAM, STRATEGY_PARAM, INIT_PARAM, *axes],
        "selectedMetrics": METRICS,
        "showAllRuns": True,
        "runsCountToCompare": 100,
        "deleted": False,
        "isGenerated": False,
    }
    section = {"uuid": "cells", "name": "All cells", "display": True, "isReordered": False}
    return {**_cells(), "compareRunCharts": [chart], "compareRunSections": [section]}


def _grouped(axes: Sequence[str]) -> dict[str, Any]:
    """Groups by model too, since scores of different tasks have no common mean."""
    names = (MODEL_NAME_PARAM, STRATEGY_PARAM, INIT_PARAM, *axes)
    groups = {
        "aggregateFunction": "average",
        "groupByKeys": [{"mode": "param", "groupByData": name} for name in names],
    }
    return {**_cells(), "groupBy": groups, "selectedColumns": [f"metrics.`{name}`" for name in METRICS]}


def page(server: str, path: str) -> str:
    """The address of a page of the UI in its mode for model training.

    What the server's address asks for goes along (`?workspace=default`).
    """
    address, _, asked = server.partition("?")
    return f"{address.rstrip('/')}/#/{path}?{'&'.join(filter(None, (asked, MODE)))}"


def link(server: str, experiment_id: str, view: str) -> str:
    """The address of a view."""
    runs = page(server, f"experiments/{experiment_id}/runs")
    return f"{runs}&compareRunsMode={_MODES[view]}&viewStateShareKey={view}"
