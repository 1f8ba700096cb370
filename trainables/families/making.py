"""Builds or loads models of a family, and derives the config of a smaller student."""

from __future__ import annotations

import copy
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedModel

from trainables.errors import InputError, Problem, raise_all
from trainables.families import adapters, fitting
from trainables.families.base import Family, Shape
from trainables.families.draws import seeded
from trainables.heads import Head, HeadName
from trainables.seeds import stream

# The checks below replace transformers' reports, which would fill the logs of workers, as would its progress bars.
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def scratch_config(
    family: Family,
    fields: Shape,
    tokenizer: PreTrainedTokenizerBase,
    head: Head,
) -> PreTrainedConfig:
    """A config from `fields`, completed from the tokenizer and the head.

    Raises InputError for fields that are unknown, of a wrong type, or inconsistent.
    """
    raise_all(fitting.head_problems(family, head.name) + fitting.scratch_problems(family, fields))
    derived: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        **{key: getattr(tokenizer, f"{token}_id") for key, token in family.token_ids.items()},
        **_labels(head),
    }
    config_class: Any = getattr(transformers, family.config_class)
    try:
        config = config_class(**{**family.scratch_fields, **derived, **fields, **family.fixed_fields})
    except (StrictDataclassError, ValueError, TypeError) as error:
        raise InputError([Problem("model.teacher.config", _one_line(error))]) from None
    if config.vocab_size < len(tokenizer):
        message = f"got {config.vocab_size}; the tokenizer has {len(tokenizer)} entries"
        raise InputError([Problem("model.teacher.config.vocab_size", message)])
    return config


def build(family: Family, config: PreTrainedConfig, head: HeadName, *, seed: int) -> PreTrainedModel:
    """A model with random weights from the stream `init` of `seed`, in fp32."""
    with seeded(stream(seed, "init")):
        return _model_class(family, head)(config)


def load(family: Family, path: str, revision: str | None, head: Head, *, seed: int) -> PreTrainedModel:
    """The model of a folder or hub id in fp32 and eval mode; a missing head is drawn as in `build`.

    Raises InputError where there is no model of this family.
    """
    raise_all(fitting.head_problems(family, head.name))
    source: dict[str, Any] = {"revision": revision or "main", "trust_remote_code": False}
    with _reading(path):
        config = AutoConfig.from_pretrained(path, **source)
    raise_all(fitting.teacher_problems(family, config.to_dict()))
    _set(config, family.fixed_fields)
    if head.has_labels and config.num_labels != head.num_outputs:
        _set(config, _labels(head))
    with _reading(path):
        if config.pad_token_id is None:
            config.pad_token_id = load_tokenizer(path, revision).pad_token_id
        with seeded(stream(seed, "init")):
            model, info = _model_class(family, head.name).from_pretrained(
                path,
                config=config,
                dtype=torch.float32,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
                **source,
            )
    adapters.merge(model)
    missing, mismatched = list(info["missing_keys"]), [name for name, *_ in info["mismatched_keys"]]
    facts = family.models[head.name]
    lacking = [name for name in missing if not name.startswith(facts.fresh)]
    lacking += [name for name in mismatched if not name.startswith(facts.outputs)]
    if lacking:
        message = f"got {path!r}; its weights lack {len(lacking)} tensors of its config, {min(lacking)} for one"
        raise InputError([Problem("model.teacher", message)])
    is_fresh = any(name.startswith(facts.outputs) for name in missing + mismatched)
    # A fresh head does not keep older names, and LABEL_0 and so on are not names.
    if head.has_labels and (is_fresh or model.config.id2label == _unnamed(head.num_outputs)):
        _set(model.config, _labels(head))
    if head.has_labels:
        model.config.problem_type = head.problem_type
    return model


def check_finite(model: PreTrainedModel, path: str) -> None:
    """Raises InputError where a weight of the model that was loaded from `path` is NaN or infinite."""
    spoilt = [name for name, weight in model.named_parameters() if not weight.isfinite().all()]
    if spoilt:
        raise InputError([Problem("model.teacher", f"got {path!r}; its weights hold NaN or infinity in {spoilt[0]}")])


def load_tokenizer(path: str, revision: str | None = None, **options: Any) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder or hub id; without a pad token, as Llama's, it pads with its end token.

    The pad token has no effect on training: padding is masked and has no labels. `options` are attributes of the
    tokenizer that are saved with it.
    """
    tokenizer = AutoTokenizer.from_pretrained(path, revision=revision or "main", trust_remote_code=False, **options)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


@contextmanager
def _reading(path: str) -> Generator[None, None, None]:
    """Turns transformers' errors about a missing or damaged model into an InputError."""
    try:
        yield
    except (OSError, ValueError, SafetensorError, StrictDataclassError) as error:
        message = f"got {path!r}; no model can be read there ({_one_line(error)})"
        raise InputError([Problem("model.teacher", message)]) from None


def student_config(family: Family, config: PreTrainedConfig, num_blocks: int, width: int | None) -> PreTrainedConfig:
    """The teacher's config at another depth and width: heads are as many, and other sizes follow `Family.at_width`.

    Lists with one entry per block keep the entries of the blocks that init `teacher` copies.
    """
    student = copy.deepcopy(config)
    shape = config.to_dict()
    depths = family.num_blocks(shape)
    for stack, blocks in family.stacks.items():
        setattr(student, blocks.depth[0], num_blocks)
        for key in family.per_block_fields:
            copied = family.copied_blocks(depths[stack], num_blocks)
            setattr(student, key, [shape[key][block - 1] for block in copied])
    if width is not None:
        _set(student, family.at_width(shape, width))
    student.name_or_path = ""  # it is not the teacher's model
    return student


def _model_class(family: Family, head: HeadName) -> Any:
    return getattr(transformers, family.models[head].name)


def _set(config: PreTrainedConfig, fields: dict[str, Any]) -> None:
    for key, value in fields.items():
        setattr(config, key, value)


def _labels(head: Head) -> dict[str, Any]:
    """The fields of a config about its labels; none for a language model."""
    if not head.has_labels:
        return {}
    return {
        "id2label": dict(enumerate(head.labels)),
        "label2id": {name: index for index, name in enumerate(head.labels)},
        "problem_type": head.problem_type,
    }


def _unnamed(num_outputs: int) -> dict[int, str]:
    """The names that transformers gives to labels without names."""
    return {index: f"LABEL_{index}" for index in range(num_outputs)}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
