"""The floors: a module imports only what lies below it, and trainables nothing of what is built on it.

A folder may have floors of its own.
"""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import sweep
import trainables

FLOORS = {
    "sweep": [  # the rooms, from the ground up
        "interrupts spec",
        "grid",
        "records",
        "plan verdict",
        "tracking",
        "search",
        "report",
        "students",
        "jobs",
        "cluster",
        "search_run seed_rounds sweep_run",
        "making reporting",
        "conduct",
        "run ui verbs",
        "cli",
    ],
    "trainables": [
        "angle_file deadline distances errors heads hub_tasks own_losses pulse",
        "recipe seeds size state strategies vocabularies weights wording",
        "angles builtin checkpoints device losses metrics own_metrics",
        "clock config draws frozen shared_weights",
        "families member official parts sharing steps",
        "memory optimizers student tasks",
        "answers forms inert influence plain plugins predictions",
        "contract evaluate objective targets",
        "meter predict probe validation",
        "cohort exports learner",
        "cell loop",
        "distill finetune",
    ],
    "trainables.families": [
        "draws layout",
        "base",
        "bart bert decoder fitting lora states t5",
        "adapters counts distilbert llama qwen2 qwen3 roberta",
        "making mistral",
        "tiny",
    ],
}
ABOVE_TRAINABLES = {"sweep", "ray", "mlflow", "optuna"}
FOLDERS = [Path(package.__path__[0]) for package in (sweep, trainables)]


def name_of(path: Path, folder: Path) -> str:
    """A module's dotted name; a package's is that of its folder."""
    parts = path.relative_to(folder.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path, folder): path for folder in FOLDERS for path in sorted(folder.rglob("*.py"))}


def imported(path: Path) -> set[str]:
    """The modules that a file imports, at its top or inside a function; what is no module of ours as it stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: modules are imported by full name"
            dotted = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in FILES else str(node.module) for name in dotted.values()}
    return names


IMPORTS = {name: imported(path) for name, path in FILES.items()}


def unit_of(name: str, package: str) -> str:
    """The module or folder directly in the package that a module of it lies in."""
    return ".".join(name.split(".")[: package.count(".") + 2])


@pytest.mark.parametrize(
    ("package", "name"), [(package, name) for package in FLOORS for name in FILES if name.startswith(f"{package}.")]
)
def test_imports_go_down(package: str, name: str) -> None:
    own = unit_of(name, package)
    floor_of = {f"{package}.{unit}": floor for floor, units in enumerate(FLOORS[package]) for unit in units.split()}
    assert own in floor_of, f"{own} has no floor"
    for other in IMPORTS[name]:
        unit = unit_of(other, package)
        if f"{other}.".startswith(f"{package}.") and unit != own:
            assert floor_of.get(unit, len(FLOORS[package])) < floor_of[own], f"{name} imports {other}, not below it"


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("trainables.")])
def test_trainables_know_nothing_of_what_is_built_on_them(name: str) -> None:
    assert not {other.split(".")[0] for other in IMPORTS[name]} & ABOVE_TRAINABLES


def test_imports_make_no_circle() -> None:
    graph = {name: IMPORTS[name] & FILES.keys() for name in FILES}
    assert len(list(TopologicalSorter(graph).static_order())) == len(FILES)


def test_a_package_imports_nothing_by_itself() -> None:
    """Neither of what it holds nor of what is installed; what a notebook asks for then loads no engine either."""
    code = (
        "import sys; known = set(sys.modules); import sweep, trainables\n"
        "new = set(sys.modules) - known\n"
        "print(sorted(name for name in new if name.split('.')[0] not in sys.stdlib_module_names))\n"
        "from sweep import load_angles, load_results\n"
        "print([name for name in ('torch', 'transformers', 'ray', 'mlflow', 'optuna') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['sweep', 'trainables']\n[]\n"


def test_the_script_shadows_no_module() -> None:
    """`python sweep/run.py` puts sweep/ first on the path, where `plan` or `report` would hide another's module."""
    script = FOLDERS[0] / "run.py"
    code = (
        f"import runpy, sys; sys.path[0] = {str(script.parent)!r}; sys.argv = ['run.py', '--schema']\n"
        f"try: runpy.run_path({str(script)!r}, run_name='__main__')\n"
        "except SystemExit: print('PATH', *sys.path, sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    path = done.stdout.split("PATH\n")[1].splitlines()
    assert path[0] == str(script.parents[1])
    assert str(script.parent) not in path
