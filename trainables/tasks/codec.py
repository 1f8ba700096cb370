"""Encodes texts as token ids and labels for one model; the task kinds build their examples with it.

It needs no torch: examples are lists of ids, which tasks/batches.py pads to tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from trainables.config import TaskConfig
    from trainables.families.base import Form

Example = dict[str, list[Any]]
"""`input_ids`; `token_type_ids` for the form encoder; and one of: `label`, a list of one class index or one number;
`token_labels`, a class index for each token of the input, beside `words`, the word of each labelled token; `labels`,
the tokens of the target text."""

IGNORED = -100
"""The label of a position without a target, in `labels` and `token_labels`."""


@dataclass(frozen=True)
class Codec:
    """The encoding of a task's texts for one model: the task's lengths, the model's form and its tokenizer."""

    task: TaskConfig
    form: Form
    tokenizer: PreTrainedTokenizerBase

    @property
    def eos(self) -> int:
        """The id of the end token."""
        eos = self.tokenizer.eos_token_id
        assert isinstance(eos, int), "a tokenizer with an end token"
        return eos

    @property
    def start(self) -> list[int]:
        """The ids that a decoder's tokenizer puts before each text: <s> for Llama, none for most models."""
        bos = self.tokenizer.bos_token_id
        return [bos] if isinstance(bos, int) and self.whole([""])[0][:1] == [bos] else []

    def bare(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of texts, uncut and without special tokens."""
        return self.tokenizer(list(texts), add_special_tokens=False)["input_ids"] if texts else []

    def whole(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of texts, uncut, with the special tokens that the tokenizer adds."""
        return self.tokenizer(list(texts))["input_ids"] if texts else []

    def inputs(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of texts with special tokens, cut at their end to `task.max_length`."""
        if not texts:
            return []
        return self.tokenizer(list(texts), truncation=True, max_length=self.task.max_length)["input_ids"]

    def late_inputs(self, texts: Sequence[str]) -> list[list[int]]:
        """As `inputs`, but cut at the start, for texts that end with the question."""
        side, self.tokenizer.truncation_side = self.tokenizer.truncation_side, "left"
        try:
            return self.inputs(texts)
        finally:
            self.tokenizer.truncation_side = side


def completions(prompts: Sequence[str], targets: Sequence[str], codec: Codec, *, end: bool) -> list[Example]:
    """Examples whose labels are the target, which continues the prompt; `end` adds the end token to it.

    Prompts are cut at their start, after any start token of the tokenizer. A target is cut only where it does not fit
    beside one token of the prompt. The end token replaces an empty prompt or target. Prompt and target are split as
    in lm-evaluation-harness (`TemplateLM._encode_pair`): spaces at the end of the prompt move to the target, and a
    decoder's target has the ids that follow those of the prompt when both are tokenised as one text.
    """
    spaces = [len(prompt) - len(prompt.rstrip()) for prompt in prompts]
    heads = [prompt.rstrip() for prompt in prompts]
    tails = [p[len(p) - n :] + target for p, n, target in zip(prompts, spaces, targets, strict=True)]
    if codec.form == "encoder_decoder":
        return [
            {"input_ids": head, "labels": _ended(tail, codec, codec.task.max_length, end=end)}
            for head, tail in zip(codec.late_inputs(heads), codec.bare(tails), strict=True)
        ]
    start, contexts = codec.start, codec.whole(heads)
    texts = codec.whole([head + tail for head, tail in zip(heads, tails, strict=True)])
    examples: list[Example] = []
    for context, text in zip(contexts, texts, strict=True):
        target = _ended(text[len(context) :], codec, codec.task.max_length - 1, end=end)
        room = max(codec.task.max_length - len(target), 1)
        prompt = _last(context, room, start) or [codec.eos]
        examples.append({"input_ids": prompt + target, "labels": [IGNORED] * len(prompt) + target})
    return examples


def prompts_alone(prompts: Sequence[str], codec: Codec) -> list[Example]:
    """The inputs from which a model that was trained on `completions` of these prompts generates."""
    heads = [prompt.rstrip() for prompt in prompts]
    cut = codec.late_inputs(heads)
    return [{"input_ids": ids or [codec.eos]} for ids in cut]


def _last(context: list[int], room: int, start: list[int]) -> list[int]:
    """The last `room` ids of a context; the start token, where it has one, stays the first of them."""
    return context if len(context) <= room else start + context[len(context) - room + len(start) :]


def _ended(target: list[int], codec: Codec, room: int, *, end: bool) -> list[int]:
    """The target cut to 1 to `room` ids."""
    if end:
        return [*target[: max(room - 1, 0)], codec.eos]
    return target[: max(room, 1)] or [codec.eos]
