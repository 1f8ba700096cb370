"""Base and axes to cells, and what gives a cell its identity."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from sweep.grid.cells import draft
from sweep.grid.fingerprint import Fingerprints, canonical, digest, fingerprint
from sweep.spec.sweep import SweepConfig
from tests.sweep.grids import expand
from trainables.builtin import TASKS
from trainables.config import TrialConfig
from trainables.errors import InputError
from trainables.recipe import RECIPE

MODEL = {"name": "m", "family": "bert", "teacher": "org/name", "finetune": {"epochs": 1}}
BASE: dict[str, Any] = {"model": MODEL, "task": "natural-logic"}


def sweep(**fields: Any) -> SweepConfig:
    return SweepConfig.model_validate({"name": "x", "base": BASE, **fields})


def lines(config: SweepConfig) -> list[str]:
    with pytest.raises(InputError) as error:
        expand(config)
    return str(error.value).split("\n")


def test_every_combination_once_in_the_order_of_the_axes() -> None:
    cells = expand(sweep(axes={"strategy": ["none", {"kind": "all_to_one", "teacher_state": 1}], "seed": [2, 0]}))
    assert [(cell.strategy.kind, cell.seed) for cell in cells] == [
        ("none", 2),
        ("none", 0),
        ("all_to_one", 2),
        ("all_to_one", 0),
    ]
    assert len({canonical(cell.model_dump(mode="json")) for cell in cells}) == 4


def test_no_axes_give_one_cell_with_the_defaults() -> None:
    assert expand(sweep()) == [TrialConfig.model_validate(BASE)]


def test_an_axis_inside_of_another_is_set_after_it() -> None:
    models = [{**MODEL, "name": "a"}, {**MODEL, "name": "b", "student_blocks": 9}]
    base = {"task": "natural-logic", "strategy": "all_to_one"}
    axes = {"model.student_blocks": [1, 2], "model": models, "strategy.teacher_state": [4], "losses.hidden": [0.5]}
    cells = expand(sweep(base=base, axes=axes))
    assert [(cell.model.name, cell.model.student_blocks) for cell in cells] == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    assert {(cell.strategy.model_dump()["teacher_state"], cell.losses.hidden) for cell in cells} == {(4, 0.5)}


def test_a_named_task_can_be_changed_by_an_axis_inside() -> None:
    cells = expand(sweep(axes={"task": ["natural-logic"], "task.max_length": [8, 9]}))
    assert [(cell.task.name, cell.task.max_length) for cell in cells] == [("natural-logic", 8), ("natural-logic", 9)]


def test_free_keys_of_a_teacher_from_scratch_may_be_axes() -> None:
    model = {**MODEL, "teacher": {"config": {"hidden_size": 8}}}
    cells = expand(sweep(base={**BASE, "model": model}, axes={"model.teacher.config.num_hidden_layers": [2, 4]}))
    assert [cell.model.teacher.config for cell in cells if not isinstance(cell.model.teacher, str)] == [
        {"hidden_size": 8, "num_hidden_layers": 2},
        {"hidden_size": 8, "num_hidden_layers": 4},
    ]


def test_part_sweeps_inherit_base_and_axes_and_common_cells_are_merged() -> None:
    grids = [
        {"base": {"strategy": "none"}},
        {"base": {"train": {"epochs": 3}}, "axes": {"strategy": ["none"]}},
        {"axes": {"strategy": ["none", "reverse"]}},
    ]
    config = sweep(
        base={**BASE, "train": {"batch_size": 4}}, axes={"strategy": ["forward"], "seed": [0, 1]}, grids=grids
    )
    cells = [(cell.strategy.kind, cell.train.epochs, cell.train.batch_size, cell.seed) for cell in expand(config)]
    assert cells == [
        ("none", 10, 4, 0),
        ("none", 10, 4, 1),
        ("none", 3, 4, 0),
        ("none", 3, 4, 1),
        ("reverse", 10, 4, 0),
        ("reverse", 10, 4, 1),
    ]


def test_part_sweeps_by_name() -> None:
    parts: dict[str, Any] = {"short": {"base": {"train": {"epochs": 3}}}, "long": {"axes": {"seed": [0, 1, 2]}}}
    cells = expand(sweep(axes={"seed": [5]}, grids=parts))
    assert [(cell.train.epochs, cell.seed) for cell in cells] == [(3, 5), (10, 0), (10, 1), (10, 2)]
    assert expand(sweep(axes={"seed": [5]}, grids=list(parts.values()))) == cells
    parts["long"]["axes"]["seed"] = ["one"]
    assert lines(sweep(axes={"seed": [5]}, grids=parts)) == [
        "grids.long.axes.seed[0]: got 'one'; expected a whole number"
    ]


def test_a_value_that_comes_twice_in_another_spelling() -> None:
    config = sweep(axes={"seed": [0, 1], "strategy": ["none", "forward", {"kind": "forward"}], "losses.kl": [1, 1.0]})
    assert lines(config) == [
        "axes.losses.kl[1]: got 1.0 again (first at [0]); give each value once",
        "axes.strategy[2]: got {'kind': 'forward'} again (first at [1]); give each value once",
    ]


def test_problems_name_the_place_where_the_field_was_written() -> None:
    config = sweep(
        base={**BASE, "losses": {"ce": -1}, "train": {"epochs": 0}},
        axes={"seed": ["one"]},
        grids=[{"base": {"losses": {"kl": -2}}, "axes": {"init": ["random", "both"]}}, {"axes": {"dtype": []}}],
    )
    assert lines(config) == [
        "axes.seed[0]: got 'one'; expected a whole number",
        "base.train.epochs: got 0; expected more than 0",
        "base.losses.ce: got -1; expected at least 0 or a mapping",
        "grids[0].base.losses.kl: got -2; expected at least 0 or a mapping",
        "grids[0].axes.init[1]: got 'both'; expected 'random', 'teacher' or 'block_influence'",
        "grids[1].axes.dtype: got []; give at least one value",
    ]


def test_fields_of_the_base_that_an_axis_replaces_are_refused() -> None:
    assert lines(sweep(base={**BASE, "losses": {"temperature": 2}}, axes={"losses": [{"kl": 0}, {"kl": 2}]})) == [
        "base.losses: got fields beside axes.losses, which replaces all of them; "
        "give them as axes, such as axes.losses.temperature"
    ]


def test_fields_of_the_base_that_a_part_sweep_replaces_are_refused() -> None:
    fragment = {"model": MODEL, "task": {"max_length": 8}}
    assert lines(sweep(base=fragment, grids=[{"base": {"task": "natural-logic"}}])) == [
        "base.task: got fields without a name beside grids[0].base.task: natural-logic; move them there"
    ]
    whole = {**BASE, "task": {**TASKS["natural-logic"], "max_length": 8}, "strategy": {"kind": "reverse"}}
    cells = expand(sweep(base=whole, grids=[{}, {"base": {"task": "localisation", "strategy": "none"}}]))
    assert [(cell.task.name, cell.strategy.kind) for cell in cells] == [
        ("natural-logic", "reverse"),
        ("localisation", "none"),
    ]
    assert cells[1].task == TrialConfig.model_validate({**BASE, "task": "localisation"}).task


def test_a_sound_field_stays_known_where_another_is_wrong() -> None:
    (point,), problems = draft(sweep(base={**BASE, "seed": "x"}))
    assert point.config is None
    assert (point.valid["task"].name, point.valid["init"], "seed" in point.valid) == ("natural-logic", "teacher", False)
    assert [str(problem) for problem in problems] == ["base.seed: got 'x'; expected a whole number"]


FULL: dict[str, Any] = {
    "model": {
        "name": "m",
        "family": "bert",
        "teacher": {"config": {"hidden_size": 8}, "tokenizer": {"kind": "word", "vocab_size": 100}},
        "revision": "main",
        "finetune": {"epochs": 1, "max_steps": 9, "patience": 2},
        "student_blocks": 2,
        "student_width": 4,
        "projection": {"learning_rate": 1e-3},
        "lora": {"teacher": {"r": 2, "targets": ["query"]}, "student": {"r": 4, "targets": ["key"]}},
    },
    "task": {
        "name": "t",
        "kind": "classification",
        "files": {"train": "a", "validation": "b", "test": "c"},
        "text": ["one", "two"],
        "classes": ["yes", "no"],
        "metric": "f1",
        "num_eval": 5,
    },
    "strategy": {"kind": "all_to_one", "match_embeddings": True, "teacher_state": 1},
    "train": {"max_steps": 7, "patience": 3},
    "dtype": "fp32",
}
UNIDENTIFYING = {
    "model.name",
    "model.revision",  # of a hub id; stands in the teacher's source
    "model.finetune.checkpoint_minutes",
    "model.finetune.gradient_checkpointing",  # gives the same numbers, as a test holds
    "task.name",
    "task.files.train",  # the data is taken by content
    "task.files.validation",
    "task.files.test",
    "model.finetune.epochs",  # max_steps stands beside them
    "train.epochs",
    "train.freeze_embeddings",  # adapters freeze them
    "train.checkpoint_minutes",
    "train.gradient_checkpointing",
}
OTHER: dict[str, Any] = {
    "task.kind": "generation",
    "init": "random",
    "losses.hidden_norm": "l2",
    "losses.semantics": "official",
    "model.projection.start": "normal",
    "dtype": "bf16",
    "model.teacher.tokenizer.kind": "byte_bpe",
    "train.optimizer": "adafactor",
    "model.lora.student.save": "adapter",
    "model.finetune.optimizer": "adafactor",
}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from leaves(getattr(value, name), f"{path}.{name}".lstrip("."))
    elif value is not None:
        yield path, value


def changed(trial: BaseModel, path: str, value: Any) -> Any:
    key, _, rest = path.partition(".")
    return trial.model_copy(update={key: changed(getattr(trial, key), rest, value) if rest else value})


def other(path: str, value: Any) -> Any:
    if path in OTHER:
        return OTHER[path]
    kinds = {bool: lambda: not value, list: lambda: [*value, "x"], dict: lambda: {**value, "x": 1}}
    return kinds[type(value)]() if type(value) in kinds else value + type(value)(1)


def identities(trial: TrialConfig, data: str = "d") -> tuple[str, str]:
    """The fingerprint of a cell and of its teacher."""
    teacher = trial.model.teacher
    source = {"hub": teacher} if isinstance(teacher, str) else teacher.model_dump()
    made = Fingerprints().teacher(trial, data, source)
    return fingerprint(trial, data, made), made


TRIAL = TrialConfig.model_validate(FULL)
LEAVES = dict(leaves(TRIAL))
# The strategy's kind names another class.
ONLY = {"strategy.kind"}


@pytest.mark.parametrize(
    "source",
    [
        {"files": {"train": "a.jsonl", "validation": "b.jsonl", "test": "c.jsonl"}},
        {"hub": {"path": "p"}, "splits": {"validation": "train[-9:]"}},
        {"files": {"train": "a.jsonl"}, "splits": {"validation": "10%", "test": "10%"}},
    ],
)
def test_where_rows_come_from_is_no_part_of_an_identity(
    source: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows themselves are, by the hash of the data; these hashes stand for cells that storages have."""
    monkeypatch.setattr("sweep.grid.fingerprint.RECIPE", 0)
    task = {"name": "t", "kind": "classification", "text": ["s"], **source}
    model = {**MODEL, "finetune": {"epochs": 1, "evaluate_every": 1.0}}
    train = {"evaluate_every": 1.0}
    trial = TrialConfig.model_validate({"model": model, "task": task, "train": train, "dtype": "fp32"})
    assert identities(trial) == ("b14d25431ef7dffa3fe43d1d67d36c5d", "a8c655c6788292127d83b944337b9f3b")


