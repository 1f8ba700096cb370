"""The rows of each split: splits by name, slices, and shares that are held out of train."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.config import TaskConfig
from trainables.errors import InputError
from trainables.seeds import generator
from trainables.tasks import read
from trainables.tasks.splits import SplitPart, choose, held_out


def alike(split: str, row: int) -> None:
    """The stratum of every row of a kind without classes."""


LENGTHS = {"train": 10, "validation": 4, "test": 3}


def rows_of(parts: list[SplitPart]) -> list[tuple[str, int]]:
    return [(split, row) for split, rows in parts for row in rows]


def test_a_split_is_that_of_its_own_name() -> None:
    assert choose(LENGTHS, {}, alike) == {name: [(name, range(length))] for name, length in LENGTHS.items()}


@pytest.mark.parametrize(
    ("asked", "train", "validation", "test"),
    [
        ({"validation": "train[-3:]", "test": "test"}, range(7), ("train", range(7, 10)), ("test", range(3))),
        ({"validation": "train[:20%]"}, range(2, 10), ("train", range(2)), ("test", range(3))),
        ({"train": "train[:5]", "validation": "train[5:8]"}, range(5), ("train", range(5, 8)), ("test", range(3))),
        ({"test": "validation"}, range(10), ("validation", range(4)), ("validation", range(4))),
    ],
)  # fmt: skip
def test_train_is_without_what_the_others_take(
    asked: dict[str, str], train: range, validation: SplitPart, test: SplitPart
) -> None:
    assert choose(LENGTHS, asked, alike) == {"train": [("train", train)], "validation": [validation], "test": [test]}


def test_held_out_from_the_middle() -> None:
    found = choose(LENGTHS, {"validation": "train[3:5]", "test": "train[5:6]"}, alike)
    assert found["train"] == [("train", range(3)), ("train", range(6, 10))]
    both = choose(LENGTHS, {"train": "train[:2]+validation[1:]", "validation": "test"}, alike)
    assert rows_of(both["train"]) == [
        ("train", 0),
        ("train", 1),
        ("validation", 1),
        ("validation", 2),
        ("validation", 3),
    ]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (
            {"train": "train", "validation": "train[-3:]"},
            "splits.train: got 'train'; 3 of its rows are in",
        ),
        ({"validation": "dev"}, "splits.validation: got 'dev'; the data set has train, validation, test: "),
        ({"test": "train[x:]"}, "splits.test: got 'train[x:]'; the data set has train, validation, test: "),
        ({"train": "90%"}, "splits.train: got '90%'; train is what the others leave"),
        ({"test": "0%"}, "splits.test: got '0%'; each share has to be more than 0%, and together they have to leave"),
        ({"test": "60%", "validation": "40 %"}, "splits.validation: got '40 %'; each share"),
    ],
)
def test_splits_that_cannot_be(asked: dict[str, str], says: str) -> None:
    with pytest.raises(InputError) as error:
        choose(LENGTHS, asked, alike)
    (problem,) = error.value.problems
    assert str(problem).startswith(says)


def test_a_split_that_is_not_there_has_to_be_said() -> None:
    with pytest.raises(InputError, match=r"splits\.test: got null; the data set has train, validation: name one,"):
        choose({"train": 10, "validation": 4}, {}, alike)


# Shares of train.


def test_shares_are_drawn_from_what_the_others_leave() -> None:
    found = choose(LENGTHS, {"test": "25%", "validation": "train[:2]"}, alike)
    drawn, rest = rows_of(found["test"]), rows_of(found["train"])
    assert len(drawn) == 2  # of eight
    assert sorted(drawn + rest) == [("train", row) for row in range(2, 10)]
    assert found == choose(LENGTHS, {"validation": "train[:2]", "test": "25.0 %"}, alike)


def test_a_share_of_few_rows_has_one() -> None:
    assert len(rows_of(choose(LENGTHS, {"validation": "1%"}, alike)["validation"])) == 1


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.floats(0.01, 0.99), st.integers(0, 9))
def test_each_class_has_its_share(labels: list[int], share: float, seed: int) -> None:
    places = [("train", row) for row in range(len(labels))]
    num_rows = max(1, round(share * len(labels)))
    drawn = held_out(places, labels, num_rows, generator(seed, "test"))
    assert len(drawn) == num_rows
    assert drawn <= set(places)
    assert drawn == held_out(places, labels, num_rows, generator(seed, "test"))
    counts, sizes = Counter(labels[row] for _, row in drawn), Counter(labels)
    for label, size in sizes.items():
        assert abs(counts[label] - num_rows * size / len(labels)) < 1


def write(folder: Path, **splits: list[dict[str, Any]]) -> dict[str, str]:
    for name, rows in splits.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {name: str(folder / f"{name}.jsonl") for name in splits}


def own(files: dict[str, str], **fields: Any) -> TaskConfig:
    return TaskConfig.model_validate({"name": "own", "kind": "classification", "files": files, "text": ["s"], **fields})


ROWS = [{"s": f"text {row}", "label": "rare" if row % 10 == 0 else "common"} for row in range(100)]


def test_one_file_makes_all_three_splits(tmp_path: Path) -> None:
    data = read(own(write(tmp_path, train=ROWS), splits={"validation": "20%", "test": "10%"}))
    assert (len(data.train), len(data.validation), len(data.test)) == (70, 20, 10)
    texts = {text for rows in (data.train, data.validation, data.test) for row in rows for text in vars(row)["texts"]}
    assert texts == {row["s"] for row in ROWS}
    rare = [sum(vars(row)["label"] == 1 for row in rows) for rows in (data.train, data.validation, data.test)]
    assert rare == [7, 2, 1]


def test_files_have_slices_as_the_hub_has(tmp_path: Path) -> None:
    files = write(tmp_path, train=ROWS, validation=[{"s": "dev", "label": "rare"}])
    data = read(own(files, splits={"validation": "train[-3:]", "test": "validation"}))
    assert [vars(row)["texts"] for row in data.validation] == [(f"text {row}",) for row in (97, 98, 99)]
    assert [vars(row)["texts"] for row in data.test] == [("dev",)]
    assert len(data.train) == 97


def test_a_wrong_row_keeps_its_line_in_the_file(tmp_path: Path) -> None:
    rows = [*ROWS[:4], {"s": 5, "label": "rare"}]
    with pytest.raises(InputError) as error:
        read(own(write(tmp_path, train=rows, test=ROWS[:2]), splits={"validation": "train[-2:]"}))
    assert str(error.value) == "text[0]: got 's'; train.jsonl: text is needed (row 5: 5)"


def test_a_split_without_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read(own(write(tmp_path, train=ROWS)))
    assert str(error.value).splitlines() == [
        "files.validation: got null; name a file, or hold out a share of train, as in splits: {validation: 10%}",
        "files.test: got null; name a file, or hold out a share of train, as in splits: {test: 10%}",
    ]
