"""The contract of a model family, checked on a tiny teacher and its student: `contract.check(FAMILY)`.

The tests run it over every family. Authors of a family run it from a test or a shell, and a sweep runs it over the
families of its plug-ins before it starts. It takes a few seconds per family.

Shapes: B batch, T tokens.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers import PreTrainedModel

from trainables import student
from trainables.config import ModelConfig
from trainables.errors import InputError, Problem
from trainables.families import adapters, making
from trainables.families.base import Family
from trainables.families.states import forward, generate, stacks_of, token_masks
from trainables.families.tiny import IGNORED, LABELS, Tiny, shape, tokenizer
from trainables.families.tiny import head as tiny_head
from trainables.heads import HeadName


class Broken(Exception):
    """A family breaks a rule: the wrong field of its declaration, and a message."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def check(family: Family, config: Mapping[str, Any] | None = None) -> None:
    """Raises InputError with the first rule that the family breaks with each of its heads.

    `config`: the fields of a tiny teacher from scratch, with at least 4 blocks per stack; None: a shape derived
    from the declaration.
    """
    problems = [problem for head in family.models for problem in head_problems(family, head, config)]
    if problems:
        raise InputError(list(dict.fromkeys(problems)))


def head_problems(family: Family, head: HeadName, config: Mapping[str, Any] | None = None) -> list[Problem]:
    """The first rule that a family breaks with one head, as problems; empty where it keeps them all."""
    tiny = Tiny(family, head, shape(family) if config is None else config)
    for rule in RULES:
        try:
            rule(tiny)
        except Broken as error:
            return [Problem(f"family {family.name}.{error.field}", f"{error} ({head})")]
        except InputError as error:
            return [Problem(f"family {family.name}", f"{problem} ({head})") for problem in error.problems]
        except Exception as error:  # a wrong declaration fails anywhere in transformers
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            return [Problem(f"family {family.name}", f"{_rule(rule)}; got {reason} ({head})")]
    return []


# The rules, in an order in which later ones rely on earlier ones.


def names(tiny: Tiny) -> None:
    """Classes, config fields and defaults are those of transformers."""
    family = tiny.family
    model = (f"models[{tiny.head_name}]", family.models[tiny.head_name].name)
    for field, name in (("config_class", family.config_class), model):
        if not hasattr(transformers, name):
            raise Broken(field, f"got {name!r}, which transformers does not have")
    config = getattr(transformers, family.config_class)()
    if config.model_type != family.model_type:
        raise Broken("model_type", f"got {family.model_type!r}; {family.config_class} says {config.model_type!r}")
    # Every config accepts the ids of special tokens, even where its class does not declare them.
    if unknown := sorted(key for key in family.config_fields - family.token_ids.keys() if not hasattr(config, key)):
        raise Broken("config_fields", f"got {', '.join(unknown)}, which {family.config_class} does not have")
    for key, value in family.defaults.items():
        if getattr(config, key, None) != value:
            raise Broken(f"defaults[{key}]", f"got {value}; {family.config_class} has {getattr(config, key, None)}")


def stacks(tiny: Tiny) -> None:
    """Each stack's path leads to the list of its blocks."""
    model = tiny.teacher()
    depths = tiny.family.num_blocks(model.config.to_dict())
    for stack, blocks in tiny.family.stacks.items():
        try:
            module = model.get_submodule(blocks.path)
        except AttributeError as error:
            raise Broken(f"stacks[{stack}].path", f"got {blocks.path!r}; {error}") from None
        if not isinstance(module, nn.ModuleList) or len(module) != depths[stack]:
            kind = f"{type(module).__name__} of {len(list(module.children()))}"
            raise Broken(
                f"stacks[{stack}].path", f"got {blocks.path!r}, a {kind}; expected a list of {depths[stack]} blocks"
            )


