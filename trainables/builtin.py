"""The built-in models and tasks, by name: what `model: tiny-bert` and `task: natural-logic` stand for."""

from __future__ import annotations

from typing import Any

MODELS: dict[str, dict[str, Any]] = {}

TASKS: dict[str, dict[str, Any]] = {
    "natural-logic": {
        "name": "natural-logic",
        "kind": "classification",
        "generated": {"generator": "natural_logic", "train": 6000, "validation": 200, "test": 400},
        "text": ["premise", "hypothesis"],
        "label": "label",
        "max_length": 16,
    },
    "localisation": {
        "name": "localisation",
        "kind": "generation",
        "generated": {"generator": "localisation", "train": 6000, "validation": 200, "test": 400},
        "source": "source",
        "target": "target",
        "max_length": 24,
        "max_new_tokens": 16,
    },
}
