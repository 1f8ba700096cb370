"""The paper's configs: planned without a network, and each profile `smoke` run, all in one storage."""

from __future__ import annotations

import socket
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import ray
from mlflow.entities import Run

import sweep
from sweep.grid import labels
from sweep.jobs import schedule
from sweep.plan import checks
from sweep.run import main
from sweep.spec.sweep import SweepConfig, load
from sweep.students import published
from tests.sweep.commands import cell_runs, runs
from tests.sweep.grids import expand
from trainables.config import TrialConfig

FOLDER = Path(sweep.__file__).parent / "configs" / "paper"


class Size(NamedTuple):
    cells: int
    teachers: int


# In the order in which they are run: what comes later finds cells and teachers of what came before.
SIZES = {
    "classification": Size(4 * 5 * 2, 4),  # tasks x strategies x inits
    "generation": Size(2 * 5 * 2, 2),
    "large-models": Size(3 * 5, 3),
    "depth": Size(3 * 5 * 2 * 3, 3),  # models x strategies x inits x depths
    "width": Size(2 * 5 * 2, 2),  # models x strategies x widths
    "angles": Size(3 * 2, 3),
}
NARROWER = {
    "depth": (["axes.init=[teacher]", "axes.model.student_blocks=[9]"], Size(3 * 5, 3)),
    "width": ([f"grids.{task}.axes={{model.student_width: [8]}}" for task in ("mnli", "dart")], Size(2 * 5, 2)),
}
"""What is run of the studies of one more axis, and its size: one of its values."""
KINDS = {"hellaswag": "multiple_choice", "commonsense_qa": "multiple_choice", "coqa": "question_answering"}
METRICS = {
    "classification": ("accuracy", "f1", "matthews_correlation"),
    "generation": ("bleu", "exact_match"),
    "multiple_choice": ("accuracy", "accuracy_norm"),
    "question_answering": ("exact_match", "f1"),
}
STACKS = {"bert": ("encoder",), "bart": ("encoder", "decoder"), "t5": ("encoder", "decoder"), "qwen3": ("decoder",)}
TRAIN = ("loss", "loss_ce", "loss_kl", "loss_hidden", "lr", "grad_norm", "examples_per_second")

SMALLER = {
    "model.name", "model.teacher", "model.teacher.config", "model.teacher.tokenizer.kind",
    "model.teacher.tokenizer.vocab_size", "model.shape", "model.finetune.max_steps", "model.finetune.batch_size",
    "model.finetune.warmup_steps", "model.student_width", "train.max_steps", "train.batch_size", "train.warmup_steps",
    "task.hub.path", "task.hub.name", "task.hub.revision", "task.splits.validation", "task.sample.train",
    "task.max_new_tokens",
}  # fmt: skip
"""All that a profile `smoke` may change of a cell."""


def path(name: str) -> Path:
    return FOLDER / f"{name}.yaml"


def smoke_words(name: str) -> list[str]:
    overrides, _ = NARROWER.get(name, ([], SIZES[name]))
    return [str(path(name)), "profile=smoke", *overrides]


def smoke_size(name: str) -> Size:
    return NARROWER.get(name, ([], SIZES[name]))[1]


def test_every_file_is_here() -> None:
    assert {file.stem for file in FOLDER.glob("*.yaml")} == SIZES.keys()


# Planned.


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No name is looked up and no connection made; nothing lies in a cache of the hub."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a plan has to do without the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("SWEEP_STORAGE", str(tmp_path / "runs"))


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("profile", [[], ["profile=official"]])
@pytest.mark.parametrize("name", SIZES)
def test_it_plans_without_a_network(name: str, profile: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(path(name)), *profile, "--plan"]) == 0
    cells, teachers = SIZES[name]
    assert f"teachers: {teachers} not looked up; cells: {cells} not looked up" in capsys.readouterr().out
    semantics = {cell.losses.semantics for cell in expand(load(path(name), profile))}
    assert semantics == {"official" if profile else "clean"}


@pytest.mark.parametrize("profile", [[], ["profile=official"], ["profile=smoke"]])
@pytest.mark.parametrize("name", SIZES)
def test_no_weight_decays_as_in_the_public_code(name: str, profile: list[str]) -> None:
    for cell in expand(load(path(name), profile)):
        assert cell.model.finetune is not None
        assert (cell.train.weight_decay, cell.model.finetune.weight_decay) == (0, 0)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("profile", [[], ["profile=smoke"]])
def test_studies_have_the_cells_of_the_tables(profile: list[str]) -> None:
    """The same recipe stands in several files: nothing in them may differ but the axes of the study."""
    found = {name: checks.prepare(path(name), profile, look_up=False) for name in SIZES if name != "large-models"}
    keys = {name: {cell.fingerprint for cell in checked.cells} for name, checked in found.items()}
    tables = keys["classification"] | keys["generation"]
    assert keys["angles"] < tables
    three = {cell.fingerprint for cell in found["depth"].cells if cell.config.model.student_blocks == 3}
    assert keys["depth"] & tables == three
    assert len(three) == 30
    assert not keys["width"] & tables
    teachers = found["classification"].teacher_sources.keys() | found["generation"].teacher_sources.keys()
    assert all(found[name].teacher_sources.keys() < teachers for name in ("depth", "width", "angles"))


# Run small.


def differing(real: TrialConfig, small: TrialConfig) -> set[str]:
    one, two = (labels.flatten(cell.model_dump(mode="json")) for cell in (real, small))
    found = {key for key in one.keys() | two.keys() if one.get(key) != two.get(key)}
    return {
        key if not key.startswith(("model.teacher.config.", "model.shape.")) else key.rsplit(".", 1)[0] for key in found
    }


