"""A whole sweep of ten cells on SST-2, as the command runs it, against the one that a user would glue together.

    python -m benchmarks.whole DATA MODEL [--steps 60] [--evaluate-every 60] [--dtype fp32] [--rounds 1]

`DATA` has train.jsonl, dev.jsonl and test.jsonl, `MODEL` is an encoder of the BERT family in `save_pretrained` form,
which is first fine-tuned for a few steps. Both sides run two trials at once with one thread each, from the same
teacher, and in turns. The figures go to build/whole.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
TASK = {"name": "sst2", "kind": "classification", "text": ["sentence"], "max_length": 128}


def config(options: argparse.Namespace, teacher: Path, finetune: dict[str, Any] | None) -> dict[str, Any]:
    """The same sweep for this project; the paper's five strategies and two inits."""
    names = {"train": "train", "validation": "dev", "test": "test"}
    files = {split: str(options.data / f"{name}.jsonl") for split, name in names.items()}
    num_rows = sum(1 for _ in (options.data / "train.jsonl").open())
    return {
        "name": "whole",
        "base": {
            "model": {
                "name": "m",
                "family": "bert",
                "teacher": str(teacher),
                "finetune": finetune,
                "student_blocks": 3,
            },
            "task": {**TASK, "files": files},
            "train": {
                "max_steps": options.steps,
                "batch_size": 32,
                "learning_rate": 1e-4,
                "evaluate_every": options.evaluate_every * 32 / num_rows,
            },
            "dtype": options.dtype,
        },
        "axes": {"strategy": ["none", "forward", "reverse", "all_to_one", "random"], "init": ["random", "teacher"]},
    }


def sweep(fields: dict[str, Any], folder: Path, *words: str) -> float:
    """Seconds of the command."""
    file = folder / "whole.yaml"
    file.write_text(json.dumps(fields))
    return seconds(["sweep/run.py", str(file), f"storage={folder}", *words])


def seconds(words: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *words], cwd=ROOT, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def make_teacher(options: argparse.Namespace, folder: Path) -> Path:
    """A teacher of 30 steps, by a sweep of one short cell."""
    fields = config(options, options.model, {"max_steps": 30, "learning_rate": 5e-5})
    fields["axes"], fields["base"]["train"]["max_steps"] = {}, 1
    sweep(fields, folder, "keep=none")
    (model,) = folder.glob("teachers/*/attempts/1/model")
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "model"):
        parser.add_argument(name, type=lambda path: Path(path).absolute())
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--evaluate-every", type=int, default=60, help="Steps between evaluations.")
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "teacher").mkdir()
        teacher = make_teacher(options, folder / "teacher")
        for number in range(options.rounds):
            ours, glued = folder / f"ours-{number}", folder / f"glued-{number}"
            ours.mkdir()
            own = sweep(config(options, teacher, None), ours)
            steps = ["--steps", str(options.steps), "--evaluate-every", str(options.evaluate_every)]
            words = [str(options.data), str(teacher), str(glued), *steps, "--dtype", options.dtype]
            theirs = seconds(["-m", "benchmarks.glued", *words])
            figures = {
                "ratio": round(theirs / own, 2),
                "ours_seconds": round(own, 1),
                "glued_seconds": round(theirs, 1),
                "steps": options.steps,
                "dtype": options.dtype,
                "cpu": platform.processor() or platform.machine(),
                "cores": len(os.sched_getaffinity(0)),
                "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            }
            print(json.dumps(figures), flush=True)
            with (build / "whole.jsonl").open("a") as file:
                file.write(json.dumps(figures) + "\n")
            shutil.rmtree(ours)


if __name__ == "__main__":
    main()
