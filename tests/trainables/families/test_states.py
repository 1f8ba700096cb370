"""Raw states against `output_hidden_states`, masks, padding, and generation.

Shapes: B batch, T tokens, D width, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tests.trainables.families.settings import SETTINGS, Setting
from trainables.families.states import aligned_labels, forward, generate, recorded, token_masks
from trainables.families.tiny import IGNORED, LENGTHS, TARGET_LENGTHS

GENERATION = [s for s in SETTINGS if s.head_name == "language_model"]


def hf_states(setting: Setting, model: PreTrainedModel, batch: dict[str, Tensor]) -> dict[str, tuple[Tensor, ...]]:
    seen: Any = model(**setting.for_transformers(batch), output_hidden_states=True)
    if setting.family.form == "encoder_decoder":
        return {"encoder": seen.encoder_hidden_states, "decoder": seen.decoder_hidden_states}
    return dict.fromkeys(setting.family.stacks, seen.hidden_states)


def num_hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_states_are_what_blocks_give_to_each_other(
    setting: Setting, teacher: PreTrainedModel, batch: dict[str, Tensor]
) -> None:
    wanted = hf_states(setting, teacher, batch)
    got = forward(setting.family, teacher, batch).states
    assert got.keys() == wanted.keys() == setting.family.stacks.keys()
    for stack, states in got.items():
        assert len(states) == len(wanted[stack]) == 7
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(states[:-1], wanted[stack][:-1], strict=True))
        norm = setting.final_norms.get(stack)
        if norm is None:
            assert torch.equal(states[-1], wanted[stack][-1])
        else:
            assert not torch.allclose(states[-1], wanted[stack][-1], atol=0.1)
            assert torch.equal(teacher.get_submodule(norm)(states[-1]), wanted[stack][-1])


def test_with_the_final_norm_every_state_is_that_of_transformers(
    setting: Setting, teacher: PreTrainedModel, batch: dict[str, Tensor]
) -> None:
    wanted = hf_states(setting, teacher, batch)
    got = forward(setting.family, teacher, batch, final_norm=True)
    for stack, states in got.states.items():
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(states, wanted[stack], strict=True))
    raw = forward(setting.family, teacher, batch)
    assert torch.equal(raw.logits, got.logits)
    assert torch.equal(got.all_logits, teacher(**setting.for_transformers(batch)).logits)


def test_state_0_is_the_embeddings_of_the_tokens(setting: Setting, teacher: PreTrainedModel) -> None:
    batch = setting.batch()
    states = forward(setting.family, teacher, batch).states
    inputs: Any = teacher.get_input_embeddings()
    if setting.family.name == "t5" or setting.family.form == "decoder":
        first = next(iter(states.values()))[0]
        assert torch.equal(first[0], inputs(batch["input_ids"])[0])
    if setting.family.name == "t5":
        start_and_first = torch.stack([torch.tensor(teacher.config.pad_token_id), batch["labels"][0, 0]])
        assert torch.equal(states["decoder"][0][0, :2], inputs(start_and_first))


def test_labels_are_those_of_the_batch(setting: Setting, teacher: PreTrainedModel, batch: dict[str, Tensor]) -> None:
    assert torch.equal(forward(setting.family, teacher, batch).labels, aligned_labels(setting.family, batch))


def test_masks_hold_the_real_tokens(setting: Setting, teacher: PreTrainedModel, batch: dict[str, Tensor]) -> None:
    seen = forward(setting.family, teacher, batch)
    masks = token_masks(setting.family, batch)
    writes_apart = setting.family.form == "encoder_decoder" and setting.head_name == "language_model"
    real = {"encoder": LENGTHS, "decoder": TARGET_LENGTHS if writes_apart else LENGTHS}
    assert masks.keys() == seen.masks.keys() == setting.family.stacks.keys()
    for stack, mask_BT in masks.items():
        assert mask_BT.dtype == torch.bool
        assert tuple(mask_BT.sum(1).tolist()) == real[stack]
        assert torch.equal(mask_BT, seen.masks[stack])
        assert all(state.shape[:2] == mask_BT.shape for state in seen.states[stack])


def test_garbage_in_the_padding_moves_no_real_token(
    setting: Setting, teacher: PreTrainedModel, batch: dict[str, Tensor]
) -> None:
    draw = torch.Generator().manual_seed(9)
    padding_BT = batch["attention_mask"] == 0
    spoiled = dict(batch)
    for column, size in {"input_ids": 30, "token_type_ids": 2}.items():
        if column in batch:
            noise_BT = torch.randint(0, size, padding_BT.shape, generator=draw)
            spoiled[column] = torch.where(padding_BT, noise_BT, batch[column])
    assert not torch.equal(spoiled["input_ids"], batch["input_ids"])
    clean, other = (forward(setting.family, teacher, columns) for columns in (batch, spoiled))
    for stack, mask_BT in clean.masks.items():
        for mine, theirs in zip(clean.states[stack], other.states[stack], strict=True):
            assert torch.equal(mine[mask_BT], theirs[mask_BT])
    at_labels = clean.labels != IGNORED
    assert torch.equal(clean.logits[at_labels], other.logits[at_labels])


def test_more_padding_moves_no_real_token(setting: Setting, teacher: PreTrainedModel, batch: dict[str, Tensor]) -> None:
    fills = {"input_ids": teacher.config.pad_token_id, "attention_mask": 0, "token_type_ids": 0}
    fills |= {"labels": IGNORED, "token_labels": IGNORED}
    wider = {
        name: nn.functional.pad(column, (0, 3), value=fills[name]) if column.dim() == 2 else column
        for name, column in batch.items()
    }
    clean, other = (forward(setting.family, teacher, columns) for columns in (batch, wider))
    for stack, mask_BT in clean.masks.items():
        for mine, theirs in zip(clean.states[stack], other.states[stack], strict=True):
            # Another width of the batch is another order of fp32 sums, six blocks deep.
            assert torch.allclose(mine[mask_BT], theirs[:, : mine.shape[1]][mask_BT], rtol=1e-4, atol=1e-4)


def test_all_columns_reach_the_model(setting: Setting, teacher: PreTrainedModel, batch: dict[str, Tensor]) -> None:
    if "token_type_ids" in batch:
        without = {**batch, "token_type_ids": torch.zeros_like(batch["token_type_ids"])}
        with_types, no_types = (forward(setting.family, teacher, columns) for columns in (batch, without))
        assert not torch.allclose(with_types.logits, no_types.logits, atol=0.01)
    seen: list[set[str]] = []
    handle = teacher.register_forward_pre_hook(lambda _m, _a, kwargs: seen.append(set(kwargs)), with_kwargs=True)
    forward(setting.family, teacher, batch)
    handle.remove()
    assert seen[0] >= batch.keys() - {"labels", "token_labels"}


def test_a_model_without_segments_is_given_none(setting: Setting, teacher: PreTrainedModel) -> None:
    """A tokenizer may name them: for a model with one row of types, type 1 is outside of its table."""
    batch = setting.batch()
    named = {**batch, "token_type_ids": batch["attention_mask"]}
    plainly, otherwise = (forward(setting.family, teacher, columns).logits for columns in (batch, named))
    assert torch.equal(plainly, otherwise) != setting.family.has_segments


def test_gradients_flow_from_every_state(setting: Setting) -> None:
    model = setting.teacher().requires_grad_(True)
    stacks = forward(setting.family, model, setting.batch()).states
    for stack, states in stacks.items():
        blocks: Any = model.get_submodule(setting.family.stacks[stack].path)
        for number, state in enumerate(states):
            model.zero_grad()
            state.square().mean().backward(retain_graph=True)
            reached = [any(p.grad is not None and p.grad.any() for p in block.parameters()) for block in blocks]
            assert reached == [index < number for index in range(len(blocks))]
            table: Any = model.get_input_embeddings()
            assert table.weight.grad.any()


def test_no_hook_is_left(setting: Setting, teacher: PreTrainedModel, batch: dict[str, Tensor]) -> None:
    before = num_hooks(teacher)
    forward(setting.family, teacher, batch)
    assert num_hooks(teacher) == before
    with pytest.raises(IndexError):
        forward(setting.family, teacher, {**batch, "input_ids": batch["input_ids"] + 1000})
    assert num_hooks(teacher) == before


def test_hooks_are_removed_where_the_pass_fails() -> None:
    blocks = nn.ModuleList([nn.Linear(2, 2), nn.Linear(3, 3)])
    with pytest.raises(RuntimeError), recorded({"only": blocks}) as states:  # noqa: PT012
        assert num_hooks(blocks) == 3
        blocks[1](blocks[0](torch.ones(1, 2)))
    assert num_hooks(blocks) == 0
    assert len(states["only"]) == 2


# Generation.


def left_padded(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The prompts of a batch without labels, padded on the left."""
    ids, masks = batch["input_ids"].clone(), batch["attention_mask"].clone()
    for row, length in enumerate(LENGTHS):
        ids[row], masks[row] = ids[row].roll(-length), masks[row].roll(-length)
    return {"input_ids": ids, "attention_mask": masks}


