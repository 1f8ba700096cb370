"""Values that are chosen by their kind from a table, such as a strategy: a name, or a mapping with `kind`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel


def read_kind(sort: str, table: Mapping[str, type[BaseModel]]) -> Callable[[Any], Any]:
    """A validator that makes the value of a kind from its name, or from a mapping of its kind and parameters."""

    def read(value: Any) -> Any:
        if isinstance(value, BaseModel):
            return value
        fields = {"kind": value} if isinstance(value, str) else value
        if not isinstance(fields, dict) or not isinstance(fields.get("kind"), str):
            raise ValueError(f"expected the name of a {sort}, or a mapping with its kind: {', '.join(table)}")
        kind = fields["kind"]
        if kind not in table:
            near = difflib.get_close_matches(kind, table, n=1)
            guess = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"expected one of {', '.join(table)}{guess}")
        return table[kind].model_validate(fields)

    return read
