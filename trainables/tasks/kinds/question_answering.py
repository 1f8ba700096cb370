"""Conversational question answering, as in CoQA (Reddy et al., 2019): a story, and successive questions.

There is one row per question. The prompt holds the story and the earlier questions with their gold answers, as
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
from trainables.tasks.fields import Fields, brief, value_at
from trainables.tasks.kinds.language_model import LanguageModelKind
from trainables.tasks.rows import Row
from trainables.tasks.tables import TableRecord

if TYPE_CHECKING:
    from trainables.config import TaskConfig
    from trainables.families.base import Form


@dataclass(frozen=True)
class QuestionRow(Row):
    """A question with its story and earlier turns; the first answer is trained on, and each of them is right."""

    story: str
    history: tuple[tuple[str, str], ...]
    """The earlier questions with their answers."""
    question: str
    answers: tuple[str, ...]


class QuestionAnswering(LanguageModelKind[QuestionRow]):
    """The model completes the prompt with the answer. What does not fit is cut from the start of the story."""

    name = "question_answering"
    answer = "text"
    metrics = ("exact_match", "f1")
    row = QuestionRow
    cut_at = "left"
    remark = "The answer is the first line of the generated text."

    def blank(self, task: TaskConfig, record: TableRecord, classes: Sequence[str]) -> TableRecord:
        questions = value_at(record, task.questions)
        return {task.answers: [""] * (len(questions) if isinstance(questions, list) else 0)}

    def read(self, task: TaskConfig, record: Fields, classes: tuple[str, ...]) -> list[QuestionRow]:
        """One row for every question of the story."""
        story = record.text(task.story, "story")
        questions = record.texts(task.questions, "questions")
        answers = _answers(task.answers, record)
        if not questions or not answers:
            return []
        if len(questions) != len(answers):
            sort = "as many answers as questions are needed"
            record.wrong("answers", task.answers, sort, f"{len(answers)} for {len(questions)} questions")
            return []
        turns = [(question, references[0]) for question, references in zip(questions, answers, strict=True)]
        return [
            QuestionRow(story, tuple(turns[:number]), questions[number], answers[number])
            for number in range(len(questions))
        ]

    def fault(self, row: QuestionRow, classes: Sequence[str]) -> str | None:
        """Reports a row without answers."""
        return None if row.answers else "no answers; expected at least one"

    def input(self, row: QuestionRow) -> str:
        """The prompt: the story, the earlier turns and the question."""
        return prompt(row)

    def texts(self, row: QuestionRow) -> Iterable[str]:
        """The question and its answers, with the story at its first question, so that each text counts once."""
        return (*(() if row.history else (row.story,)), row.question, *row.answers)

    def encode(self, rows: Sequence[QuestionRow], codec: Codec) -> list[Example]:
        return completions(_prompts(rows, codec), [f" {row.answers[0]}" for row in rows], codec, end=True)

    def questions(self, rows: Sequence[QuestionRow], codec: Codec) -> list[Example]:
        return prompts_alone(_prompts(rows, codec), codec)

    def predict(self, rows: Sequence[QuestionRow], questions: Sequence[Example], answers: Sequence[str]) -> list[str]:
        """The first line that the model generates after each prompt."""
        return [text.strip().partition("\n")[0].strip() for text in answers]

    def references(self, rows: Sequence[QuestionRow]) -> list[tuple[str, ...]]:
        """The right answers of each row."""
        return [row.answers for row in rows]

    def score(
        self, rows: Sequence[QuestionRow], predicted: Sequence[str], classes: Sequence[str] = ()
    ) -> dict[str, float]:
        """Exact match and F1 of words (0 to 1), each for the best of a row's answers."""
        pairs = list(zip(self.references(rows), predicted, strict=True))
        return {
            "exact_match": sum(max(exact_match(answer, text) for answer in right) for right, text in pairs) / len(rows),
            "f1": sum(max(word_f1(answer, text) for answer in right) for right, text in pairs) / len(rows),
        }

    def guesses(self, rows: Sequence[QuestionRow]) -> list[str]:
        """No answer."""
        return [""] * len(rows)

    def chance(self, rows: Sequence[QuestionRow], classes: Sequence[str] = ()) -> dict[str, float]:
        return dict.fromkeys(self.metrics, 0.0)

    def sample(self, task: TaskConfig, form: Form) -> str:
        return f"{task.prefix}your story\n\nQ: your question\n\nA:"


def _prompts(rows: Sequence[QuestionRow], codec: Codec) -> list[str]:
    return [codec.task.prefix + prompt(row) for row in rows]


def prompt(row: QuestionRow) -> str:
    """The story, the earlier questions with their answers, and the question; it ends in `A:`."""
    turns = "".join(f"Q: {question}\n\nA: {answer}\n\n" for question, answer in row.history)
    return f"{row.story}\n\n{turns}Q: {row.question}\n\nA:"


def normalised(text: str) -> str:
    """A text in lower case, without punctuation, articles and extra spaces, as in the official evaluation."""
    bare = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def exact_match(answer: str, text: str) -> float:
    """1 where both texts are equal after normalisation, else 0."""
    return float(normalised(answer) == normalised(text))


def word_f1(answer: str, text: str) -> float:
    """F1 of the bags of normalised words; where a text has no words, 1 if neither has any, else 0."""
    reference, words = normalised(answer).split(), normalised(text).split()
    if not reference or not words:
        return float(reference == words)
    num_common = (Counter(reference) & Counter(words)).total()
    return 2 * num_common / (len(reference) + len(words))


def _answers(name: str, record: Fields) -> list[tuple[str, ...]]:
    """The answers to each question, from a list with one text, or one list of references, per question."""
    value: Any = record.value(name, "answers")
    if value is None:
        return []
    lists = [[item] if isinstance(item, str) else item for item in value] if isinstance(value, list) else []
    if lists and all(isinstance(each, list) and each and all(isinstance(text, str) for text in each) for each in lists):
        return [tuple(each) for each in lists]
    record.wrong("answers", name, "a list with a text, or a list of texts, for each question is needed", brief(value))
    return []
