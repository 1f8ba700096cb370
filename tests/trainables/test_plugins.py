"""Plug-ins: what they add and to whom, what is wrong with them, how they travel; the documented examples."""

from __future__ import annotations

import pickle
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from trainables import plugins
from trainables.builtin import TASKS
from trainables.config import Generated, TaskConfig, TrialConfig
from trainables.errors import InputError
from trainables.families import FAMILIES
from trainables.own_metrics import METRICS, Metric, measured
from trainables.plugins import Carried, Plugin, activate, activate_files, metric_sources, register, used_by
from trainables.strategies import STRATEGIES, Stack
from trainables.tasks import read
from trainables.tasks.generators import GENERATORS, generated
from trainables.tasks.kinds import KINDS

EXAMPLES = Path(__file__).parents[2] / "docs" / "plugins"
TABLES: list[dict[str, Any]] = [STRATEGIES, FAMILIES, GENERATORS, METRICS]
STRATEGY = """
from typing import Literal
from trainables.plugins import register
from trainables.strategies import Strategy

@register
class First(Strategy, frozen=True):
    kind: Literal["first"] = "first"
    state: int = 1

    def blocks(self, stack, rng):
        return [self.state] * stack.num_student
"""


@pytest.fixture(autouse=True)
def _none_left() -> Iterator[None]:
    yield
    activate(())


def example(name: str) -> Plugin:
    return Plugin(name, (EXAMPLES / name).read_text())


def trial(**fields: Any) -> TrialConfig:
    return TrialConfig.model_validate({"model": "tiny-bert", "task": "natural-logic", "dtype": "fp32", **fields})


# What is known, and where.


def test_what_is_added_goes_with_the_plugin() -> None:
    before = [dict(table) for table in TABLES]
    activate([example(name) for name in ("strategy.py", "family.py", "task.py", "metric.py")])
    added = [sorted(table.keys() - old.keys()) for table, old in zip(TABLES, before, strict=True)]
    assert added == [["last"], ["gpt2"], ["comparison"], ["classification: balanced_accuracy", "generation: chrf"]]
    assert plugins.is_own("gpt2")
    assert not plugins.is_own("bert")
    activate([example("task.py")])
    assert [table.keys() - old.keys() for table, old in zip(TABLES, before, strict=True)] == [
        set(),
        set(),
        {"comparison"},
        set(),
    ]
    activate(())
    assert before == TABLES


def test_a_plugin_is_run_once_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "num_runs", 0, raising=False)
    plugin = Plugin("a.py", f"import sys\nsys.num_runs += 1\n{STRATEGY}")
    for chosen in ([plugin], [], [plugin], [example("task.py"), plugin]):
        activate(chosen)
    assert sys.num_runs == 1  # type: ignore[attr-defined]
    activate([Plugin("a.py", plugin.source + "\n")])
    assert sys.num_runs == 2  # type: ignore[attr-defined]


def test_a_file_that_is_not_run_as_a_plugin_adds_nothing() -> None:
    before = dict(METRICS)
    metric = Metric("classification", ("one",), lambda given, right: {"one": 1.0})
    assert register(metric) is metric
    assert before == METRICS


