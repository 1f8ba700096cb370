"""Checks that a teacher's files agree on one vocabulary, and that each token has a row of the embedding table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sweep.plan.checks.files import read_json, refusal
from trainables import vocabularies, weights
from trainables.config import TokenizerConfig
from trainables.errors import InputError, Problem
from trainables.families import Family

_PADDED_BY = 64
_PADDED_UP_TO = 512
_BYTES = 256


def check_scratch(config: dict[str, Any], tokenizer: TokenizerConfig, family: Family) -> None:
    """Raises InputError if a teacher from scratch has fewer rows than its tokenizer, trained later, may have tokens."""
    least = _BYTES + len(set(family.special_tokens.values())) if tokenizer.kind == "byte_bpe" else 0
    most, num_rows = max(tokenizer.vocab_size, least), config.get("vocab_size")
    if num_rows is not None and num_rows < most:
        message = f"got {num_rows}; the tokenizer may have {most} tokens: give as many, or leave vocab_size out"
        raise InputError([Problem("model.teacher.config.vocab_size", message)])


def check_folder(config: dict[str, Any], family: Family, folder: Path) -> int:
    """The number of tokens of a folder's tokenizer; 0 if no file tells it.

    Raises InputError if the files differ, as in a folder that was mixed from two models. The older files (vocab.json,
    vocab.txt) may lack tokens that were added later.
    """
    older = [path for path in (folder / "vocab.json", folder / "vocab.txt") if path.is_file()]
    if not (folder / "tokenizer.json").is_file():
        tokens = _older(older[0]) if older else {}
        check_size(config, family, tokens, is_whole=False)
        return vocabularies.size(tokens)
    tokens = vocabularies.vocabulary(read_json(folder / "tokenizer.json"))
    for path in older:
        if found := vocabularies.differences(tokens, _older(path)):
            raise refusal(f"got a tokenizer.json and a {path.name} that differ: {vocabularies.first(found)}")
    check_size(config, family, tokens)
    return vocabularies.size(tokens)


def check_size(config: dict[str, Any], family: Family, tokens: dict[str, int], *, is_whole: bool = True) -> None:
    """Raises InputError if the embedding table has too few rows, or too many for a vocabulary that is whole.

    Models pad the table to a multiple of 64 and no further.
    """
    num_rows, num_tokens = config.get("vocab_size", family.defaults.get("vocab_size")), vocabularies.size(tokens)
    if not isinstance(num_rows, int):
        return
    is_padded = 0 < num_rows - num_tokens < _PADDED_UP_TO and num_rows % _PADDED_BY == 0
    if num_rows == num_tokens or is_padded or (num_rows > num_tokens and not is_whole):
        return
    message = f"got a model for {num_rows} tokens with a tokenizer of {num_tokens}"
    rowless = vocabularies.beyond(tokens, num_rows)
    shown = f", without a row for {vocabularies.first(rowless)}" if rowless else ""
    raise refusal(f"{message}{shown}; use the model's own tokenizer")


def check_rows(files: list[Path], family: Family, num_tokens: int) -> None:
    """Raises ValueError if the embedding table in the weights has too few rows, whatever the config says."""
    table = f"{family.embeddings[0].rpartition('.')[2]}.weight"
    for path in files:
        for name, place in weights.places(path).items():
            if f".{name}".endswith(f".{table}") and place.shape[0] < num_tokens:
                raise ValueError(f"{name} in {path.name} has {place.shape[0]} rows for {num_tokens} tokens")


def _older(path: Path) -> dict[str, int]:
    """The tokens of a vocab.json or a vocab.txt with their ids."""
    if path.suffix == ".json":
        return {token: index for token, index in read_json(path).items() if isinstance(index, int)}
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise refusal(f"got {str(path)!r}, which cannot be read: {error}") from None
    return {line.rstrip("\r"): index for index, line in enumerate(lines) if line.rstrip("\r")}
