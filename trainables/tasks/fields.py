"""Reads fields of one record; a wrong value is recorded as a finding, and an empty value replaces it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.tasks.findings import Findings
from trainables.tasks.tables import TableRecord

_SURROGATE = re.compile("[\ud800-\udfff]")
ABSENT = object()
"""The result of `value_at` where there is no such field."""


@dataclass
class Fields:
    """One record of a table. In its methods, `name` is the dotted name of a field of the record, and
    `field` the config field that gives this name."""

    path: str
    number: int
    record: TableRecord
    findings: Findings

    def wrong(self, field: str, name: str, sort: str, shown: str = "") -> None:
        """Records a finding about a field of this row: `sort` says what would be right, `shown` what is there."""
        place = f"row {self.number}" + (f": {shown}" if shown else "")
        self.findings.add(field, repr(name), f"{Path(self.path).name}: {sort}", place)

    def value(self, name: str, field: str) -> Any:
        """The value; None, after recording a finding, where it is null or missing."""
        value = value_at(self.record, name)
        if value is ABSENT:
            self.wrong(field, name, "there is no such field", f"it has {', '.join(self.record)}")
            return None
        if value is None:
            self.wrong(field, name, "a value is needed, not null")
        if has_lone_surrogate(value):
            self.wrong(field, name, "half a surrogate pair is no text: UTF-8 cannot hold it", brief(value))
            return None
        return value

    def text(self, name: str, field: str) -> str:
        """The text of a field; empty, after recording a finding, where there is none."""
        value = self.value(name, field)
        if value is not None and not isinstance(value, str):
            self.wrong(field, name, "text is needed", brief(value))
        return value if isinstance(value, str) else ""

    def texts(self, name: str, field: str, *, least: int = 1) -> list[str]:
        """A list of at least `least` texts; empty, after recording a finding, where there is none."""
        value = self.value(name, field)
        if isinstance(value, list) and len(value) >= least and all(isinstance(text, str) for text in value):
            return value
        if value is not None:
            needed = "a list of texts is needed" if least == 1 else f"a list of {least} texts or more is needed"
            self.wrong(field, name, needed, brief(value))
        return []


def value_at(record: Any, name: str) -> Any:
    """The value of a field: `answers.text` is a field of that name, or `text` of each mapping in `answers`."""
    if isinstance(record, list):
        inner = [value_at(each, name) for each in record]
        return ABSENT if any(value is ABSENT for value in inner) else inner
    if not isinstance(record, dict):
        return ABSENT
    if name in record:
        return record[name]
    first, dot, rest = name.partition(".")
    return value_at(record[first], rest) if dot and first in record else ABSENT


def has_lone_surrogate(value: Any) -> bool:
    """Whether a text in a value is one that no encoding of Unicode can hold: JSON's \\ud800 without its other half."""
    if isinstance(value, list | tuple):
        return any(map(has_lone_surrogate, value))
    if isinstance(value, dict):
        return any(map(has_lone_surrogate, value.values()))
    return isinstance(value, str) and _SURROGATE.search(value) is not None


def brief(value: Any) -> str:
    """A value on one line, cut to 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
