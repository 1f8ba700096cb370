"""Every bad input that can be told before anything starts: one exact line each, all at once, nothing written."""

from pathlib import Path

import pytest

from tests.sweep.own_data import BASE, refused, write_all
from trainables.builtin import TASKS

KNOWN = (
    "expected one of axes, base, baselines, failures, grids, keep, name, plugins, profiles, register, resources, "
    "search, storage, students, tracking_required, tracking_uri, verdict"
)

pytestmark = pytest.mark.usefixtures("only_given_places")


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("base.train.batchsize=8", "base.train.batchsize: got an unknown key; did you mean batch_size?"),
        ("resource=3", "resource: got an unknown key; did you mean resources?"),
        ("base.learning_rate=3", "base.learning_rate: got an unknown key; did you mean base.train.learning_rate?"),
        ("seed=3", "seed: got an unknown key; did you mean base.seed?"),
        ("base.train.epochs=many", "base.train.epochs: got 'many'; expected a number"),
        ("base.train.batch_size=2.5", "base.train.batch_size: got 2.5; expected a whole number"),
        ("base.train.batch_size=true", "base.train.batch_size: got true; expected a whole number"),
        ("base.model=3", "base.model: got 3; expected a mapping"),
        ("base.task=sst3",
         f"base.task: got 'sst3'; expected a mapping or one of the built-in tasks: {', '.join(TASKS)}"),
        ("base.model.teacher=3", "base.model.teacher: got 3; expected a text or a mapping"),
        ("axes.seed=3", "axes.seed: got 3; expected a list"),
        ("axes.model=3", "axes.model: got 3; expected a list"),
        ("base=[]", "base: got []; expected a mapping"),
        ("grids=[4]", "grids[0]: got 4; expected a mapping"),
        ("grids={one: 4}", "grids.one: got 4; expected a mapping"),
        ("grids=4", "grids: got 4; expected a list or a mapping"),
        ("name=a b", r"name: got 'a b'; expected a text that matches ^[\w-][\w.-]*$"),
        ("name=..", r"name: got '..'; expected a text that matches ^[\w-][\w.-]*$"),
        ("axes.seed=[]", "axes.seed: got []; give at least one value"),
        ("base.task.train=a", "base.task.train: got an unknown key; did you mean files.train?"),
        ("axes.train.hidden=[1]", "axes.train.hidden: got an axis that is not a field; "
         "did you mean axes.losses.hidden?"),
        ("axes.train.max_length=[1]", "axes.train.max_length: got an axis that is not a field; "
         "did you mean axes.task.max_length?"),
        ("axes.train.epoch=[1]", "axes.train.epoch: got an axis that is not a field; did you mean axes.train.epochs?"),
        ("axes.model.alpha=[1]", "axes.model.alpha: got an axis that is not a field; "
         "did you mean axes.model.lora.teacher.alpha?"),
        ("axes.seeds=[1]", "axes.seeds: got an axis that is not a field; did you mean axes.seed?"),
        (
            "axes.learning_rate=[1]",
            "axes.learning_rate: got an axis that is not a field; did you mean axes.train.learning_rate?",
        ),
        ("axes.init=[teacher, teacher]", "axes.init[1]: got 'teacher' again (first at [0]); give each value once"),
        ("axes.init=[teacher, both]", "axes.init[1]: got 'both'; expected 'random', 'teacher' or 'block_influence'"),
        ("base.train.batch_size=0", "base.train.batch_size: got 0; expected at least 1"),
        ("axes.train.batch_size=[4, 0]", "axes.train.batch_size[1]: got 0; expected at least 1"),
        ("base.losses.kl=-1", "base.losses.kl: got -1; expected at least 0 or a mapping"),
        ("base.losses={ce: 0, kl: 0}", "base.losses.ce: got 0 beside kl: 0; the output layer needs one of them"),
        ("base.strategy=forwards", "base.strategy: got 'forwards'; expected one of none, forward, reverse, "
         "all_to_one, random, in_order_random, block_influence, custom; did you mean 'forward'?"),
        ("base.strategy={kind: custom}", "base.strategy.states: got nothing; this key is needed"),
        ("base.strategy={kind: none, teacher_state: 1}",
         "base.strategy.teacher_state: got an unknown key; expected one of kind, match_embeddings"),
        (
            "base.strategy={kind: all_to_one, teacher_state: 40}",
            "base.strategy.teacher_state: got 40; the teacher's encoder has states 0 to 12",
        ),
        (
            "axes.strategy=[none, {kind: custom, states: [1, 2]}]",
            "axes.strategy[1].states: got 2 states; the student's encoder has 3 blocks",
        ),
        ("base.model.student_blocks=13", "base.model.student_blocks: got 13; the teacher's encoder has 12 blocks"),
        ("base.model.finetune=null", "base.model.teacher: got a model without the task's head "
         "(BertForSequenceClassification); give finetune, or a fine-tuned teacher"),
        ("base.model.family=bret", "base.model.family: got 'bret'; did you mean bert?"),
        ("base.task.max_length=64", "base.task.max_length: got 64; the teacher reads at most 32 tokens"),
        ("resources.gpus=1.5", "resources.gpus: got 1.5; expected 0, a fraction below 1, or a whole number"),
        ("resources.cpus=0", "resources.cpus: got 0; expected at least 1"),
        ("searches=null", "searches: got an unknown key; did you mean search?"),
        ("cache={gb: 20}", f"cache: got an unknown key; {KNOWN}"),
        ("base.targets=live",
         "base.targets: got an unknown key; did you mean base.model.lora.teacher.targets?"),
        ("failures={hours: 30}",
         "failures.hours: got an unknown key; expected one of max_failures, stall_minutes"),
        ("verdict={margin: 0}", "verdict.margin: got 0; expected more than 0"),
        ("verdict.margin=a third", "verdict.margin: got 'a third'; expected a number"),
        ("verdict.alpha=0.5", "verdict.alpha: got 0.5; expected less than 0.5"),
        ("verdict={margins: 1}", "verdict.margins: got an unknown key; did you mean margin?"),
        ("verdict.seeds=5", "verdict.seeds: got 5; expected a mapping"),
        ("verdict={seeds: {first: 1}}", "verdict.seeds.first: got 1; expected at least 2"),
        ("verdict={seeds: {first: 30}}",
         "verdict.seeds.first: got 30; expected at most the value of most, which is 20"),
        ("verdict={seeds: {most: 1000}}", "verdict.seeds.most: got 1000; expected at most 100"),
        ("verdict={seeds: {frst: 3}}", "verdict.seeds.frst: got an unknown key; did you mean first?"),
        ("plugins=[/none/a.py]", "plugins[0]: got '/none/a.py'; it cannot be read: No such file or directory"),
        ("plugins=a.py", "plugins: got 'a.py'; expected a list"),
        ("profile=quick", "profile: got 'quick'; this config has no profiles"),
        ("profile=[quick]", "profile: got ['quick']; this config has no profiles"),
        ("storage=/proc/runs", "storage: got '/proc/runs'; /proc cannot be written to: No such file or directory"),
        ("tracking_uri=http://127.0.0.1:1",
         "tracking_uri: got 'http://127.0.0.1:1'; it does not answer: [Errno 111] Connection refused"),
        ("tracking_uri=mysql://me:secret@127.0.0.1:1/x",
         "tracking_uri: got 'mysql://me:***@127.0.0.1:1/x'; it does not answer: [Errno 111] Connection refused"),
        ("tracking_uri=mysql://me:secret/part@127.0.0.1:1/x", "tracking_uri: got 'mysql://me:***@127.0.0.1:1/x'; "
         "it is no URI; %2F, %3F, %23 stand for /, ?, # in a password"),
        ("tracking_uri=x://me:secret@h", "tracking_uri: got 'x://me:***@h'; expected http(s)://…, sqlite:///…, "
         "postgresql://…, mysql://… or databricks; MLflow keeps no runs in folders"),
        ("tracking_uri=http://me:secret@127.0.0.1:1",
         "tracking_uri: got 'http://me:***@127.0.0.1:1'; it does not answer: [Errno 111] Connection refused"),
        (f"keep=http://me:{'secret' * 20}@h", "keep: got 'http://me:***@h'; expected 'best', 'all' or 'none'"),
        ("tracking_uri=http://a:b", "tracking_uri: got 'http://a:b'; it is no URI: nonnumeric port: 'b'"),
        ("tracking_uri=postgresql://a:b/x", "tracking_uri: got 'postgresql://a:b/x'; it is no URI: "
         "Port could not be cast to integer value as 'b'"),
        ("storage=/proc/version", "storage: got '/proc/version'; /proc/version cannot be written to: Not a directory"),
        ("tracking_uri=sqlite:////proc/x/mlflow.db",
         "tracking_uri: got 'sqlite:////proc/x/mlflow.db'; /proc cannot be written to: No such file or directory"),
        ("tracking_uri=./mlruns", "tracking_uri: got './mlruns'; expected http(s)://…, sqlite:///…, "
         "postgresql://…, mysql://… or databricks; MLflow keeps no runs in folders"),
        ("base.train=[", "base.train, line 1, column 2: malformed YAML: "
         "expected the node content, but found '<stream end>'"),
        ("base.seed.x=1", "base.seed: got {'x': 1}; expected a whole number"),
        ("base.task.name.x=1", "base.task.name.x: got a key inside base.task.name, which has no keys"),
    ],
)  # fmt: skip
def test_an_override_that_is_wrong(tmp_path: Path, override: str, line: str) -> None:
    assert refused(write_all(tmp_path), override) == [line]


