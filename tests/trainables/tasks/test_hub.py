"""Data sets of the hub, by local folders in their form and by a server that speaks as the hub does."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub
import pytest

from trainables import deadline
from trainables.config import Hub, TaskConfig
from trainables.errors import InputError
from trainables.hub_tasks import HUB_TASKS
from trainables.tasks import hub, read
from trainables.tasks.kinds import KINDS
from trainables.tasks.kinds.classification import ClassificationRow
from trainables.tasks.kinds.generation import GenerationRow
from trainables.tasks.kinds.multiple_choice import MultipleChoiceRow
from trainables.tasks.kinds.question_answering import QuestionRow
from trainables.tasks.kinds.regression import RegressionRow
from trainables.tasks.kinds.token_classification import TokenClassificationRow
from trainables.tasks.rows import Row

Records = list[dict[str, Any]]


def folder(path: Path, **splits: Records) -> str:
    """A data set of Parquet files, as the hub holds them."""
    for name, records in splits.items():
        target = path / "data" / f"{name}-00000-of-00001.parquet"
        target.parent.mkdir(exist_ok=True)
        datasets.Dataset.from_list(records).to_parquet(target)
    return str(path)


def task(name: str, path: str, **fields: Any) -> TaskConfig:
    """A built-in task on a folder with its columns."""
    given = HUB_TASKS[name]
    return TaskConfig.model_validate({**given, "hub": {"path": path}, **fields})


def problems(task: TaskConfig) -> list[str]:
    with pytest.raises(InputError) as error:
        read(task)
    return [str(problem) for problem in error.value.problems]


def pairs(*labels: int) -> Records:
    return [{"premise": f"p{i}", "hypothesis": f"h{i}", "label": label, "idx": i} for i, label in enumerate(labels)]


def sentences(*labels: int) -> Records:
    return [{"sentence": f"s{i}", "label": label, "idx": i} for i, label in enumerate(labels)]


def test_mnli_has_a_matched_and_a_mismatched_test(tmp_path: Path) -> None:
    path = folder(
        tmp_path,
        train=pairs(0, 1, 2, 0, 1),
        validation_matched=pairs(1, 2),
        validation_mismatched=pairs(2),
        test_matched=pairs(-1),
    )
    splits = {**HUB_TASKS["mnli"]["splits"], "validation": "train[-2:]"}
    data = read(task("mnli", path, splits=splits))
    assert data.classes == ("entailment", "neutral", "contradiction")
    assert data.train == [ClassificationRow((f"p{i}", f"h{i}"), label) for i, label in enumerate([0, 1, 2])]
    assert data.validation == [ClassificationRow((f"p{i}", f"h{i}"), label) for i, label in [(3, 0), (4, 1)]]
    assert data.tests == {
        "test": [ClassificationRow(("p0", "h0"), 1), ClassificationRow(("p1", "h1"), 2)],
        "test_mismatched": [ClassificationRow(("p0", "h0"), 2)],
    }


DIALOGUE = {
    "source": "x",
    "story": "s",
    "questions": ["q", "r"],
    "answers": {"input_text": ["a", "b"], "answer_start": [0, 1], "answer_end": [1, 2]},
}
QUIZ = {
    "id": "0",
    "question": "q",
    "choices": {"label": list("ABC"), "text": ["x", "y", "z"]},
    "answerKey": "B",
}
ENDINGS = {
    "activity_label": "Act",
    "ctx_a": "A man.",
    "ctx_b": "he",
    "ctx": "A man. he",
    "endings": ["a", "b", "c", "d"],
    "label": "3",
}
LIKE = {"sentence1": "a", "sentence2": "b", "idx": 0}
TAGGED = {"id": "0", "tokens": ["EU", "rejects", "Peter", "B."], "ner_tags": [3, 0, 1, 2]}
TURNS = [QuestionRow("s", (), "q", ("a",)), QuestionRow("s", (("q", "a"),), "r", ("b",))]
PHRASES = [{"translation": {"en": f"e{i}", "ro": f"r{i}"}} for i in range(10, 30)]
TRIPLES = [["Mars Hill", "JOINED", "1973"], ["Mars Hill", "LOCATION", "North Carolina"]]
TABLES = [
    {"tripleset": TRIPLES, "target": "t", "references": []},
    {"tripleset": TRIPLES[:1], "target": "t", "references": ["t", "u"]},
]


@pytest.mark.parametrize(
    ("name", "records", "held_out", "rows"),
    [
        ("hellaswag", [ENDINGS], "train[-1:]", [MultipleChoiceRow("Act: A man. He", ("a", "b", "c", "d"), 3)]),
        (
            "commonsense_qa",
            [QUIZ],
            "train[-1:]",
            [MultipleChoiceRow("Question: q\nA. x\nB. y\nC. z\nAnswer:", ("A", "B", "C"), 1)],
        ),
        ("coqa", [DIALOGUE], "train[-1:]", TURNS),
        (
            "dart",
            TABLES,
            None,
            [
                GenerationRow("Mars Hill : JOINED : 1973 | Mars Hill : LOCATION : North Carolina", ("t",)),
                GenerationRow("Mars Hill : JOINED : 1973", ("t", "u")),
            ],
        ),
        ("sst2", sentences(1, 0), "train[-1:]", [ClassificationRow(("s0",), 1), ClassificationRow(("s1",), 0)]),
        ("cola", sentences(1, 0), "train[-1:]", [ClassificationRow(("s0",), 1), ClassificationRow(("s1",), 0)]),
        ("mrpc", [LIKE | {"label": 1}], "train[-1:]", [ClassificationRow(("a", "b"), 1)]),
        ("rte", [LIKE | {"label": 1}], "train[-1:]", [ClassificationRow(("a", "b"), 1)]),
        (
            "stsb",
            [LIKE | {"label": 3.25}, LIKE | {"label": 0.0}],
            "train[-2:]",
            [RegressionRow(("a", "b"), 3.25), RegressionRow(("a", "b"), 0.0)],
        ),
        ("conll2003", [TAGGED], None, [TokenClassificationRow(("EU", "rejects", "Peter", "B."), (3, 0, 1, 2))]),
    ],
)  # fmt: skip
def test_the_columns_of_the_hub(
    tmp_path: Path, name: str, records: Records, held_out: str | None, rows: list[Row]
) -> None:
    path = folder(tmp_path, train=records * 2, validation=records, test=records)
    splits = {**HUB_TASKS[name].get("splits", {}), "validation": held_out} if held_out else None
    data = read(task(name, path, splits=splits))
    assert data.test == rows
    assert data.train[: len(rows)] == rows
    assert len(data.train) + (len(data.validation) if held_out else 0) == 2 * len(rows)


def test_the_main_metrics_of_glue_are_those_of_its_authors() -> None:
    """Where there are several: QQP's is the accuracy that the paper's tables have."""
    mains = {name: KINDS[given["kind"]].main_metric(task(name, "p")) for name, given in HUB_TASKS.items()}
    assert {name: mains[name] for name in ("cola", "mrpc", "stsb", "rte", "qqp", "conll2003")} == {
        "cola": "matthews_correlation",
        "mrpc": "f1",
        "stsb": "pearson",
        "rte": "accuracy",
        "qqp": "accuracy",
        "conll2003": "f1",
    }
    assert task("conll2003", "p").classes == "O B-PER I-PER B-ORG I-ORG B-LOC I-LOC B-MISC I-MISC".split()


def test_a_part_of_the_training_split_is_drawn_by_its_seed(tmp_path: Path) -> None:
    path = folder(tmp_path, train=PHRASES, validation=PHRASES, test=PHRASES)
    drawn = [read(task("wmt16-en-ro", path, sample={"train": 9, "seed": seed})).train for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert [row.source for row in drawn[0]] == sorted(row.source for row in drawn[0])
    assert drawn[0][0] == GenerationRow(drawn[0][0].source, (drawn[0][0].source.replace("e", "r"),))
    assert problems(task("wmt16-en-ro", path)) == ["sample.train: got 100000; the training split has 20 rows"]


def test_a_folder_may_name_its_configurations(tmp_path: Path) -> None:
    for name, labels in (("one", (0, 1, 1)), ("two", (1, 0, 0))):
        (tmp_path / name).mkdir()
        for split in ("train", "validation", "test"):
            datasets.Dataset.from_list(sentences(*labels)).to_parquet(tmp_path / name / f"{split}.parquet")
    configs = "".join(
        f"- config_name: {name}\n  data_files:\n"
        + "".join(
            f"  - split: {split}\n    path: {name}/{split}.parquet\n" for split in ("train", "validation", "test")
        )
        for name in ("one", "two")
    )
    (tmp_path / "README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    found = read(task("sst2", str(tmp_path), splits=None, hub={"path": str(tmp_path), "name": "two"}))
    assert [row.label for row in found.train] == [1, 0, 0]
    (problem,) = problems(task("sst2", str(tmp_path), splits=None, hub={"path": str(tmp_path), "name": "three"}))
    assert problem.startswith(f"hub.path: got '{tmp_path}'; it cannot be read: BuilderConfig 'three' not found.")


# What lacks references.


def test_a_split_without_labels(tmp_path: Path) -> None:
    path = folder(tmp_path, train=sentences(0, 1), validation=sentences(1), test=sentences(-1, -1))
    assert problems(task("sst2", path, splits=None)) == [
        "label: got 'label'; test: -1 stands for no label; in splits, give a split with labels (row 1: -1), and 1 more"
    ]


def test_numbers_that_stand_for_no_labels(tmp_path: Path) -> None:
    rows = [LIKE | {"label": label} for label in (0.0, 4.5)]
    path = folder(tmp_path, train=rows, validation=rows, test=[LIKE | {"label": -1.0}] * 2)
    assert problems(task("stsb", path, splits=None)) == [
        "label: got 'label'; test: labels that differ are needed; all are -1"
    ]


@pytest.mark.parametrize(
    ("name", "record", "change", "says"),
    [
        ("hellaswag", ENDINGS, {"label": ""}, "label: got 'label'; test: a label is needed, and "),
        ("commonsense_qa", QUIZ, {"answerKey": ""}, "label: got 'answerKey'; test: a label is needed, and "),
        ("coqa", DIALOGUE, {"answers": {"input_text": []}}, "answers: got 'answers.input_text'; test: a list with"),
        ("wmt16-en-ro", PHRASES[0], {"translation": {"en": "a", "ro": None}}, "target: got 'translation.ro'; test: "),
    ],
)  # fmt: skip
def test_a_split_without_references(tmp_path: Path, name: str, record: dict, change: dict, says: str) -> None:
    path = folder(tmp_path, train=[record], validation=[record], test=[{**record, **change}])
    (problem,) = problems(task(name, path, splits=None, sample=None))
    assert problem.startswith(says)
    assert "(row 1" in problem


def test_a_folder_that_is_no_data_set(tmp_path: Path) -> None:
    (problem,) = problems(task("sst2", f"{tmp_path}/nothing"))
    assert problem.startswith(f"hub.path: got '{tmp_path}/nothing'; it cannot be read: ")
    assert problem.endswith("give a folder with a copy of the data set instead, or files of your own in task.files")


# The hub's answer.

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class HubServer(http.server.BaseHTTPRequestHandler):
    """Knows `own/data` and its branch `side`; `own/slow` it never finds."""

    def do_GET(self) -> None:
        known = {"/api/datasets/own/data": COMMIT, "/api/datasets/own/data/revision/side": COMMIT[::-1]}
        if "slow" in self.path:
            time.sleep(3)
        sha = known.get(self.path.partition("?")[0])
        self.send_response(200 if sha else 404)
        self.send_header("Content-Type", "application/json")
        if not sha:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.end_headers()
        self.wfile.write(json.dumps({"id": "own/data", "sha": sha} if sha else {"error": "Not found"}).encode())

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), HubServer)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{served.server_address[1]}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", url)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    hub._resolve.cache_clear()
    yield url
    served.shutdown()
    served.server_close()


def refused(path: str, revision: str | None = None) -> str:
    with pytest.raises(InputError) as error:
        hub.find_revision(Hub(path=path, revision=revision))
    (problem,) = error.value.problems
    assert problem.path == "hub.path"
    assert problem.message.endswith(hub.LOCAL)
    return problem.message


def test_the_commit_of_a_data_set(server: str) -> None:
    assert hub.find_revision(Hub(path="own/data", name="any")) == COMMIT
    assert hub.find_revision(Hub(path="own/data", revision="side")) == COMMIT[::-1]


def test_an_id_that_is_not_there(server: str) -> None:
    message = refused("own/nothing", "v1")
    assert message.startswith("got 'own/nothing' at revision 'v1'; there is no such folder, and from the hub: ")
    assert "404" in message
    assert "from the hub: Repo id must be" in refused("a/b/c")


def test_a_hub_that_does_not_answer(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "ANSWER_SECONDS", 0.3)
    started = time.monotonic()
    assert "from the hub: " in refused("own/slow")
    assert time.monotonic() - started < 100
    assert hub.find_revision(Hub(path="own/data")) == COMMIT  # an error is not remembered


def test_a_hub_that_is_not_there(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    started = time.monotonic()
    assert "from the hub: " in refused("own/data")
    assert time.monotonic() - started < 100


def test_offline_a_commit_is_taken_as_it_is(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert hub.find_revision(Hub(path="own/data", revision=COMMIT)) == COMMIT
    assert "offline" in refused("own/data").lower()
    assert hub.find_revision(Hub(path="./folder")) is None
