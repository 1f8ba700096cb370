"""Tasks from a person's own files: fields of records to rows, with everything that is wrong in one answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from trainables.errors import InputError
from trainables.tasks.findings import Findings
from trainables.tasks.labels import class_of, find_classes
from trainables.tasks.rows import SPLITS, ClassificationRow, Data, GenerationRow, Row
from trainables.tasks.tables import Record, Table, read_table

if TYPE_CHECKING:
    from trainables.config import TaskConfig


def read_files(task: TaskConfig) -> Data:
    """The data of a task's files; raises InputError with every problem, one a file, field and sort."""
    assert task.files is not None
    found = Findings()
    tables = {split: read_table(getattr(task.files, split), f"files.{split}", found) for split in SPLITS}
    classes: tuple[str, ...] = ()
    if task.kind == "classification":
        classes = tuple(task.classes or _classes_of(tables["train"], task, found))
    splits = {split: _rows(table, task, classes, found) for split, table in tables.items()}
    problems = found.problems()
    if problems:
        raise InputError(problems)
    return Data.of(splits, classes)


def _classes_of(train: Table, task: TaskConfig, found: Findings) -> tuple[str, ...]:
    """The classes of the training split; empty where there are none to be had."""
    values = [record.get(task.label) for _, record in train.records]
    labels = [value for value in values if _is_label(value)]
    if not labels or found.about("files.train"):
        return ()  # the file or the field is not there or not whole, and that is found elsewhere
    try:
        return find_classes(labels)
    except ValueError as error:
        if len(labels) == len(values):  # else a row's label is wrong, and that is found elsewhere
            found.add("label", repr(task.label), str(error), train.path)
        return ()


def _rows(table: Table, task: TaskConfig, classes: tuple[str, ...], found: Findings) -> list[Row]:
    rows: list[Row] = []
    for number, record in table.records:
        reader = _Reader(table.path, number, record, found)
        if task.kind == "classification":
            assert task.text is not None
            texts = tuple(reader.text(name, f"text[{index}]") for index, name in enumerate(task.text))
            rows.append(ClassificationRow(texts, reader.label(task.label, classes)))
        else:
            rows.append(GenerationRow(reader.text(task.source, "source"), reader.references(task.target)))
    return rows


def _is_label(value: Any) -> TypeGuard[str | int]:
    return isinstance(value, str | int) and not isinstance(value, bool)


@dataclass
class _Reader:
    """Takes fields from one record; a value that is wrong is a finding, and something empty stands for it."""

    path: str
    number: int
    record: Record
    found: Findings

    def _add(self, field: str, name: str, sort: str, shown: str = "") -> None:
        place = f"row {self.number}" + (f": {shown}" if shown else "")
        self.found.add(field, repr(name), f"{Path(self.path).name}: {sort}", place)

    def _value(self, name: str, field: str) -> Any:
        if name not in self.record:
            self._add(field, name, "there is no such field", f"it has {', '.join(self.record)}")
        elif self.record[name] is None:
            self._add(field, name, "a value is needed, not null")
        return self.record.get(name)

    def text(self, name: str, field: str) -> str:
        value = self._value(name, field)
        if value is not None and not isinstance(value, str):
            self._add(field, name, "text is needed", _shown(value))
        return value if isinstance(value, str) else ""

    def references(self, name: str) -> tuple[str, ...]:
        """One text, or a list of at least one."""
        value = self._value(name, "target")
        references = [value] if isinstance(value, str) else value
        if isinstance(references, list) and references and all(isinstance(text, str) for text in references):
            return tuple(references)
        if value is not None:
            self._add("target", name, "text or a list of texts is needed", _shown(value))
        return ()

    def label(self, name: str, classes: tuple[str, ...]) -> int:
        value = self._value(name, "label")
        if value is None:
            return 0
        if not _is_label(value):
            self._add("label", name, "an integer or text is needed", _shown(value))
            return 0
        index = class_of(value, classes)
        if index is None and classes:
            self._add("label", name, f"the classes are {', '.join(classes)}", _shown(value))
        return index or 0


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
