"""Plain transformers, one text at a time and nothing of the project, gives what a student is recorded to have said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    pipeline,
)

from tests.trainables.alone import distil
from tests.trainables.golden import save_teacher, untrained
from tests.trainables.tasks.kinds.settings import SETTINGS
from trainables import plain, predictions
from trainables.builtin import MODELS, TASKS
from trainables.config import TaskConfig, TrialConfig
from trainables.tasks.kinds.question_answering import prompt
from trainables.tasks.rows import Data

RECORDS = {setting.name: setting.records * 4 for setting in SETTINGS}
TEXTS = [
    {"text": f"{word} {other} {word}", "label": label}
    for word, label in (("good", "yes"), ("bad", "no"))
    for other in ("film", "book", "song and more words than are read")
]
NUMBERS = [{**record, "label": index / 4} for index, record in enumerate(TEXTS)]
WORDS = [
    {"words": ["Anna", "saw", word, "Smith", "in", other], "label": ["B-PER", "O", "B-PER", "I-PER", "O", "B-LOC"]}
    for word in ("Bob", "Eve")
    for other in ("Rome", "Paris", "Constantinople")
]
OWN = {"classification": TEXTS, "regression": NUMBERS, "token_classification": WORDS}
Answer = Callable[[str, Any, TaskConfig], Any]
"""Takes the student's folder, a row and the task."""


def classify(folder: str, row: Any, task: TaskConfig) -> str:
    texts = row.texts
    ask: Any = pipeline("text-classification", model=folder, truncation=True)
    return ask({"text": texts[0], "text_pair": texts[1]})["label"] if len(texts) == 2 else ask(texts[0])[0]["label"]


def rate_joined(folder: str, row: Any, task: TaskConfig) -> float:
    ask: Any = pipeline("text-classification", model=folder, truncation=True)
    return ask("\n".join(row.texts))[0]["score"]


def classify_joined(folder: str, row: Any, task: TaskConfig) -> str:
    ask: Any = pipeline("text-classification", model=folder, truncation=True)
    return ask("\n".join(row.texts))[0]["label"]


def rate(folder: str, row: Any, task: TaskConfig) -> float:
    texts = row.texts
    ask: Any = pipeline("text-classification", model=folder, truncation=True)
    (said,) = [ask({"text": texts[0], "text_pair": texts[1]})] if len(texts) == 2 else ask(texts[0])
    assert said["label"] == "score"
    return said["score"]


def tag(folder: str, row: Any, task: TaskConfig) -> list[str | None]:
    """The class of the first token that begins in each word, of the tokens that the pipeline shows."""
    ask: Any = pipeline("token-classification", model=folder, ignore_labels=[])
    first: dict[int, str] = {}
    text = " ".join(row.words)
    for token in ask(text):
        piece = text[token["start"] : token["end"]]
        first.setdefault(token["end"] - len(piece.lstrip()), token["entity"])
    starts = [len(" ".join([*row.words[:index], ""])) for index in range(len(row.words))]
    return [first.get(start) for start in starts]


def go_on(folder: str, row: Any, task: TaskConfig) -> str:
    write: Any = pipeline("text-generation", model=folder, truncation=True)
    return write(row.source + "\n", return_full_text=False)[0]["generated_text"]


def answer(folder: str, row: Any, task: TaskConfig) -> str:
    write: Any = pipeline("text-generation", model=folder, truncation=True)
    text = write(prompt(row), return_full_text=False)[0]["generated_text"]
    return text.strip().partition("\n")[0].strip()


def written(folder: str, text: str) -> str:
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForSeq2SeqLM.from_pretrained(folder)
    tokens_BT = model.generate(**tokenizer(text, return_tensors="pt", truncation=True))
    return tokenizer.decode(tokens_BT[0], skip_special_tokens=True)


def write(folder: str, row: Any, task: TaskConfig) -> str:
    return written(folder, task.prefix + row.source)


