"""One section of a benchmark in a process of its own: what it measures is written at once, whatever happens later."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Measured = Iterator[tuple[str, dict[str, Any]]]
"""What was measured, and its figures; ratios first."""


@dataclass(frozen=True)
class Run:
    """A run of the benchmark; every section of it writes into one file."""

    file: Path
    dry: bool

    def results(self) -> dict[str, dict[str, Any]]:
        """Section -> what was measured -> its figures, as far as they are there."""
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def write(self, section: str, name: str, figures: dict[str, Any]) -> None:
        """Adds figures to the file and prints them."""
        results = self.results()
        results.setdefault(section, {})[name] = figures
        self.file.write_text(json.dumps(results, indent=1) + "\n")
        print(f"{section} | {name} | {shown(figures)}", flush=True)


@dataclass(frozen=True)
class Section:
    """A part that can be run by itself."""

    measure: Callable[[Run], Measured]
    limit_seconds: int
    """After which its process is ended; what it has written stays."""


def shown(figures: dict[str, Any]) -> str:
    """One line; long values are in the file alone."""
    texts = [f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in figures.items()]
    return ", ".join(text for text in texts if len(text) < 160)


def compute(run: Run, name: str, section: Section) -> bool:
    """Runs a section in this process; whether it got to its end."""
    started = time.perf_counter()
    try:
        for what, figures in section.measure(run):
            run.write(name, what, figures)
    except Exception as error:  # kernels, compilers and other people's code: the next section may still measure
        message = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        run.write(name, "failure", {"error": message, "traceback": traceback.format_exc()})
        traceback.print_exc(file=sys.stderr)
        return False
    run.write(name, "took", {"seconds": time.perf_counter() - started})
    return True
