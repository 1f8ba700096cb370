"""A student's model card: README.md beside its weights, with the metadata block of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData, try_to_load_from_cache

from sweep.grid import labels
from sweep.grid.cells import Cell
from sweep.records.stored import CellResult, Result, TeacherResult
from sweep.report.formats import three_digits
from sweep.report.usage import pipeline_task, usage
from sweep.spec.passwords import without_passwords_in
from sweep.tracking.scores import share
from sweep.tracking.tags import BEST, TEST, test_metric
from trainables.config import FromScratch, TaskConfig, TrialConfig
from trainables.size import BATCHES
from trainables.tasks.kinds import KINDS

FILE = "README.md"


def card(cell: Cell, result: CellResult, teacher_result: TeacherResult) -> str:
    """The card of the student of a cell, from the results of the cell and of its teacher.

    The card names local folders by their last part alone.
    """
    config, task = cell.config, cell.config.task
    remarks = [KINDS[task.kind].remark, _precision(config)]
    return ModelCard.from_template(
        _metadata(cell, result),
        template_str=files("sweep").joinpath("templates", "card.md.j2").read_text(),
        title=labels.cell_label(config),
        blocks=config.model.student_blocks,
        width=f" and width {config.model.student_width}" if config.model.student_width else "",
        teacher_name=_teacher_name(config),
        data=task.name,
        share=_share(result, teacher_result),
        usage=usage(config, "."),
        max_length=task.max_length,
        cut_at=KINDS[task.kind].cut_at,
        remarks=[remark for remark in remarks if remark],
        metrics=_lines(_metrics(result, teacher_result)),
        sizes=_lines(_sizes(result, teacher_result)),
        device=(result.environment.gpus or [result.environment.cpu])[0],
        dtype=config.dtype,
        signature=result.signature,
        best_step=result.best_step,
        steps=result.steps,
        facts=_lines(_facts(cell, result)),
        config=yaml.safe_dump(_public_config(config), sort_keys=False, allow_unicode=True).rstrip(),
    ).content


def _metadata(cell: Cell, result: CellResult) -> ModelCardData:
    """The metadata block of the hub. It has a licence only where the card of the teacher has one."""
    config, task = cell.config, cell.config.task
    hub, teacher_id = task.hub, _hub_id(config)
    datasets = [hub.path] if hub and not _is_folder(hub.path) else None
    kind = pipeline_task(config) or task.kind.replace("_", "-")
    results = [
        EvalResult(
            task_type=kind,
            dataset_type=datasets[0] if datasets else task.name,
            dataset_name=task.name,
            dataset_config=hub.name if hub else None,
            dataset_split=split,
            dataset_revision=hub.revision if hub else None,
            metric_type=name,
            metric_value=value,
        )
        for split, name, value in _scores(result)
    ]
    return ModelCardData(
        base_model=teacher_id,
        datasets=datasets,
        eval_results=results,
        library_name="transformers",
        license=_licence(config),
        model_name=labels.cell_label(config),
        pipeline_tag=pipeline_task(config),
        tags=["knowledge-distillation", f"strategy:{config.strategy.kind}", f"init:{config.init}"],
    )


def _scores(result: Result) -> list[tuple[str, str, float]]:
    """Split, metric and value: the main metric on the validation split, and every metric on each test split."""
    scores = [(*key.split("/", 1), value) for key, value in result.metrics.items() if key.startswith((BEST, TEST))]
    return [("validation" if f"{split}/" == BEST else split, name, value) for split, name, value in scores]


def _lines(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The rows of a Markdown table."""
    return [f"| {' | '.join(row)} |" for row in rows]


def _metrics(result: CellResult, teacher_result: TeacherResult) -> list[tuple[str, str, str]]:
    """One row per metric: its split and name, the value of the student, and that of the teacher, if it has one."""
    teacher_scores = {(split, name): value for split, name, value in _scores(teacher_result)}
    return [
        (
            f"{split}, {name}",
            f"{value:.4f}",
            f"{teacher_scores[split, name]:.4f}" if (split, name) in teacher_scores else "-",
        )
        for split, name, value in _scores(result)
    ]


