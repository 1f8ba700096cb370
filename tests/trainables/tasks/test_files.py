import json
import re
from pathlib import Path

import datasets
import pytest

from trainables.config import TaskConfig
from trainables.errors import InputError
from trainables.tasks import read
from trainables.tasks.kinds.classification import ClassificationRow
from trainables.tasks.kinds.generation import GenerationRow
from trainables.tasks.rows import SPLITS

ROWS = [{"text": 'good, "x"', "label": 1}, {"text": "2024-03-13", "label": 0}, {"text": "NA", "label": 1}]
READ = [ClassificationRow(('good, "x"',), 1), ClassificationRow(("2024-03-13",), 0), ClassificationRow(("NA",), 1)]


def problems(task: TaskConfig) -> list[str]:
    with pytest.raises(InputError) as error:
        read(task)
    return [re.sub(r"/\S*/", "", str(problem)) for problem in error.value.problems]


def pair(text: str, label) -> dict:
    return {"text": text, "label": label}


TWO = [pair("a", 0), pair("b", 1)]


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".parquet", ".CSV"])
def test_every_format_gives_the_same_rows(tmp_path, suffix):
    path = tmp_path / f"data{suffix}"
    if suffix.lower() == ".csv":
        path.write_text('text,label\n"good, ""x""",1\n2024-03-13,0\nNA,1\n')
    elif suffix == ".tsv":
        path.write_text('text\tlabel\ngood, "x"\t1\n2024-03-13\t0\nNA\t1\n')
    elif suffix == ".parquet":
        datasets.Dataset.from_list(ROWS).to_parquet(path)
    else:
        path.write_text("\n".join(map(json.dumps, ROWS)))
    files = dict.fromkeys(SPLITS, str(path))
    data = read(TaskConfig(name="own", kind="classification", files=files, text=["text"]))
    assert data.train == data.validation == data.test == READ
    assert data.classes == ("0", "1")


