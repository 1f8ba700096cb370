"""What is fast on a GPU: the project's step against its rivals, where its time goes, and what could be faster.

    python -m benchmarks.gpu --out FOLDER                       all sections
    python -m benchmarks.gpu --out FOLDER --sections card,alone
    python -m benchmarks.gpu --out FOLDER --dry                 tiny shapes, on the CPU too

Each section runs in a process of its own with a time limit and writes into FOLDER/gpu.json whatever it has measured at
once. A section that fails, or is cut, leaves a line that says so, and the exit status is 1. Weights are random and
lengths are drawn: nothing is read from a network.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from benchmarks import alone, compiled, graphs, kernels, lockstep, processes, rivals
from benchmarks.run import Run, Section, compute

SECTIONS = {
    "card": Section(alone.card, 40),
    "alone": Section(alone.alone, 100),
    "trainer": Section(rivals.trainer, 100),
    "lockstep": Section(lockstep.lockstep, 100),
    "where": Section(alone.where, 80),
    "graphs": Section(graphs.graphs, 60),
    "attention": Section(kernels.attention, 90),
    "textbrewer": Section(rivals.textbrewer, 40),
    "optimizers": Section(kernels.optimizers, 30),
    "liger": Section(kernels.liger, 60),
    "processes": Section(processes.processes, 90),
    "compile": Section(compiled.compiled, 150),
    "mps": Section(processes.mps, 90),
}
"""In the order in which they are worth having: earlier ones are what later ones are compared with."""


def main() -> int:
    arguments = _parsed()
    run = Run(arguments.out / "gpu.json", arguments.dry)
    if arguments.here:
        sys.stdin.readline()  # all is imported; the section before this one is over with the next line
        signal.alarm(SECTIONS[arguments.here].limit_seconds)
        return 0 if compute(run, arguments.here, SECTIONS[arguments.here]) else 1
    arguments.out.mkdir(parents=True, exist_ok=True)
    names = arguments.sections.split(",") if arguments.sections else list(SECTIONS)
    if unknown := sorted(set(names) - SECTIONS.keys()):
        print(f"--sections: got {', '.join(unknown)}; the sections are {', '.join(SECTIONS)}", file=sys.stderr)
        return 2
    return 0 if _in_turn(run, names) else 1


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=str(__doc__).split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", "gpu-benchmark")))
    parser.add_argument("--sections", help=f"with commas between them; all: {','.join(SECTIONS)}")
    parser.add_argument("--dry", action="store_true", help="tiny shapes, few steps")
    parser.add_argument("--here", help=argparse.SUPPRESS)
    return parser.parse_args()


def _in_turn(run: Run, names: list[str]) -> bool:
    """Runs the sections; whether all got to their end. The next one's process loads while one is measured."""
    all_well = True
    waiting = _process(run, names[0])
    for name, following in zip(names, [*names[1:], None], strict=True):
        process = waiting
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.close()
        waiting = _process(run, following) if following else process
        status = process.wait()
        if status == -signal.SIGALRM:
            run.write(name, "cut", {"limit_seconds": SECTIONS[name].limit_seconds})
        all_well = all_well and status == 0
    return all_well


def _process(run: Run, name: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.gpu", "--out", str(run.file.parent), "--here", name]
    return subprocess.Popen([*command, *(["--dry"] if run.dry else [])], stdin=subprocess.PIPE)


if __name__ == "__main__":
    sys.exit(main())
