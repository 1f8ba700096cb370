"""The keys of runs in MLflow stand in one file, as others who build on them know them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import sweep
from sweep.tracking import tags

SWEEP = Path(sweep.__path__[0])
FILES = [path for path in SWEEP.rglob("*.py") if path != Path(tags.__file__)]
WRITERS = [
    path for path in FILES if path.parent.name == "tracking" or path.name in ("conduct.py", "published.py", "ui.py")
]
TAGS = {
    *("kind", "host", "git_commit", "git_dirty", "source_hash", "cell", "teacher", "model", "task", "strategy", "init"),
    *("seed", "cohort", "computed_by", "signature", "student", "reason", "not_finite", "sweep", "micro_batch_parts"),
}
METRIC = re.compile(
    r"((train|eval|best|test|angle|seconds|score)/|size\.|mlflow\.(note|parent|run|shared)|mapping\.|tags\.[a-z])"
)


def keys(path: Path) -> set[str]:
    """The texts that stand as a key: of a dictionary, or between brackets."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    places = [key for node in nodes if isinstance(node, ast.Dict) for key in node.keys]
    places += [node.slice for node in nodes if isinstance(node, ast.Subscript)]
    return {node.value for node in places if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def texts(path: Path) -> set[str]:
    """All texts but docstrings."""
    tree = ast.parse(path.read_text())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docs]
    return {node.value for node in constants if isinstance(node.value, str)}


def test_the_names_that_others_build_on() -> None:
    written = {value for name, value in vars(tags).items() if name.isupper() and not name.endswith("_KIND")}
    assert written >= TAGS
    assert written - TAGS == {
        *("mlflow.note.content", "mlflow.parentRunId", "mlflow.runName", "mlflow.sharedViewState."),
        *("mlflow.experimentKind", "custom_model_development"),
        *("model.name", "size."),
        *("train/loss", "train/loss_kl", "seconds/total"),
        *("score/validation", "score/test", "score/of_the_way"),
        *("cos_mean", "acute_share", "best/", "test", "angle/", "importance/"),
        *("verdict_matching", "verdict_strategy", "verdict/gain", "verdict/spread", "verdict/margin"),
    }
    assert tags.size_param("megabytes") == "size.megabytes"
    made = (tags.mapping_param("encoder"), tags.eval_metric("f1"), tags.best_metric("f1"), tags.test_metric("f1"))
    assert made == ("mapping.encoder", "eval/f1", "best/f1", "test/f1")
    assert tags.angle_metric("decoder", tags.COS_MEAN) == "angle/decoder/cos_mean"
    assert [tags.identity_tag(kind) for kind in ("cell", "teacher")] == ["cell", "teacher"]


def test_no_other_file_spells_them() -> None:
    texts_of_metrics = {path.name: [text for text in texts(path) if METRIC.match(text)] for path in FILES}
    assert {name: found for name, found in texts_of_metrics.items() if found} == {}
    keys_of_tags = {path.name: keys(path) & TAGS for path in WRITERS}
    assert {name: found for name, found in keys_of_tags.items() if found} == {}
