"""Tables from files: JSON lines, CSV, TSV and Parquet.

CSV, TSV and Parquet are read by `datasets`, streamed, so that nothing is written. JSON lines are read here:
`datasets` takes a text that looks like a date for a date, and a field that is not there for null.
CSV and TSV hold text alone under a line of names; a TSV has no quoting; an empty cell is null.
"""

from __future__ import annotations

import csv
import glob
import json
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trainables.tasks.findings import Findings

Record = dict[str, Any]
Quoting = Literal[0, 3]
"""csv.QUOTE_MINIMAL or csv.QUOTE_NONE."""

JSON_LINES = (".jsonl", ".json", ".ndjson")
DELIMITED: dict[str, tuple[str, Quoting]] = {".csv": (",", csv.QUOTE_MINIMAL), ".tsv": ("\t", csv.QUOTE_NONE)}
PARQUET = ".parquet"
SUFFIXES = (*JSON_LINES, *DELIMITED, PARQUET)


@dataclass(frozen=True)
class Table:
    """A split's records with their numbers: the line in JSON lines, the row under the names elsewhere."""

    path: str
    """The file, or the name of the split."""
    field: str
    """The config's field that names it."""
    records: list[tuple[int, Record]]


def read_table(path: str, field: str, found: Findings) -> Table:
    """All records of a file, `field` of the config; what is wrong with the file as a whole goes to `found`."""
    try:
        records = list(_records(path, field, found))
    except FileNotFoundError:
        found.add(field, path, "there is no such file")
        return Table(path, field, [])
    except (OSError, ValueError, csv.Error) as error:  # pandas, pyarrow and the decoder raise subclasses of ValueError
        found.add(field, path, f"it cannot be read: {' '.join(str(error).split())}")
        return Table(path, field, [])
    if not records and not found.about(field):
        found.add(field, path, "it has no rows, and a split needs one")
    return Table(path, field, records)


def _records(path: str, field: str, found: Findings) -> Iterator[tuple[int, Record]]:
    suffix = Path(path).suffix.lower()
    if suffix in JSON_LINES:
        return _json_lines(path, field, found)
    if suffix in DELIMITED:
        return enumerate(_delimited(path, *DELIMITED[suffix]), start=1)
    if suffix == PARQUET:
        return enumerate(_stream("parquet", path), start=1)
    raise ValueError(f"its name has to end in {', '.join(SUFFIXES)}")


def _json_lines(path: str, field: str, found: Findings) -> Iterator[tuple[int, Record]]:
    with open(path, encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                found.add(field, path, "each line has to be a JSON object", f"line {number}: {error.msg}")
                continue
            if isinstance(record, dict):
                yield number, record
            else:
                found.add(field, path, "each line has to be a JSON object", f"line {number}: {type(record).__name__}")


def _delimited(path: str, separator: str, quoting: Quoting) -> Iterator[Record]:
    import datasets

    with open(path, encoding="utf-8-sig", newline="") as file:
        names = next(csv.reader(file, delimiter=separator, quoting=quoting), [])
    return _stream(
        "csv",
        path,
        features=datasets.Features({name: datasets.Value("string") for name in names}),
        sep=separator,
        quoting=quoting,
        encoding="utf-8-sig",
        keep_default_na=False,
        na_values=[""],
    )


def _stream(kind: str, path: str, **options: Any) -> Iterator[Record]:
    import datasets

    datasets.utils.logging.set_verbosity(logging.CRITICAL)  # what it would log is raised too
    with tempfile.TemporaryDirectory() as cache:  # streamed data is not cached, but the folder is made
        yield from datasets.load_dataset(
            kind, data_files=glob.escape(path), split="train", streaming=True, cache_dir=cache, **options
        )
