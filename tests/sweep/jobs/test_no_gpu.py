"""A host without a GPU: what asks for one is refused at once, what names one stays on the CPU."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sweep.commands import command
from tests.sweep.tiny import base


def test_more_gpus_than_this_machine_has_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "tiny.yaml"
    config.write_text(json.dumps({"name": "tiny", "base": base("bert")}))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # none for the command, whatever the host has
    done = command(str(config), "resources.gpus=1", storage=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    said = r"resources\.gpus: got 1; no node has more than 0 \(the cluster has 1 node: \d+ CPUs and 0 GPUs\)\n"
    assert re.fullmatch(said, done.stderr)
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == [config]


def test_without_cuda_torch_stays_on_the_cpu() -> None:
    code = (
        "import torch; from trainables import device; found = device.start_clean(1, 0); "
        "layer = device.place(torch.nn.Linear(2, 2), found); "
        "batch = device.move({'x': torch.ones(1, 2)}, found); "
        "print(found, layer(batch['x']).device, torch.are_deterministic_algorithms_enabled())"
    )
    # Ray names a device to a trial wherever a node has logical GPUs; no host has one of this number.
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "99"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.stdout == "cpu cpu False\n", done.stderr
