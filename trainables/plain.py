"""Settings saved with a student so that plain transformers reproduces its predictions: lengths, beams, truncation side.

Users only have to pass `truncation=True` to the tokenizer or pipeline.
"""

from __future__ import annotations

import copy
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainables.config import TaskConfig
from trainables.families.making import load_tokenizer
from trainables.tasks.kinds import KINDS

_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff")
_BEAMS = ("early_stopping", "length_penalty")


def tokenizer(path: str, revision: str | None, task: TaskConfig) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder or hub id, which truncates texts as the task's are truncated."""
    return load_tokenizer(path, revision, model_max_length=task.max_length, truncation_side=KINDS[task.kind].cut_at)


def set_generation(model: PreTrainedModel, task: TaskConfig) -> None:
    """Makes the model generate by default as it is measured: with the task's lengths and beams, without sampling.

    Settings that such a search ignores are unset, because transformers refuses to save them. Others stay the teacher's.
    """
    if not model.can_generate():
        return
    config: Any = copy.deepcopy(model.generation_config)
    unused = ("max_length", *_SAMPLING, *(() if task.num_beams > 1 else _BEAMS))
    config.update(
        max_new_tokens=task.max_new_tokens, num_beams=task.num_beams, do_sample=False, **dict.fromkeys(unused)
    )
    model.generation_config = config
