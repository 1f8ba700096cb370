"""What kinds with language models share: their head, their cost and their use in plain transformers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar

from trainables.heads import HeadName
from trainables.tasks.kinds.base import Kind, R

if TYPE_CHECKING:
    from trainables.config import TaskConfig
    from trainables.families.base import Form


class LanguageModelKind(Kind[R]):
    """A decoder-only model continues a prompt; an encoder-decoder generates an answer."""

    head_name: ClassVar[HeadName] = "language_model"

    def sample(self, task: TaskConfig, form: Form) -> str:
        """An input for a saved student, in place of a row."""
        return task.prefix + "your text"

    def tokens_per_answer(self, task: TaskConfig) -> int:
        """The prompt, and every new token of every beam."""
        return task.max_length + task.num_beams * task.max_new_tokens

    def pipeline(self, form: Form) -> str | None:
        return "text-generation" if form == "decoder" else None

    def usage(self, task: TaskConfig, form: Form, folder: str) -> list[str]:
        prompt = json.dumps(self.sample(task, form), ensure_ascii=False)
        if form == "decoder":
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