def greedy(setting: Setting, model: PreTrainedModel, prompt: list[int], num_new: int) -> list[int]:
    """One token after another, each from a pass over the whole text, until the end token."""
    config: Any = model.config
    new: list[int] = []
    while len(new) < num_new and config.eos_token_id not in new:
        if setting.family.form == "decoder":
            seen: Any = model(input_ids=torch.tensor([prompt + new]))
        else:
            start = torch.tensor([[config.decoder_start_token_id, *new]])
            seen = model(input_ids=torch.tensor([prompt]), decoder_input_ids=start)
        new.append(int(seen.logits[0, -1].argmax()))
    if len(new) == num_new and getattr(config, "forced_eos_token_id", None) is not None:
        new[-1] = config.forced_eos_token_id
    return new


@pytest.mark.parametrize("generating", GENERATION, ids=str)
def test_generate_gives_the_new_tokens_alone(generating: Setting) -> None:
    setting, teacher, batch = generating, generating.teacher(), generating.batch()
    prompts = {name: batch[name] for name in ("input_ids", "attention_mask")}
    if setting.family.form == "decoder":
        prompts = left_padded(batch)
    tokens_BT = generate(setting.family, teacher, prompts, max_new_tokens=5, num_beams=1)
    pad_id: Any = teacher.config.pad_token_id
    for row, length in enumerate(LENGTHS):
        wanted = greedy(setting, teacher, batch["input_ids"][row, :length].tolist(), 5)
        assert tokens_BT[row].tolist() == wanted + [pad_id] * (tokens_BT.shape[1] - len(wanted))
    assert len({tuple(row) for row in tokens_BT.tolist()}) > 1


