"""The forms in which the best student is exported, and what each needs. Importing this module loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, get_args

from trainables.families import Family
from trainables.metrics import Metrics
from trainables.tasks.kinds.base import Kind

Form = Literal["onnx", "int8"]
"""onnx: an ONNX graph in fp32. int8: this graph with the weights of its matrix products in int8, which are quantised
ahead, and their inputs in uint8, which are quantised as they come (onnxruntime's dynamic quantisation)."""
FORMS: tuple[Form, ...] = get_args(Form)
FILES: dict[Form, str] = {"onnx": "model.onnx", "int8": "model_int8.onnx"}
FOLDER = "onnx"
"""The folder of these files beside the student's weights, as on the Hugging Face hub."""
PACKAGES = ("onnx", "onnxruntime", "onnxscript")


@dataclass(frozen=True)
class Exported:
    """One form of a student, measured as the student itself is."""

    megabytes: float
    """Its file, in 10^6 bytes."""
    examples_per_second: dict[int, float]
    """Batch size -> rows of the test split per second on the CPU."""
    metrics: Metrics
    """The metrics of its answers to the test splits: `test/accuracy`, …"""


def missing_packages() -> list[str]:
    """Those of the packages that are not installed."""
    return [name for name in PACKAGES if find_spec(name) is None]


def obstacle(kind: Kind[Any], family: Family) -> str | None:
    """Why students of this kind and family are not exported; None where they are."""
    if kind.answer == "text":
        return f"students of {kind.name} generate texts step by step, which one ONNX graph does not hold"
    if kind.answer == "log_likelihood":
        return f"students of {kind.name} are language models that rank texts, which one ONNX graph does not do"
    if family.form == "encoder_decoder":
        return f"students of {family.name} have a decoder too, whose graph does not take batches of every size"
    return None
