"""The plan as a table."""

from __future__ import annotations

import io

from rich.console import Console

from sweep.grid.variation import cell_labels
from sweep.plan.states import Plan, show
from tests.sweep.tracked import make_cell


def test_the_axes_of_a_cell_are_not_cut_off_on_a_narrow_terminal() -> None:
    cells = {
        str(rate): make_cell(str(rate), model={"name": "a-model-with-a-long-name"}, train={"learning_rate": rate})
        for rate in (2e-4, 1e-3)
    }
    labels = cell_labels({key: cell.config for key, cell in cells.items()})
    file = io.StringIO()
    show(Plan(cells, {}, labels, dict.fromkeys(cells, "missing"), {}, {}), Console(file=file, width=60), {})
    shown = file.getvalue()
    assert max(map(len, shown.splitlines())) <= 60
    assert "…" not in shown
    assert "lr=2e-4" in shown
    assert "lr=1e-3" in shown