# What is wrong.


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\ny = (\n", "line 2: SyntaxError: '(' was never closed"),
        ("def f():\n    return nonesuch\n\nf()\n", "line 2: NameError: name 'nonesuch' is not defined"),
        ("\nimport no_such_package\n", "line 2: ModuleNotFoundError: No module named 'no_such_package'"),
        ("import sys\nsys.exit(3)\n", "line 2: SystemExit: 3"),
        ("", "it registers nothing; expected a call of trainables.plugins.register"),
        (
            STRATEGY.replace('"first"', '"forward"'),
            "the strategy 'forward' is there already; give it a name of its own",
        ),
        (
            "from trainables.tasks.generators import Generator\nfrom trainables.plugins import register\n"
            "register(Generator('localisation', dict))\n",
            "the generator 'localisation' is there already; give it a name of its own",
        ),
        (
            "from trainables.plugins import register\nregister(3)\n",
            "line 2: TypeError: got 3; expected a Strategy, Distance or OwnLoss class, "
            "a Family, a Generator or a Metric",
        ),
        (
            "from trainables.plugins import register\nfrom trainables.own_metrics import Metric\n"
            "register(Metric('generation', ('My metric',), dict))\n",
            "line 3: ValueError: names: got ('My metric',); expected one or more, each of lower-case letters, digits "
            "and _",
        ),
        (
            "from trainables.plugins import register\nfrom trainables.own_metrics import Metric\n"
            "register(Metric('generating', ('chrf',), dict))\n",
            f"the metric 'generating: chrf' is for no task kind; expected one of {', '.join(KINDS)}",
        ),
    ],
)
def test_a_plugin_that_is_wrong(source: str, message: str) -> None:
    before = [dict(table) for table in TABLES]
    with pytest.raises(InputError) as caught:
        activate([example("task.py"), Plugin("own.py", source)])
    assert [tuple(problem) for problem in caught.value.problems] == [("plugins[1]", f"got 'own.py'; {message}")]
    assert before == TABLES
    assert plugins.active() == ()


def test_a_strategy_without_a_name() -> None:
    source = STRATEGY.replace('    kind: Literal["first"] = "first"\n', "")
    with pytest.raises(InputError, match=r"line 6: TypeError: First needs a kind: "):
        activate([Plugin("own.py", source)])


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        activate([Plugin("a.py", "1 / 0"), Plugin("b.py", STRATEGY), Plugin("c.py", STRATEGY + "\n")])
    assert [problem.path for problem in caught.value.problems] == ["plugins[0]", "plugins[2]"]
    (tmp_path / "latin.py").write_bytes(b"# \xe4")
    with pytest.raises(InputError) as caught:
        activate_files([str(tmp_path / "latin.py"), str(EXAMPLES / "task.py"), str(tmp_path / "none.py")])
    assert [str(problem) for problem in caught.value.problems] == [
        f"plugins[0]: got '{tmp_path / 'latin.py'}'; it is no text in UTF-8",
        f"plugins[2]: got '{tmp_path / 'none.py'}'; it cannot be read: No such file or directory",
    ]


# Who uses what, and the way to other processes.


def test_a_trial_uses_what_it_names() -> None:
    own, metric, task = Plugin("a.py", STRATEGY), example("metric.py"), example("task.py")
    activate([own, task])
    assert used_by(trial()) == {}
    assert used_by(trial(strategy="first")) == {"strategy": [own.hash]}
    activate([own, metric])
    assert used_by(trial(strategy="first")) == {"strategy": [own.hash]}
    chosen = trial(task={**TASKS["natural-logic"], "metric": "balanced_accuracy"})
    assert used_by(chosen) == {"metric": [metric.hash]}
    assert metric_sources("classification") == {"balanced_accuracy": metric.hash}
    assert metric_sources("regression") == {}


