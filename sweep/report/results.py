"""Records as one tidy table: one row per teacher and per cell, whatever its status. Nothing else reads results."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from sweep.grid import labels
from sweep.grid.cells import Cell
from sweep.grid.variation import axis_values, cell_fields, cell_labels, short_labels, teacher_labels, varied_fields
from sweep.records import own_metrics
from sweep.records.records import Record, RecordKind, Records, State
from sweep.records.storage import Storage
from sweep.records.stored import AttemptFailure, CellResult, Result, TeacherResult
from sweep.tracking.scores import scores, share
from sweep.tracking.tags import SECONDS_TOTAL
from trainables.inert import at_defaults
from trainables.size import BATCHES, Size
from trainables.strategies import StateMapping

Mappings = dict[str, StateMapping]
"""Stack -> student state -> teacher state."""


@dataclass(frozen=True)
class ResultRow:
    """One teacher or one cell. A value that it does not have, or not yet, is None."""

    kind: RecordKind
    label: str
    words: str
    """What tells the cell from the others of its sweep: `reverse · teacher · lr=1e-3`; of a teacher, its label."""
    model: str
    task: str
    strategy: str
    init: str
    seed: int | None
    axes: dict[str, str]
    """The other fields of the config that the sweep varies and that affect the cell."""
    status: State
    reason: str
    main_metric: str
    best: float | None
    test: float | None
    teacher_test: float | None
    chance: float | None
    """The main metric of guessing on the test split."""
    share_of_teacher: float | None
    """(test - chance) / (teacher's test - chance)."""
    validation_share: float | None
    """The same share of the best validation scores. It chooses the best student."""
    metrics: dict[str, float]
    """All final metrics: test/…, angle/…, seconds/…"""
    mapping: Mappings
    mapping_note: str
    """What the strategy `random` drew in each stack, against forward: identity, reversal or permutation."""
    signature: str
    seconds: float | None
    computed_by: str
    teacher: str
    """Its hash."""
    fingerprint: str
    searched: dict[str, str] = field(default_factory=dict[str, str])
    """The fields that a search has set, with their values."""
    notes: tuple[str, ...] = ()
    """Why its numbers mean little, in a few words each."""
    size: Size | None = None
    """That of its best model."""


def rows(records: Records, cells: Sequence[Cell], searched: Sequence[str] = ()) -> list[ResultRow]:
    """The rows of the teachers of these cells, then the rows of the cells, in the order of `cells`.

    `searched`: the fields that a search has set, which are no axes.
    """
    first: dict[str, Cell] = {}
    for cell in cells:
        first.setdefault(cell.teacher_hash, cell)
    results = {teacher_hash: records.teacher(teacher_hash).result() for teacher_hash in first}
    configs = {cell.fingerprint: at_defaults(cell.shown, searched) for cell in cells}
    axes = varied_fields([*configs.values()])
    names, words = cell_labels(configs), short_labels(configs)
    values = axis_values({cell.fingerprint: cell.shown for cell in cells}, axes)
    names_of = {key: (names[key], words[key]) for key in configs}
    teacher_names = teacher_labels({key: cell.config for key, cell in first.items()})
    teachers = [
        _teacher_row(records.teacher(key), cell, results[key], teacher_names[key]) for key, cell in first.items()
    ]

    def row(cell: Cell) -> ResultRow:
        return replace(
            _row(records.cell(cell.fingerprint), cell, results[cell.teacher_hash], names_of[cell.fingerprint]),
            axes=values[cell.fingerprint],
            searched={path: cell_fields(cell.config).get(path, "") for path in searched},
        )

    return teachers + records.storage.map(row, cells)


def table(rows: Iterable[ResultRow]) -> tuple[list[str], list[dict[str, Any]]]:
    """The columns (fields, then axes, then metrics), and each row as a mapping, without the columns that it lacks."""
    lines = [(_flat(row), {**row.axes, **row.searched}, row.metrics) for row in rows]
    columns = list(dict.fromkeys(column for parts in zip(*lines, strict=True) for part in parts for column in part))
    return columns, [flat | axes | metrics for flat, axes, metrics in lines]


def write_csv(rows: Sequence[ResultRow], storage: Storage, path: str) -> None:
    """Writes the table as CSV, with the notes of the rows beside the reasons of failures."""
    columns, lines = table(rows)
    columns.insert(columns.index("reason") + 1, "note")
    lines = [line | {"note": "; ".join(row.notes)} for line, row in zip(lines, rows, strict=True)]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    storage.write(path, text.getvalue().encode())


def _teacher_row(record: Record, cell: Cell, result: TeacherResult | None, label: str) -> ResultRow:
    """The row of the teacher of a cell."""
    row = _row(record, cell, result, (label, label))
    return replace(
        row,
        kind="teacher",
        strategy="",
        init="",
        seed=None,
        share_of_teacher=None,
        validation_share=None,
        mapping_note="",
        fingerprint="",
    )


def _row(record: Record, cell: Cell, teacher_result: TeacherResult | None, names: tuple[str, str]) -> ResultRow:
    """The row of a cell; `names` are its label and its words."""
    result = record.result()
    failure = None if result else record.last_failure()
    config = cell.shown
    metrics = own_metrics.metrics_of(record, result, config.task.kind) if result else {}
    mapping = result.mapping if isinstance(result, CellResult) else {}
    (best, test), (teacher_best, teacher_test) = scores(result), scores(teacher_result)
    chance = teacher_result.chance if teacher_result else None
    return ResultRow(
        kind="cell",
        label=names[0],
        words=names[1],
        model=config.model.name,
        task=config.task.name,
        strategy=labels.strategy_label(config.strategy),
        init=config.init,
        seed=config.seed,
        axes={},
        status=_status(result, failure),
        reason=failure.reason if failure else "",
        main_metric=result.main_metric if result else "",
        best=best,
        test=test,
        teacher_test=teacher_test,
        chance=chance,
        share_of_teacher=share(test, teacher_test, chance),
        validation_share=share(best, teacher_best, chance),
        metrics=metrics,
        mapping=mapping,
        mapping_note=_notes(mapping) if config.strategy.kind == "random" else "",
        signature=(result.signature or "") if result else "",
        seconds=metrics.get(SECONDS_TOTAL),
        computed_by=result.computed_by if result else "",
        teacher=cell.teacher_hash,
        fingerprint=cell.fingerprint,
        size=result.size if result else None,
    )


def permutation_note(mapping: StateMapping) -> str:
    """What a drawn mapping is against forward: identity, reversal or another permutation."""
    blocks = [match for state, match in sorted(mapping.items()) if state > 0 and isinstance(match, int)]
    if blocks == sorted(blocks):
        return "identity"
    return "reversal" if blocks == sorted(blocks, reverse=True) else "permutation"


def _status(result: Result | None, failure: AttemptFailure | None) -> State:
    if result is not None:
        return "done"
    return "failed" if failure and failure.by_itself else "missing"


def _notes(mapping: Mappings) -> str:
    return ", ".join(f"{stack}: {permutation_note(pairs)}" for stack, pairs in mapping.items())


def _flat(row: ResultRow) -> dict[str, Any]:
    """The fields of a row that are one column each. Label and words are left out: they repeat some of them."""
    others = ("label", "words", "axes", "searched", "metrics", "notes", "size")
    flat = {each.name: getattr(row, each.name) for each in fields(row) if each.name not in others}
    mapping = "; ".join(f"{stack} {labels.pairs(pairs)}" for stack, pairs in row.mapping.items())
    return flat | {"mapping": mapping} | _size_columns(row.size)


def _size_columns(size: Size | None) -> dict[str, float | None]:
    """The columns of a size, which every row has."""
    rates = size.examples_per_second if size else {}
    return {
        "parameters": size and size.parameters,
        "parameters_without_embeddings": size and size.without_embeddings,
        "megabytes": size and size.megabytes,
        **{f"examples_per_second_{batch}": rates.get(batch) for batch in BATCHES},
    }
