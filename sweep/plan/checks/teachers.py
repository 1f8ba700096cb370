"""A teacher where it comes from: a folder, the hub, or a config; its shape and its identity by content."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables import deadline, vocabularies
from trainables.config import FromScratch, ModelConfig
from trainables.errors import InputError, Problem
from trainables.families import Family, fitting

_TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "tokenizer.model")
_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")
_LOCAL = "give a folder in save_pretrained form instead, or a config to train a teacher from"
_PADDED_BY = 64
_PADDED_UP_TO = 512


@dataclass(frozen=True)
class TeacherSource:
    """What a teacher is made from. `config` is its config.json, or the fields to build it from."""

    config: dict[str, Any]
    identity: dict[str, Any]
    source: str | None
    """A folder or a hub id; None: built from `config`."""
    revision: str | None = None
    """The hub's commit, so that the teacher that was checked is the one that is loaded."""
    is_stated: bool = False
    """`config` is what `model.shape` says of a hub's model that was not looked up."""


def find(model: ModelConfig, family: Family, *, look_up: bool = True) -> TeacherSource:
    """The model's teacher. Raises InputError, paths relative to the trial config.

    Without `look_up`, a model of the hub whose shape is stated is not asked for: a plan needs no more.
    """
    if problems := [
        Problem(_in_shape(path), message) for path, message in fitting.scratch_problems(family, model.shape or {})
    ]:
        raise InputError(problems)
    spec = model.teacher
    if isinstance(spec, FromScratch):
        if problems := fitting.scratch_problems(family, spec.config):
            raise InputError(problems)
        return _of_shape(TeacherSource(spec.config, spec.model_dump(mode="json"), None), model)
    if spec.startswith(("/", ".", "~")) or Path(spec).exists():
        return _of_shape(_sized(_folder(Path(spec)), family), model)
    if not look_up and model.shape is not None:
        identity = {"hub": spec, "revision": model.revision, "shape": model.shape}
        return TeacherSource(model.shape, identity, spec, model.revision, is_stated=True)
    return _of_shape(_sized(_hub(spec, model.revision), family), model)


def _in_shape(path: str) -> str:
    return path.replace("model.teacher.config", "model.shape", 1)


def _sized(source: TeacherSource, family: Family) -> TeacherSource:
    """The teacher, where the sizes in its config.json are sizes."""
    wrong = fitting.wrong_sizes(family, source.config)
    if wrong:
        raise InputError([Problem("model.teacher", f"{key} in its config.json: {why}") for key, why in wrong.items()])
    return source


def _of_shape(source: TeacherSource, model: ModelConfig) -> TeacherSource:
    """The teacher, where it is what `model.shape` says; a field that its own config leaves out may be anything."""
    wrong = [
        Problem(f"model.shape.{key}", f"got {said!r}; the teacher has {has!r}")
        for key, said in (model.shape or {}).items()
        if (has := source.config.get(key, said)) != said
    ]
    if wrong:
        raise InputError(wrong)
    return source


def _folder(folder: Path) -> TeacherSource:
    if not folder.is_dir():
        raise _wrong(f"got {str(folder)!r}; there is no such folder")
    lacking = [] if (folder / "config.json").is_file() else ["config.json"]
    weights = [sorted(folder.glob(pattern)) for pattern in _WEIGHTS]
    tokenizer = [folder / name for name in _TOKENIZERS if (folder / name).is_file()]
    lacking += [] if any(weights) else ["weights (model.safetensors)"]
    lacking += [] if tokenizer else ["tokenizer (tokenizer.json)"]
    if lacking:
        raise _wrong(f"got {str(folder)!r}, a folder that is no model: it has no {', no '.join(lacking)}")
    config = _read_json(folder / "config.json")
    if (folder / "tokenizer.json").is_file():
        _check_vocabulary(config, folder / "tokenizer.json", folder / "vocab.json", folder / "vocab.txt")
    # transformers loads adapters that lie beside the weights they adapt.
    beside = ("tokenizer_config.json", "special_tokens_map.json", "adapter_config.json", "adapter_model.safetensors")
    settings = [folder / name for name in ("config.json", "generation_config.json", *beside)]
    content = [*filter(Path.is_file, settings), *tokenizer, *(weights[0] or weights[1])]
    return TeacherSource(config, {"folder": _content_hash(content)}, str(folder))


def _hub(name: str, revision: str | None) -> TeacherSource:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()
    known = (OSError, HFValidationError)  # TimeoutError is an OSError

    def ask() -> Path:
        return Path(hf_hub_download(name, "config.json", revision=revision))

    try:
        config = deadline.within(deadline.ANSWER_SECONDS, ask, known)
        commit = config.parent.name
        try:
            tokenizer = Path(hf_hub_download(name, "tokenizer.json", revision=commit))
        except EntryNotFoundError:
            tokenizer = config.parent / "tokenizer.json"
    except known as error:
        reason = str(error).strip().split("\n")[0]
        at = f" at revision {revision!r}" if revision else ""
        raise _wrong(f"got {name!r}{at}; no folder of this name, and from the hub: {reason}; {_LOCAL}") from None
    fields = _read_json(config)
    if tokenizer.is_file():
        _check_vocabulary(fields, tokenizer)
    return TeacherSource(fields, {"hub": name, "revision": commit}, name, commit)


def _check_vocabulary(config: dict[str, Any], tokenizer: Path, *others: Path) -> None:
    """One vocabulary, and a row for each of its tokens in the embedding table.

    Models pad the table to a multiple of 64, and no further. `others`: the vocabulary in an older form, perhaps
    without what was added later; a folder that was mixed from two models shows there.
    """
    tokens = vocabularies.vocabulary(_read_json(tokenizer))
    for other in filter(Path.is_file, others):
        if found := vocabularies.differences(tokens, _older(other)):
            raise _wrong(f"got a {tokenizer.name} and a {other.name} that differ: {vocabularies.first(found)}")
    num_rows, num_tokens = config.get("vocab_size"), vocabularies.size(tokens)
    if not isinstance(num_rows, int):
        return
    is_padded = 0 < num_rows - num_tokens < _PADDED_UP_TO and num_rows % _PADDED_BY == 0
    if num_rows != num_tokens and not is_padded:
        message = f"got a model for {num_rows} tokens with a tokenizer of {num_tokens}"
        rowless = vocabularies.beyond(tokens, num_rows)
        shown = f", without a row for {vocabularies.first(rowless)}" if rowless else ""
        raise _wrong(f"{message}{shown}; a tokenizer that is the model's")


def _older(path: Path) -> dict[str, int]:
    """A vocab.json, or the lines of a vocab.txt."""
    if path.suffix == ".json":
        return {token: index for token, index in _read_json(path).items() if isinstance(index, int)}
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise _wrong(f"got {str(path)!r}, which cannot be read: {error}") from None
    return {line.rstrip("\r"): index for index, line in enumerate(lines) if line.rstrip("\r")}


def _content_hash(files: list[Path]) -> str:
    total = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            total.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _wrong(f"got {str(path)!r}, which cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise _wrong(f"got {str(path)!r}, which holds no mapping")
    return value


def _wrong(message: str) -> InputError:
    return InputError([Problem("model.teacher", message)])
