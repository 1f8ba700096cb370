"""A tiny setting of every task kind, listed once: the contract suite runs all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from trainables.tasks.kinds import KINDS
from trainables.tasks.kinds.base import Kind
from trainables.tasks.kinds.classification import ClassificationRow
from trainables.tasks.kinds.generation import GenerationRow
from trainables.tasks.kinds.multiple_choice import MultipleChoiceRow
from trainables.tasks.kinds.question_answering import QuestionRow
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
    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    """Fields of the task's config."""

    def __str__(self) -> str:
        return self.name

    @property
    def kind(self) -> Kind[Any]:
        return KINDS[self.name]


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
