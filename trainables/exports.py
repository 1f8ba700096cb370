"""Writes a saved student in other forms, and measures what they answer and how fast.

B batch, T tokens, C outputs.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from trainables import answers
from trainables import device as devices
from trainables.config import TrialConfig
from trainables.evaluate import Evaluator, Questions, tested
from trainables.families import FAMILIES, Family, making, states
from trainables.families.base import Outputs
from trainables.forms import FILES, Exported, Form
from trainables.meter import Meter
from trainables.tasks.batches import Batch
from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import Data

LOGITS = "logits"
LENGTHS = (5, 7)
"""The tokens of the two texts by which the graph is traced; it takes any number of texts of any length."""


def export(
    student: Path, config: TrialConfig, data: Data, forms: Collection[Form], folder: Path, num_threads: int
) -> dict[Form, Exported]:
    """Writes these forms of a saved student into the folder, and measures each on the CPU.

    Raises ValueError where torch cannot trace the student.
    """
    kind, family = KINDS[config.task.kind], FAMILIES[config.model.family]
    devices.start_clean(num_threads, seed=0)
    model = making.load(family, str(student), None, kind.head(data.classes), seed=0).requires_grad_(False).eval()
    tokenizer = making.load_tokenizer(str(student))
    exported: dict[Form, Exported] = {}
    with tempfile.TemporaryDirectory() as place, _quiet():
        whole = Path(place, FILES["onnx"])
        _trace(family, model, whole)
        for form in forms:
            file = folder / FILES[form]
            _write(form, whole, file)
            evaluator = OnnxEvaluator(
                family, config.task, tokenizer, torch.device("cpu"), "fp32", config.train.batch_size, data.classes,
                session=_session(file, num_threads),
            )  # fmt: skip
            exported[form] = _measured(evaluator, model, data, file)
    return exported


@dataclass(frozen=True)
class OnnxEvaluator(Evaluator):
    """Runs an ONNX graph where the model would run; of the model it reads the config alone."""

    session: Any = None

    def answers(self, model: PreTrainedModel, batch: Batch) -> list[Any]:
        columns = states.model_inputs(self.family, model, batch)
        (array,) = self.session.run([LOGITS], {name: column.numpy() for name, column in columns.items()})
        logits = torch.from_numpy(array)
        seen = Outputs(logits, states.aligned_labels(self.family, batch), {}, {}, logits)
        return answers.read(self.kind.answer, seen)


class _Logits(nn.Module):
    """A model as a function of its columns, in their order, to its logits."""

    def __init__(self, model: PreTrainedModel, columns: Sequence[str]) -> None:
        super().__init__()
        self.model, self.columns = model, columns

    def forward(self, *columns: Tensor) -> Tensor:
        return self.model(**dict(zip(self.columns, columns, strict=True))).logits


def _trace(family: Family, model: PreTrainedModel, file: Path) -> None:
    """Writes the graph of a model in eval mode: int64 [B, T] columns to [B, C] or [B, T, C]."""
    ids_BT = torch.ones((2, max(LENGTHS)), dtype=torch.int64)
    mask_BT = torch.tensor([[int(token < length) for token in range(max(LENGTHS))] for length in LENGTHS])
    segments = {"token_type_ids": torch.zeros_like(ids_BT)} if family.has_segments else {}
    columns = states.model_inputs(family, model, {"input_ids": ids_BT, "attention_mask": mask_BT, **segments})
    any_size = dict.fromkeys(range(2), torch.export.Dim.DYNAMIC)
    try:
        torch.onnx.export(
            _Logits(model, tuple(columns)).eval(),
            tuple(columns.values()),
            file,
            input_names=list(columns),
            output_names=[LOGITS],
            dynamic_shapes=(tuple(any_size for _ in columns),),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ValueError(f"torch cannot write it as ONNX: {reason}") from error


def _write(form: Form, whole: Path, file: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    if form == "onnx":
        file.write_bytes(whole.read_bytes())
    else:
        # Weights of the whole range overflow the 16-bit sums of CPUs without VNNI.
        quantize_dynamic(whole, file, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)


def _session(file: Path, num_threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def _measured(evaluator: OnnxEvaluator, model: PreTrainedModel, data: Data, file: Path) -> Exported:
    tests: dict[str, Questions] = evaluator.tests(data)
    predictions = {split: questions.predict(model) for split, questions in tests.items()}
    rates = Meter(evaluator, data.test).rates(model)
    return Exported(file.stat().st_size / 1e6, rates, tested(tests, predictions))


@contextmanager
def _quiet() -> Generator[None]:
    """Without what the exporter and the quantisation say of themselves, of which a user can change nothing.

    onnxruntime calls `logging.warning`, which gives a root logger without a handler one that prints for good.
    """
    names = ("", "torch.onnx", "onnxscript", "onnx_ir", "torch.export")
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    silent = logging.NullHandler()
    logging.root.addHandler(silent)
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.root.removeHandler(silent)
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
