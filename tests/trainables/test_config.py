"""The trial config: defaults, forms in which a field may be given, and what is refused and where."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from trainables.builtin import MODELS, TASKS
from trainables.config import TrialConfig
from trainables.strategies import STRATEGIES, AllToOne, Custom, Forward

MODEL = {"name": "small", "family": "bert", "teacher": "some/teacher"}
SCRATCH = {"config": {"hidden_size": 8}}
BRANCHES = ("constrained-float", "Ramp")
"""pydantic's names for the forms of a weight."""
FILES = {"train": "a.jsonl", "validation": "b.jsonl", "test": "c.jsonl"}
TASK = {"name": "own", "kind": "classification", "files": FILES, "text": ["sentence"]}


def read(**fields: Any) -> TrialConfig:
    """A trial config with the given fields beside a model and a task."""
    return TrialConfig.model_validate({"model": MODEL, "task": TASK, **fields})


def problems(**fields: Any) -> dict[str, str]:
    """What is refused: dotted path -> message."""
    with pytest.raises(ValidationError) as error:
        read(**fields)
    details = error.value.errors()
    return {".".join(str(key) for key in each["loc"] if key not in BRANCHES): each["msg"] for each in details}


def test_defaults_are_the_papers() -> None:
    config = read()
    assert (config.strategy, config.init, config.seed, config.dtype) == (Forward(), "teacher", 0, "auto")
    assert (config.losses.ce, config.losses.kl, config.losses.hidden, config.losses.temperature) == (1, 1, 3, 1)
    assert (config.losses.semantics, config.losses.hidden_norm) == ("clean", "none")
    assert (config.train.epochs, config.train.batch_size, config.train.learning_rate) == (10, 32, 2e-5)
    assert (config.train.accumulation, config.train.warmup_steps, config.train.freeze_embeddings) == (1, 0, False)
    assert (config.model.student_blocks, config.model.student_width, config.model.copy_classifier) == (3, None, False)
    assert config.task.max_length == 128


def test_a_teacher_is_tuned_as_the_paper_tunes_it() -> None:
    finetune = read(model={**MODEL, "finetune": {}}).model.finetune
    assert finetune is not None
    assert (finetune.epochs, finetune.learning_rate, finetune.batch_size) == (3, 5e-5, 32)


def test_a_config_survives_its_own_json() -> None:
    """With the parameters of its strategy: what is logged is what can be run."""
    config = read(strategy={"kind": "all_to_one", "teacher_state": 5}, losses={"hidden": 2})
    dumped = json.loads(config.model_dump_json())
    assert dumped["strategy"] == {"kind": "all_to_one", "match_embeddings": None, "teacher_state": 5}
    assert TrialConfig.model_validate(dumped) == config


def test_it_has_a_json_schema_that_names_the_strategies() -> None:
    schema = TrialConfig.model_json_schema()
    assert schema["properties"]["strategy"]["anyOf"][0]["enum"] == list(STRATEGIES)


def test_it_is_frozen() -> None:
    config = read()
    with pytest.raises(ValidationError, match="frozen"):
        config.seed = 1
    with pytest.raises(ValidationError, match="frozen"):
        config.train.epochs = 1


# Strategies


@pytest.mark.parametrize("kind", sorted(set(STRATEGIES) - {"custom"}))
def test_a_strategy_is_a_name_or_a_mapping_of_its_kind(kind: str) -> None:
    by_name, by_mapping = read(strategy=kind).strategy, read(strategy={"kind": kind}).strategy
    assert by_name == by_mapping
    assert type(by_name) is STRATEGIES[kind]


def test_a_strategy_takes_parameters() -> None:
    assert read(strategy={"kind": "all_to_one", "teacher_state": 6}).strategy == AllToOne(teacher_state=6)
    states = {"encoder": [1, 2, 3], "decoder": [4, 5, 6]}
    assert read(strategy={"kind": "custom", "states": states}).strategy == Custom(states=states)
    assert read(strategy={"kind": "forward", "match_embeddings": False}).strategy.match_embeddings is False