@pytest.mark.parametrize("path", sorted(LEAVES.keys() - ONLY))
def test_every_field_that_can_change_a_number_changes_the_fingerprint(path: str) -> None:
    moved = identities(changed(TRIAL, path, other(path, LEAVES[path])))[0] != identities(TRIAL)[0]
    assert moved == (path not in UNIDENTIFYING)


@pytest.mark.parametrize("path", sorted(LEAVES.keys() - ONLY))
def test_a_teacher_depends_on_how_it_is_made_alone(path: str) -> None:
    parts = ("model.family", "model.teacher", "model.finetune", "model.lora.teacher", "task.")
    its_own = path.startswith(parts) or path == "dtype"
    moved = identities(changed(TRIAL, path, other(path, LEAVES[path])))[1] != identities(TRIAL)[1]
    assert moved == (its_own and path not in UNIDENTIFYING)


@pytest.mark.parametrize(
    ("fields", "path", "value"),
    [
        ({"strategy": "none"}, "losses.hidden", 1.0),
        ({"strategy": "none"}, "losses.hidden_norm", "l2"),
        ({"strategy": "none"}, "model.projection.start", "normal"),
        ({"model": {**FULL["model"], "student_width": None}}, "model.projection.bias", True),
        ({"init": "random"}, "model.copy_classifier", True),
        ({}, "train.epochs", 3.0),
        ({}, "train.freeze_embeddings", True),
    ],
)
def test_a_field_without_effect_counts_as_its_default(fields: dict[str, Any], path: str, value: Any) -> None:
    model = {**FULL["model"], "projection": {}}
    trial = TrialConfig.model_validate({**FULL, "model": model, **fields})
    assert identities(changed(trial, path, value)) == identities(trial)