def test_a_plugin_travels_by_its_text(tmp_path: Path) -> None:
    activate([Plugin("a.py", STRATEGY)])
    carried = pickle.dumps(Carried({"job": trial(strategy={"kind": "first", "state": 4})}))
    (tmp_path / "carried").write_bytes(carried)
    code = (
        "import pickle, random; from pathlib import Path; from trainables.strategies import Stack; "
        "jobs = pickle.loads(Path('carried').read_bytes()); strategy = jobs['job'].strategy; "
        "print(strategy.mapping(Stack('encoder', 6, 2), random.Random(), match_embeddings=True))"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert shown.stdout == "{0: 0, 1: 4, 2: 4}\n"


def test_what_arrives_takes_the_place_of_what_was_known() -> None:
    carried = pickle.dumps(Carried(3))
    activate([Plugin("a.py", STRATEGY)])
    assert pickle.loads(carried) == 3
    assert "first" not in STRATEGIES


# Metrics and generators.


def test_metrics_of_ones_own_are_measured_for_their_kind() -> None:
    activate([example("metric.py")])
    # Of class 1 both are recognised, of class 0 three of four.
    given = measured("classification", [1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0], ("accuracy",), "accuracy")
    assert given == {"balanced_accuracy": (2 / 2 + 3 / 4) / 2}
    assert measured("generation", ["a b"], [["x", "a b"]], (), "bleu") == {"chrf": 100.0}
    assert measured("other", [], [], (), "") == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "gives nothing"),
        ({"one": 1.0, "two": 2.0}, "gives one, two"),
        ({"one": float("nan")}, "one is nan; expected a finite number"),
    ],
)
def test_a_metric_keeps_its_word(monkeypatch: pytest.MonkeyPatch, given: dict[str, float], message: str) -> None:
    monkeypatch.setitem(METRICS, "m", Metric("classification", ("one",), lambda *_: given))
    with pytest.raises(ValueError, match=f"metric classification: one: {message}"):
        measured("classification", [0], [0], (), "one")
    assert measured("classification", [0], [0], (), "accuracy") == {}


@pytest.mark.parametrize("taken", ["accuracy", "loss"])
def test_a_metric_has_a_name_of_its_own(monkeypatch: pytest.MonkeyPatch, taken: str) -> None:
    monkeypatch.setitem(METRICS, "m", Metric("classification", (taken,), lambda *_: {taken: 1.0}))
    with pytest.raises(ValueError, match=f"{taken} is measured already"):
        measured("classification", [0], [0], ("accuracy",), taken)


def test_the_example_of_a_task() -> None:
    activate([example("task.py")])
    config = Generated(generator="comparison", train=30, validation=6, test=9, seed=1)
    data = generated(config, "classification")
    assert data.classes == ("less", "equal", "greater")
    rows: list[Any] = [*data.train, *data.validation, *data.test]
    assert len({row.texts for row in rows}) == 45
    signs = [(int(row.texts[0]) > int(row.texts[1])) - (int(row.texts[0]) < int(row.texts[1])) for row in rows]
    assert [row.label for row in rows] == [sign + 1 for sign in signs]
    again, other = (generated(config.model_copy(update={"seed": seed}), "classification") for seed in (1, 2))
    assert again.hash == data.hash != other.hash


def test_the_example_has_as_many_rows_as_its_config_asks_for() -> None:
    """A class with too few pairs would be drawn for ever."""
    own = yaml.safe_load((EXAMPLES / "sweep.yaml").read_text())["base"]["task"]["generated"]
    numbers = runpy.run_path(str(EXAMPLES / "task.py"))["MOST"] + 1
    num_rows = sum(own[split] for split in ("train", "validation", "test"))
    assert numbers > num_rows / 3 + 3  # a number equals itself alone


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("{}", "which gives no rows for train"),
        (
            "{'train': [ClassificationRow(('a',), 1)], 'validation': [], 'test': [row]}",
            "which gives no rows for validation",
        ),
        (
            "dict.fromkeys(('train', 'validation', 'test'), [row])",
            "which gives row 1 of train the label 2; it has 2 cl",
        ),
        (
            "dict.fromkeys(('train', 'validation', 'test'), [ClassificationRow(('a',), 'no')])",
            "which gives row 1 of train the label 'no'; it has 2 classes",
        ),
        (
            "dict.fromkeys(('train', 'validation', 'test'), [ClassificationRow(('a', 'b' + chr(0xD800)), 1)])",
            "which gives row 1 of train half a surrogate pair: UTF-8 cannot hold it",
        ),
        ("None", "which fails: AttributeError: 'NoneType' object has no attribute 'items'"),
        ("{}[0]", "which fails: KeyError: 0"),
        (
            "dict.fromkeys(('train', 'validation', 'test'), ['a'])",
            "which gives row 1 of train as str; classification needs ClassificationRow",
        ),
    ],
)
def test_a_generator_that_gives_no_data(rows: str, message: str) -> None:
    source = f"""
from trainables.plugins import register
from trainables.tasks.generators import Generator
from trainables.tasks.kinds.classification import ClassificationRow
row = ClassificationRow(("a",), 2)
register(Generator("own", lambda config: {rows}, ("no", "yes")))
"""
    activate([Plugin("own.py", source)])
    with pytest.raises(InputError, match=f"^generated.generator: got 'own', {message}"):
        generated(Generated(generator="own"), "classification")


