"""Conversational question answering, as in CoQA (Reddy et al., 2019): a story, and questions that follow on.

One row a question. The prompt holds the story and the earlier questions with their gold answers, as
lm-evaluation-harness writes them; answers are compared by the official normalisation of SQuAD and CoQA.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainables.tasks.codec import Codec, Example, completions, prompts_alone
from trainables.tasks.fields import Fields, brief
from trainables.tasks.kinds.base import Predictor
from trainables.tasks.kinds.language_model import LanguageModelKind
from trainables.tasks.rows import Row

if TYPE_CHECKING:
    from trainables.config import TaskConfig
    from trainables.families.base import Form


@dataclass(frozen=True)
class QuestionRow(Row):
    """A question with what was said before it; the first answer is trained on, any of them is right."""

    story: str
    history: tuple[tuple[str, str], ...]
    """The earlier questions, each with its answer."""
    question: str
    answers: tuple[str, ...]


class QuestionAnswering(LanguageModelKind[QuestionRow]):
    """Prompt, then answer and end. What does not fit is cut from the story's start."""

    name = "question_answering"
    generates = True
    metrics = ("exact_match", "f1")
    row = QuestionRow
    cut_at = "left"
    remark = "The answer is the first line of what is written."

    def read(self, task: TaskConfig, record: Fields, classes: tuple[str, ...]) -> list[QuestionRow]:
        """Every question of the story, the last one with its own answer like the others."""
        story = record.text(task.story, "story")
        questions = record.texts(task.questions, "questions")
        answers = _answers(task.answers, record)
        if not questions or not answers:
            return []
        if len(questions) != len(answers):
            sort = "as many answers as questions are needed"
            record.wrong("answers", task.answers, sort, f"{len(answers)} for {len(questions)} questions")
            return []
        turns = [(question, given[0]) for question, given in zip(questions, answers, strict=True)]
        return [
            QuestionRow(story, tuple(turns[:number]), questions[number], answers[number])
            for number in range(len(questions))
        ]

    def fault(self, row: QuestionRow, classes: Sequence[str]) -> str | None:
        """Nothing to compare with."""
        return None if row.answers else "no answers; at least one"

    def texts(self, row: QuestionRow) -> Iterable[str]:
        """Story and earlier turns are those of other rows too: a story's first question gives it, once."""
        return (*(() if row.history else (row.story,)), row.question, *row.answers)

    def encode(self, rows: Sequence[QuestionRow], codec: Codec) -> list[Example]:
        return completions(_prompts(rows, codec), [f" {row.answers[0]}" for row in rows], codec, end=True)

    def predict(self, rows: Sequence[QuestionRow], codec: Codec, model: Predictor) -> list[str]:
        """The first line that the model writes after each prompt."""
        texts = model.texts(prompts_alone(_prompts(rows, codec), codec))
        return [text.strip().partition("\n")[0].strip() for text in texts]

    def references(self, rows: Sequence[QuestionRow]) -> list[tuple[str, ...]]:
        """All right answers of each row."""
        return [row.answers for row in rows]

    def score(
        self, rows: Sequence[QuestionRow], predicted: Sequence[str], classes: Sequence[str] = ()
    ) -> dict[str, float]:
        """Exact match and F1 of words (0 to 1), each against the nearest of a row's answers."""
        pairs = list(zip(self.references(rows), predicted, strict=True))
        return {
            "exact_match": sum(max(exact_match(answer, text) for answer in given) for given, text in pairs) / len(rows),
            "f1": sum(max(word_f1(answer, text) for answer in given) for given, text in pairs) / len(rows),
        }

    def chance(self, rows: Sequence[QuestionRow], classes: Sequence[str] = ()) -> dict[str, float]:
        return dict.fromkeys(self.metrics, 0.0)

    def sample(self, task: TaskConfig, form: Form) -> str:
        return f"{task.prefix}your story\n\nQ: your question\n\nA:"


def _prompts(rows: Sequence[QuestionRow], codec: Codec) -> list[str]:
    return [codec.task.prefix + prompt(row) for row in rows]


def prompt(row: QuestionRow) -> str:
    """Story, earlier questions with their answers, and the question, ending in `A:`."""
    turns = "".join(f"Q: {question}\n\nA: {answer}\n\n" for question, answer in row.history)
    return f"{row.story}\n\n{turns}Q: {row.question}\n\nA:"


def normalised(text: str) -> str:
    """Lower case, without punctuation and articles, words one space apart (the official evaluation's)."""
    bare = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def exact_match(answer: str, text: str) -> float:
    """1 where both are the same once normalised, else 0."""
    return float(normalised(answer) == normalised(text))


def word_f1(answer: str, text: str) -> float:
    """F1 of the normalised words as bags; where one side has none, 1 if both have none, else 0."""
    wanted, given = normalised(answer).split(), normalised(text).split()
    if not wanted or not given:
        return float(wanted == given)
    num_common = (Counter(wanted) & Counter(given)).total()
    return 2 * num_common / (len(wanted) + len(given))


def _answers(name: str, record: Fields) -> list[tuple[str, ...]]:
    """The answers to each question: a list with a text, or a list of references, for each."""
    value: Any = record.value(name, "answers")
    if value is None:
        return []
    given = [[item] if isinstance(item, str) else item for item in value] if isinstance(value, list) else []
    if given and all(isinstance(one, list) and one and all(isinstance(text, str) for text in one) for one in given):
        return [tuple(one) for one in given]
    record.wrong("answers", name, "a list with a text, or a list of texts, for each question is needed", brief(value))
    return []