def write_answer(folder: str, row: Any, task: TaskConfig) -> str:
    return written(folder, prompt(row)).strip().partition("\n")[0].strip()


def likelihoods(folder: str, row: Any, task: TaskConfig) -> list[float]:
    """The mean loss over the choice's tokens, times their number."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    sums: list[float] = []
    for choice in row.choices:
        ids_1T = tokenizer(f"{row.context} {choice}", return_tensors="pt").input_ids
        num_context = len(tokenizer(row.context).input_ids)
        labels_1T = ids_1T.clone()
        labels_1T[:, :num_context] = -100
        with torch.no_grad():
            loss = model(input_ids=ids_1T, labels=labels_1T).loss.item()
        sums.append(-loss * (ids_1T.shape[1] - num_context))
    return sums


@dataclass(frozen=True)
class Case:
    """A family on a task, and how plain transformers is asked."""

    family: str
    task: dict[str, Any]
    answer: Answer
    num_cut: int
    """How many of the test split's texts do not fit, at least."""
    lora: dict[str, Any] | None = None


def generated(name: str, **fields: Any) -> dict[str, Any]:
    return {**TASKS[name], "generated": {**TASKS[name]["generated"], "train": 16, "validation": 4, "test": 8}, **fields}


def own(kind: str, **fields: Any) -> dict[str, Any]:
    return {"name": "own", "kind": kind, "max_length": 24, "max_new_tokens": 3, **fields}


CASES = {
    "a pair": Case("bert", generated("natural-logic", max_length=20), classify, num_cut=1),
    "adapters": Case(
        "bert",
        generated("natural-logic", max_length=20),
        classify,
        num_cut=1,
        lora={"student": {"r": 4, "alpha": 8, "save": "adapter"}},
    ),
    "one text": Case("bert", own("classification", text=["text"], max_length=8), classify, num_cut=1),
    "a number": Case("bert", own("regression", text=["text"], max_length=8), rate, num_cut=1),
    "a number of a pair": Case("qwen3", own("regression", text=["text", "text"], max_length=8), rate_joined, num_cut=1),
    "a pair, two stacks": Case(
        "bart", own("classification", text=["text", "text"], max_length=20), classify, num_cut=1
    ),
    "words": Case("bert", own("token_classification", text=["words"], max_length=6), tag, num_cut=1),
    "words, one stack": Case("qwen3", own("token_classification", text=["words"], max_length=5), tag, num_cut=1),
    "a pair as one": Case("qwen3", generated("natural-logic", max_length=6), classify_joined, num_cut=1),
    "beams": Case("bart", generated("localisation", max_new_tokens=6, num_beams=3), write, num_cut=0),
    "a prefix": Case(
        "t5", generated("localisation", max_length=10, max_new_tokens=4, prefix="localise: "), write, num_cut=1
    ),
    "a decoder": Case("qwen3", generated("localisation", max_new_tokens=6), go_on, num_cut=0),
    "questions": Case("qwen3", own("question_answering", max_length=20), answer, num_cut=1),
    "questions, two stacks": Case("t5", own("question_answering", max_length=20), write_answer, num_cut=1),
    "choices": Case("qwen3", own("multiple_choice"), likelihoods, num_cut=0),
}


@dataclass(frozen=True)
class Made:
    """A student of a case."""

    case: Case
    config: TrialConfig
    data: Data
    folder: Path

    @property
    def recorded(self) -> list[dict[str, Any]]:
        lines = (self.folder / predictions.FILE).read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]


