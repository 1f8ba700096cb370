"""Token ids are spelled out with a tokenizer of known words; F1 is worked by hand."""

import pytest

from tests.trainables.tasks.kinds.tokens import codec, words
from trainables.tasks.kinds.classification import Classification, ClassificationRow

KIND = Classification()
CLASSES = ("a", "b", "c")


def test_an_encoder_reads_a_pair_with_its_segments():
    bert = codec("bert", "classification")
    (example,) = KIND.encode([ClassificationRow(("a b", "c"), 2)], bert)
    assert words(bert, example["input_ids"]) == "[CLS] a b [SEP] c [SEP]"
    assert example["token_type_ids"] == [0, 0, 0, 0, 1, 1]
    assert example["label"] == [2]
    assert set(example) == {"input_ids", "token_type_ids", "label"}


def test_an_encoder_reads_a_single_text():
    bert = codec("bert", "classification", text=["one"])
    (example,) = KIND.encode([ClassificationRow(("a b",), 0)], bert)
    assert words(bert, example["input_ids"]) == "[CLS] a b [SEP]"
    assert example["token_type_ids"] == [0, 0, 0, 0]


def test_a_pair_is_cut_where_it_is_longest():
    bert = codec("bert", "classification", max_length=8)
    (example,) = KIND.encode([ClassificationRow(("a b c d e", "f g"), 0)], bert)
    assert words(bert, example["input_ids"]) == "[CLS] a b c [SEP] f g [SEP]"


def test_a_decoder_reads_a_pair_as_one_text():
    qwen3 = codec("qwen3", "classification")
    (example,) = KIND.encode([ClassificationRow(("a b", "c"), 1)], qwen3)
    assert qwen3.tokenizer.decode(example["input_ids"]) == "a b=c"
    assert set(example) == {"input_ids", "label"}


def test_no_input_is_empty():
    qwen3, bert = codec("qwen3", "classification", text=["one"]), codec("bert", "classification", text=["one"])
    rows = [ClassificationRow(("",), 1), ClassificationRow(("a",), 0)]
    empty, other = KIND.encode(rows, qwen3)
    assert empty == {"input_ids": [qwen3.eos], "label": [1]}
    assert words(qwen3, other["input_ids"]) == "a"
    assert words(bert, KIND.encode(rows, bert)[0]["input_ids"]) == "[CLS] [SEP]"


@pytest.mark.parametrize(
    ("num_classes", "labels", "predicted", "accuracy", "f1", "matthews"),
    [
        # Two classes: class 1 alone, as QQP has it. 2 true, 1 false, 1 missed.
        (2, [1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 0], 4 / 6, 2 * 2 / (2 * 2 + 1 + 1), (2 * 2 - 1 * 1) / 9),
        (2, [0, 0], [0, 0], 1.0, 0.0, 0.0),
        (2, [0, 1], [1, 1], 0.5, 2 / 3, 0.0),
        # More: the mean of 2/3, 2/3 and 0.
        (3, [0, 1, 2, 1], [0, 1, 0, 2], 2 / 4, (2 / 3 + 2 / 3 + 0) / 3, 3 / 10),
        # Three, of which one neither stands in the rows nor is predicted: still a mean, of 2/3 and 4/5.
        (3, [0, 0, 1, 1], [0, 1, 1, 1], 3 / 4, (2 / 3 + 4 / 5) / 2, 2 / 12**0.5),
    ],
)
def test_accuracy_f1_and_matthews_correlation(
    num_classes: int, labels: list[int], predicted: list[int], accuracy: float, f1: float, matthews: float
):
    rows = [ClassificationRow(("a",), label) for label in labels]
    assert KIND.score(rows, predicted, CLASSES[:num_classes]) == {
        "accuracy": pytest.approx(accuracy),
        "f1": pytest.approx(f1),
        "matthews_correlation": pytest.approx(matthews),
    }


def test_chance_is_what_the_commonest_class_gives():
    rows = [ClassificationRow(("a",), label) for label in [2, 2, 2, 0, 1]]
    assert KIND.chance(rows, CLASSES) == {"accuracy": 3 / 5, "f1": pytest.approx(0.75 / 3), "matthews_correlation": 0}
    ones = [ClassificationRow(("a",), label) for label in [1, 1, 0]]
    assert KIND.chance(ones, CLASSES[:2]) == {"accuracy": 2 / 3, "f1": pytest.approx(0.8), "matthews_correlation": 0}