@pytest.mark.parametrize(
    ("strategy", "path", "message"),
    [
        ("forwrad", "strategy", "block_influence, custom; did you mean 'forward'?"),
        ({"kind": "all-to-one"}, "strategy", "block_influence, custom; did you mean 'all_to_one'?"),
        ({"teacher_state": 6}, "strategy", "a mapping with its kind: none, forward, "),
        (3, "strategy", "expected the name of a strategy, or"),
        (None, "strategy", "expected the name of a strategy, or"),
        ({"kind": "all_to_one", "teacher_state": -1}, "strategy.teacher_state", "greater than or equal to 0"),
        ({"kind": "all_to_one", "teacher_state": "last"}, "strategy.teacher_state", "valid integer"),
        ({"kind": "forward", "teacher_state": 6}, "strategy.teacher_state", "Extra inputs"),
        ("custom", "strategy.states", "Field required"),
    ],
)
def test_a_strategy_that_is_none_says_what_would_be(strategy: Any, path: str, message: str) -> None:
    found = problems(strategy=strategy)
    assert list(found) == [path]
    assert message in found[path]


# Models and tasks


@pytest.mark.parametrize(("kind", "table"), [("model", MODELS), ("task", TASKS)])
def test_every_built_in_parses_by_its_name(kind: str, table: dict[str, dict[str, Any]]) -> None:
    for name in table:
        assert getattr(read(**{kind: name}), kind).name == name


@pytest.mark.parametrize("kind", ["model", "task"])
def test_a_name_that_is_no_built_in_is_refused(kind: str) -> None:
    found = problems(**{kind: "nothing"})
    assert list(found) == [kind]
    assert (
        f"expected a mapping or one of the built-in {kind}s: {next(iter(MODELS if kind == 'model' else TASKS))}, "
        in found[kind]
    )


def test_a_teacher_from_scratch_has_to_be_trained() -> None:
    found = problems(model={**MODEL, "teacher": SCRATCH})
    assert "finetune: got null" in found["model"]
    assert read(model={**MODEL, "teacher": SCRATCH, "finetune": {}}).model.name == "small"


MADE = {"files": None, "generated": {"generator": "natural_logic"}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"files": None}, "give one of files, hub and generated"),
        ({"generated": {"generator": "natural_logic"}}, "give one of files, hub and generated"),
        ({"hub": {"path": "nyu-mll/glue"}}, "give one of files, hub and generated"),
        ({**MADE, "splits": {"train": "train"}}, "splits: a generated task has its sizes"),
        (
            {"files": None, "hub": {"path": "x"}, "splits": {"best": "train"}},
            "splits: got 'best'; expected train, validation,",
        ),
        (
            {"files": None, "hub": {"path": "x"}, "splits": {"test_a#b": "train"}},
            "splits: got 'test_a#b'; expected train, ",
        ),
        ({"classes": ["neg", "pos", "neg"]}, "classes: got neg, pos, neg; give each class once"),
        ({"examples": {"train": 1, "validation": 1, "test": 1}}, "examples: only a hub task"),
        ({**MADE, "sample": {"train": 1}}, "sample: a generated task"),
    ],
)
def test_a_task_has_one_source_and_its_fields(change: dict[str, Any], message: str) -> None:
    assert message in problems(task={**TASK, **change})["task"]


# What is refused


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"strateggy": "forward"}, "strateggy"),
        ({"train": {"learning_rat": 1e-3}}, "train.learning_rat"),
        ({"losses": {"hiden": 3}}, "losses.hiden"),
        ({"model": {**MODEL, "blocks": 3}}, "model.blocks"),
        ({"task": {**TASK, "lenght": 3}}, "task.lenght"),
        ({"task": {**TASK, "files": {**FILES, "dev": "d"}}}, "task.files.dev"),
    ],
)
def test_unknown_keys_are_refused(fields: dict[str, Any], path: str) -> None:
    assert problems(**fields) == {path: "Extra inputs are not permitted"}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"train": {"batch_size": 0}}, "train.batch_size"),
        ({"train": {"batch_size": 2.5}}, "train.batch_size"),
        ({"train": {"batch_size": "many"}}, "train.batch_size"),
        ({"train": {"accumulation": 0}}, "train.accumulation"),
        ({"train": {"learning_rate": 0}}, "train.learning_rate"),
        ({"train": {"learning_rate": float("nan")}}, "train.learning_rate"),
        ({"train": {"learning_rate": float("inf")}}, "train.learning_rate"),
        ({"train": {"epochs": -1}}, "train.epochs"),
        ({"train": {"max_steps": 0}}, "train.max_steps"),
        ({"train": {"warmup_steps": -1}}, "train.warmup_steps"),
        ({"train": {"optimizer": "sgd"}}, "train.optimizer"),
        ({"train": {"scale_parameter": True}}, "train"),
        ({"losses": {"ce": -1}}, "losses.ce"),
        ({"losses": {"kl": -0.5}}, "losses.kl"),
        ({"losses": {"hidden": -3}}, "losses.hidden"),
        ({"losses": {"hidden": float("inf")}}, "losses.hidden"),
        ({"losses": {"temperature": 0}}, "losses.temperature"),
        ({"losses": {"hidden_norm": "l1"}}, "losses.hidden_norm"),
        ({"losses": {"ce": 0, "kl": 0}}, "losses"),
        ({"model": {**MODEL, "student_blocks": 0}}, "model.student_blocks"),
        ({"model": {**MODEL, "student_width": 0}}, "model.student_width"),
        ({"model": {**MODEL, "name": ""}}, "model.name"),
        ({"task": {**TASK, "choice_format": "spoken"}}, "task.choice_format"),
        ({"task": {**TASK, "text": []}}, "task.text"),
        ({"task": {**TASK, "text": ["a", "b", "c"]}}, "task.text"),
        ({"task": {**TASK, "classes": ["only"]}}, "task.classes"),
        ({"task": {**TASK, "max_length": 0}}, "task.max_length"),
        ({"task": {**TASK, "files": {}}}, "task.files.train"),
        ({"init": "copied"}, "init"),
        ({"seed": "zero"}, "seed"),
        ({"dtype": "fp16"}, "dtype"),
    ],
)
def test_a_value_that_cannot_be_is_refused_at_its_path(fields: dict[str, Any], path: str) -> None:
    assert " ".join(problems(**fields)) == path


