"""The metrics of plug-ins on finished records: those that the training measured, and those measured afterwards.

A metric that does not choose the best model is no part of a record's identity. So a record may lack it, or have it from
an earlier text of the plug-in. It is then measured on the stored model, and its values lie beside the model's answers:

    attempts/<n>/metrics/<name>-<hash of the plug-in>.json

The file is created once, because the same text measures the same values on the same model.
"""

from __future__ import annotations

from collections.abc import Mapping

from sweep.records.records import Record, now
from sweep.records.stored import OwnMetric, Result
from trainables import own_metrics, plugins
from trainables.own_metrics import Metric

FOLDER = "metrics"
TEST = "test"
_MEASURED = ("eval", "best", TEST)
"""The first parts of the keys under which a task's metrics are stored; `test_mismatched` is a further test split."""


def metrics_of(record: Record, result: Result, kind: str) -> dict[str, float]:
    """The metrics of a finished record of this task kind, with the values of the active plug-ins' metrics.

    A metric that the training measured by another text of its plug-in, or by a plug-in that is not active, is left out.
    """
    metrics = _current(result, kind)
    for each in measured_afterwards(record, result, kind):
        metrics |= each.values
    return metrics


def lacking(record: Record, result: Result, kind: str) -> list[Metric]:
    """The active plug-ins' metrics that a finished record has no values of."""
    return [metric for metric in _lacking(_current(result, kind), kind) if read(record, result, metric) is None]


def read(record: Record, result: Result, metric: Metric) -> OwnMetric | None:
    """The values of a metric that were measured afterwards, by the text that its plug-in has now."""
    return OwnMetric.read(record.storage, _path(record, result, metric))


def measured_afterwards(record: Record, result: Result, kind: str) -> list[OwnMetric]:
    """The values of the active plug-ins' metrics that were measured afterwards and stand for this record."""
    stored = [read(record, result, metric) for metric in _lacking(_current(result, kind), kind)]
    return [each for each in stored if each]


def write(record: Record, result: Result, metric: Metric, values: Mapping[str, float]) -> None:
    """Stores the values of a metric, unless another process has stored the same before."""
    record.storage.create(_path(record, result, metric), OwnMetric(values=dict(values), time=now()).dump())


def _path(record: Record, result: Result, metric: Metric) -> str:
    source = plugins.metric_sources(metric.kind)[metric.names[0]]
    return f"{record.root}/attempts/{result.attempt}/{FOLDER}/{metric.names[0]}-{source}.json"


def _current(result: Result, kind: str) -> dict[str, float]:
    """The metrics of a result without those whose plug-in is another one now. The main one is in the identity."""
    sources = plugins.metric_sources(kind)
    stale = {name for name, source in result.own_metrics.items() if sources.get(name) != source} - {result.main_metric}
    return {key: value for key, value in result.metrics.items() if not _is_of(key, stale)}


def _is_of(key: str, names: set[str]) -> bool:
    """Whether a key such as `eval/f1` or `test_mismatched/f1` is that of a task's metric with one of these names."""
    part, _, name = key.partition("/")
    return name in names and (part in _MEASURED or part.startswith(f"{TEST}_"))


def _lacking(metrics: Mapping[str, float], kind: str) -> list[Metric]:
    sources = plugins.metric_sources(kind)
    return [
        metric
        for metric in own_metrics.of_kind(kind)
        if metric.names[0] in sources and any(f"{TEST}/{name}" not in metrics for name in metric.names)
    ]
