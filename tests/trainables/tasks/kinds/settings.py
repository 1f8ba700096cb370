"""A tiny setting of every task kind, listed once: the contract suite runs all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from trainables.tasks.kinds import KINDS
from trainables.tasks.kinds.base import Kind
from trainables.tasks.kinds.classification import ClassificationRow
from trainables.tasks.kinds.generation import GenerationRow
from trainables.tasks.kinds.multiple_choice import MultipleChoiceRow
from trainables.tasks.kinds.question_answering import QuestionRow
from trainables.tasks.kinds.regression import RegressionRow
from trainables.tasks.kinds.token_classification import TokenClassificationRow
from trainables.tasks.rows import Row


@dataclass(frozen=True)
class Setting:
    """One kind with records as they come from a table, and what has to become of them."""

    name: str
    records: list[dict[str, Any]]
    rows: list[Row]
    faults: dict[str, tuple[dict[str, Any], str]]
    """Field of a record -> a wrong value, and the problem that it is, without the file."""
    right: list[Any]
    """Predictions that are all right, and all wrong."""
    wrong: list[Any]
    chance: float
    best: float = 1.0
    """The main metric where all is right."""
    worst: float = 0.0
    """That where all is wrong."""
    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    """Fields of the task's config."""
    classes: tuple[str, ...] = ()
    """What reading the records finds."""
    outputs: Callable[[int, int], list[Any]] = lambda number, _: []
    """What a head with labels gives for an example, at so many tokens, so that its answer is this number."""

    def __str__(self) -> str:
        return self.name

    @property
    def kind(self) -> Kind[Any]:
        return KINDS[self.name]


def one_hot(number: int) -> list[float]:
    """Logits of which the highest is that of the class of this number."""
    return [float(index == number) for index in range(9)]


STORY = {
    "story": "story one",
    "questions": ["a b ?", "c ?"],
    "answers": ["yes", "no"],
}