@pytest.mark.parametrize(
    ("kind", "row", "message"),
    [
        ("multiple_choice", "MultipleChoiceRow('c', ('a', 'b'), 2)", "the label 2; it has 2 choices"),
        ("multiple_choice", "MultipleChoiceRow('c', ('a', 'b'), -1)", "the label -1; it has 2 choices"),
        ("multiple_choice", "MultipleChoiceRow('c', ('a',), 0)", "1 choices; 2 or more are needed"),
        ("classification", "ClassificationRow(('c',), -1)", "the label -1; it has 0 classes"),
        ("generation", "GenerationRow('c', ())", "no references; expected at least one"),
        ("question_answering", "QuestionRow('c', (), 'q', ())", "no answers; expected at least one"),
    ],
)
def test_a_generator_that_gives_a_row_without_a_right_answer(kind: str, row: str, message: str) -> None:
    name = row.partition("(")[0]
    source = f"""
from trainables.plugins import register
from trainables.tasks.generators import Generator
from trainables.tasks.kinds.{kind} import {name}
register(Generator("own", lambda config: dict.fromkeys(("train", "validation", "test"), [{row}])))
"""
    activate([Plugin("own.py", source)])
    expected = f"^generated.generator: got 'own', which gives row 1 of train {message}$"
    with pytest.raises(InputError, match=expected):
        generated(Generated(generator="own"), kind)


@pytest.mark.parametrize(
    ("generator", "made"),
    [("comparison", "classification"), ("natural_logic", "classification"), ("localisation", "generation")],
)
def test_a_generator_makes_rows_for_one_kind(generator: str, made: str) -> None:
    activate([example("task.py")])
    sizes = Generated(generator=generator, train=3, validation=3, test=3)
    fields = {"name": "own", "generated": sizes, "text": ["one", "two"]}
    assert len(read(TaskConfig.model_validate({**fields, "kind": made})).train) == 3
    message = f"^kind: got multiple_choice; {generator} makes rows for {made}$"
    with pytest.raises(InputError, match=message):
        read(TaskConfig.model_validate({**fields, "kind": "multiple_choice"}))


def test_a_generator_that_is_not_known() -> None:
    with pytest.raises(
        InputError, match=r"^generated.generator: got 'own'; expected one of natural_logic, localisation$"
    ):
        generated(Generated(generator="own"), "classification")


def test_the_example_of_a_strategy() -> None:
    activate([example("strategy.py")])
    last: Any = STRATEGIES["last"]
    assert last().blocks(Stack("encoder", 12, 3), None) == [10, 11, 12]
    assert last(leave_out=1).blocks(Stack("encoder", 12, 5), None) == [7, 8, 9, 10, 11]
    with pytest.raises(ValueError, match="leave_out: got 2; 11 of the teacher's 12 encoder blocks are needed"):
        last(leave_out=2).check(Stack("encoder", 12, 11))


@pytest.mark.parametrize(("state", "student"), [(7, 3), (-1, 3)])
def test_a_strategy_that_maps_to_no_state_is_refused(state: int, student: int) -> None:
    activate([Plugin("a.py", STRATEGY)])
    strategy: Any = STRATEGIES["first"](kind="first", state=state)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=rf"kind: first maps the 3 student blocks .* to \[{state}, .*of 0 to 6"):
        strategy.mapping(Stack("encoder", 6, student), None, match_embeddings=True)
