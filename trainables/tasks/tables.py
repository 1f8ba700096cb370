"""Tables from files: JSON lines, CSV, TSV and Parquet.

CSV, TSV and Parquet are streamed by `datasets`, so that nothing is written to disk. JSON lines are read here, because
`datasets` turns texts that look like dates into dates, and missing fields into null.
CSV and TSV hold only text below a header line; TSV has no quoting; an empty cell is null.
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

TableRecord = dict[str, Any]
Quoting = Literal[0, 3]
"""csv.QUOTE_MINIMAL or csv.QUOTE_NONE."""

JSON_LINES = (".jsonl", ".json", ".ndjson")
DELIMITED: dict[str, tuple[str, Quoting]] = {".csv": (",", csv.QUOTE_MINIMAL), ".tsv": ("\t", csv.QUOTE_NONE)}
PARQUET = ".parquet"
_SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons"}
_CONVERT = "save it as UTF-8, for instance with: iconv -f WINDOWS-1252 -t UTF-8"
SUFFIXES = (*JSON_LINES, *DELIMITED, PARQUET)


@dataclass(frozen=True)
class Table:
    """A split's records with their numbers: line numbers in JSON lines, elsewhere row numbers below the header."""

    path: str
    """The file, or the name of the split."""
    field: str
    """The config field that names it."""
    records: list[tuple[int, TableRecord]]


def read_table(path: str, field: str, findings: Findings) -> Table:
    """All records of the file at `path`, which the config names in `field`; errors go to `findings`."""
    try:
        records = list(_records(path, field, findings))
    except FileNotFoundError:
        findings.add(field, path, "there is no such file")
        return Table(path, field, [])
    except UnicodeDecodeError as error:
        findings.add(field, path, f"it is no UTF-8: {error.reason} at byte {error.start}; {_CONVERT}")
        return Table(path, field, [])
    except (OSError, ValueError, csv.Error) as error:  # pandas, pyarrow and the decoder raise subclasses of ValueError
        findings.add(field, path, f"it cannot be read: {' '.join(str(error).split())}")
        return Table(path, field, [])
    if not records and not findings.about(field):
        findings.add(field, path, "it has no rows, and a split needs one")
    return Table(path, field, records)


def _records(path: str, field: str, findings: Findings) -> Iterator[tuple[int, TableRecord]]:
    suffix = Path(path).suffix.lower()
    if suffix in JSON_LINES:
        return _json_lines(path, field, findings)
    if suffix in DELIMITED:
        return enumerate(_delimited(path, *DELIMITED[suffix]), start=1)
    if suffix == PARQUET:
        return enumerate(_stream("parquet", path), start=1)
    raise ValueError(f"its name has to end in {', '.join(SUFFIXES)}")


def _json_lines(path: str, field: str, findings: Findings) -> Iterator[tuple[int, TableRecord]]:
    with open(path, encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                findings.add(field, path, "each line has to be a JSON object", f"line {number}: {error.msg}")
                continue
            if isinstance(record, dict):
                yield number, record
            else:
                findings.add(
                    field, path, "each line has to be a JSON object", f"line {number}: {type(record).__name__}"
                )


def _delimited(path: str, separator: str, quoting: Quoting) -> Iterator[TableRecord]:
    import datasets

    with open(path, encoding="utf-8-sig", newline="") as file:
        names = next(csv.reader(file, delimiter=separator, quoting=quoting), [])
    others = [sign for sign in _SEPARATORS if sign != separator and sign in "".join(names)]
    if len(names) == 1 and others:
        asked, other = _SEPARATORS[separator], _SEPARATORS[others[0]]
        raise ValueError(f"its header has {other} and no {asked}; separate its columns by {asked}")
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


def _stream(kind: str, path: str, **options: Any) -> Iterator[TableRecord]:
    import datasets

    datasets.utils.logging.set_verbosity(logging.CRITICAL)  # it logs only what it also raises
    with tempfile.TemporaryDirectory() as cache:  # streamed data is not cached, yet the folder is created
        yield from datasets.load_dataset(
            kind, data_files=glob.escape(path), split="train", streaming=True, cache_dir=cache, **options
        )
