"""Token ids are spelled out with a tokenizer of known words; BLEU against sacreBLEU called directly."""

import pytest
import sacrebleu

from tests.trainables.tasks.kinds.tokens import codec, words
from trainables.tasks.kinds.generation import Generation, GenerationRow

KIND = Generation()


@pytest.mark.parametrize(
    ("family", "source", "target"),
    [("bart", "<s> a b </s>", "<s> c d </s>"), ("t5", "a b </s>", "c d </s>")],
)
def test_an_encoder_decoder_reads_the_source_and_labels_the_first_reference(family, source, target):
    each = codec(family, "generation")
    row = GenerationRow("a b", ("c d", "e"))
    (example,) = KIND.encode([row], each)
    (prompt,) = KIND.questions([row], each)
    assert words(each, example["input_ids"]) == source
    assert words(each, example["labels"]) == target
    assert prompt == {"input_ids": example["input_ids"]}


def test_an_encoder_decoder_cuts_each_side_and_keeps_the_end():
    each = codec("t5", "generation", max_length=4)
    (example,) = KIND.encode([GenerationRow("a b c d e", ("d e f g",))], each)
    assert words(each, example["input_ids"]) == "a b c </s>"
    assert words(each, example["labels"]) == "d e f </s>"


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
    each = codec("qwen3", "generation", max_length=max_length)
    (example,) = KIND.encode([GenerationRow("a b c d", ("e f",))], each)
    assert words(each, example["input_ids"]) == inputs
    assert words(each, example["labels"]) == labels


def test_a_decoders_text_begins_as_its_tokenizer_begins_it():
    each, narrow = (codec("llama", "generation", separator="h", max_length=length) for length in (128, 6))
    row = GenerationRow("a b c", ("d",))
    (example,), (prompt,), (cut,) = KIND.encode([row], each), KIND.questions([row], each), KIND.encode([row], narrow)
    assert words(each, example["input_ids"]) == "<s> a b c h d </s>"
    assert words(each, example["labels"]) == "_ _ _ _ _ d </s>"
    assert words(each, prompt["input_ids"]) == "<s> a b c h"
    assert words(each, cut["input_ids"]) == "<s> a b h d </s>"
    (short,) = KIND.questions([row], codec("llama", "generation", separator="h", max_length=3))
    assert words(each, short["input_ids"]) == "<s> a h"


def test_a_decoder_is_asked_with_what_it_was_trained_on():
    each, narrow = codec("qwen3", "generation"), codec("qwen3", "generation", max_length=3)
    row = GenerationRow("a b c d", ("e f",))
    (example,), (prompt,), (short,) = (
        KIND.encode([row], each),
        KIND.questions([row], each),
        KIND.questions([row], narrow),
    )
    assert prompt["input_ids"] == example["input_ids"][: len(prompt["input_ids"])]
    assert words(each, prompt["input_ids"]) == "a b c d ="
    assert words(each, short["input_ids"]) == "a b ="


@pytest.mark.parametrize(
    ("family", "inputs"), [("t5", "Question : a b </s>"), ("qwen3", "Question: a b = c <|endoftext|>")]
)
def test_a_prefix_stands_before_the_source(family, inputs):
    each = codec(family, "generation", prefix="Question: ")
    (example,) = KIND.encode([GenerationRow("a b", ("c",))], each)
    assert each.tokenizer.decode(example["input_ids"]).replace(" ", "") == inputs.replace(" ", "")
    (prompt,) = KIND.questions([GenerationRow("a b", ("c",))], each)
    assert example["input_ids"][: len(prompt["input_ids"])] == prompt["input_ids"]


def test_no_input_is_empty():
    each = codec("qwen3", "generation", separator="")
    row = GenerationRow("", ("c",))
    (example,), (prompt,) = KIND.encode([row], each), KIND.questions([row], each)
    assert words(each, example["input_ids"]) == "<|endoftext|> c <|endoftext|>"
    assert words(each, example["labels"]) == "_ c <|endoftext|>"
    assert prompt == {"input_ids": [each.eos]}
    for family in ("bart", "t5"):
        (example,) = KIND.encode([GenerationRow("", ("",))], codec(family, "generation"))
        assert example["input_ids"]
        assert example["labels"]


def test_bleu_is_that_of_all_references():
    rows = [
        GenerationRow("", ("the cat sat on the mat", "a cat sat on the mat")),
        GenerationRow("", ("it is here now",)),
    ]
    texts = ["the cat sat on a mat", "it is here now"]
    streams = [["the cat sat on the mat", "it is here now"], ["a cat sat on the mat", None]]
    metric = sacrebleu.BLEU()
    assert KIND.score(rows, texts) == {"bleu": metric.corpus_score(texts, streams).score, "exact_match": 0.5}
    first = [GenerationRow(row.source, row.references[:1]) for row in rows]
    assert KIND.score(first, texts)["bleu"] < KIND.score(rows, texts)["bleu"] < 100
    assert "smooth:exp" in str(KIND.signature())
