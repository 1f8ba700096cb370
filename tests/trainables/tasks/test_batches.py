import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.tasks.batches import Split, collate, epoch_order


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


@given(lengths, st.integers(1, 9), st.integers(0, 5), st.integers(0, 5))
def test_batches_at_random_do_not_look_at_lengths(lengths, batch_size, seed, epoch):
    order = epoch_order(lengths, batch_size, seed, epoch, at_random=True)
    assert sorted(index for batch in order for index in batch) == list(range(len(lengths)))
    assert [len(batch) for batch in order[:-1]] == [batch_size] * (len(order) - 1)
    assert order == epoch_order([1] * len(lengths), batch_size, seed, epoch, at_random=True)


def test_the_order_is_golden():
    lengths = [3, 1, 2, 1, 3, 2, 1]
    assert epoch_order(lengths, 2, seed=7, epoch=1) == [[6, 1], [2, 4], [3, 5], [0]]
    assert epoch_order(lengths, 2, seed=7, epoch=1, at_random=True) == [[6, 5], [1, 4], [3, 2], [0]]


examples = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 4)), max_size=12)


@given(lengths=examples, batch_size=st.integers(1, 5), by_length=st.booleans())
def test_a_split_gives_back_what_its_batches_give_in_the_order_of_its_examples(
    lengths: list[tuple[int, int]], batch_size: int, by_length: bool
) -> None:
    rows = [{"input_ids": [index] * n, "labels": [7] * m} for index, (n, m) in enumerate(lengths, start=1)]
    split = Split(rows, 0, batch_size, by_length=by_length)
    assert [len(batch["input_ids"]) for batch in split.batches[:-1]] == [batch_size] * (len(split.batches) - 1)
    firsts = [batch["input_ids"][:, 0].tolist() for batch in split.batches]
    assert split.restored(firsts) == list(range(1, len(rows) + 1))
    seen = [int(ids.count_nonzero()) for batch in split.batches for ids in batch["input_ids"]]
    wanted = [n for n, _ in lengths]
    assert seen == (sorted(wanted, reverse=True) if by_length else wanted)


def test_a_split_for_prompts_is_padded_on_the_left():
    (batch,) = Split([{"input_ids": [5, 6]}, {"input_ids": [7]}], 0, 2, left=True).batches
    assert batch["input_ids"].tolist() == [[5, 6], [0, 7]]