SETTINGS = [
    Setting(
        "classification",
        records=[{"text": "a b c", "label": 0}, {"text": "d e", "label": 1}, {"text": "f", "label": "0"}],
        rows=[ClassificationRow(("a b c",), 0), ClassificationRow(("d e",), 1), ClassificationRow(("f",), 0)],
        faults={
            "text": ({"text": 3, "label": 0}, "text[0]: got 'text'; {}: text is needed (row 2: 3)"),
            "label": ({"text": "a", "label": 2}, "label: got 'label'; {}: the classes are 0, 1 (row 2: 2)"),
        },
        right=[0, 1, 0],
        wrong=[1, 0, 1],
        chance=2 / 3,
        fields={"text": ["text"]},
        classes=("0", "1"),
        outputs=lambda number, _: one_hot(number),
    ),
    Setting(
        "regression",
        records=[{"text": "a b c", "label": 2}, {"text": "d e", "label": 0.5}, {"text": "f", "label": "-3.25"}],
        rows=[RegressionRow(("a b c",), 2.0), RegressionRow(("d e",), 0.5), RegressionRow(("f",), -3.25)],
        faults={
            "text": ({"text": 3, "label": 0}, "text[0]: got 'text'; {}: text is needed (row 2: 3)"),
            "label": (
                {"text": "a", "label": "high"},
                "label: got 'label'; {}: a finite number is needed (row 2: 'high')",
            ),
            "true": (
                {"text": "a", "label": True},
                "label: got 'label'; {}: a finite number is needed (row 2: True)",
            ),
            "infinite": (
                {"text": "a", "label": "inf"},
                "label: got 'label'; {}: a finite number is needed (row 2: 'inf')",
            ),
        },
        right=[4.0, 1.0, -6.5],
        wrong=[-2.0, -0.5, 3.25],
        chance=0.0,
        worst=-1.0,
        fields={"text": ["text"]},
        outputs=lambda number, _: [float(number)],
    ),
    Setting(
        "token_classification",
        records=[
            {"words": ["Q", "A", "story"], "label": ["B-PER", "I-PER", "O"]},
            {"words": "one Question", "label": "O B-PER"},
        ],
        rows=[
            TokenClassificationRow(("Q", "A", "story"), (0, 1, 2)),
            TokenClassificationRow(("one", "Question"), (2, 0)),
        ],
        faults={
            "words": (
                {"words": 3, "label": ["O"]},
                "text[0]: got 'words'; {}: a list of words is needed, or a text (row 2: 3)",
            ),
            "no word": (
                {"words": ["a", 3], "label": ["O", "O"]},
                "text[0]: got 'words'; {}: a list of words is needed, or a text (row 2: ['a', 3])",
            ),
            "fewer": (
                {"words": ["a", "b"], "label": ["O"]},
                "label: got 'label'; {}: as many labels as words are needed (row 2: 1 for 2)",
            ),
            "label": (
                {"words": ["a", "b"], "label": ["O", "B-LOC"]},
                "label: got 'label'; {}: the classes are B-PER, I-PER, O (row 2: 'B-LOC')",
            ),
        },
        right=[[0, 1, 2], [2, 0]],
        wrong=[[2, 2, 0], [0, 2]],
        chance=2 / (2 + 5),  # each word is B-PER: five entities, of which one is among the two that are there
        fields={"text": ["words"]},
        classes=("B-PER", "I-PER", "O"),
        outputs=lambda number, num_tokens: [one_hot(number)] * num_tokens,
    ),
    Setting(
        "generation",
        records=[{"source": "a b c d", "target": "d c b a"}, {"source": "a", "target": ["e f g h", "h g f e"]}],
        rows=[GenerationRow("a b c d", ("d c b a",)), GenerationRow("a", ("e f g h", "h g f e"))],
        faults={
            "source": ({"target": "a"}, "source: got 'source'; {}: there is no such field (row 2: it has target)"),
            "target": (
                {"source": "a", "target": []},
                "target: got 'target'; {}: text or a list of texts is needed (row 2: [])",
            ),
        },
        right=["d c b a", "h g f e"],
        wrong=["x", "y"],
        chance=0.0,
        best=100.0,
    ),
    Setting(
        "multiple_choice",
        records=[
            {"context": "a b", "choices": ["c d", "e", "f g"], "label": 0},
            {"context": "b", "choices": ["c", "d"], "label": "1"},
        ],
        rows=[MultipleChoiceRow("a b", ("c d", "e", "f g"), 0), MultipleChoiceRow("b", ("c", "d"), 1)],
        faults={
            "choices": (
                {"context": "a", "choices": ["b"], "label": 0},
                "choices: got 'choices'; {}: a list of 2 texts or more is needed (row 2: ['b'])",
            ),
            "label": (
                {"context": "a", "choices": ["b", "c"], "label": 2},
                "label: got 'label'; {}: the labels are 0 to 1, as there are 2 choices (row 2: 2)",
            ),
        },
        right=[[-1.0, -20.0, -30.0], [-9.0, -3.0]],
        wrong=[[-40.0, -2.0, -30.0], [-2.0, -3.0]],
        chance=(1 / 3 + 1 / 2) / 2,
    ),
    Setting(
        "question_answering",
        records=[STORY],
        rows=[
            QuestionRow("story one", (), "a b ?", ("yes",)),
            QuestionRow("story one", (("a b ?", "yes"),), "c ?", ("no",)),
        ],
        faults={
            "answers": (
                {**STORY, "answers": ["yes"]},
                "answers: got 'answers'; {}: as many answers as questions are needed (row 2: 1 for 2 questions)",
            ),
            "questions": (
                {**STORY, "questions": "a b ?"},
                "questions: got 'questions'; {}: a list of texts is needed (row 2: 'a b ?')",
            ),
        },
        right=["Yes.", "no"],
        wrong=["no", ""],
        chance=0.0,
    ),
]
