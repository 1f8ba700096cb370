"""Students of every family: depth, width, copied and random weights, ties, projections, frozen tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from tests.trainables.families.settings import SETTINGS, Setting
from trainables.config import ModelConfig
from trainables.errors import InputError
from trainables.families import making
from trainables.families.states import forward, generate
from trainables.seeds import stream
from trainables.student import Student, build, freeze_embeddings

T5 = next(s for s in SETTINGS if s.family.name == "t5")
QWEN3 = next(s for s in SETTINGS if s.family.name == "qwen3" and s.head_name == "language_model")


def make(setting: Setting, teacher: PreTrainedModel, *, init: str = "teacher", seed: int = 0, **fields: Any) -> Student:
    config = {"name": "m", "family": setting.family.name, "teacher": "t", "student_blocks": 3, **fields}
    return build(setting.family, teacher, ModelConfig.model_validate(config), init, seed)


def split(setting: Setting, model: PreTrainedModel) -> tuple[dict[str, list[dict[str, Tensor]]], dict[str, Tensor]]:
    """The weights of each block, per stack; and all others."""
    stacks = {
        name: [block.state_dict() for block in model.get_submodule(blocks.path).children()]
        for name, blocks in setting.family.stacks.items()
    }
    paths = tuple(f"{blocks.path}." for blocks in setting.family.stacks.values())
    return stacks, {key: value for key, value in model.state_dict().items() if not key.startswith(paths)}


def equal(mine: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    return mine.keys() == theirs.keys() and all(torch.equal(value, theirs[key]) for key, value in mine.items())


# Init teacher.


def test_copied_blocks_are_the_teachers(setting: Setting, teacher: PreTrainedModel) -> None:
    student = make(setting, teacher).model
    mine, theirs = split(setting, student)[0], split(setting, teacher)[0]
    for stack, blocks in mine.items():
        assert len(blocks) == 3
        for index, (block, number) in enumerate(zip(blocks, setting.golden_blocks, strict=True)):
            bias = {key for key in block if "relative_attention_bias" in key}
            assert len(bias) == (setting.family.name == "t5" and index == 0)
            assert block.keys() - bias == theirs[stack][number - 1].keys() - {
                key for key in theirs[stack][number - 1] if "relative_attention_bias" in key
            }
            assert all(torch.equal(block[key], theirs[stack][number - 1][key]) for key in block.keys() - bias)
            assert all(torch.equal(block[key], theirs[stack][0][key]) for key in bias)


def test_all_outside_the_blocks_is_the_teachers_but_the_classifier(setting: Setting, teacher: PreTrainedModel) -> None:
    theirs = split(setting, teacher)[1]
    mine = split(setting, make(setting, teacher).model)[1]
    assert mine.keys() == theirs.keys()
    other = {key for key, value in mine.items() if not torch.equal(value, theirs[key])}
    layers = {
        ("roberta", "sequence_classification"): "classifier.out_proj",
        ("bart", "sequence_classification"): "classification_head.out_proj",
    }
    usual = "classifier" if setting.family.form == "encoder" else "score"
    layer = layers.get((setting.family.name, setting.head_name), usual)
    has_bias = (setting.family.form, setting.head_name) != ("decoder", "sequence_classification")
    named = {f"{layer}.weight"} | ({f"{layer}.bias"} if has_bias else set())
    assert other == (named if setting.head.has_labels else set())
    assert equal(split(setting, make(setting, teacher, copy_classifier=True).model)[1], theirs)


def test_a_copied_student_shares_no_memory_with_its_teacher(setting: Setting, teacher: PreTrainedModel) -> None:
    places = {parameter.data_ptr() for parameter in teacher.parameters()}
    assert not places & {parameter.data_ptr() for parameter in make(setting, teacher).model.parameters()}


def test_t5_copies_the_papers_blocks_of_12() -> None:
    teacher = T5.teacher(num_layers=12)
    mine, theirs = split(T5, make(T5, teacher).model)[0], split(T5, teacher)[0]
    for stack in ("encoder", "decoder"):
        key = "layer.0.SelfAttention.q.weight"
        found = [
            [torch.equal(block[key], other[key]) for other in theirs[stack]].index(True) + 1 for block in mine[stack]
        ]
        assert found == [1, 7, 12]


def test_t5_students_know_positions() -> None:
    teacher, batch = T5.teacher(), T5.batch()
    student = make(T5, teacher).model
    turned = {**batch, "input_ids": batch["input_ids"].clone()}
    turned["input_ids"][0] = batch["input_ids"][0].flip(0)
    straight, backwards = (forward(T5.family, student, columns).states["encoder"][-1][0] for columns in (batch, turned))
    # Blind to position, the encoder of a turned text gives the turned states.
    assert not torch.allclose(straight, backwards.flip(0), atol=0.01)
    bias = student.get_submodule("encoder.block.0.layer.0.SelfAttention.relative_attention_bias")
    with torch.no_grad():
        for parameter in bias.parameters():
            parameter.zero_()
    blind, blind_backwards = (
        forward(T5.family, student, columns).states["encoder"][-1][0] for columns in (batch, turned)
    )
    assert torch.allclose(blind, blind_backwards.flip(0), atol=1e-4)


def test_stacks_of_unlike_depth() -> None:
    teacher = T5.teacher(num_layers=4, num_decoder_layers=6)
    student = make(T5, teacher, student_blocks=2).model
    assert T5.family.num_blocks(student.config.to_dict()) == {"encoder": 2, "decoder": 2}
    mine, theirs = split(T5, student)[0], split(T5, teacher)[0]
    key = "layer.0.SelfAttention.o.weight"
    for stack, blocks in {"encoder": (2, 4), "decoder": (3, 6)}.items():
        assert all(
            torch.equal(block[key], theirs[stack][number - 1][key])
            for block, number in zip(mine[stack], blocks, strict=True)
        )


# Init random.


def test_random_weights_come_from_the_seed_alone(setting: Setting, teacher: PreTrainedModel) -> None:
    other = making.build(setting.family, teacher.config, setting.head_name, seed=77)
    torch.manual_seed(3)
    first = make(setting, teacher, init="random", seed=1).model.state_dict()
    torch.manual_seed(4)
    assert equal(first, make(setting, other, init="random", seed=1).model.state_dict())
    second = make(setting, teacher, init="random", seed=2).model.state_dict()
    drawn = [key for key in first if first[key].std() > 0]
    assert len(drawn) > 10
    assert not any(torch.equal(first[key], second[key]) for key in drawn)
    assert not any(torch.equal(first[key], teacher.state_dict()[key]) for key in drawn)


def test_a_student_neither_reads_nor_moves_the_global_generator(setting: Setting, teacher: PreTrainedModel) -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    make(setting, teacher, init="random", student_width=8)
    assert torch.equal(torch.rand(3), wanted)


def test_a_copied_head_is_drawn_as_the_random_students(setting: Setting, teacher: PreTrainedModel) -> None:
    copied, drawn = (make(setting, teacher, init=init).model.state_dict() for init in ("teacher", "random"))
    facts = setting.family.models[setting.head_name]
    outputs = [key for key in copied if facts.outputs and key.startswith(facts.outputs)]
    assert all(torch.equal(copied[key], drawn[key]) for key in outputs)
    assert len(outputs) == (1 + facts.bias if setting.head.has_labels else 0)


# Config, ties, saving.


def test_ties_are_kept(setting: Setting, teacher: PreTrainedModel) -> None:
    for init in ("teacher", "random"):
        model = make(setting, teacher, init=init).model
        table: Any = model.get_input_embeddings()
        head: Any = model.get_output_embeddings()
        if setting.head_name == "language_model":
            assert (head.weight is table.weight) == teacher.config.tie_word_embeddings
        if setting.family.form == "encoder_decoder":
            stacks: Any = model.get_encoder(), model.get_decoder()
            assert all(stack.embed_tokens.weight is table.weight for stack in stacks)


def test_an_untied_head_stays_untied_and_is_copied() -> None:
    teacher = QWEN3.teacher(tie_word_embeddings=False)
    model = make(QWEN3, teacher).model
    head, theirs = model.get_submodule("lm_head"), teacher.get_submodule("lm_head")
    assert head.weight is not model.get_submodule("model.embed_tokens").weight
    assert equal(head.state_dict(), theirs.state_dict())


def test_the_student_keeps_the_teachers_config(setting: Setting, teacher: PreTrainedModel) -> None:
    mine, theirs = make(setting, teacher).model.config.to_dict(), teacher.config.to_dict()
    depths = {blocks.depth[0] for blocks in setting.family.stacks.values()}
    changed = {key for key in theirs if mine[key] != theirs[key]}
    assert changed == depths | set(setting.family.per_block_fields)
    assert teacher.config.to_dict() == theirs
    assert setting.family.num_blocks(theirs) == dict.fromkeys(setting.family.stacks, 6)


def test_qwen3_blocks_keep_their_kind_of_attention_and_get_their_own_place() -> None:
    model: Any = make(QWEN3, QWEN3.teacher()).model
    # Blocks 2, 4 and 6 of full, sliding, sliding, full, sliding, sliding.
    assert model.config.layer_types == ["sliding_attention", "full_attention", "sliding_attention"]
    assert [block.self_attn.layer_idx for block in model.model.layers] == [0, 1, 2]
    prompt = {"input_ids": torch.tensor([[3, 4, 9]]), "attention_mask": torch.ones(1, 3, dtype=torch.long)}
    assert generate(QWEN3.family, model, prompt, max_new_tokens=3, num_beams=1).shape[0] == 1


@pytest.mark.parametrize(("init", "width"), [("teacher", None), ("random", 8)])
def test_a_saved_student_is_the_same_in_plain_transformers(
    setting: Setting, teacher: PreTrainedModel, batch: dict[str, Tensor], init: str, width: int | None, tmp_path: Path
) -> None:
    student = make(setting, teacher, init=init, student_width=width)
    student.save(tmp_path)
    loaded = setting.plain(tmp_path)
    assert equal(loaded.state_dict(), student.model.state_dict())
    with torch.no_grad():
        mine = forward(setting.family, student.model, batch).logits
        theirs: Tensor = loaded(**setting.for_transformers(batch)).logits
    if setting.family.form == "decoder" and setting.head_name == "language_model":
        theirs = theirs[:, :-1]
    assert torch.equal(mine, theirs)
    if setting.head_name == "language_model":
        prompt = {name: batch[name][:1] for name in ("input_ids", "attention_mask")}
        generated: Any = loaded
        start = prompt["input_ids"].shape[1] if setting.family.form == "decoder" else 1
        tokens = generated.generate(**prompt, max_new_tokens=4, do_sample=False, num_beams=1)
        assert torch.equal(tokens[:, start:], generate(setting.family, student.model, prompt, 4, 1))
    again = making.load(setting.family, str(tmp_path), None, setting.head, seed=9)
    assert equal(again.state_dict(), student.model.state_dict())


def test_the_student_generates_with_the_teachers_generation_config() -> None:
    teacher: Any = T5.teacher()
    teacher.generation_config.no_repeat_ngram_size = 2
    student: Any = make(T5, teacher).model
    assert student.generation_config.no_repeat_ngram_size == 2
    student.generation_config.no_repeat_ngram_size = 3
    assert teacher.generation_config.no_repeat_ngram_size == 2


# Width and projections.


@pytest.mark.parametrize("width", [8, 24])
def test_another_width_scales_the_feed_forward(setting: Setting, teacher: PreTrainedModel, width: int) -> None:
    model = make(setting, teacher, init="random", student_width=width).model
    mine, theirs = model.config.to_dict(), teacher.config.to_dict()
    assert setting.family.width(mine) == width
    assert setting.family.heads(mine) == setting.family.heads(theirs)
    assert all(mine[key] * 16 == theirs[key] * width for key in setting.family.ffn_fields)
    states = forward(setting.family, model, setting.batch()).states
    assert {state.shape[-1] for stack in states.values() for state in stack} == {width}


def test_impossible_students_show_all_problems(setting: Setting, teacher: PreTrainedModel) -> None:
    with pytest.raises(InputError) as caught:
        make(setting, teacher, init="random", student_blocks=7, student_width=10)
    paths = [problem.path for problem in caught.value.problems]
    assert paths.count("model.student_blocks") == len(setting.family.stacks)
    # 10 is no multiple of BERT's 4 heads, nor of BART's 4 in the encoder; some families' heads have their own width.
    own = ("t5", "mistral", "qwen3")
    assert paths.count("model.student_width") == int(setting.family.name not in own)


def test_same_width_needs_no_projection(setting: Setting, teacher: PreTrainedModel, tmp_path: Path) -> None:
    student = make(setting, teacher, student_width=16)
    hidden = torch.ones(1, 2, 16)
    assert student.project("decoder", 3, hidden) is hidden
    assert student.comparable(0, {})
    student.save(tmp_path)
    assert not (tmp_path / "projections.safetensors").exists()


def test_every_state_has_a_projection_that_is_trained_and_saved(
    setting: Setting, teacher: PreTrainedModel, batch: dict[str, Tensor], tmp_path: Path
) -> None:
    student = make(setting, teacher, init="random", student_width=8)
    names = {name for name, _ in student.named_parameters() if name.startswith("projections.")}
    assert names == {f"projections.{stack}.{i}.weight" for stack in setting.family.stacks for i in range(4)}
    assert names <= student.state_dict().keys()
    optimizer = torch.optim.AdamW(student.parameters(), lr=0.1)
    before = {name: student.state_dict()[name].clone() for name in names}
    states = forward(setting.family, student.model, batch).states
    loss = torch.stack(
        [student.project(stack, i, state).square().mean() for stack in states for i, state in enumerate(states[stack])]
    ).sum()
    loss.backward()
    optimizer.step()
    assert all(not torch.equal(student.state_dict()[name], before[name]) for name in names)
    student.save(tmp_path)
    assert equal(load_file(tmp_path / "projections.safetensors"), student.projections.state_dict())


def test_project_is_the_states_own_map(setting: Setting, teacher: PreTrainedModel) -> None:
    student = make(setting, teacher, init="random", student_width=8)
    hidden_BTD = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(1))
    for stack in setting.family.stacks:
        for state in range(4):
            weight_ED = student.state_dict()[f"projections.{stack}.{state}.weight"]
            assert weight_ED.shape == (16, 8)
            assert torch.equal(student.project(stack, state, hidden_BTD), nn.functional.linear(hidden_BTD, weight_ED))


def test_projections_come_from_their_own_stream(setting: Setting, teacher: PreTrainedModel) -> None:
    first = make(setting, teacher, init="random", student_width=8, seed=1)
    again = make(setting, teacher, init="random", student_width=8, seed=1)
    other = make(setting, teacher, init="random", student_width=8, seed=2)
    assert equal(first.projections.state_dict(), again.projections.state_dict())
    assert not equal(first.projections.state_dict(), other.projections.state_dict())
    stack, weight_ED = next(iter(setting.family.stacks)), torch.empty(16, 8)
    draw = torch.Generator().manual_seed(stream(1, "projection"))
    nn.init.kaiming_uniform_(weight_ED, a=5**0.5, generator=draw)
    assert torch.equal(first.projections.state_dict()[f"{stack}.0.weight"], weight_ED)
    weights = list(first.projections.state_dict().values())
    assert not any(torch.equal(a, b) for i, a in enumerate(weights) for b in weights[:i])
    config = making.student_config(setting.family, teacher.config, 3, 8)
    without = making.build(setting.family, config, setting.head_name, seed=1)
    assert equal(first.model.state_dict(), without.state_dict())


def drawn(start: str, width: int, **fields: Any) -> nn.Linear:
    config = {"start": start, **fields}
    student = make(QWEN3, QWEN3.teacher(), init="random", student_width=width, projection=config)
    projection = student.projections.get_submodule("decoder.1")
    assert isinstance(projection, nn.Linear)
    return projection


def test_an_orthogonal_start_keeps_lengths() -> None:
    weight_ED = drawn("orthogonal", 8).weight.detach()
    torch.testing.assert_close(weight_ED.mT @ weight_ED, torch.eye(8), rtol=0, atol=1e-6)
    # A wider student cannot keep them all: its rows are orthonormal.
    weight_ED = drawn("orthogonal", 24).weight.detach()
    torch.testing.assert_close(weight_ED @ weight_ED.mT, torch.eye(16), rtol=0, atol=1e-6)


def test_a_normal_start_is_that_of_its_stream() -> None:
    """Standard deviation 1 / sqrt(D); each map draws torch's own start first."""
    with torch.random.fork_rng():
        torch.manual_seed(stream(0, "projection"))
        for _ in range(2):
            torch.empty(16, 8).uniform_()
            wanted_ED = torch.empty(16, 8).normal_(std=8**-0.5)
    assert torch.equal(drawn("normal", 8).weight, wanted_ED)