@pytest.mark.parametrize("name", SIZES)
def test_smoke_is_the_same_grid_on_small_models_and_tables(name: str) -> None:
    configs: list[SweepConfig] = [load(path(name)), load(path(name), ["profile=smoke"])]
    real, small = map(expand, configs)
    assert len(real) == len(small) == SIZES[name].cells
    for one, two in zip(real, small, strict=True):
        assert differing(one, two) <= SMALLER
    assert configs[0].axes == configs[1].axes
    assert isinstance(configs[0].grids, dict)
    assert isinstance(configs[1].grids, dict)
    for key, part in configs[0].grids.items():
        lengths = [{axis: len(values) for axis, values in each.axes.items()} for each in (part, configs[1].grids[key])]
        assert lengths[0] == lengths[1]


class Smoke(NamedTuple):
    storage: Path
    shown: dict[str, str]
    """By config: what the command printed."""


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Smoke]:
    """Every config's smoke, one after the other, on one Ray and in one storage."""
    storage = tmp_path_factory.mktemp("paper")
    shown: dict[str, str] = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in schedule.ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setenv("SWEEP_STORAGE", str(storage))
        patch.setenv("COLUMNS", "120")
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setattr("sweep.jobs.work.connected", lambda *_: nullcontext())
        # Loaded here once, or each sweep would start a process that loads it beside its workers.
        for module in published.MODULES:
            import_module(module)
        schedule.start(num_cpus=1)
        try:
            for name in SIZES:
                with redirect_stdout(StringIO()) as printed:
                    assert main(smoke_words(name)) == 0, printed.getvalue()
                shown[name] = printed.getvalue()
        finally:
            ray.shutdown()
        yield Smoke(storage, shown)


def cells_of(smoke: Smoke, name: str) -> list[Run]:
    return cell_runs(smoke.storage, f"paper-{name}-smoke")


@pytest.mark.parametrize("name", SIZES)
def test_every_key_of_every_cell_is_logged(smoke: Smoke, name: str) -> None:
    found = cells_of(smoke, name)
    teachers = runs(smoke.storage, f"paper-{name}-smoke", "teacher")
    assert (len(found), len(teachers)) == smoke_size(name)
    assert {run.info.status for run in [*found, *teachers]} == {"FINISHED"}
    for run in found:
        kind = run.data.params["task.kind"]
        wanted = {f"train/{key}" for key in TRAIN} | {"eval/loss", "seconds/total", "seconds/targets", "seconds/eval"}
        wanted |= {f"{split}/{metric}" for split in ("eval", "test") for metric in METRICS[kind]}
        wanted |= {f"best/{METRICS[kind][0]}"}
        if run.data.tags["task"] == "mnli":
            wanted |= {f"test_mismatched/{metric}" for metric in METRICS[kind]}
        # Without a projection that is trained, a narrow student's states and the teacher's make no angle.
        if not (name == "width" and run.data.tags["strategy"] == "none"):
            wanted |= {
                f"angle/{stack}/{key}"
                for stack in STACKS[run.data.params["model.family"]]
                for key in ("cos_mean", "acute_share")
            }
        assert wanted <= run.data.metrics.keys(), run.info.run_name
        assert len(run.data.metrics) < 30


@pytest.mark.parametrize("name", SIZES)
def test_losses_differ_where_mappings_do(smoke: Smoke, name: str) -> None:
    """A drawn permutation may be forward's own; then, and only then, is the loss."""
    groups: dict[tuple[str, ...], list[tuple[str, float]]] = defaultdict(list)
    for run in cells_of(smoke, name):
        shape = [run.data.params[key] for key in ("init", "model.student_blocks", "model.student_width")]
        mapping = str(sorted(item for item in run.data.params.items() if item[0].startswith("mapping.")))
        groups[run.data.tags["task"], *shape].append((mapping, run.data.metrics["train/loss"]))
    assert {len(group) for group in groups.values()} == {1 if name == "angles" else 5}
    for group in groups.values():
        mappings, losses = ({pair[i] for pair in group} for i in (0, 1))
        assert len(mappings) == len(losses) == len(set(group))
        assert name == "angles" or len(mappings) >= 4


@pytest.mark.parametrize("name", SIZES)
def test_a_second_run_has_nothing_to_do(smoke: Smoke, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    cells, teachers = smoke_size(name)
    assert main([*smoke_words(name), f"storage={smoke.storage}", "--plan"]) == 0
    assert f"\nteachers: {teachers} done; cells: {cells} done\n" in capsys.readouterr().out


def test_what_the_tables_have_is_not_run_again(
    smoke: Smoke, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figure's cells are found in the first run already, in the second too, and neither asks for a Ray."""

    def refuse(*_: Any) -> AbstractContextManager[None]:
        raise AssertionError("there is nothing to connect for")

    monkeypatch.setattr("sweep.jobs.work.connected", refuse)
    done = "nothing to run: teachers: 3 done; cells: 6 done"
    assert smoke.shown["angles"].startswith(done)
    assert main([str(path("angles")), "profile=smoke", f"storage={smoke.storage}"]) == 0
    assert capsys.readouterr().out.startswith(done)


def test_the_report_says_which_of_coqa_and_commonsense_qa_was_run(smoke: Smoke) -> None:
    page = (smoke.storage / "sweeps" / "paper-large-models-smoke" / "report.html").read_text()
    for task, kind in KINDS.items():
        assert f"<h2>smoke-qwen3 on {task}</h2>" in page
        assert page.count(f"<td>{task}</td>") == 5 + 2  # the cells, then the sizes of teacher and students
        (found,) = {
            run.data.params["task.kind"] for run in cells_of(smoke, "large-models") if run.data.tags["task"] == task
        }
        assert found == kind
