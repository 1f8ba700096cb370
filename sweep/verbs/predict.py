"""Writes the answers of a sweep's best student to the rows of a file: `python -m sweep.verbs.predict`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sweep.records import environment
from sweep.records.archive import Sweep
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.report.report import Report
from sweep.verbs import call
from trainables.config import TrialConfig
from trainables.errors import InputError, Problem, raise_all
from trainables.predictions import described
from trainables.tasks.findings import Findings
from trainables.tasks.kinds import KINDS
from trainables.tasks.tables import read_table
from trainables.wording import count


def parser() -> argparse.ArgumentParser:
    """The arguments of this verb, with their help."""
    verb = call.parser(
        "predict", "--sweep NAME --file FILE [--out FILE]", "Writes a student's answers to the rows of a file."
    )
    verb.add_argument(
        "--sweep",
        metavar="NAME",
        required=True,
        help="a sweep, for its best student; or a student's folder in a storage",
    )
    verb.add_argument("--file", required=True, help="rows like those of the task; labels and targets may be missing")
    verb.add_argument("--out", metavar="FILE", help="the answers as JSON lines; default: FILE.answers.jsonl")
    return verb


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the answers; the exit status is 2 where there is no such student, or a row is wrong."""
    options = parser().parse_args(arguments)
    file = Path(options.file)
    out = Path(options.out) if options.out else file.with_name(f"{file.stem}.answers.jsonl")

    def verb() -> int:
        folder, config = _student(options.sweep, options.storage)
        lines, sentence = _answers(folder, config, file)
        out.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
        print(f"Wrote {count(len(lines), 'answer')} to {out}{sentence}")
        return 0

    return call.run(verb)


def _student(name: str, storage_url: str | None) -> tuple[Path, TrialConfig]:
    """The folder of a student on this machine, and the config of its cell. Raises InputError."""
    folder = Path(name)
    if folder.is_dir():
        cell = folder.absolute().parents[2] / "cell.json"
        if not cell.is_file():
            message = f"got {name!r}, a folder that is no student of a storage; expected …/attempts/<n>/student"
            raise InputError([Problem("--sweep", message)])
        return folder, TrialConfig.model_validate(json.loads(cell.read_text(encoding="utf-8"))["config"])
    return _best(call.storage(storage_url), name)


def _best(storage: Storage, name: str) -> tuple[Path, TrialConfig]:
    """The best student of a sweep. Raises InputError where it has none in the storage."""
    student = Report.of(storage, Sweep.load(storage, name)).student
    path = Records(storage).cell(student.row.fingerprint).path("student") if student else None
    if student is None or path is None:
        raise InputError([Problem("--sweep", f"got {name!r}; the storage has no student of it")])
    return path, student.config


def _answers(folder: Path, config: TrialConfig, file: Path) -> tuple[list[dict[str, Any]], str]:
    """The lines of the answers, and what their metrics are. Raises InputError with every wrong row."""
    from trainables import predict  # loads torch

    findings = Findings()
    classes = predict.class_names(folder, config)
    inputs = predict.read(read_table(str(file), "--file", findings), config, classes, findings)
    raise_all(findings.problems())
    rows = [each.row for each in inputs]
    predictions = predict.predict(folder, config, rows, classes, environment.num_cpus())
    lines = described(config.task.kind, rows, predictions, classes)
    answered = [number for number, each in enumerate(inputs) if each.has_answer]
    for number in set(range(len(lines))) - set(answered):
        lines[number] |= {"reference": None, "score": None}
    if not answered:
        return lines, "."
    pairs = [(rows[number], predictions[number]) for number in answered]
    metrics = KINDS[config.task.kind].score([row for row, _ in pairs], [each for _, each in pairs], classes)
    scores = ", ".join(f"{metric} {value:.4g}" for metric, value in metrics.items())
    return lines, f"; with a reference: {count(len(answered), 'row')}, {scores}."


if __name__ == "__main__":
    sys.exit(main())
