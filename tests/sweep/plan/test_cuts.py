"""How many inputs a plan says are cut, against lengths that are counted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from sweep.plan import cuts
from sweep.plan.checks import prepare
from tests.sweep.own_data import BASE, rows_of, write_all, write_rows
from trainables.builtin import MODELS

WORDS = {**MODELS["tiny-bert"]["teacher"], "tokenizer": {"kind": "word", "vocab_size": 100}}


def shown(folder: Path, num_long: int, *overrides: str, tokenizer: Tokenizer | None = None) -> str:
    """What is said of 100 training rows, `num_long` of which have 9 words; without a tokenizer, one is trained."""
    model = {**BASE["model"], "teacher": "teacher" if tokenizer else WORDS}
    path = write_all(folder, base={**BASE, "model": model})
    if tokenizer:
        tokenizer.save(str(folder / "teacher" / "tokenizer.json"))
    rows = [{"text": "a b c d e f g h i" if row < num_long else "a b", "label": row % 2} for row in range(100)]
    write_rows(folder / "train.jsonl", rows)
    for split in ("validation", "test"):
        write_rows(folder / f"{split}.jsonl", [{**row, "label": 0} for row in rows_of(split)])
    checked = prepare(path, [f"storage={folder}/runs", "base.model.name=m", *overrides])
    console = Console(width=80)
    with console.capture() as capture:
        cuts.show(checked, console)
    return capture.get()


def test_the_share_of_inputs_that_are_cut(tmp_path: Path) -> None:
    line = "2% of the inputs of words are cut at task.max_length 10 (longest: 11 tokens of m)\n"
    assert shown(tmp_path, 2, "base.task.max_length=10") == line


@pytest.mark.parametrize(("num_long", "max_length"), [(1, 10), (50, 11)])
def test_one_percent_is_not_worth_saying(tmp_path: Path, num_long: int, max_length: int) -> None:
    assert shown(tmp_path, num_long, f"base.task.max_length={max_length}") == ""


def test_the_tokenizer_of_a_folder_is_read_without_its_own_truncation(tmp_path: Path) -> None:
    tokenizer = Tokenizer(WordLevel({"a": 0, "b": 1, "c": 2, "[UNK]": 3, "[PAD]": 4}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.enable_truncation(4)
    line = "7% of the inputs of words are cut at task.max_length 8 (longest: 9 tokens of m)\n"
    assert shown(tmp_path, 7, "base.task.max_length=8", tokenizer=tokenizer) == line