def test_epochs_and_frozen_embeddings_count_where_they_have_an_effect() -> None:
    trial = TrialConfig.model_validate({**BASE, "dtype": "fp32"})
    for path, value in (("train.epochs", 3.0), ("train.freeze_embeddings", True), ("model.finetune.epochs", 2.0)):
        assert identities(changed(trial, path, value))[0] != identities(trial)[0]


def test_cells_that_differ_in_a_field_without_effect_are_one() -> None:
    cells = expand(sweep(axes={"losses.hidden": [1, 3], "strategy": ["none", "forward"], "losses.hidden_norm": ["l2"]}))
    assert [(cell.strategy.kind, cell.losses.hidden) for cell in cells] == [("none", 1), ("forward", 1), ("forward", 3)]


def test_every_field_of_a_trial_config_was_moved() -> None:
    assert {path.split(".")[0] for path in LEAVES} == TrialConfig.model_fields.keys()
    assert {"model.finetune.seed", "train.clip_norm", "losses.temperature", "task.num_beams"} <= LEAVES.keys()


def test_data_teacher_strategy_and_recipe_are_in_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    reverse = TrialConfig.model_validate({**FULL, "strategy": "reverse"})
    forward = TrialConfig.model_validate({**FULL, "strategy": "forward"})
    before = [identities(TRIAL), identities(TRIAL, "e"), identities(reverse), identities(forward)]
    monkeypatch.setattr("sweep.grid.fingerprint.RECIPE", RECIPE + 1)
    assert len({fingerprint for fingerprint, _ in [*before, identities(TRIAL)]}) == 5
    assert len({teacher for _, teacher in [*before, identities(TRIAL)]}) == 3


