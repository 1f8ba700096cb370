"""How a saved student is used in plain transformers, without this project."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sweep.report.results import Row
from trainables.config import TrialConfig
from trainables.families import FAMILIES
from trainables.tasks.kinds import KINDS


@dataclass(frozen=True)
class Student:
    """A saved student of a cell, and where it lies."""

    row: Row
    config: TrialConfig
    path: str


def pipeline_task(config: TrialConfig) -> str | None:
    """The task of the `transformers.pipeline` that runs a student; None: transformers 5 has none for it."""
    if config.task.kind == "classification":
        return "text-classification"
    return "text-generation" if FAMILIES[config.model.family].form == "decoder" else None


def usage(config: TrialConfig, path: str) -> list[str]:
    """Three lines that use a student in plain transformers: a class, or the text that it writes."""
    task, form = config.task, FAMILIES[config.model.family].form
    folder, pipeline = json.dumps(path, ensure_ascii=False), pipeline_task(config)
    if pipeline == "text-classification":
        texts = ["your text", "the other text"][: len(task.text or ())]
        pair = len(texts) == 2 and form != "decoder"
        given = {"text": texts[0], "text_pair": texts[1]} if pair else task.separator.join(texts)
        return [
            "from transformers import pipeline",
            f'classify = pipeline("text-classification", model={folder}, truncation=True)',
            f"print(classify({json.dumps(given, ensure_ascii=False)}))",
        ]
    prompt = json.dumps(KINDS[task.kind].sample(task, form), ensure_ascii=False)
    if pipeline == "text-generation":
        return [
            "from transformers import pipeline",
            f'write = pipeline("text-generation", model={folder}, truncation=True)',
            f'print(write({prompt}, return_full_text=False)[0]["generated_text"])',
        ]
    return [
        "from transformers import AutoTokenizer as Tokenizer, AutoModelForSeq2SeqLM as Model",
        f"tokenizer, model = (each.from_pretrained({folder}) for each in (Tokenizer, Model))",
        f'tokens = model.generate(**tokenizer({prompt}, return_tensors="pt", truncation=True)); '
        "print(tokenizer.decode(tokens[0], skip_special_tokens=True))",
    ]
