"""Every shipped config parses and plans, on tiny tables and a tiny teacher for those that a user has to bring."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import sweep
from sweep.plan import checks
from tests.sweep.own_data import write_rows, write_teacher

CONFIGS = Path(sweep.__file__).parent / "configs"
NUM_CELLS = {
    "demo.yaml": 40,
    "real/sst2.yaml": 10,
    "real/sick.yaml": 10,
    "real/multi30k.yaml": 30,
    "paper/classification.yaml": 40,
    "paper/generation.yaml": 20,
    "paper/large-models.yaml": 15,
    "paper/depth.yaml": 90,
    "paper/width.yaml": 20,
    "paper/angles.yaml": 6,
}
TEMPLATE = CONFIGS.parent / "templates" / "example.yaml"


def write_data(folder: Path, task: dict[str, Any]) -> None:
    """Tables of the form that the task asks for, where it says they are."""
    for split, name in task["files"].items():
        rows: list[dict[str, Any]] = [
            {**{field: f"{split} {field} {label}" for field in task.get("text", [])}, "label": label}
            for label in (0, 1)
        ]
        if task["kind"] == "generation":
            rows = [{task["source"]: f"a dog of {split}", task["target"]: "ein Hund"}]
        (folder / name).parent.mkdir(exist_ok=True)
        write_rows(folder / name, rows)


@pytest.mark.parametrize("path", [*sorted(CONFIGS.rglob("*.yaml")), TEMPLATE], ids=lambda path: path.name)
def test_every_shipped_config_plans(path: Path, tmp_path: Path) -> None:
    given = yaml.safe_load(path.read_text())
    copied = Path(shutil.copy(path, tmp_path))
    overrides = [f"storage={tmp_path}/runs"]
    base = given.get("base", {})
    if isinstance(task := base.get("task"), dict):
        write_data(tmp_path, task)
    model = base.get("model")
    if isinstance(model, dict) and isinstance(model.get("teacher"), str) and model.get("shape") is None:
        write_teacher(tmp_path / "teacher", num_hidden_layers=6, max_position_embeddings=512)
        overrides.append(f"base.model.teacher={json.dumps(str(tmp_path / 'teacher'))}")
    checked = checks.prepare(copied, overrides, look_up=False)
    assert len(checked.cells) == NUM_CELLS.get(str(path.relative_to(CONFIGS)) if path != TEMPLATE else "", 10)
    assert len({cell.fingerprint for cell in checked.cells}) == len(checked.cells)


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: path.name)
def test_every_profile_of_a_shipped_config_is_sound(path: Path, tmp_path: Path) -> None:
    for name in yaml.safe_load(path.read_text()).get("profiles", {}):
        assert checks.prepare(path, [f"profile={name}", f"storage={tmp_path}"], look_up=False).cells
