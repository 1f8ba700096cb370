"""The state of a training and of its parts, from which it continues: tensors and JSON values in two files.

    state.safetensors   trained weights, moments of the optimiser, random streams, angles so far
    state.json          step, learning rates, best evaluation so far, last metrics, seconds

Both are read without unpickling, and every number is restored exactly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

TENSORS, FACTS = "state.safetensors", "state.json"


@dataclass
class State:
    """The state of one part, or of several named parts."""

    tensors: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    """JSON values; floats are restored exactly."""

    @classmethod
    def joined(cls, parts: Mapping[str, State]) -> State:
        """The states of several parts as one; `part` returns each of them."""
        return cls(
            {f"{name}/{key}": tensor for name, part in parts.items() for key, tensor in part.tensors.items()},
            {name: part.facts for name, part in parts.items()},
        )

    def part(self, name: str) -> State:
        """The state of one part."""
        start = f"{name}/"
        tensors = {key.removeprefix(start): tensor for key, tensor in self.tensors.items() if key.startswith(start)}
        return State(tensors, self.facts[name])

    def write(self, folder: Path) -> None:
        """Writes both files; tensors on a GPU are copied to the host."""
        save_file({key: tensor.detach().cpu().contiguous() for key, tensor in self.tensors.items()}, folder / TENSORS)
        (folder / FACTS).write_text(json.dumps(self.facts), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> State:
        """Reads the files that `write` wrote; the tensors are on the host."""
        return cls(load_file(folder / TENSORS), json.loads((folder / FACTS).read_text(encoding="utf-8")))