def states(tiny: Tiny) -> None:
    """State i is the output of block i; all but the last equal transformers' hidden states."""
    model, batch = tiny.teacher(), tiny.batch()
    outputs: Any = model(**tiny.for_transformers(batch), output_hidden_states=True)
    for stack, mine in forward(tiny.family, model, batch).states.items():
        both = tiny.family.form == "encoder_decoder"
        theirs = outputs[f"{stack}_hidden_states"] if both else outputs.hidden_states
        if len(mine) != len(theirs):
            raise Broken(f"stacks[{stack}]", f"got {len(mine)} states; transformers gives {len(theirs)}")
        for index, (one, other) in enumerate(zip(mine[:-1], theirs[:-1], strict=True)):
            if not torch.equal(one, other):
                raise Broken(f"stacks[{stack}]", f"state {index} is not transformers' own")
        if mine[0].shape[-1] != tiny.family.width(model.config.to_dict()):
            raise Broken("width_field", f"got {tiny.family.width_field!r}; the states are {mine[0].shape[-1]} wide")


def padding(tiny: Tiny) -> None:
    """Padding does not affect the states of real tokens."""
    model, batch = tiny.teacher(), tiny.batch()
    padding_BT = batch["attention_mask"] == 0
    spoiled = {**batch, "input_ids": torch.where(padding_BT, 3, batch["input_ids"])}
    clean, other = (model(**tiny.for_transformers(columns), output_hidden_states=True) for columns in (batch, spoiled))
    masks = token_masks(tiny.family, batch)
    for stack, mask_BT in masks.items():
        key = f"{stack}_hidden_states" if tiny.family.form == "encoder_decoder" else "hidden_states"
        for index, (one, two) in enumerate(zip(clean[key], other[key], strict=True)):
            if not torch.equal(one[mask_BT], two[mask_BT]):
                raise Broken("form", f"state {index} of the {stack}'s real tokens moves with what stands in padding")


def logits(tiny: Tiny) -> None:
    """Logits are aligned with their labels: their cross entropy equals transformers' loss."""
    model, batch = tiny.teacher(), tiny.batch()
    outputs = forward(tiny.family, model, batch)
    mine = nn.functional.cross_entropy(outputs.logits.flatten(0, -2), outputs.labels.flatten(), ignore_index=IGNORED)
    theirs: Any = model(**tiny.for_transformers(batch)).loss
    if not torch.allclose(mine, theirs, rtol=1e-5):
        raise Broken("form", f"got {tiny.family.form!r}; cross entropy is {mine:.6f}, transformers' loss {theirs:.6f}")


def tables(tiny: Tiny) -> None:
    """The embedding tables exist, and freezing them leaves no trained table outside the blocks."""
    model = tiny.teacher()
    for path in tiny.family.embeddings:
        try:
            model.get_submodule(path)
        except AttributeError as error:
            raise Broken("embeddings", f"got {path!r}; {error}") from None
    student.freeze_embeddings(tiny.family, model.requires_grad_(True))
    weights = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Embedding)}
    blocks = tuple(f"{blocks.path}." for blocks in tiny.family.stacks.values())
    parameters = dict(model.named_parameters())
    outside = [name for name in weights if not name.startswith(blocks) and name in parameters]
    if trained := sorted(name for name in outside if parameters[name].requires_grad):
        raise Broken("embeddings", f"leaves {trained[0]} to be trained under freeze_embeddings")


def head(tiny: Tiny) -> None:
    """The outputs are the weights that depend on the number of labels and that a headless checkpoint may lack."""
    if not tiny.head.has_labels:
        return
    family, model, facts = tiny.family, tiny.teacher(), tiny.family.models[tiny.head_name]
    more = tiny_head(tiny.head_name, len(LABELS) + 2)
    config = making.scratch_config(family, tiny.config, tokenizer(family), more)
    others = making.build(family, config, more.name, seed=0).state_dict()
    changed = {name for name, tensor in model.state_dict().items() if tensor.shape != others[name].shape}
    named = {name for name in others if name.startswith(facts.outputs)}
    if changed != named:
        field = f"models[{tiny.head_name}].outputs"
        raise Broken(field, f"got {', '.join(sorted(named)) or 'nothing'}; expected {', '.join(sorted(changed))}")
    with tempfile.TemporaryDirectory() as folder:
        base: Any = model.base_model
        base.save_pretrained(folder)
        making.load(family, folder, None, tiny.head, seed=0)


