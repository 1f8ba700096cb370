"""The kinds of faults of a storm: each is a function that returns whether the scene had what it needs."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

from sweep.records import checkpoints
from sweep.records.processes import machine
from tests.faults.proxy import Mode
from tests.faults.scene import Scene, send

Fault = Callable[[Scene], bool]


def _kill_worker(scene: Scene) -> bool:
    trial = scene.trial()
    if trial:
        send(trial.process.pid, signal.SIGKILL)
    return trial is not None


def _kill_worker_that_writes(scene: Scene) -> bool:
    """As if the worker were killed while it writes a file, which happens too seldom by itself."""
    trial = scene.trial()
    if trial is None:
        return False
    root = scene.folder / scene.record(trial).root
    with contextlib.suppress(OSError):
        (root / f".result.json.{machine()}-{trial.process.pid}.{uuid4().hex}").write_bytes(b"rubbish")
    send(trial.process.pid, signal.SIGKILL)
    return True


def _stop_worker(scene: Scene) -> bool:
    trial = scene.trial()
    if trial is None:
        return False
    send(trial.process.pid, signal.SIGSTOP)
    scene.later(1, 45, lambda: send(trial.process.pid, signal.SIGCONT))
    return True


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def _damage_checkpoint(change: Callable[[Path], None]) -> Fault:
    """Damages the last checkpoint of a cell or teacher whose worker is killed, so that it would be read next."""

    def damage(scene: Scene) -> bool:
        trial = scene.trial()
        if trial is None:
            return False
        record = scene.record(trial)
        points = checkpoints.points(record)
        if not points:
            return False
        send(trial.process.pid, signal.SIGKILL)
        place = scene.folder / record.root / f"attempts/{points[-1].attempt}/checkpoints/{points[-1].step}"
        files = sorted(file for file in place.rglob("*") if file.is_file() and file.stat().st_size)
        if not files:  # it has made room for the next one meanwhile
            return False
        change(scene.draw.choice(files))
        return True

    return damage


def _signal_command(number: signal.Signals) -> Fault:
    def send_to_command(scene: Scene) -> bool:
        if scene.command is None or scene.command.poll() is not None or scene.is_starting:
            return False
        scene.command.send_signal(number)
        return True

    return send_to_command


def _kill_server(scene: Scene) -> bool:
    if scene.server.process is None or not scene.trial():
        return False
    scene.server.kill()
    scene.later(1, 15, scene.server.launch)
    return True


def _disturb_requests(scene: Scene, mode: Mode) -> bool:
    if not scene.trial():
        return False
    scene.proxy.set(mode)
    scene.later(3, 30, lambda: scene.proxy.set("pass"))
    return True


def _delete_run(scene: Scene) -> bool:
    """A person deletes the run of a cell or of a teacher."""
    if not scene.server.answers():
        return False
    experiment = scene.client.get_experiment_by_name(scene.name)
    found = scene.client.search_runs([experiment.experiment_id], "tags.kind != 'sweep'") if experiment else []
    if found:
        scene.client.delete_run(scene.draw.choice(sorted(run.info.run_id for run in found)))
    return bool(found)


def _join(scene: Scene) -> bool:
    """Another command takes part, and is killed."""
    if scene.joined is not None or scene.is_starting or not scene.holders("driver"):
        return False
    scene.joined = scene.start("--join")
    scene.later(15, 60, scene.end_joined)
    return True


def _fill_disk(scene: Scene) -> bool:
    if not scene.disk.is_mounted or not scene.trial():
        return False
    scene.disk.fill()
    scene.later(1, 15, scene.disk.free)
    return True


FAULTS: dict[str, Fault] = {
    "worker killed": _kill_worker,
    "worker killed while it writes": _kill_worker_that_writes,
    "worker stopped for a while": _stop_worker,
    "checkpoint truncated": _damage_checkpoint(_truncate),
    "byte of a checkpoint flipped": _damage_checkpoint(_flip),
    "command killed": _signal_command(signal.SIGKILL),
    "command terminated": _signal_command(signal.SIGTERM),
    "command interrupted": _signal_command(signal.SIGINT),
    "command that has joined killed": _join,
    "MLflow killed": _kill_server,
    "MLflow fails each request": partial(_disturb_requests, mode="fail"),
    "MLflow never answers": partial(_disturb_requests, mode="hang"),
    "run deleted in MLflow": _delete_run,
    "disk full": _fill_disk,
}