def test_one_weight_of_the_output_layer_is_enough() -> None:
    assert read(losses={"ce": 0, "hidden": 0}).losses.kl == 1
    assert read(losses={"kl": 0}).losses.ce == 1


def test_all_problems_come_at_once() -> None:
    found = problems(strategy="forwrad", train={"batch_size": 0, "epohcs": 1}, losses={"kl": -1}, seeds=3)
    assert set(found) == {"strategy", "train.batch_size", "train.epohcs", "losses.kl", "seeds"}


def test_projections_start_as_torch_starts_them() -> None:
    projection = read().model.projection
    assert (projection.start, projection.bias, projection.learning_rate) == ("uniform", False, None)
    found = problems(model={**MODEL, "projection": {"start": "identity", "learning_rate": 0}})
    assert found.keys() == {"model.projection.start", "model.projection.learning_rate"}


def test_semantics_are_clean_or_official() -> None:
    assert read(losses={"semantics": "official"}).losses.semantics == "official"
    assert problems(losses={"semantics": "paper"}).keys() == {"losses.semantics"}


# LoRA


def test_lora_is_given_for_teacher_and_student_each() -> None:
    model = read(model={**MODEL, "finetune": {}, "lora": {"teacher": {"r": 32}, "student": {"r": 128}}}).model
    assert model.teacher_lora is not None
    assert model.student_lora is not None
    assert model.teacher_lora.model_dump() == {"r": 32, "alpha": 32, "dropout": 0, "targets": None}
    assert model.student_lora.model_dump() == {**model.teacher_lora.model_dump(), "r": 128, "save": "merged"}


@pytest.mark.parametrize("lora", [None, {}, {"teacher": None}, {"teacher": None, "student": None}])
def test_no_lora_has_one_form(lora: Any) -> None:
    model = read(model={**MODEL, "lora": lora}).model
    assert (model.lora, model.teacher_lora, model.student_lora) == (None, None, None)


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({"r": 0}, "r", "greater than or equal to 1"),
        ({"alpha": 0}, "alpha", "greater than 0"),
        ({"dropout": 1.0}, "dropout", "less than 1"),
        ({"targets": []}, "targets", "at least 1 item"),
        ({"save": "both"}, "save", "'merged' or 'adapter'"),
    ],
)
def test_an_adapter_that_is_none_says_what_would_be(fields: dict[str, Any], path: str, message: str) -> None:
    found = problems(model={**MODEL, "lora": {"student": {"r": 8, **fields}}})
    assert list(found) == [f"model.lora.student.{path}"]
    assert message in found[f"model.lora.student.{path}"]


def test_a_teachers_lora_needs_finetune() -> None:
    found = problems(model={**MODEL, "lora": {"teacher": {"r": 8}}})
    assert "lora: got adapters for a teacher without finetune" in found["model"]
    assert read(model={**MODEL, "lora": {"student": {"r": 8}}}).model.finetune is None


def test_a_teacher_is_saved_merged_alone() -> None:
    found = problems(model={**MODEL, "finetune": {}, "lora": {"teacher": {"r": 8, "save": "adapter"}}})
    assert list(found) == ["model.lora.teacher.save"]
