"""Generation: a source and its reference texts, scored by sacreBLEU."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainables.tasks.codec import IGNORED, Codec, Example
from trainables.tasks.fields import Fields, brief
from trainables.tasks.kinds.language_model import LanguageModelKind
from trainables.tasks.rows import Row
from trainables.tasks.tables import TableRecord

if TYPE_CHECKING:
    from trainables.config import TaskConfig
    from trainables.families.base import Form


@dataclass(frozen=True)
class GenerationRow(Row):
    """A source and its references, of which the first is trained on."""

    source: str
    references: tuple[str, ...]


class Generation(LanguageModelKind[GenerationRow]):
    """An encoder-decoder generates the target; a decoder continues the source and the separator."""

    name = "generation"
    answer = "text"
    metrics = ("bleu", "exact_match")
    row = GenerationRow

    def blank(self, task: TaskConfig, record: TableRecord, classes: Sequence[str]) -> TableRecord:
        return {task.target: "", **({task.references: []} if task.references else {})}

    def read(self, task: TaskConfig, record: Fields, classes: tuple[str, ...]) -> list[GenerationRow]:
        references = _references(task.target, record)
        if task.references is not None:
            others = record.texts(task.references, "references", least=0)
            references = tuple(dict.fromkeys([*references, *others]))
        return [GenerationRow(_source(task.source, record), references)]

    def fault(self, row: GenerationRow, classes: Sequence[str]) -> str | None:
        """Reports a row without references."""
        return None if row.references else "no references; expected at least one"

    def input(self, row: GenerationRow) -> str:
        """The source."""
        return row.source

    def texts(self, row: GenerationRow) -> Iterable[str]:
        return (row.source, *row.references)

    def encode(self, rows: Sequence[GenerationRow], codec: Codec) -> list[Example]:
        """Source and target are cut to `task.max_length` tokens each, a decoder's text as a whole; the end stays."""
        targets = [row.references[0] for row in rows]
        if codec.form == "decoder":
            return _continuations(_sources(rows, codec), targets, codec)
        labels: list[list[int]] = codec.tokenizer(
            text_target=targets, truncation=True, max_length=codec.task.max_length
        )["input_ids"]
        examples = self.questions(rows, codec)
        for example, ids in zip(examples, labels, strict=True):
            example["labels"] = ids if ids[-1:] == [codec.eos] else [*ids[: codec.task.max_length - 1], codec.eos]
        return examples

    def questions(self, rows: Sequence[GenerationRow], codec: Codec) -> list[Example]:
        """The inputs of generation: the source, for a decoder with start and separator, which are never cut."""
        sources = _sources(rows, codec)
        if codec.form == "decoder":
            start, separator = codec.start, codec.bare([codec.task.separator])[0]
            room = max(codec.task.max_length - len(start) - len(separator), 0)
            return [{"input_ids": start + ids[:room] + separator or [codec.eos]} for ids in codec.bare(sources)]
        return [{"input_ids": ids} for ids in codec.inputs(sources)]

    def predict(self, rows: Sequence[GenerationRow], questions: Sequence[Example], answers: Sequence[str]) -> list[str]:
        """The text that the model generates from each row's source."""
        return list(answers)

    def references(self, rows: Sequence[GenerationRow]) -> list[tuple[str, ...]]:
        """All references of each row."""
        return [row.references for row in rows]

    def score(
        self, rows: Sequence[GenerationRow], predicted: Sequence[str], classes: Sequence[str] = ()
    ) -> dict[str, float]:
        """sacreBLEU on all references (0 to 100), and the share of texts that equal a reference (0 to 1)."""
        references = self.references(rows)
        num_exact = sum(text in refs for text, refs in zip(predicted, references, strict=True))
        return {"bleu": bleu(predicted, references)[0], "exact_match": num_exact / len(predicted)}

    def row_scores(self, rows: Sequence[GenerationRow], predicted: Sequence[str]) -> list[float]:
        """sacreBLEU of each text by itself, with the n-grams that it has (0 to 100)."""
        from sacrebleu import sentence_bleu

        return [sentence_bleu(each, list(row.references)).score for row, each in zip(rows, predicted, strict=True)]

    def guesses(self, rows: Sequence[GenerationRow]) -> list[str]:
        """No text."""
        return [""] * len(rows)

    def chance(self, rows: Sequence[GenerationRow], classes: Sequence[str] = ()) -> dict[str, float]:
        return dict.fromkeys(self.metrics, 0.0)

    def signature(self) -> str | None:
        """The signature of sacreBLEU."""
        return bleu(["a"], [["a"]])[1]

    def sample(self, task: TaskConfig, form: Form) -> str:
        return task.prefix + "your text" + (task.separator if form == "decoder" else "")


def bleu(texts: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, str]:
    """Corpus BLEU and its signature; examples may differ in their number of references."""
    import sacrebleu

    most = max(map(len, references))
    streams: Any = [[refs[i] if i < len(refs) else None for refs in references] for i in range(most)]
    metric = sacrebleu.BLEU()
    score = metric.corpus_score(list(texts), streams).score
    return score, str(metric.get_signature())


def _sources(rows: Sequence[GenerationRow], codec: Codec) -> list[str]:
    return [codec.task.prefix + row.source for row in rows]


def _continuations(sources: Sequence[str], targets: Sequence[str], codec: Codec) -> list[Example]:
    """Start, source, separator, target and end as one text; only target and end are labels.

    What does not fit is cut from the source, then from the target; start, separator and end are never cut.
    """
    start, separator, end = codec.start, codec.bare([codec.task.separator])[0], [codec.eos]
    examples: list[Example] = []
    for source, target in zip(codec.bare(sources), codec.bare(targets), strict=True):
        room = max(codec.task.max_length - len(start) - len(separator) - len(end), 0)
        target = target[:room] + end
        prompt = start + source[: room + len(end) - len(target)] + separator or end
        examples.append({"input_ids": prompt + target, "labels": [IGNORED] * len(prompt) + target})
    return examples


def _source(name: str, record: Fields) -> str:
    """A text, or triples joined as `subject : relation : object | …`."""
    value = record.value(name, "source")
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(triple, list) for triple in value):
        return " | ".join(" : ".join(map(str, triple)) for triple in value)
    if value is not None:
        record.wrong("source", name, "text is needed, or a list of triples", brief(value))
    return ""


def _references(name: str, record: Fields) -> tuple[str, ...]:
    """One text, or a list of at least one text."""
    value = record.value(name, "target")
    references = [value] if isinstance(value, str) else value
    if isinstance(references, list) and references and all(isinstance(text, str) for text in references):
        return tuple(references)
    if value is not None:
        record.wrong("target", name, "text or a list of texts is needed", brief(value))
    return ()
