"""A short storm of one sweep: what it leaves is what an undisturbed sweep leaves. A longer one is `make storm`."""

from __future__ import annotations

from pathlib import Path

from tests.faults.storm import Storm


def test_a_sweep_under_faults_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    storm = Storm(tmp_path, 0, ("bert", "t5"), ("none", "forward"), is_own_disk=False)
    storm.run(60)
    assert storm.num_sweeps > 0
    assert storm.faults.total() > 0