def test_a_projection_may_have_a_bias() -> None:
    assert drawn("uniform", 8).bias is None
    assert drawn("uniform", 8, bias=True).bias.count_nonzero() == 16
    assert drawn("orthogonal", 8, bias=True).bias.count_nonzero() == 0


def test_states_are_comparable_where_a_mapping_trains_the_projections(
    setting: Setting, teacher: PreTrainedModel
) -> None:
    student = make(setting, teacher, init="random", student_width=8)
    assert not student.comparable(1, {})
    assert student.comparable(1, {1: 2})
    assert not student.comparable(0, {1: 2})
    student.projections.requires_grad_(False)
    assert not student.comparable(1, {1: 2})


# Frozen embeddings.

FROZEN = {
    "bert": {
        "bert.embeddings.word_embeddings.weight",
        "bert.embeddings.position_embeddings.weight",
        "bert.embeddings.token_type_embeddings.weight",
    },
    "bart": {
        "model.shared.weight",
        "model.encoder.embed_positions.weight",
        "model.decoder.embed_positions.weight",
    },
    "t5": {"shared.weight"},
    "roberta": {
        "roberta.embeddings.word_embeddings.weight",
        "roberta.embeddings.position_embeddings.weight",
        "roberta.embeddings.token_type_embeddings.weight",
    },
    "distilbert": {
        "distilbert.embeddings.word_embeddings.weight",
        "distilbert.embeddings.position_embeddings.weight",
    },
    **{name: {"model.embed_tokens.weight"} for name in ("llama", "mistral", "qwen2", "qwen3")},
}


