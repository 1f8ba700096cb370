"""The source of a teacher, which is a folder, the hub or a config, with its shape and its identity by content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.plan.checks.files import content_hash, read_json, refusal
from sweep.plan.checks.vocabulary import check_folder, check_rows, check_scratch, check_size
from trainables import deadline, vocabularies, weights
from trainables.config import FromScratch, ModelConfig
from trainables.errors import InputError, Problem
from trainables.families import Family, fitting

_TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "tokenizer.model")
_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")
_INDEX = "model.safetensors.index.json"
_LOCAL = "give a folder in save_pretrained form instead, or a config to train a teacher from"


@dataclass(frozen=True)
class TeacherSource:
    """What a teacher is loaded or built from. `config` is its config.json, or the fields to build it from."""

    config: dict[str, Any]
    identity: dict[str, Any]
    source: str | None
    """A folder or a hub id; None if the teacher is built from `config`."""
    revision: str | None = None
    """The commit on the hub, so that a cell loads the teacher that was checked."""
    tokenizer: Path | None = None
    """The tokenizer.json on this machine; None if there is none, or if the teacher is built from `config`."""
    is_stated: bool = False
    """Whether `config` comes from `model.shape`, because the model on the hub was not looked up."""


def find(model: ModelConfig, family: Family, *, look_up: bool = True) -> TeacherSource:
    """The model's teacher. Raises InputError with paths relative to the trial config.

    Without `look_up`, a model of the hub whose shape is stated is not looked up, because a plan needs only its shape.
    """
    if problems := [
        Problem(_in_shape(path), message) for path, message in fitting.scratch_problems(family, model.shape or {})
    ]:
        raise InputError(problems)
    spec = model.teacher
    if isinstance(spec, FromScratch):
        if problems := fitting.scratch_problems(family, spec.config):
            raise InputError(problems)
        check_scratch(spec.config, spec.tokenizer, family)
        return _of_shape(TeacherSource(spec.config, spec.model_dump(mode="json"), None), model)
    if spec.startswith(("/", ".", "~")) or Path(spec).exists():
        return _of_shape(_sized(_folder(Path(spec), family), family), model)
    if not look_up and model.shape is not None:
        identity = {"hub": spec, "revision": model.revision, "shape": model.shape}
        return TeacherSource(model.shape, identity, spec, model.revision, is_stated=True)
    return _of_shape(_sized(_hub(spec, model.revision, family), family), model)


def _in_shape(path: str) -> str:
    return path.replace("model.teacher.config", "model.shape", 1)


def _sized(source: TeacherSource, family: Family) -> TeacherSource:
    """The teacher itself. Raises InputError if a size in its config.json is not a positive whole number."""
    wrong = fitting.wrong_sizes(family, source.config)
    if wrong:
        raise InputError([Problem("model.teacher", f"{key} in its config.json: {why}") for key, why in wrong.items()])
    return source


def _of_shape(source: TeacherSource, model: ModelConfig) -> TeacherSource:
    """The teacher itself. Raises InputError if its config contradicts `model.shape`; absent fields are ignored."""
    wrong = [
        Problem(f"model.shape.{key}", f"got {said!r}; the teacher has {has!r}")
        for key, said in (model.shape or {}).items()
        if (has := source.config.get(key, said)) != said
    ]
    if wrong:
        raise InputError(wrong)
    return source


def _folder(folder: Path, family: Family) -> TeacherSource:
    if not folder.is_dir():
        raise refusal(f"got {str(folder)!r}; there is no such folder")
    lacking = [] if (folder / "config.json").is_file() else ["config.json"]
    safe, unsafe = (sorted(folder.glob(pattern)) for pattern in _WEIGHTS)
    tokenizer = [folder / name for name in _TOKENIZERS if (folder / name).is_file()]
    lacking += [] if safe or unsafe else ["weights (model.safetensors)"]
    lacking += [] if tokenizer else ["tokenizer (tokenizer.json)"]
    if lacking:
        raise refusal(f"got {str(folder)!r}, a folder that is no model: it has no {', no '.join(lacking)}")
    config = read_json(folder / "config.json")
    num_tokens = check_folder(config, family, folder)
    # transformers loads adapters that lie beside the weights they adapt.
    beside = ("tokenizer_config.json", "special_tokens_map.json", "adapter_config.json", "adapter_model.safetensors")
    settings = [folder / name for name in ("config.json", "generation_config.json", *beside)]
    content = [*filter(Path.is_file, settings), *tokenizer, *(safe or unsafe)]
    try:
        if (folder / _INDEX).is_file() and (lost := weights.missing_shards(folder / _INDEX)):
            raise ValueError(f"{_INDEX} names {', '.join(lost)}, and there is no such file")
        check_rows(safe, family, num_tokens)
        fast = folder / _TOKENIZERS[0]
        identity = {"folder": content_hash(content)}
        return TeacherSource(config, identity, str(folder), tokenizer=fast if fast in tokenizer else None)
    except (OSError, ValueError) as error:
        raise refusal(f"got {str(folder)!r}; {error}") from None


def _hub(name: str, revision: str | None, family: Family) -> TeacherSource:
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
        raise refusal(f"got {name!r}{at}; there is no such folder, and from the hub: {reason}; {_LOCAL}") from None
    fields = read_json(config)
    has_tokenizer = tokenizer.is_file()
    if has_tokenizer:
        check_size(fields, family, vocabularies.vocabulary(read_json(tokenizer)))
    return TeacherSource(
        fields, {"hub": name, "revision": commit}, name, commit, tokenizer=tokenizer if has_tokenizer else None
    )
