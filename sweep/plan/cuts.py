"""Counts the inputs of a task that are longer than `task.max_length`, with the tokenizer of each teacher.

It uses only the library `tokenizers`, so that a plan needs no transformers. For a teacher from scratch, it trains a
tokenizer on the rows that it counts; the sweep trains one on all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from sweep.plan.checks import Checked
from sweep.plan.checks.teachers import TeacherSource
from trainables.config import FromScratch, TrialConfig
from trainables.families import FAMILIES
from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import Row
from trainables.tasks.tokenizer import train

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_MOST_ROWS = 1000
"""Enough to estimate a share of 1% within half a percent, in less than a second."""
_WORTH_SAYING = 0.01


def show(checked: Checked, console: Console) -> None:
    """Prints one line per model and task of which more than 1% of the inputs are cut."""
    lines: dict[tuple[str, str, int], str] = {}
    for cell in checked.cells:
        config, data = cell.config, checked.data.get(cell.data)
        key = (cell.teacher_hash, cell.data, config.task.max_length)
        if data is not None and key not in lines:
            lines[key] = line(config, checked.teacher_sources[cell.teacher_hash], data.train)
    for text in dict.fromkeys(lines.values()):
        if text:
            console.print(Text(text), soft_wrap=True)


def line(config: TrialConfig, source: TeacherSource, rows: Sequence[Row]) -> str:
    """The line about these rows; empty if 1% or less are cut, or if the tokenizer is not known before the run."""
    step = -(-len(rows) // _MOST_ROWS)
    rows = rows[::step]
    tokenizer = _tokenizer(config, source, rows)
    if tokenizer is None:
        return ""
    longest = config.task.max_length
    lengths = [_length(config, tokenizer, row) for row in rows]
    share = sum(length > longest for length in lengths) / len(rows)
    if share <= _WORTH_SAYING:
        return ""
    where = f"task.max_length {longest} (longest: {max(lengths)} tokens of {config.model.name})"
    return f"{share:.0%} of the inputs of {config.task.name} are cut at {where}"


def _tokenizer(config: TrialConfig, source: TeacherSource, rows: Sequence[Row]) -> Tokenizer | None:
    family, teacher, kind = FAMILIES[config.model.family], config.model.teacher, KINDS[config.task.kind]
    if isinstance(teacher, FromScratch):
        return train(teacher.tokenizer, family, (text for row in rows for text in kind.texts(row)))
    if source.tokenizer is None:
        return None
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(source.tokenizer))
    except Exception:  # the class that tokenizers itself raises, for a file that transformers alone may know to read
        return None
    tokenizer.no_truncation()
    return tokenizer


def _length(config: TrialConfig, tokenizer: Tokenizer, row: Row) -> int:
    """The number of tokens of a row's input, with special tokens."""
    task, kind = config.task, KINDS[config.task.kind]
    texts = kind.input(row)
    if isinstance(texts, str):
        return len(tokenizer.encode(task.prefix + texts))
    if FAMILIES[config.model.family].form == "decoder":
        return len(tokenizer.encode(task.separator.join(texts)))
    first, second = texts
    return len(tokenizer.encode(first, second))