def test_seeds_of_rounds_stand_beside_no_others(tmp_path: Path) -> None:
    config = {"seed": 7, **BASE}
    path = write_all(tmp_path, base=config, axes={"seed": [0, 1]}, grids={"one": {"axes": {"seed": [3]}}})
    end = "beside verdict.seeds, whose rounds take the seeds 0 to 4; leave one of them out"
    assert refused(path, "verdict={seeds: {most: 5}}") == [
        f"base.seed: got 7 {end}",
        f"axes.seed: got [0, 1] {end}",
        f"grids.one.axes.seed: got [3] {end}",
    ]


def test_an_unknown_key_hides_nothing_else(tmp_path: Path) -> None:
    wrong = ("base.model.student_blocs=2", "base.model.teacher=/none", "base.task.max_lenght=8", "base.task.label=kind")
    found = refused(write_all(tmp_path), *wrong)
    assert found[:2] == [
        "base.model.student_blocs: got an unknown key; did you mean student_blocks?",
        "base.task.max_lenght: got an unknown key; did you mean max_length?",
    ]
    assert "base.model.teacher: got '/none'; there is no such folder" in found
    assert any(line.startswith("base.task.label: got 'kind'; train.jsonl: there is no such field") for line in found)


def test_a_value_of_a_wrong_type_hides_nothing_else(tmp_path: Path) -> None:
    """No check of its block's other fields, of how they stand together, of data or of models."""
    wrong = ("base.losses={ce: 0, kl: 0, hidden: much}", "base.task.num_beams=two", "base.task.label=kind")
    shape = ("base.model.student_blocks=13", "base.model.copy_classifier=perhaps")
    others = ("resources={cpus: some, gpus: 1, gpu_gb: 0.1}", "axes.seed=[0, one]")
    no_field = "there is no such field (row 1: it has text, label), and 1 more"
    assert refused(write_all(tmp_path), *wrong, *shape, *others) == [
        "resources.cpus: got 'some'; expected a whole number",
        "base.model.copy_classifier: got 'perhaps'; expected true or false",
        "base.task.num_beams: got 'two'; expected a whole number",
        "base.losses.hidden: got 'much'; expected a number or a mapping",
        "base.losses.ce: got 0 beside kl: 0; the output layer needs one of them",
        "axes.seed[1]: got 'one'; expected a whole number",
        *(f"base.task.label: got 'kind'; {split}.jsonl: {no_field}" for split in ("train", "validation", "test")),
        "base.model.student_blocks: got 13; the teacher's encoder has 12 blocks",
    ]


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("base.task.text=[3]", "base.task.text[0]: got 3; expected a text"),
        ("base.task.classes=[yes, 3]", "base.task.classes[1]: got 3; expected a text"),
        ("base.model.revision=3", "base.model.revision: got 3; expected a text"),
        ("base.model.shape=3", "base.model.shape: got 3; expected a mapping"),
    ],
)
def test_a_default_in_place_of_a_wrong_value_is_not_blamed(tmp_path: Path, override: str, line: str) -> None:
    assert refused(write_all(tmp_path), override) == [line]


