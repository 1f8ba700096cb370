"""What is saved with a student so that plain transformers gives its recorded predictions: lengths, beams, the cut end.

What a person adds is `truncation=True`, for a tokenizer or a pipeline.
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
    """The tokenizer of a folder or hub id, which cuts a text as those of the task are cut where it is asked to cut."""
    return load_tokenizer(path, revision, model_max_length=task.max_length, truncation_side=KINDS[task.kind].cut_at)


def set_generation(model: PreTrainedModel, task: TaskConfig) -> None:
    """Has the model generate by itself as it is measured: the task's lengths and beams, and no sampling.

    What a search like that does not read is unset: transformers refuses to save it. The rest stays the teacher's.
    """
    if not model.can_generate():
        return
    config: Any = copy.deepcopy(model.generation_config)
    unread = ("max_length", *_SAMPLING, *(() if task.num_beams > 1 else _BEAMS))
    config.update(
        max_new_tokens=task.max_new_tokens, num_beams=task.num_beams, do_sample=False, **dict.fromkeys(unread)
    )
    model.generation_config = config
