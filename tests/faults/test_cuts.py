"""Processes that are killed at random moments: what the last of them makes is what one process makes.

The other families are killed by hand: python -m tests.faults.cuts
"""

from __future__ import annotations

import random
from pathlib import Path

from tests.faults.cuts import Cuts


def test_a_teacher_and_cells_that_are_killed_end_as_in_one_piece(tmp_path: Path) -> None:
    cuts = Cuts("bert", random.Random(0), tmp_path)
    cuts.run(4)
    assert cuts.num_cuts == 4
    assert max(cuts.longest) > 1