def test_a_known_profile_is_named(tmp_path: Path) -> None:
    path = write_all(tmp_path, profiles={"quick": {}})
    assert refused(path, "profile=quik") == ["profile: got 'quik'; did you mean quick?"]


def test_a_missing_and_an_unreadable_data_file(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    (tmp_path / "test.jsonl").unlink()
    rows = (tmp_path / "train.jsonl").read_text()
    (tmp_path / "train.jsonl").write_text(rows + '{"text"\n')
    assert refused(path) == [
        f"base.task.files.train: got {tmp_path}/train.jsonl; each line has to be a JSON object "
        "(line 3: Expecting ':' delimiter)",
        f"base.task.files.test: got {tmp_path}/test.jsonl; there is no such file",
    ]


SURROGATE = "expected text without surrogates (U+D800 to U+DFFF), which UTF-8 cannot hold"


def test_a_surrogate_in_the_config_itself(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    text = path.read_text() + '"\\udfff": 1\nprofiles: {quick: {base: {task: {text: [text, "\\ud83d"]}}}}\n'
    path.write_text(text.replace("    name: words", '    name: words\n    prefix: "a \\ud800"'))
    assert refused(path, r'axes.task.prefix=["\ud83d\ude00"]', r'base.model.teacher="./\udc80"') == [
        rf"base.task.prefix: got 'a \ud800'; {SURROGATE}",
        rf"\udfff: got '\udfff'; {SURROGATE}",
        rf"profiles.quick.base.task.text[1]: got '\ud83d'; {SURROGATE}",
        rf"axes.task.prefix[0]: got '\ud83d\ude00'; {SURROGATE}",
        rf"base.model.teacher: got './\udc80'; {SURROGATE}",
    ]


def test_an_empty_config(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.touch()
    assert refused(path) == [
        "name: got nothing; this key is needed",
        "base.model: got nothing; this key is needed",
        "base.task: got nothing; this key is needed",
    ]


def test_a_config_that_is_no_config(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    assert refused(path) == [f"config: got '{path}'; it cannot be read: No such file or directory"]
    path.write_bytes(b"\xff")
    assert refused(path) == [f"config: got '{path}'; it is no text in UTF-8"]
    path.write_text("- a\n")
    assert refused(path) == [f"{path}: got ['a']; give a mapping, such as the one that --example prints"]
    assert refused(tmp_path) == [f"config: got '{tmp_path}'; it cannot be read: Is a directory"]


def test_malformed_yaml_has_its_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text("name: x\nbase: {seed: 1\naxes: {}\n")
    assert refused(path) == [f"{path}, line 3, column 5: malformed YAML: expected ',' or '}}', but got ':'"]
    path.write_text("name: x\nbase: {seed: 1, seed: 2}\nname: y\n")
    assert refused(path) == [
        f"{path}, line 2, column 17: got the key 'seed' again (first in line 2); give it once",
        f"{path}, line 3, column 1: got the key 'name' again (first in line 1); give it once",
    ]
    path.write_text("null: x\nbase: {~: 1}\n? [a]\n: 1\n")
    assert refused(path) == [f"{path}, line 3, column 3: malformed YAML: found unhashable key"]
    path.write_text("null: x\nbase: {~: 1}\n")
    assert refused(path) == [
        f"{path}, line 2, column 8: got null as a key; give a text",
        f"{path}, line 1, column 1: got null as a key; give a text",
    ]
    path.write_text("name: x\nbase: &base\n  model: {shape: [*base]}\n")
    assert refused(path) == [f"{path}, line 3, column 19: malformed YAML: *base refers to a value that contains it"]
    path.write_text("name: x\ngrids: &grids [*grids]\n")
    assert refused(path) == [f"{path}, line 2, column 16: malformed YAML: *grids refers to a value that contains it"]
    path.write_text("name: \x07\n")
    assert refused(path)[0].startswith(f"{path}: malformed YAML: unacceptable character #x0007")


def test_all_problems_of_all_sorts_come_at_once(tmp_path: Path) -> None:
    base = {**BASE, "train": {"batch_size": 0, "lr": 1}, "losses": {"hidden": -3}}
    strategies = ["none", {"kind": "all_to_one", "teacher_state": 40}]
    path = write_all(tmp_path, base=base, axes={"seed": [], "strategy": strategies}, keep="some", resource={})
    (tmp_path / "validation.jsonl").unlink()
    assert refused(path, "base.model.student_blocks=13", "storage=/proc/x", "tracking_uri=file:runs") == [
        "keep: got 'some'; expected 'best', 'all' or 'none'",
        "resource: got an unknown key; did you mean resources?",
        "axes.seed: got []; give at least one value",
        "base.train.batch_size: got 0; expected at least 1",
        "base.train.lr: got an unknown key; expected one of accumulation, batch_size, checkpoint_minutes, clip_norm, "
        "epochs, evaluate_every, freeze_embeddings, gradient_checkpointing, learning_rate, max_steps, optimizer, "
        "patience, scale_parameter, warmup_steps, weight_decay",
        "base.losses.hidden: got -3; expected at least 0 or a mapping",
        f"base.task.files.validation: got {tmp_path}/validation.jsonl; there is no such file",
        "base.model.student_blocks: got 13; the teacher's encoder has 12 blocks",
        "axes.strategy[1].teacher_state: got 40; the teacher's encoder has states 0 to 12",
        "storage: got '/proc/x'; /proc cannot be written to: No such file or directory",
        "tracking_uri: got 'file:runs'; expected http(s)://…, sqlite:///…, postgresql://…, mysql://… or databricks; "
        "MLflow keeps no runs in folders",
    ]