@pytest.mark.parametrize("generating", GENERATION, ids=str)
def test_beams_and_labels(generating: Setting) -> None:
    setting, teacher, batch = generating, generating.teacher(), generating.batch()
    if setting.family.form == "decoder":
        batch = left_padded(batch) | {"labels": batch["labels"]}
    tokens_BT = generate(setting.family, teacher, batch, max_new_tokens=4, num_beams=3)
    assert tokens_BT.shape[0] == 3
    assert 1 <= tokens_BT.shape[1] <= 4


@pytest.mark.parametrize(
    "classifying",
    [s for s in SETTINGS if s.family.form == "decoder" and s.head_name == "sequence_classification"],
    ids=str,
)
def test_a_decoder_classifies_by_the_last_real_token(classifying: Setting) -> None:
    setting, model, batch = classifying, classifying.teacher(), classifying.batch()
    logits_BC = forward(setting.family, model, batch).logits
    for row, length in enumerate(LENGTHS):
        alone = {"input_ids": batch["input_ids"][row : row + 1, :length], "attention_mask": torch.ones(1, length)}
        score: Any = model.get_submodule("score")
        last = model.base_model(**alone).last_hidden_state[0, -1]
        # Padded and alone are other orders of fp32 sums.
        assert torch.allclose(logits_BC[row], score(last), rtol=1e-4, atol=1e-4)
