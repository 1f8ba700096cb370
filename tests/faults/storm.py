"""A storm: a seeded killer of processes, servers and files beside sweeps that have to end as undisturbed ones do.

    python -m tests.faults.storm [MINUTES] [SEED]

runs the same sweep of 20 cells of all four families again and again for MINUTES (10), by the real command and with a
real MLflow server, while faults hit it. After each sweep nothing may be missing, twice, different or left behind. It
prints the faults by kind, the steps that were computed more than once, and the time that a fault costs.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults import endings
from tests.faults.kinds import FAULTS
from tests.faults.proxy import Proxy
from tests.faults.scene import Disk, Scene
from tests.sweep.servers import Server
from tests.sweep.tiny import TASK_OF, base

STRATEGIES = ("none", "forward", "reverse", "all_to_one", "random")
TRAIN = {"max_steps": 60, "batch_size": 8, "evaluate_every": 10, "checkpoint_minutes": 1e-3}
FINETUNE = {"max_steps": 20, "evaluate_every": 5.0, "checkpoint_minutes": 1e-3}
DISK_MEGABYTES = 512
MOST_COMMANDS = 5
"""How often the command may be needed once the faults have ended: a trial that was killed too often is tried again by
the next command."""
MOST_LINES = 40
"""The last lines that are shown of a command that ends with an error."""
WAIT_SECONDS = 1800
GAPS = (0.01, 0.1)
"""The least and the most time between two faults, as parts of the time of an undisturbed sweep."""


def _model(family: str) -> dict[str, Any]:
    model = base(family)["model"]
    return {**model, "finetune": {**model["finetune"], **FINETUNE}}


@dataclass
class Storm:
    """Faults and commands so far."""

    root: Path
    seed: int
    families: Sequence[str] = tuple(TASK_OF)
    strategies: Sequence[str] = STRATEGIES
    is_own_disk: bool = True
    """Whether storages may be mounted as disks, which can be filled."""
    faults: Counter[str] = field(default_factory=Counter[str])
    statuses: Counter[int] = field(default_factory=Counter[int])
    """Exit status -> the number of commands."""
    num_sweeps: int = 0
    num_steps: int = 0
    num_repeated: int = 0
    seconds: float = 0.0
    """The time of all disturbed sweeps."""
    calm_seconds: float = 0.0
    """The time of the undisturbed one."""

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.server = Server(self.root)
        self.bag: list[str] = []
        self.results: dict[Path, bytes] = {}

    def run(self, seconds: float) -> None:
        """Runs the undisturbed sweep, and then disturbed ones until the time is over."""
        self.server.start()
        self.proxy = Proxy(self.server.port)
        try:
            scene = self._scene("calm")
            try:
                begun = time.monotonic()
                scene.command = scene.start()
                assert scene.command.wait(WAIT_SECONDS) == 0, scene.said(scene.command)
                self.calm_seconds = time.monotonic() - begun
                self.expected = self._ending(scene)
            finally:
                scene.end()
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                self._sweep(end)
        finally:
            self.proxy.close()
            self.server.kill()

    def _scene(self, name: str) -> Scene:
        (folder := self.root / name).mkdir()
        disk = Disk(folder)
        if self.is_own_disk:
            disk.mount(DISK_MEGABYTES)
        config = self.root / f"{name}.yaml"
        config.write_text(json.dumps(self._config(name)))
        return Scene(folder, config, name, self.draw, self.server, self.proxy, disk)

    def _config(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "base": {"train": TRAIN, "dtype": "fp32"},
            "axes": {"strategy": list(self.strategies)},
            "grids": [{"base": {**base(family), "model": _model(family), "train": TRAIN}} for family in self.families],
            "tracking_uri": self.proxy.url,
            "resources": {"cohort": 3},
            "keep": "all",
        }

    def _ending(self, scene: Scene) -> tuple[Any, Any]:
        left = endings.leftovers(scene.folder)
        assert not left, f"{left} is left behind"
        return endings.stored(scene.records), endings.shown(scene.client, scene.name)

    def _sweep(self, end: float) -> None:
        """One sweep under faults, until it has ended or the time is over; then calm commands, and a look at all."""
        begun, faults = time.monotonic(), self.faults.total()
        self.num_sweeps += 1
        scene = self._scene(f"storm-{self.num_sweeps}")
        try:
            self._disturb(scene, end)
            self._settle(scene)
            seconds = time.monotonic() - begun
            stored, shown = self._ending(scene)
            for expected, actual in zip(self.expected, (stored, shown), strict=True):
                assert actual.keys() == expected.keys()
                for key, value in expected.items():
                    assert actual[key] == value, f"{key} differs"
            self._watch_results(scene)
            self.seconds += seconds
            num_steps, num_repeated = endings.num_steps(scene.records)
            self.num_steps, self.num_repeated = self.num_steps + num_steps, self.num_repeated + num_repeated
            number = self.faults.total() - faults
            print(f"sweep {self.num_sweeps}: {number} faults, {seconds:.0f} s, as undisturbed", flush=True)
        finally:
            scene.end()

    def _disturb(self, scene: Scene, end: float) -> None:
        """Faults, and the command again and again, until it ends with 0 or the time is over."""
        next_fault = time.monotonic() + self._gap()
        while time.monotonic() < end:
            scene.tick()
            if scene.command is not None and scene.command.poll() is not None:
                self._ended(scene, scene.command)
                if scene.command.returncode == 0:
                    return
                scene.command = None
            if scene.command is None and not scene.is_starting:
                scene.command = scene.start(*(["--join"] if scene.joined else []))
            if time.monotonic() > next_fault and self._fault(scene):
                next_fault = time.monotonic() + self._gap()
            self._watch_results(scene)
            time.sleep(0.2)

    def _gap(self) -> float:
        return self.calm_seconds * self.draw.uniform(*GAPS)

    def _fault(self, scene: Scene) -> bool:
        """Does the first fault that is possible now; each kind has its turn before one of them comes again."""
        if not self.bag:
            self.bag = self.draw.sample(sorted(FAULTS), len(FAULTS))
        for kind in self.bag:
            if FAULTS[kind](scene):
                print(f"{time.strftime('%H:%M:%S')} {scene.name}: {kind}", flush=True)
                self.bag.remove(kind)
                self.faults[kind] += 1
                return True
        if not scene.disk.is_mounted and self.bag == ["disk full"]:
            self.bag = []
        return False

    def _settle(self, scene: Scene) -> None:
        """Ends all faults, and gives the command until one that no fault has hit ends with 0."""
        scene.tick(at_once=True)
        scene.end_joined()
        if scene.command is not None:
            scene.command.wait(WAIT_SECONDS)
            self._ended(scene, scene.command)
        while self.server.process is None or not self.server.answers():
            time.sleep(0.1)
        for _ in range(MOST_COMMANDS):
            scene.command = scene.start("--retry-failed")  # twice at the same batch is poison
            scene.command.wait(WAIT_SECONDS)
            self._ended(scene, scene.command)
            if scene.command.returncode == 0:
                return
        assert scene.command is not None
        raise AssertionError(f"the sweep does not end:\n{scene.said(scene.command)}")

    def _ended(self, scene: Scene, command: subprocess.Popen[str]) -> None:
        self.statuses[command.returncode] += 1
        print(f"{time.strftime('%H:%M:%S')} {scene.name}: a command ends with {command.returncode}", flush=True)
        if command.returncode not in (0, -9, 130):
            print("\n".join(scene.said(command).splitlines()[-MOST_LINES:]), flush=True)

    def _watch_results(self, scene: Scene) -> None:
        """A result that is there once never changes."""
        for file in (*scene.folder.glob("cells/*/result.json"), *scene.folder.glob("teachers/*/teacher.json")):
            content = file.read_bytes()
            assert self.results.setdefault(file, content) == content, f"{file} has changed"
        lost = [file for file in self.results if scene.folder in file.parents and not file.exists()]
        assert not lost, f"{lost} are gone"

    def __str__(self) -> str:
        lines = [f"{number:4d} {kind}" for kind, number in self.faults.most_common()]
        number = self.faults.total()
        lost = max(0.0, self.seconds - self.num_sweeps * self.calm_seconds) / max(1, number)
        share = self.num_repeated / max(1, self.num_steps)
        return "\n".join(
            [
                f"{number} faults of {len(self.faults)} kinds in {self.num_sweeps} sweeps:",
                *lines,
                f"steps computed more than once: {self.num_repeated} beside {self.num_steps} ({share:.0%})",
                f"time lost per fault: {lost:.1f} s ({self.seconds:.0f} s for {self.num_sweeps} sweeps, of which an"
                f" undisturbed one takes {self.calm_seconds:.0f} s)",
                f"commands by exit status: {dict(sorted(self.statuses.items()))}",
            ]
        )


def main(arguments: Sequence[str]) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing goes on
    minutes, seed = [*arguments, *("10", "1")[len(arguments) :]]
    root = Path(tempfile.mkdtemp(prefix="storm-"))
    print(f"a storm of {minutes} minutes with seed {seed} in {root}", flush=True)
    storm = Storm(root, int(seed))
    try:
        storm.run(60 * float(minutes))
    finally:
        print(storm, flush=True)
    shutil.rmtree(root)


if __name__ == "__main__":
    main(sys.argv[1:])