def test_freezing_stops_the_embedding_tables_and_nothing_else(setting: Setting, teacher: PreTrainedModel) -> None:
    model = make(setting, teacher).model
    freeze_embeddings(setting.family, model)
    assert {name for name, p in model.named_parameters() if not p.requires_grad} == FROZEN[setting.family.name]
    head: Any = model.get_output_embeddings()
    if setting.head_name == "language_model":
        assert head.weight.requires_grad != teacher.config.tie_word_embeddings


def test_an_untied_head_goes_on_training() -> None:
    model: Any = make(QWEN3, QWEN3.teacher(tie_word_embeddings=False)).model
    freeze_embeddings(QWEN3.family, model)
    assert model.lm_head.weight.requires_grad
    assert not model.model.embed_tokens.weight.requires_grad


def test_a_random_t5_with_frozen_embeddings_learns_under_a_random_head() -> None:
    """Tied tables freeze the LM head with them: logits move, the head and state 0 of both stacks stay as drawn."""
    teacher, batch = T5.teacher(), T5.batch()
    model: Any = make(T5, teacher, init="random").model
    freeze_embeddings(T5.family, model)
    head_before = model.get_output_embeddings().weight.clone()
    assert not torch.allclose(head_before, cast(Any, teacher).get_output_embeddings().weight)
    before = forward(T5.family, model, batch)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    nn.functional.cross_entropy(before.logits.flatten(0, 1), before.labels.flatten()).backward()
    optimizer.step()
    after = forward(T5.family, model, batch)
    assert torch.equal(model.get_output_embeddings().weight, head_before)
    assert not torch.allclose(after.logits, before.logits, atol=1e-4)
    for stack in ("encoder", "decoder"):
        assert torch.equal(after.states[stack][0], before.states[stack][0])
        assert not before.states[stack][0].requires_grad
        assert not torch.allclose(after.states[stack][1], before.states[stack][1], atol=1e-5)


# Adapters.


def test_a_student_takes_adapters_once_its_weights_are_copied(setting: Setting, teacher: PreTrainedModel) -> None:
    plain = make(setting, teacher).model.state_dict()
    adapted = make(setting, teacher, lora={"student": {"r": 2}}).model.state_dict()
    frozen = {key.replace(".base_layer.", "."): value for key, value in adapted.items() if ".lora_" not in key}
    assert equal(frozen, plain)


def test_projections_are_trained_beside_adapters(setting: Setting, teacher: PreTrainedModel) -> None:
    """And drawn as without them: each has a stream of its own."""
    fields: dict[str, Any] = {"init": "random", "student_width": 8}
    plain, adapted = (make(setting, teacher, **fields, lora=lora) for lora in (None, {"student": {"r": 2}}))
    assert equal(adapted.projections.state_dict(), plain.projections.state_dict())
    assert len(list(adapted.projections.parameters())) > 0
    assert all(parameter.requires_grad for parameter in adapted.projections.parameters())
    trained = {name for name, parameter in adapted.model.named_parameters() if parameter.requires_grad}
    assert not any(".base_layer." in name for name in trained)
    assert any(".lora_B." in name for name in trained)