def _sizes(result: CellResult, teacher_result: TeacherResult) -> list[tuple[str, ...]]:
    """The student's size and speed beside its teacher's; empty where they were not measured."""
    sizes = [result.size, teacher_result.size]
    if result.size is None:
        return []
    rates = [each.examples_per_second if each else {} for each in sizes]
    return [
        ("parameters", *(f"{each.parameters:,}" if each else "-" for each in sizes)),
        ("parameters without embeddings", *(f"{each.without_embeddings:,}" if each else "-" for each in sizes)),
        ("megabytes", *(three_digits(each.megabytes) if each else "-" for each in sizes)),
        *(
            (f"rows per second, in batches of {batch}", *(three_digits(rate.get(batch)) or "-" for rate in rates))
            for batch in BATCHES
        ),
    ]


def _facts(cell: Cell, result: CellResult) -> list[tuple[str, str]]:
    config = cell.config
    mapping = "; ".join(f"{stack} {labels.pairs(pairs) or 'none'}" for stack, pairs in result.mapping.items())
    return [
        ("teacher", f"{_teacher_name(config)}, `{cell.teacher_hash}`"),
        ("strategy", labels.strategy_label(config.strategy)),
        ("mapping, student state : teacher state", mapping),
        ("init", config.init),
        ("data", _data(config.task)),
        ("content of the data", f"`{cell.data}`"),
        ("seed", str(config.seed)),
        ("dtype", config.dtype),
        ("fingerprint", f"`{cell.fingerprint}`"),
    ]


def _data(task: TaskConfig) -> str:
    if task.hub:
        path = Path(task.hub.path).name if _is_folder(task.hub.path) else task.hub.path
        parts = [path, task.hub.name, task.hub.revision and f"revision {task.hub.revision}"]
        return f"{task.name}: {', '.join(part for part in parts if part)}"
    if task.generated:
        return f"{task.name}: generated by {task.generated.generator}, seed {task.generated.seed}"
    assert task.files is not None
    return f"{task.name}: {', '.join(Path(file).name for file in task.files.model_dump().values() if file)}"


def _teacher_name(config: TrialConfig) -> str:
    teacher_spec = config.model.teacher
    if isinstance(teacher_spec, FromScratch):
        return f"{config.model.name}, trained from scratch"
    if _is_folder(teacher_spec):
        return Path(teacher_spec).name
    return f"{teacher_spec}, revision {config.model.revision}" if config.model.revision else teacher_spec


def _hub_id(config: TrialConfig) -> str | None:
    teacher_spec = config.model.teacher
    return teacher_spec if isinstance(teacher_spec, str) and not _is_folder(teacher_spec) else None


def _licence(config: TrialConfig) -> str | None:
    """The licence in the card beside the weights of the teacher; None where this machine has no card with a licence."""
    teacher_spec, hub = config.model.teacher, _hub_id(config)
    if isinstance(teacher_spec, FromScratch):
        return None
    file = try_to_load_from_cache(hub, FILE, revision=config.model.revision) if hub else str(Path(teacher_spec, FILE))
    if not isinstance(file, str) or not Path(file).is_file():
        return None
    return ModelCard(Path(file).read_text(encoding="utf-8"), ignore_metadata_errors=True).data.get("license")


def _precision(config: TrialConfig) -> str:
    if config.dtype != "bf16":
        return ""
    return "Its scores were measured under `torch.autocast` to bfloat16; in full precision a few answers may differ."


def _share(result: CellResult, teacher_result: TeacherResult) -> str:
    test, teacher_test = (each.metrics.get(test_metric(each.main_metric)) for each in (result, teacher_result))
    part = share(test, teacher_test, teacher_result.chance)
    return "an unknown part" if part is None else f"{part:.0%}"


def _public_config(config: TrialConfig) -> dict[str, Any]:
    """The config without passwords, and with the names of folders in place of their paths."""
    fields: dict[str, Any] = without_passwords_in(config.model_dump(mode="json"))
    if isinstance(config.model.teacher, str) and _is_folder(config.model.teacher):
        fields["model"]["teacher"] = Path(config.model.teacher).name
    if config.task.files:
        fields["task"]["files"] = {split: file and Path(file).name for split, file in fields["task"]["files"].items()}
    return fields


def _is_folder(place: str) -> bool:
    return Path(place).is_absolute() or Path(place).exists()