def test_storage_and_resources_are_no_part_of_a_cell() -> None:
    here, there = sweep(), sweep(storage="/else", resources={"cpus": 8, "gpus": 0}, keep="all", tracking_uri="http://x")
    assert expand(here) == expand(there)


def test_a_students_adapters_are_no_part_of_its_teacher_nor_its_teachers_of_it() -> None:
    def of(**lora: Any) -> tuple[str, str]:
        model = {**FULL["model"], "lora": lora or None}
        return identities(TrialConfig.model_validate({**FULL, "model": model}))

    none, student, teacher = of(), of(student={"r": 8}), of(teacher={"r": 8})
    assert none[1] == student[1] != teacher[1]
    assert len({none[0], student[0], teacher[0]}) == 3
    assert of(teacher=None, student=None) == none
    assert fingerprint(TRIAL, "d", "t") == fingerprint(changed(TRIAL, "model.lora.teacher.r", 9), "d", "t")


def test_a_default_that_is_written_out_is_the_same_cell() -> None:
    plain = TrialConfig.model_validate({**BASE, "dtype": "fp32"})
    written = TrialConfig.model_validate({**BASE, "dtype": "fp32", "train": {"epochs": 10.0}, "losses": {"ce": 1}})
    assert identities(plain) == identities(written)


def test_a_main_metric_that_is_the_kinds_own_is_the_same_cell() -> None:
    plain, same, other = (changed(TRIAL, "task.metric", metric) for metric in (None, "accuracy", "f1"))
    assert identities(plain) == identities(same)
    assert all(one != two for one, two in zip(identities(plain), identities(other), strict=True))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=3), VALUES, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_key_order_does_not_move_a_hash(value: dict[str, Any], random: Any) -> None:
    items = list(value.items())
    random.shuffle(items)
    assert digest(dict(items)) == digest(value)
    key = items[0][0]
    assert digest({**value, key: [value[key], 0]}) != digest(value)
