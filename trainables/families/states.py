"""Forward passes that record the raw states of every stack, and generation.

A raw state is what a block passes to the next one. With T5 and Qwen3, the last entry of `output_hidden_states` includes
the final norm, so states are recorded at the blocks themselves.

Shapes: B batch, T tokens, D width, V vocabulary, C classes.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel

from trainables.families.base import Family, Outputs

Kept = Mapping[str, Collection[int]]
"""Stack -> the numbers of the states to keep of a forward pass."""

IGNORED = -100
"""The label of a position without a target."""


@contextmanager
def recorded(
    stacks: dict[str, nn.ModuleList], kept: Kept | None = None
) -> Generator[dict[str, list[Tensor]], None, None]:
    """Stack -> the states of the forward pass inside the context; the hooks are removed at its end.

    States that are not in `kept` are empty tensors; None keeps all of them.
    """
    states: dict[str, list[Tensor]] = {name: [] for name in stacks}

    def add(name: str, state: Tensor) -> None:
        is_kept = kept is None or len(states[name]) in kept[name]
        states[name].append(state if is_kept else state.new_empty(0))

    def enter(name: str) -> Any:
        def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            add(name, args[0] if args else kwargs["hidden_states"])

        return hook

    def leave(name: str) -> Any:
        def hook(_module: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
            add(name, output[0] if isinstance(output, tuple) else output)

        return hook

    handles: list[Any] = []
    try:
        for name, blocks in stacks.items():
            handles.append(blocks[0].register_forward_pre_hook(enter(name), with_kwargs=True))
            handles += [block.register_forward_hook(leave(name)) for block in blocks]
        yield states
    finally:
        for handle in handles:
            handle.remove()


def stacks_of(family: Family, model: PreTrainedModel) -> dict[str, nn.ModuleList]:
    """Stack -> its blocks."""
    stacks: dict[str, nn.ModuleList] = {}
    for name, blocks in family.stacks.items():
        module = model.get_submodule(blocks.path)
        assert isinstance(module, nn.ModuleList)
        stacks[name] = module
    return stacks


def aligned_labels(family: Family, batch: dict[str, Tensor]) -> Tensor:
    """The labels that `Outputs.logits` are aligned with: [B], or [B, T] with -100 where there is none.

    For a text that a decoder-only model generates, position t predicts label t + 1.
    """
    labels = batch["token_labels"] if "token_labels" in batch else batch["labels"]
    return labels[:, 1:] if family.form == "decoder" and _is_written(batch) else labels


def token_masks(family: Family, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Stack -> mask of real tokens, bool [B, T]; that of an encoder-decoder's target is where its labels are."""
    tokens_BT = batch["attention_mask"].bool()
    if family.form == "encoder_decoder" and _is_written(batch):
        return {"encoder": tokens_BT, "decoder": batch["labels"] != IGNORED}
    return dict.fromkeys(family.stacks, tokens_BT)


def _is_written(batch: dict[str, Tensor]) -> bool:
    """Whether the labels are the tokens of a target text."""
    return "labels" in batch and batch["labels"].dim() == 2


def forward(
    family: Family,
    model: PreTrainedModel,
    batch: dict[str, Tensor],
    *,
    final_norm: bool = False,
    kept: Kept | None = None,
) -> Outputs:
    """One forward pass over a batch with labels, with the raw states of every stack that are in `kept`; None: all.

    The model gets all other columns that the family reads. With `final_norm`, the last state of a stack is the one that
    transformers returns, after the stack's final norm.
    """
    inputs: dict[str, Any] = model_inputs(family, model, batch)
    if family.form != "encoder":
        inputs["use_cache"] = False
    if family.form == "encoder_decoder" and _is_written(batch):  # else the model shifts its input itself
        shift: Any = model.prepare_decoder_input_ids_from_labels
        inputs["decoder_input_ids"] = shift(batch["labels"])
    stacks = stacks_of(family, model)
    with recorded(stacks, kept) as states:
        outputs: Any = model(**inputs, output_hidden_states=final_norm)
    assert all(len(states[name]) == len(blocks) + 1 for name, blocks in stacks.items())
    if final_norm:
        for name, last in _last_states(family, outputs).items():
            if kept is None or len(states[name]) - 1 in kept[name]:
                states[name][-1] = last
    labels = aligned_labels(family, batch)
    all_logits: Tensor = outputs.logits
    logits = all_logits[:, :-1] if family.form == "decoder" and _is_written(batch) else all_logits
    return Outputs(logits, labels, states, token_masks(family, batch), all_logits)


def _last_states(family: Family, outputs: Any) -> dict[str, Tensor]:
    """Stack -> the last hidden state that transformers returns."""
    is_pair = family.form == "encoder_decoder"
    fields = {name: f"{name}_hidden_states" if is_pair else "hidden_states" for name in family.stacks}
    return {name: getattr(outputs, field)[-1] for name, field in fields.items()}


def generate(
    family: Family, model: PreTrainedModel, batch: dict[str, Tensor], max_new_tokens: int, num_beams: int
) -> Tensor:
    """The new tokens [B, T] of greedy or beam search, without the prompt or the decoder's start token.

    For a decoder-only model, prompts must be padded on the left.
    """
    generator: Any = model
    tokens_BT: Tensor = generator.generate(
        **model_inputs(family, model, batch), max_new_tokens=max_new_tokens, num_beams=num_beams, do_sample=False
    )
    start = batch["input_ids"].shape[1] if family.form == "decoder" else 1
    return tokens_BT[:, start:]


def model_inputs(family: Family, model: PreTrainedModel, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The columns without labels, padded with the model's own pad token, by which some heads find a text's end."""
    unused = {"labels", "token_labels"} | (set() if family.has_segments else {"token_type_ids"})
    inputs = {name: column for name, column in batch.items() if name not in unused}
    pad_id: Any = model.config.pad_token_id
    padded = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, pad_id)
    return {**inputs, "input_ids": padded}
