from dataclasses import replace

from trainables.tasks.kinds.classification import ClassificationRow
from trainables.tasks.kinds.generation import GenerationRow
from trainables.tasks.rows import Data, Row

ROWS: list[Row] = [ClassificationRow(("a", "b"), 0), ClassificationRow(("c",), 1)]
SPLITS = {"train": ROWS, "validation": ROWS[:1], "test": ROWS[1:]}


def test_the_hash_is_golden():
    golden = "3b0f9fd7979c0d3c6895b10ecc4374fa45a96b2b751392acb6cd10f8a0817bd3"
    assert Data.of(SPLITS, ("no", "yes")).hash == golden


def test_the_hash_sees_all_content_and_its_order():
    others = [
        Data.of({**SPLITS, "train": ROWS[::-1]}, ("no", "yes")),
        Data.of({**SPLITS, "train": ROWS[:1], "validation": [ROWS[1], ROWS[0]]}, ("no", "yes")),
        Data.of({**SPLITS, "test": [ClassificationRow(("c",), 0)]}, ("no", "yes")),
        Data.of({**SPLITS, "train": [ClassificationRow(("a b",), 0), ROWS[1]]}, ("no", "yes")),
        Data.of({**SPLITS, "train": [GenerationRow("a", ("b",)), ROWS[1]]}, ("no", "yes")),
        Data.of(SPLITS, ("yes", "no")),
        Data.of({**SPLITS, "test_more": ROWS}, ("no", "yes")),
        Data.of({**SPLITS, "test_other": ROWS}, ("no", "yes")),
    ]
    hashes = {data.hash for data in [Data.of(SPLITS, ("no", "yes")), *others]}
    assert len(hashes) == len(others) + 1


def test_equal_content_has_an_equal_hash():
    data = Data.of(SPLITS, ["no", "yes"])
    assert data == replace(data, train=list(ROWS))
    assert data.classes == ("no", "yes")


def test_more_tests_are_measured_beside_the_test_split():
    data = Data.of({**SPLITS, "test_more": ROWS}, ("no", "yes"))
    assert data.tests == {"test": ROWS[1:], "test_more": ROWS}
    assert Data.of(SPLITS, ("no", "yes")).tests == {"test": ROWS[1:]}
