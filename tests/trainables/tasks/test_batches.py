"""Token ids are spelled out with a tokenizer of known words."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.config import TaskConfig, TokenizerConfig
from trainables.families import FAMILIES
from trainables.tasks.batches import collate, encode, encode_prompts, epoch_order
from trainables.tasks.rows import ClassificationRow, GenerationRow
from trainables.tasks.tokenizer import train_tokenizer

TEXTS = ["a b c d e f g h"]
FILES = {"train": "t.csv", "validation": "v.csv", "test": "s.csv"}


def task(kind: str, **fields) -> TaskConfig:
    text = {"text": ["one", "two"]} if kind == "classification" else {}
    return TaskConfig.model_validate({"name": "own", "kind": kind, "files": FILES, "separator": "=", **text, **fields})


def tokenizer_of(family: str):
    kind = "byte_bpe" if family == "qwen3" else "word"
    return train_tokenizer(TokenizerConfig(kind=kind, vocab_size=400), FAMILIES[family], TEXTS)


def words(tokenizer, ids: list[int]) -> str:
    return " ".join("_" if i == -100 else tokenizer.convert_ids_to_tokens(i).replace("Ġ", "") for i in ids)


def test_an_encoder_reads_a_pair_with_its_segments():
    tokenizer = tokenizer_of("bert")
    (example,) = encode([ClassificationRow(("a b", "c"), 2)], task("classification"), "encoder", tokenizer)
    assert words(tokenizer, example["input_ids"]) == "[CLS] a b [SEP] c [SEP]"
    assert example["token_type_ids"] == [0, 0, 0, 0, 1, 1]
    assert example["label"] == [2]
    assert set(example) == {"input_ids", "token_type_ids", "label"}


def test_an_encoder_reads_a_single_text():
    tokenizer = tokenizer_of("bert")
    (example,) = encode([ClassificationRow(("a b",), 0)], task("classification", text=["one"]), "encoder", tokenizer)
    assert words(tokenizer, example["input_ids"]) == "[CLS] a b [SEP]"
    assert example["token_type_ids"] == [0, 0, 0, 0]


def test_a_pair_is_cut_where_it_is_longest():
    tokenizer = tokenizer_of("bert")
    row = ClassificationRow(("a b c d e", "f g"), 0)
    (example,) = encode([row], task("classification", max_length=8), "encoder", tokenizer)
    assert words(tokenizer, example["input_ids"]) == "[CLS] a b c [SEP] f g [SEP]"


def test_a_decoder_reads_a_pair_as_one_text():
    tokenizer = tokenizer_of("qwen3")
    (example,) = encode([ClassificationRow(("a b", "c"), 1)], task("classification"), "decoder", tokenizer)
    assert tokenizer.decode(example["input_ids"]) == "a b=c"
    assert set(example) == {"input_ids", "label"}


def test_a_decoders_text_begins_as_its_tokenizer_begins_it():
    tokenizer, rows = tokenizer_of("llama"), [GenerationRow("a b c", ("d",))]
    (example,) = encode(rows, task("generation", separator="h"), "decoder", tokenizer)
    (prompt,) = encode_prompts(rows, task("generation", separator="h"), "decoder", tokenizer)
    assert words(tokenizer, example["input_ids"]) == "<s> a b c h d </s>"
    assert words(tokenizer, example["labels"]) == "_ _ _ _ _ d </s>"
    assert words(tokenizer, prompt["input_ids"]) == "<s> a b c h"
    (cut,) = encode(rows, task("generation", separator="h", max_length=6), "decoder", tokenizer)
    assert words(tokenizer, cut["input_ids"]) == "<s> a b h d </s>"


def test_no_input_of_a_decoder_is_empty():
    tokenizer = tokenizer_of("qwen3")
    rows = [ClassificationRow(("",), 1), ClassificationRow(("a",), 0)]
    empty, other = encode(rows, task("classification", text=["one"]), "decoder", tokenizer)
    assert empty == {"input_ids": [tokenizer.eos_token_id], "label": [1]}
    assert words(tokenizer, other["input_ids"]) == "a"

    unseparated = task("generation", separator="")
    (example,) = encode([GenerationRow("", ("c",))], unseparated, "decoder", tokenizer)
    (prompt,) = encode_prompts([GenerationRow("", ("c",))], unseparated, "decoder", tokenizer)
    assert words(tokenizer, example["input_ids"]) == "<|endoftext|> c <|endoftext|>"
    assert words(tokenizer, example["labels"]) == "_ c <|endoftext|>"
    assert prompt == {"input_ids": [tokenizer.eos_token_id]}


@pytest.mark.parametrize("family", ["bert", "bart", "t5"])
def test_no_input_of_an_encoder_is_empty(family):
    tokenizer = tokenizer_of(family)
    classifies = family == "bert"
    row = ClassificationRow(("",), 0) if classifies else GenerationRow("", ("",))
    (example,) = encode(
        [row],
        task("classification", text=["one"]) if classifies else task("generation"),
        FAMILIES[family].form,
        tokenizer,
    )
    assert example["input_ids"]
    assert classifies or example["labels"]


@pytest.mark.parametrize(
    ("family", "source", "target"),
    [("bart", "<s> a b </s>", "<s> c d </s>"), ("t5", "a b </s>", "c d </s>")],
)
def test_an_encoder_decoder_reads_the_source_and_labels_the_first_reference(family, source, target):
    tokenizer = tokenizer_of(family)
    row = GenerationRow("a b", ("c d", "e"))
    (example,) = encode([row], task("generation"), "encoder_decoder", tokenizer)
    (prompt,) = encode_prompts([row], task("generation"), "encoder_decoder", tokenizer)
    assert words(tokenizer, example["input_ids"]) == source
    assert words(tokenizer, example["labels"]) == target
    assert prompt == {"input_ids": example["input_ids"]}


def test_an_encoder_decoder_cuts_each_side_and_keeps_the_end():
    tokenizer = tokenizer_of("t5")
    row = GenerationRow("a b c d e", ("d e f g",))
    (example,) = encode([row], task("generation", max_length=4), "encoder_decoder", tokenizer)
    assert words(tokenizer, example["input_ids"]) == "a b c </s>"
    assert words(tokenizer, example["labels"]) == "d e f </s>"


@pytest.mark.parametrize(
    ("max_length", "inputs", "labels"),
    [
        (20, "a b c d = e f <|endoftext|>", "_ _ _ _ _ e f <|endoftext|>"),
        (6, "a b = e f <|endoftext|>", "_ _ _ e f <|endoftext|>"),
        (4, "= e f <|endoftext|>", "_ e f <|endoftext|>"),
        (3, "= e <|endoftext|>", "_ e <|endoftext|>"),
    ],
)
def test_a_decoder_goes_on_from_the_source_and_cuts_it_first(max_length, inputs, labels):
    tokenizer = tokenizer_of("qwen3")
    row = GenerationRow("a b c d", ("e f",))
    (example,) = encode([row], task("generation", max_length=max_length), "decoder", tokenizer)
    assert words(tokenizer, example["input_ids"]) == inputs
    assert words(tokenizer, example["labels"]) == labels


def test_a_decoder_is_asked_with_what_it_was_trained_on():
    tokenizer = tokenizer_of("qwen3")
    row = GenerationRow("a b c d", ("e f",))
    (example,) = encode([row], task("generation"), "decoder", tokenizer)
    (prompt,) = encode_prompts([row], task("generation"), "decoder", tokenizer)
    (short,) = encode_prompts([row], task("generation", max_length=3), "decoder", tokenizer)
    assert prompt["input_ids"] == example["input_ids"][: len(prompt["input_ids"])]
    assert words(tokenizer, prompt["input_ids"]) == "a b c d ="
    assert words(tokenizer, short["input_ids"]) == "a b ="


def test_classification_batches():
    examples = [
        {"input_ids": [5, 6, 7], "token_type_ids": [0, 1, 1], "label": [2]},
        {"input_ids": [8], "token_type_ids": [1], "label": [0]},
    ]
    batch = {name: tensor.tolist() for name, tensor in collate(examples, pad_id=9).items()}
    assert batch == {
        "input_ids": [[5, 6, 7], [8, 9, 9]],
        "attention_mask": [[1, 1, 1], [1, 0, 0]],
        "token_type_ids": [[0, 1, 1], [1, 0, 0]],
        "labels": [2, 0],
    }


def test_generation_batches_pad_sources_and_labels_apart():
    examples = [{"input_ids": [5, 6], "labels": [1]}, {"input_ids": [7], "labels": [2, 3, 4]}]
    batch = collate(examples, pad_id=0)
    assert {name: tensor.tolist() for name, tensor in batch.items()} == {
        "input_ids": [[5, 6], [7, 0]],
        "attention_mask": [[1, 1], [1, 0]],
        "labels": [[1, -100, -100], [2, 3, 4]],
    }
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}


def test_a_pad_that_is_a_token_too_is_masked_by_its_place():
    batch = collate([{"input_ids": [9, 9, 9]}, {"input_ids": [9]}], pad_id=9, left=True)
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]


def test_prompts_are_padded_on_the_left():
    batch = collate([{"input_ids": [5, 6]}, {"input_ids": [7]}], pad_id=0, left=True)
    assert {name: tensor.tolist() for name, tensor in batch.items()} == {
        "input_ids": [[5, 6], [0, 7]],
        "attention_mask": [[1, 1], [0, 1]],
    }


lengths = st.lists(st.integers(1, 50), min_size=1, max_size=300)


@given(lengths, st.integers(1, 9), st.integers(0, 5), st.integers(0, 5))
def test_every_example_comes_once_in_an_epoch(lengths, batch_size, seed, epoch):
    order = epoch_order(lengths, batch_size, seed, epoch)
    assert sorted(index for batch in order for index in batch) == list(range(len(lengths)))
    assert sorted(map(len, order))[1:] == [batch_size] * (len(order) - 1)
    assert order == epoch_order(lengths, batch_size, seed, epoch)


@given(st.permutations(range(64)))
def test_in_a_pool_batches_do_not_overlap_in_length(lengths):
    order = epoch_order(list(lengths), 4, 0, 0)
    spans = sorted((min(lengths[i] for i in batch), max(lengths[i] for i in batch)) for batch in order)
    assert spans == [(start, start + 3) for start in range(0, 64, 4)]


def test_epochs_and_seeds_differ():
    orders = [str(epoch_order([1] * 50, 4, seed, epoch)) for seed in range(3) for epoch in range(3)]
    assert len(set(orders)) == 9


def test_the_order_is_golden():
    assert epoch_order([3, 1, 2, 1, 3, 2, 1], 2, seed=7, epoch=1) == [[6, 1], [2, 4], [3, 5], [0]]