def test_nothing_is_written(tmp_path, write, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    path = tmp_path / "data [1]*.csv"
    path.write_text("text,label\na,0\nb,1\n")
    read(TaskConfig(name="own", kind="classification", files=dict.fromkeys(SPLITS, str(path)), text=["text"]))
    assert list(tmp_path.iterdir()) == [path]


def test_pairs(write):
    rows = [{"one": "a", "two": "b", "label": 0}, {"one": "c", "two": "d", "label": 1}]
    assert read(write(rows, text=["two", "one"])).train[0] == ClassificationRow(("b", "a"), 0)


def test_generation_with_one_and_with_many_references(write):
    rows = [{"en": "a", "ro": "b"}, {"en": "c", "ro": ["d", "e"]}]
    data = read(write(rows, kind="generation", source="en", target="ro"))
    assert data.train == [GenerationRow("a", ("b",)), GenerationRow("c", ("d", "e"))]
    assert data.classes == ()


def test_a_parquet_list_of_references(tmp_path):
    path = tmp_path / "data.parquet"
    datasets.Dataset.from_list([{"source": "a", "target": ["b", "c"]}]).to_parquet(path)
    data = read(TaskConfig(name="own", kind="generation", files=dict.fromkeys(SPLITS, str(path))))
    assert data.test == [GenerationRow("a", ("b", "c"))]


@pytest.mark.parametrize(
    ("labels", "classes", "found", "indices"),
    [
        ([1, 0, 2], None, ("0", "1", "2"), [1, 0, 2]),
        (["pos", "neg", "pos"], None, ("neg", "pos"), [1, 0, 1]),
        ([str(i) for i in range(11)], None, tuple(str(i) for i in range(11)), list(range(11))),
        ([1, 0, 1], ["neg", "pos"], ("neg", "pos"), [1, 0, 1]),
        (["pos", "neg"], ["pos", "neg"], ("pos", "neg"), [0, 1]),
        (["1", "0"], ["neg", "pos"], ("neg", "pos"), [1, 0]),
        (["1", "0"], ["1", "0"], ("1", "0"), [0, 1]),
        ([1, 0], ["1", "0"], ("1", "0"), [0, 1]),
        ([-1, 1], ["-1", "1"], ("-1", "1"), [0, 1]),
        ([1, 1], ["neg", "pos"], ("neg", "pos"), [1, 1]),
    ],
)
def test_labels(write, labels, classes, found, indices):
    data = read(write([pair("a", label) for label in labels], classes=classes))
    assert data.classes == found
    assert [row.label for row in data.train] == indices


def test_the_hash_is_of_the_content_not_of_its_names(write):
    one = read(write(TWO))
    other = read(write([{"sentence": "a", "y": "0"}, {"sentence": "b", "y": "1"}], text=["sentence"], label="y"))
    assert one.hash == other.hash


# What is wrong with a file.


def test_a_missing_file(write):
    task = write(TWO)
    Path(task.files.validation).unlink()
    assert problems(task) == ["files.validation: got validation.jsonl; there is no such file"]


def test_a_folder_is_unreadable(write, tmp_path):
    (tmp_path / "folder.csv").mkdir()
    task = write(TWO)
    task = task.model_copy(update={"files": task.files.model_copy(update={"test": str(tmp_path / "folder.csv")})})
    (problem,) = problems(task)
    assert problem.startswith("files.test: got folder.csv; it cannot be read")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.parquet", b"hello", "Parquet"),
        ("x.csv", b"text,label\na,1\nb,2,3\n", "Expected 2 fields in line 3, saw 3"),
        ("x.csv", b"text;label\na;1\n", "its header has semicolons and no commas; separate its columns by commas"),
        ("x.tsv", b"text,label\na,1\n", "its header has commas and no tabs; separate its columns by tabs"),
        ("x.txt", b"a", "end in .jsonl, .json, .ndjson, .csv, .tsv, .parquet"),
    ],
)
def test_an_unreadable_file(write, tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    task = write(TWO)
    task = task.model_copy(update={"files": task.files.model_copy(update={"test": str(tmp_path / name)})})
    (problem,) = problems(task)
    assert problem.startswith(f"files.test: got {name}; it cannot be read: ")
    assert says in problem


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_another_encoding(write, tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    path.write_bytes("text,label\nvoilà,1\n".encode("latin-1"))
    task = write(TWO)
    task = task.model_copy(update={"files": task.files.model_copy(update={"test": str(path)})})
    assert problems(task) == [
        f"files.test: got {path.name}; it is no UTF-8: invalid continuation byte at byte 15; "
        "save it as UTF-8, for instance with: iconv -f WINDOWS-1252 -t UTF-8"
    ]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv", ".parquet"])
def test_an_empty_split(write, tmp_path, suffix):
    path = tmp_path / f"empty{suffix}"
    names = {".csv": "text,label\n", ".tsv": "text\tlabel\n"}
    if suffix == ".parquet":
        datasets.Dataset.from_dict({"text": [], "label": []}).to_parquet(path)
    else:
        path.write_text(names.get(suffix, "\n"))
    task = write(TWO)
    task = task.model_copy(update={"files": task.files.model_copy(update={"validation": str(path)})})
    assert problems(task) == [f"files.validation: got {path.name}; it has no rows, and a split needs one"]


def test_malformed_lines(write):
    task = write(TWO, validation=[pair("a", 0), '{"text": "b", ', "[1]", pair("c", 1), "{"])
    assert problems(task) == [
        "files.validation: got validation.jsonl; each line has to be a JSON object "
        "(line 2: Expecting property name enclosed in double quotes), and 2 more"
    ]


# What is wrong with a field.


def test_a_row_without_the_field(write):
    task = write(TWO, test=[pair("a", 0), {"sentence": "b", "label": 1}, {"label": 1}])
    assert problems(task) == [
        "text[0]: got 'text'; test.jsonl: there is no such field (row 2: it has sentence, label), and 1 more"
    ]


def test_a_file_without_the_field_in_every_format(tmp_path):
    (tmp_path / "x.csv").write_text("sentence,label\na,0\nb,1\n")
    (tmp_path / "x.tsv").write_text("sentence\tlabel\na\t0\n")
    datasets.Dataset.from_list([{"sentence": "a", "label": 0}]).to_parquet(tmp_path / "x.parquet")
    files = {split: str(tmp_path / f"x.{kind}") for split, kind in zip(SPLITS, ("csv", "tsv", "parquet"), strict=True)}
    assert problems(TaskConfig(name="own", kind="classification", files=files, text=["text"])) == [
        "text[0]: got 'text'; x.csv: there is no such field (row 1: it has sentence, label), and 1 more",
        "text[0]: got 'text'; x.tsv: there is no such field (row 1: it has sentence, label)",
        "text[0]: got 'text'; x.parquet: there is no such field (row 1: it has sentence, label)",
    ]


def test_null_and_wrong_types(write):
    rows = [pair("a", 0), pair(None, 1), pair(3, 1), pair("c", None), pair("d", True), pair("e", 0.5)]
    assert problems(write(TWO, validation=rows)) == [
        "text[0]: got 'text'; validation.jsonl: a value is needed, not null (row 2)",
        "text[0]: got 'text'; validation.jsonl: text is needed (row 3: 3)",
        "label: got 'label'; validation.jsonl: a value is needed, not null (row 4)",
        "label: got 'label'; validation.jsonl: an integer or text is needed (row 5: True), and 1 more",
    ]


def test_an_empty_cell_of_a_csv_is_null(tmp_path):
    (tmp_path / "x.csv").write_text("text,label\na,0\n,1\n")
    task = TaskConfig(
        name="own", kind="classification", files=dict.fromkeys(SPLITS, str(tmp_path / "x.csv")), text=["text"]
    )
    assert problems(task) == ["text[0]: got 'text'; x.csv: a value is needed, not null (row 2), and 2 more"]


@pytest.mark.parametrize("target", [[], ["a", 1], 5, {"a": 1}])
def test_targets_of_the_wrong_type(write, target):
    rows = [{"source": "a", "target": "b"}]
    task = write(rows, test=[{"source": "a", "target": target}], kind="generation")
    assert problems(task) == [
        f"target: got 'target'; test.jsonl: text or a list of texts is needed (row 1: {target!r})"
    ]


@pytest.mark.parametrize(
    ("label", "classes"), [(2, None), (-1, None), ("x", None), (2, ["no", "yes"]), ("x", ["no", "yes"])]
)
def test_a_label_that_is_no_class(write, label, classes):
    task = write(TWO, test=[pair("a", 0), pair("b", label)], classes=classes)
    names = ", ".join(classes or ["0", "1"])
    assert problems(task) == [f"label: got 'label'; test.jsonl: the classes are {names} (row 2: {label!r})"]


@pytest.mark.parametrize("label", [0, "0"])
def test_a_number_is_no_place_among_classes_that_are_numbers(write, label):
    task = write([pair("a", "1"), pair("b", "2")], test=[pair("a", label)], classes=["1", "2"])
    assert problems(task) == [f"label: got 'label'; test.jsonl: the classes are 1, 2 (row 1: {label!r})"]


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([1, 2], "numbers from 0 without a gap are needed, or classes; the training split has 1, 2"),
        ([0, "x"], "numbers from 0 without a gap are needed, or classes; the training split has 0, x"),
        ([1, 1], "two classes or more are needed; the training split has 1"),
    ],
)
def test_training_labels_that_make_no_classes(write, labels, says):
    task = write([pair("a", label) for label in labels])
    assert problems(task) == [f"label: got 'label'; {says} (train.jsonl)"]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("{", "files.train: got train.jsonl; each line has to be a JSON object "
         "(line 2: Expecting property name enclosed in double quotes)"),
        ({"text": "b", "lable": 0},
         "label: got 'label'; train.jsonl: there is no such field (row 2: it has text, lable)"),
        ({"text": "b", "label": None}, "label: got 'label'; train.jsonl: a value is needed, not null (row 2)"),
    ],
)  # fmt: skip
def test_classes_that_are_missing_with_a_row_are_no_problem_of_their_own(write, row, problem):
    task = write([pair("a", 1), row], validation=[pair("a", 0)], test=[pair("a", 0)])
    assert problems(task) == [problem]


def test_all_problems_come_at_once(write):
    task = write([*TWO, {"label": 0}], validation=["{"], test=[pair("a", 7)])
    assert [problem.split(":")[0] for problem in problems(task)] == ["files.validation", "text[0]", "label"]


def test_half_a_surrogate_pair_is_no_text(write):
    """JSON may hold what no tokenizer takes and no terminal prints."""
    rows = [pair("a\ud83d\ude00", "x"), pair("b\ud800", "y"), pair("c", "z\udc00"), {"te\ud800": "d", "label": "x"}]
    why = "half a surrogate pair is no text: UTF-8 cannot hold it"
    found = problems(write(rows, TWO, TWO, classes=["x", "y", "z"]))
    assert found[:3] == [
        f"text[0]: got 'text'; train.jsonl: {why} (row 2: 'b\\ud800')",
        f"label: got 'label'; train.jsonl: {why} (row 3: 'z\\udc00')",
        "text[0]: got 'text'; train.jsonl: there is no such field (row 4: it has te\\ud800, label)",
    ]
    assert read(write([pair("a\ud83d\ude00", 0), TWO[1]])).train[0] == ClassificationRow(("a\U0001f600",), 0)
