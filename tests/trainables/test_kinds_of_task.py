"""A teacher and a student of task kinds that no other test trains, made and measured end to end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.trainables.alone import distil
from tests.trainables.golden import SHAPES
from tests.trainables.tasks.kinds.settings import SETTINGS
from trainables import finetune
from trainables.builtin import MODELS
from trainables.config import TrialConfig
from trainables.metrics import Metrics
from trainables.own_metrics import METRICS as METRICS_OF_PLUGINS
from trainables.own_metrics import Metric
from trainables.tasks import read
from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import SPLITS

RECORDS = {setting.name: setting.records for setting in SETTINGS}
FIELDS = {setting.name: setting.fields for setting in SETTINGS}


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        ("qwen3", "multiple_choice"),
        ("t5", "question_answering"),
        ("bert", "regression"),
        ("bart", "regression"),
        ("qwen3", "token_classification"),
    ],
)
def test_a_teacher_and_its_student(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str, kind: str) -> None:
    rights: list[Any] = []

    def own(predicted: Sequence[Any], right: Sequence[Any]) -> dict[str, float]:
        rights.append(list(right))
        return {"answered": len(predicted) / len(right)}

    monkeypatch.setitem(METRICS_OF_PLUGINS, "own", Metric(kind, ("answered",), own))
    for split in SPLITS:
        lines = "".join(json.dumps(record) + "\n" for record in RECORDS[kind] * 3)
        (tmp_path / f"{split}.jsonl").write_text(lines)
    model = MODELS[f"tiny-{family}"]
    teacher = {**model["teacher"], "config": {**model["teacher"]["config"], **SHAPES[family]}}
    config = TrialConfig.model_validate(
        {
            "model": {**model, "teacher": teacher, "finetune": {**model["finetune"], "max_steps": 2}},
            "task": {
                "name": "own",
                "kind": kind,
                "files": {split: str(tmp_path / f"{split}.jsonl") for split in SPLITS},
                "max_length": 24,
                "max_new_tokens": 3,
                **FIELDS[kind],
            },
            "train": {"max_steps": 2, "batch_size": 4},
            "dtype": "fp32",
        }
    )
    data = read(config.task)
    data = replace(data, more_tests={"test_other": data.test[:1]})
    reported: Metrics = {}

    def report(step: int, metrics: Metrics) -> None:
        reported.update(metrics)

    made = finetune.run(config.model, config.task, data, tmp_path / "teacher", report, "fp32")
    (tmp_path / "cell").mkdir()
    done = distil(config, data, tmp_path / "teacher" / "model", tmp_path / "cell", report)

    for outcome in (made, done):
        assert outcome.main_metric == KINDS[kind].metrics[0]
        names: set[Any] = {name for name in outcome.metrics if name.startswith("test")}
        given = {*KINDS[kind].metrics} | {"answered"}
        assert names == {f"{split}/{name}" for split in ("test", "test_other") for name in given}
        assert outcome.metrics["test/answered"] == 1
        assert all(-1 <= outcome.metrics[name] <= 1 for name in names)
    assert rights[-2:] == [KINDS[kind].references(data.test), KINDS[kind].references(data.test[:1])]
    assert {*KINDS[kind].metrics} | {"answered", "loss", "loss_ce", "loss_kl", "loss_hidden"} <= {
        name.removeprefix("eval/") for name in reported if name.startswith("eval/")
    }
    assert reported["train/loss_hidden"] > 0