def students(tiny: Tiny) -> None:
    """A student of full depth with the teacher's weights equals the teacher; a saved one equals its reloaded model."""
    model, batch = tiny.teacher(), tiny.batch()
    depth = min(tiny.family.num_blocks(model.config.to_dict()).values())
    if all(len(blocks) == depth for blocks in stacks_of(tiny.family, model).values()):
        full = _student(tiny, model, depth, init="teacher")
        if not torch.equal(_logits(tiny, full, batch), _logits(tiny, model, batch)):
            raise Broken("stacks", "a student of full depth with all of the teacher's weights gives other logits")
    for width, init in ((None, "teacher"), (tiny.family.width(model.config.to_dict()) // 2, "random")):
        small = _student(tiny, model, depth // 2, init, width)
        with tempfile.TemporaryDirectory() as folder:
            small.save_pretrained(folder)
            plain = tiny.plain(Path(folder))
        mine, theirs = _logits(tiny, small, batch), _logits(tiny, plain, batch)
        if not torch.equal(mine, theirs):
            raise Broken("per_block_fields", f"a saved student ({init} weights) gives other logits in transformers")


def generation(tiny: Tiny) -> None:
    """A student first generates the likeliest token after the prompt, and its output excludes the prompt."""
    if tiny.head.has_labels:
        return
    model, batch = tiny.teacher(), tiny.batch()
    small = _student(tiny, model, min(tiny.family.num_blocks(model.config.to_dict()).values()) // 2, "teacher")
    prompt = {name: batch[name][:1] for name in ("input_ids", "attention_mask")}
    inputs: dict[str, Any] = dict(prompt)
    if tiny.family.form == "encoder_decoder":
        inputs["decoder_input_ids"] = torch.tensor([[small.config.decoder_start_token_id]])
    with torch.no_grad():
        outputs: Any = small(**inputs)
    tokens_BT = generate(tiny.family, small, prompt, max_new_tokens=3, num_beams=1)
    if int(tokens_BT[0, 0]) != int(outputs.logits[0, -1].argmax()):
        raise Broken("form", "the first token that it generates is not the likeliest one after the prompt")


def linears(tiny: Tiny) -> None:
    """The declared linear layers cover those of the blocks."""
    if not tiny.family.linears:
        return
    declared = tuple(f".{name}" for name in tiny.family.linears)
    names = adapters.linears(tiny.family, tiny.teacher())
    if lacking := [name for name in names if not name.endswith(declared)]:
        raise Broken("linears", f"lacks {lacking[0]}")


RULES: tuple[Callable[[Tiny], None], ...] = (
    names,
    stacks,
    states,
    padding,
    logits,
    tables,
    head,
    students,
    generation,
    linears,
)


def _student(
    tiny: Tiny, teacher: PreTrainedModel, num_blocks: int, init: str, width: int | None = None
) -> PreTrainedModel:
    fields = {"name": "tiny", "family": tiny.family.name, "teacher": "tiny", "copy_classifier": True}
    config = ModelConfig.model_validate({**fields, "student_blocks": num_blocks, "student_width": width})
    return student.build(tiny.family, teacher, config, init, seed=0).model


def _logits(tiny: Tiny, model: PreTrainedModel, batch: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        return forward(tiny.family, model, batch).logits


def _rule(rule: Callable[[Tiny], None]) -> str:
    return str(rule.__doc__).removesuffix(".")