def made(case: Case, folder: Path) -> Made:
    task = case.task
    if "generated" not in task:
        records = OWN.get(task["kind"]) or RECORDS[task["kind"]]
        files = {split: str(folder / f"{split}.jsonl") for split in ("train", "validation", "test")}
        for file in files.values():
            Path(file).write_text("".join(json.dumps(record) + "\n" for record in records))
        task = {**task, "files": files}
    model = MODELS[f"tiny-{case.family}"]
    config = TrialConfig.model_validate(
        {
            "model": {**model, "teacher": untrained(case.family), "lora": case.lora},
            "task": task,
            "init": "teacher" if case.lora else "random",
            "dtype": "fp32",
            "train": {"max_steps": 2, "batch_size": 4, "learning_rate": 1e-2},
        }
    )
    data = save_teacher(config, folder / "teacher")
    (folder / "cell").mkdir()
    distil(config, data, folder / "teacher", folder / "cell", lambda step, metrics: None)
    return Made(case, config, data, folder / "cell")


@pytest.mark.parametrize("name", CASES)
def test_plain_transformers_gives_the_recorded_predictions(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    done = made(case, tmp_path)
    recorded = done.recorded
    rows: list[Any] = done.data.test
    assert [(line["split"], line["row"]) for line in recorded] == [("test", row) for row in range(len(rows))]
    given = [case.answer(str(done.folder / "student"), row, done.config.task) for row in rows]
    predicted = [line["prediction"] for line in recorded]
    if case.task["kind"] in ("multiple_choice", "regression"):
        assert given == [pytest.approx(sums, rel=1e-5, abs=1e-5) for sums in predicted]
    else:
        assert given == predicted
    tokenizer: Any = AutoTokenizer.from_pretrained(done.folder / "student")
    texts = [case.task.get("prefix", "") + text_of(row) for row in rows]
    num_cut = sum(len(tokenizer(text).input_ids) > done.config.task.max_length for text in texts)
    assert num_cut >= case.num_cut
    if case.task["kind"] == "classification":
        assert set(predicted) <= set(done.data.classes)
    if case.task["kind"] == "token_classification":
        assert {name for row in predicted for name in row} <= {None, *done.data.classes}
        assert any(None in row for row in predicted)


def text_of(row: Any) -> str:
    if hasattr(row, "words"):
        return " ".join(row.words)
    if hasattr(row, "texts"):
        return "\n".join(row.texts)
    return row.source if hasattr(row, "source") else row.context if hasattr(row, "context") else prompt(row)


def test_the_predictions_differ_from_row_to_row(tmp_path: Path) -> None:
    """A student that always says the same would agree with anything."""
    for name in ("a pair", "beams", "a decoder", "a number"):
        (folder := tmp_path / name.replace(" ", "-")).mkdir()
        assert len({line["prediction"] for line in made(CASES[name], folder).recorded}) > 1


def test_a_teachers_sampling_and_beams_are_not_saved_with_a_student(tmp_path: Path) -> None:
    shape = LlamaConfig(
        vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, pad_token_id=0
    )
    model: Any = LlamaForCausalLM(shape)
    # As Qwen3's generation_config.json has it, and what BART's has beside.
    model.generation_config = GenerationConfig(
        do_sample=True, temperature=0.6, top_k=20, top_p=0.95, max_length=20, min_length=2, length_penalty=2.0,
        early_stopping=True, num_beams=4, eos_token_id=[1, 2], pad_token_id=0,
    )  # fmt: skip
    for num_beams, kept in ((1, {}), (3, {"length_penalty": 2.0, "early_stopping": True})):
        plain.set_generation(model, TaskConfig.model_validate({**TASKS["localisation"], "num_beams": num_beams}))
        model.save_pretrained(tmp_path)
        saved = json.loads((tmp_path / "generation_config.json").read_text())
        saved.pop("transformers_version")
        assert saved == {
            "do_sample": False, "max_new_tokens": TASKS["localisation"].get("max_new_tokens", 64), "min_length": 2,
            "num_beams": num_beams, "eos_token_id": [1, 2], "pad_token_id": 0, **kept,
        }  # fmt: skip
        model.generation_config.update(length_penalty=2.0, early_stopping=True)
