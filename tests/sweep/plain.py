"""A saved model as any user of transformers runs it: one example at a time, without padding, nothing of the project.

T tokens, D width, V vocabulary or classes, N positions with a label.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

Array = np.ndarray[Any, np.dtype[np.float64]]

CLASSES: dict[str, Any] = {
    "bert": AutoModelForSequenceClassification,
    "bart": AutoModelForSeq2SeqLM,
    "t5": AutoModelForSeq2SeqLM,
    "qwen3": AutoModelForCausalLM,
}
LAST_BLOCKS = {
    "bert": {"encoder": "bert.encoder.layer"},
    "bart": {"encoder": "model.encoder.layers", "decoder": "model.decoder.layers"},
    "t5": {"encoder": "encoder.block", "decoder": "decoder.block"},
    "qwen3": {"decoder": "model.layers"},
}


@dataclass(frozen=True)
class Text:
    """One example: a model's inputs, and its labels with the positions of the logits that answer them."""

    inputs: dict[str, list[int]]
    labels_N: list[int]
    first: int = 0


@dataclass(frozen=True)
class Seen:
    """What a model shows of one example. `normed`: the last states as transformers gives them, beside the raw ones."""

    logits_NV: Array
    labels_N: list[int]
    states: dict[str, list[Array]]
    """Stack -> states [T, D], from 0."""
    normed: dict[str, Array]


class Plain:
    """The model of a folder with its tokenizer; what is longer than `max_length` loses the end of its source."""

    def __init__(self, family: str, folder: Path, max_length: int) -> None:
        self.family, self.max_length = family, max_length
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self.model: Any = CLASSES[family].from_pretrained(folder, dtype=torch.float32)
        self.model.eval().requires_grad_(False)

    def classified(self, texts: tuple[str, ...], label: int) -> Text:
        """A text or a pair."""
        return Text(dict(self.tokenizer(*texts)), [label])

    def written(self, source: str, target: str) -> Text:
        """A source and what is to be written; every target token is given all those before it."""
        if self.family == "qwen3":
            answer = [*self._ids(target), self.tokenizer.eos_token_id]
            prompt = self._prompt(source, self.max_length - len(answer))
            return Text({"input_ids": prompt + answer}, answer, first=len(prompt) - 1)
        answer = self.tokenizer(target)["input_ids"]
        assert answer[-1] == self.tokenizer.eos_token_id
        assert len(answer) <= self.max_length
        before = [self.model.config.decoder_start_token_id, *answer[:-1]]
        return Text({"input_ids": self._prompt(source, self.max_length), "decoder_input_ids": before}, answer)

    def see(self, text: Text) -> Seen:
        """One pass. T5 and Qwen3 norm their last state, so that one is taken from the last block itself."""
        raw: dict[str, Tensor] = {}

        def keep(stack: str) -> Any:
            def hook(_module: Any, _args: Any, output: Any) -> None:
                raw[stack] = output[0] if isinstance(output, tuple) else output

            return hook

        blocks = {stack: self.model.get_submodule(path)[-1] for stack, path in LAST_BLOCKS[self.family].items()}
        hooks = [block.register_forward_hook(keep(stack)) for stack, block in blocks.items()]
        inputs = {name: torch.tensor([ids]) for name, ids in text.inputs.items()}
        with torch.no_grad():
            out = self.model(**inputs, output_hidden_states=True)
        for hook in hooks:
            hook.remove()
        # Two stacks name their states, one does not.
        prefix = {stack: f"{stack}_" if len(blocks) == 2 else "" for stack in blocks}
        given = {stack: out[f"{prefix[stack]}hidden_states"] for stack in blocks}
        states = {stack: [*arrays(given[stack][:-1]), *arrays([raw[stack]])] for stack in blocks}
        logits = out.logits[0] if out.logits.dim() == 3 else out.logits
        answering = logits[text.first : text.first + len(text.labels_N)].numpy().astype(np.float64)
        normed = {stack: arrays(given[stack][-1:])[0] for stack in blocks}
        return Seen(answering, text.labels_N, states, normed)

    def write(self, source: str, max_new_tokens: int) -> str:
        """What the model itself writes, greedily."""
        ids_BT = torch.tensor([self._prompt(source, self.max_length)])
        with torch.no_grad():
            made_BT = self.model.generate(
                input_ids=ids_BT,
                attention_mask=torch.ones_like(ids_BT),
                max_new_tokens=max_new_tokens,
                do_sample=False,
                num_beams=1,
            )
        new = made_BT[0, ids_BT.shape[1] :] if self.family == "qwen3" else made_BT[0, 1:]
        return self.tokenizer.decode(new, skip_special_tokens=True)

    def _prompt(self, source: str, room: int) -> list[int]:
        if self.family == "qwen3":
            separator = self._ids("\n")
            return self._ids(source)[: room - len(separator)] + separator
        ids = self.tokenizer(source)["input_ids"]
        assert ids[-1] == self.tokenizer.eos_token_id
        assert len(ids) <= room
        return ids

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]


def arrays(states: Iterable[Tensor]) -> list[Array]:
    """States [1, T, D] as [T, D] in fp64."""
    return [state[0].numpy().astype(np.float64) for state in states]
