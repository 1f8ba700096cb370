"""A person's folder: a config, data files and a teacher that is complete to the eye, of whose weights one is there."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from sweep.plan.checks import Checked, prepare
from trainables.errors import InputError

TABLE = "bert.embeddings.word_embeddings.weight"
SHAPE = {"hidden_size": 12, "num_attention_heads": 3, "num_hidden_layers": 12, "max_position_embeddings": 32}
ROWS = [{"text": "good", "label": "yes"}, {"text": "bad", "label": "no"}]
BASE: dict[str, Any] = {
    "model": {"name": "own", "family": "bert", "teacher": "teacher", "finetune": {"epochs": 1}},
    "task": {
        "name": "words",
        "kind": "classification",
        "files": {split: f"{split}.jsonl" for split in ("train", "validation", "test")},
        "text": ["text"],
        "max_length": 16,
    },
}


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def rows_of(split: str, text: str = "text") -> list[dict[str, Any]]:
    """The rows of a split, whose texts no other split has."""
    return [{text: f"{row['text']} {split}", "label": row["label"]} for row in ROWS]


def write_teacher(folder: Path, num_tokens: int = 5, **fields: Any) -> None:
    folder.mkdir(exist_ok=True)
    config = {"model_type": "bert", "architectures": ["BertModel"], "vocab_size": 5, **SHAPE, **fields}
    (folder / "config.json").write_text(json.dumps(config))
    vocabulary = {f"w{num}": num for num in range(num_tokens - 1)}
    added = [{"id": num_tokens - 1, "content": "[PAD]"}]
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}, "added_tokens": added}))
    rows = config["vocab_size"] if isinstance(config["vocab_size"], int) else 5
    write_weights(folder / "model.safetensors", rows=rows)


def write_weights(path: Path, value: float = 1.0, rows: int = 5, dtype: str = "float32") -> None:
    """A file of weights that holds an embedding table of one value, and nothing else."""
    save_file({TABLE: np.full((rows, 12), value, dtype)}, path)


def write_config(folder: Path, **fields: Any) -> Path:
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump({"name": "own", "base": BASE, **fields}, sort_keys=False))
    return path


def write_all(folder: Path, **fields: Any) -> Path:
    """Data, teacher and a config that is right with `fields` in it; the path of the config."""
    for split in ("train", "validation", "test"):
        write_rows(folder / f"{split}.jsonl", rows_of(split))
    write_teacher(folder / "teacher")
    return write_config(folder, **fields)


def prepared(folder: Path, *overrides: str, **fields: Any) -> Checked:
    return prepare(write_all(folder, **fields), [f"storage={folder}/runs", *overrides])


def lines(folder: Path, *overrides: str, **fields: Any) -> list[str]:
    """What is wrong, a line each."""
    with pytest.raises(InputError) as error:
        prepared(folder, *overrides, **fields)
    return str(error.value).split("\n")


def refused(path: Path, *overrides: str) -> list[str]:
    """The errors of a config file, one per line; its folder is left as it was."""
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(InputError) as error:
        prepare(path, overrides)
    assert sorted(path.parent.rglob("*")) == before
    return str(error.value).split("\n")
