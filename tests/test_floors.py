"""A module imports only from lower floors of its package, and trainables nothing of what is built on it."""

import ast
from pathlib import Path

import pytest

import sweep
import trainables

FLOORS = {
    "sweep": [  # from the ground up
        "passwords",
        "environment fields fingerprint labels overlay plots reading storage views",
        "messages records revisions",
        "sources values",
        "order upload",
        "config",
        "parts",
        "axes",
        "grid",
        "archive checks reach results runs",
        "command experiment gpus keep plan schema summary",
        "costs findings tracking",
        "delivery drawing usage",
        "attempts",
        "card",
        "published trial",
        "teachers",
        "terminal",
        "report schedule",
        "work",
        "conduct",
        "run submit ui",
    ],
    "trainables": [
        "angle_file deadline errors hub_tasks recipe seeds strategies vocabularies",
        "angles builtin device losses own_metrics",
        "config frozen",
        "families official steps",
        "memory optimizers student tasks",
        "plain plugins predictions",
        "contract evaluate targets",
        "loop probe",
        "objective",
        "distill finetune",
    ],
}
FLOOR_OF = {
    f"{package}.{module}": floor
    for package, floors in FLOORS.items()
    for floor, modules in enumerate(floors)
    for module in modules.split()
}
ABOVE_TRAINABLES = {"sweep", "ray", "mlflow", "optuna"}
FOLDERS = [Path(package.__path__[0]) for package in (sweep, trainables)]
FILES = {str(path.relative_to(folder.parent)): path for folder in FOLDERS for path in sorted(folder.rglob("*.py"))}


def imported(path: Path) -> set[str]:
    """The dotted names that a file imports, at its top or inside a function; `from a import b` as a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: modules are imported by full name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("file", [file for file in FILES if file.count("/") > 1 or not file.endswith("/__init__.py")])
def test_imports_go_down(file: str) -> None:
    package, module = Path(file).with_suffix("").parts[:2]
    own = f"{package}.{module}"
    assert own in FLOOR_OF, f"{own} has no floor"
    for name in imported(FILES[file]):
        unit = ".".join(name.split(".")[:2])
        if name.split(".")[0] == package and unit != own:
            assert FLOOR_OF[unit] < FLOOR_OF[own], f"{own} imports {name}, which is not below it"
        assert package != "trainables" or name.split(".")[0] not in ABOVE_TRAINABLES, f"{own} imports {name}"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_package_imports_nothing_by_itself(folder: Path) -> None:
    assert imported(folder / "__init__.py") == set()
