"""What kinds with one answer per text or pair share: reading, encoding and the pipeline."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeVar

from trainables.errors import Problem
from trainables.heads import HeadName
from trainables.tasks.codec import Codec, Example
from trainables.tasks.fields import Fields
from trainables.tasks.kinds.base import Answer, Kind
from trainables.tasks.rows import Row

if TYPE_CHECKING:
    from trainables.config import TaskConfig
    from trainables.families.base import Form


@dataclass(frozen=True)
class SequenceRow(Row):
    """One text or a pair, and its label."""

    texts: tuple[str, ...]
    label: float


S = TypeVar("S", bound=SequenceRow)


class SequenceKind(Kind[S]):
    """An encoder or encoder-decoder reads a pair as its tokenizer joins it, and an encoder also reads the segments; a
    decoder-only model reads one text, joined by the separator."""

    head_name: ClassVar[HeadName] = "sequence_classification"
    answer: ClassVar[Answer] = "outputs"
    verb: ClassVar[str]
    """What a student does with a text, used as the pipeline's name in the lines of code."""

    def check(self, task: TaskConfig) -> list[Problem]:
        return [] if task.text else [Problem("text", f"got null; {self.name} needs one field or a pair")]

    def input(self, row: S) -> str | tuple[str, ...]:
        """The text, or the pair."""
        return row.texts if len(row.texts) == 2 else row.texts[0]

    def texts(self, row: S) -> Iterable[str]:
        return row.texts

    def encode(self, rows: Sequence[S], codec: Codec) -> list[Example]:
        """Texts are cut to `task.max_length` tokens, the longer text of a pair first."""
        texts = [row.texts for row in rows]
        if codec.form == "decoder":
            texts = [(codec.task.separator.join(pair),) for pair in texts]
        first, second = [pair[0] for pair in texts], [pair[1] for pair in texts if len(pair) == 2]
        has_segments = codec.form == "encoder"
        encoded = codec.tokenizer(
            first,
            second or None,
            truncation=True,
            max_length=codec.task.max_length,
            return_token_type_ids=has_segments,
        )
        columns = ["input_ids", "token_type_ids"] if has_segments else ["input_ids"]
        examples: list[Example] = [
            {column: encoded[column][index] for column in columns} for index in range(len(texts))
        ]
        for example, row in zip(examples, rows, strict=True):
            if not example["input_ids"]:  # a decoder's empty text
                example["input_ids"] = [codec.eos]
            example["label"] = [row.label]
        return examples

    def pipeline(self, form: Form) -> str:
        return "text-classification"

    def usage(self, task: TaskConfig, form: Form, folder: str) -> list[str]:
        texts = ["your text", "the other text"][: len(task.text or ())]
        is_pair = len(texts) == 2 and form != "decoder"
        inputs = {"text": texts[0], "text_pair": texts[1]} if is_pair else task.separator.join(texts)
        return [
            "from transformers import pipeline",
            f'{self.verb} = pipeline("text-classification", model={folder}, truncation=True)',
            f"print({self.verb}({json.dumps(inputs, ensure_ascii=False)}))",
        ]


def read_texts(task: TaskConfig, record: Fields) -> tuple[str, ...]:
    """The texts of a record."""
    assert task.text is not None
    return tuple(record.text(name, f"text[{index}]") for index, name in enumerate(task.text))
