"""How a saved student is used in plain transformers, without this project."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sweep.results import Row
from trainables.config import TrialConfig
from trainables.families import FAMILIES
from trainables.tasks.kinds import KINDS


@dataclass(frozen=True)
class Student:
    """A saved student of a cell, and where it lies."""

    row: Row
    config: TrialConfig
    path: str


def usage(student: Student) -> list[str]:
    """Three lines that use a student in plain transformers."""
    task, form = student.config.task, FAMILIES[student.config.model.family].form
    path = json.dumps(student.path, ensure_ascii=False)
    if task.kind == "classification":
        texts = ["your text", "the other text"][: len(task.text or ())]
        pair = len(texts) == 2 and form != "decoder"
        given = {"text": texts[0], "text_pair": texts[1]} if pair else task.separator.join(texts)
        return [
            "from transformers import pipeline",
            f'classify = pipeline("text-classification", model={path})',
            f"print(classify({json.dumps(given, ensure_ascii=False)}))",
        ]
    auto = "AutoModelForCausalLM" if form == "decoder" else "AutoModelForSeq2SeqLM"
    prompt = json.dumps(KINDS[task.kind].sample(task, form), ensure_ascii=False)
    return [
        f"from transformers import AutoTokenizer as Tokenizer, {auto} as Model",
        f"tokenizer, model = (each.from_pretrained({path}) for each in (Tokenizer, Model))",
        f'tokens = model.generate(tokenizer({prompt}, return_tensors="pt").input_ids, '
        f"max_new_tokens={task.max_new_tokens}); print(tokenizer.decode(tokens[0], skip_special_tokens=True))",
    ]
