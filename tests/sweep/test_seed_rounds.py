"""A sweep that adds seeds in rounds, as far as it goes without Ray: its cells end with scores made here."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from rich.console import Console

from sweep import conduct, making
from sweep.grid.cells import Cell
from sweep.plan import checks
from sweep.plan.checks import Checked
from sweep.plan.states import Plan
from sweep.records.archive import Sweep
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.report import results, summary
from sweep.report.evidence import gather
from sweep.run import main
from sweep.search.studies import Studies
from sweep.seed_rounds import SeedRounds
from sweep.spec import command
from tests.sweep.own_data import BASE, write_all
from tests.sweep.tracked import begin, finish_teacher, make_result, make_rows

SEEDS = {"first": 3, "most": 5}
STRATEGIES = ["none", "forward", "reverse"]
INITS = ["random", "teacher"]
SEARCH = {
    "fields": {"train.learning_rate": {"low": 1e-5, "high": 1e-3, "log": True}},
    "candidates": 2,
    "at_once": 2,
}
Score = Callable[[Cell], float | None]


def score(cell: Cell) -> float:
    """From the teacher's weights the two questions are plain at once; from a random start the strategies are noisy."""
    config = cell.config
    draws = np.random.default_rng([config.seed, *map(ord, config.strategy.kind + config.init)])
    noise = 0.03 if config.init == "random" and config.strategy.kind == "reverse" else 0.0005
    gain = 0.0 if config.strategy.kind == "none" else 0.3
    return 0.4 + gain + float(draws.normal(0, noise))


class Rounds:
    """A sweep in a folder, and what its trials would leave there."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, database: Path, **fields: Any) -> None:
        monkeypatch.setattr("sweep.jobs.work.connected", lambda *_: nullcontext())
        monkeypatch.setattr(making.Maker, "make", self.make)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
        monkeypatch.setenv("SWEEP_STORAGE", str(folder / "runs"))
        folder.mkdir(exist_ok=True)
        self.name = f"own-{uuid4().hex}"
        self.folder = folder / "runs" / "sweeps" / self.name
        given = {"axes": {"strategy": STRATEGIES}, "verdict": {"margin": 0.02, "seeds": SEEDS}, **fields}
        base = {**BASE, "init": "random"}
        self.path = write_all(folder, **{"name": self.name, "base": base, **given})
        self.records = Records(Storage(str(folder / "runs")))
        self.calls: list[list[tuple[str, str, int]]] = []
        """The cells of each call of the trials."""
        self.limit = 1000
        """The cells that end before the sweep is cut off."""
        self.score: Score = score

    def make(self, _: Checked, plan: Plan, *, retry_failed: bool) -> None:
        if not plan.has_work(retry_failed=retry_failed):
            return
        for cell in plan.teacher_cells_to_make(retry_failed=retry_failed):
            finish_teacher(self.records.teacher(cell.teacher_hash), {"best/accuracy": 0.9, "test/accuracy": 0.9})
        cells = plan.cells_to_run(retry_failed=retry_failed)
        self.calls.append([(c.config.init, c.config.strategy.kind, c.config.seed) for c in cells])
        for cell in cells:
            if self.limit == 0:
                raise KeyboardInterrupt
            self.limit -= 1
            attempt = begin(self.records.cell(cell.fingerprint))
            attempt.journal.write(make_rows(1, 2))
            value = self.score(cell)
            if value is None:
                attempt.fail("loss nan", "a message", by_itself=True)
            else:
                attempt.commit(make_result(attempt, metrics={"best/accuracy": value, "test/accuracy": value}))

    def run(self, *arguments: str) -> tuple[int, str]:
        """The exit status, and what the command says."""
        console, checked = Console(file=io.StringIO(), width=200), checks.prepare(self.path)
        search = checked.config.search
        studies = Studies.of(search, checked.cells, self.records) if search else None
        rounds = SeedRounds(checked, self.records, studies)
        first, words = rounds.present(), [str(self.path), *arguments]
        options = command.parse(words)
        status = conduct.run(first.checked, first.plan, options, words, console, studies, rounds)
        assert isinstance(console.file, io.StringIO)
        return status, console.file.getvalue()

    def seeds(self) -> dict[tuple[str, str], list[int]]:
        """Init and strategy -> the seeds that have ended."""
        sweep = Sweep.read(self.records.storage, f"sweeps/{self.name}/sweep.json")
        assert sweep is not None
        ended: dict[tuple[str, str], list[int]] = {}
        for cell in sweep.cells:
            if self.records.cell(cell.fingerprint).state() != "missing":
                ended.setdefault((cell.config.init, cell.config.strategy.kind), []).append(cell.config.seed)
        return ended


@pytest.fixture
def rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Path) -> Rounds:
    return Rounds(tmp_path, monkeypatch, database)


def verdict_lines(rounds: Rounds) -> list[str]:
    page = (rounds.folder / "report.html").read_text()
    return [line for line in page.splitlines() if "It is decided after" in line or "It is undecided after" in line]


def test_seeds_are_added_to_all_strategies_of_what_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Path
) -> None:
    """From a random start the strategies stay open, so that all comparisons together do; these need every comparison.
    From the teacher's weights all is plain at once."""
    axes = {"init": INITS, "strategy": STRATEGIES}
    rounds = Rounds(tmp_path, monkeypatch, database, axes=axes, base=BASE)
    status, said = rounds.run()
    assert status == 0
    seeds = rounds.seeds()
    assert [seeds["random", strategy] for strategy in STRATEGIES] == [[0, 1, 2, 3, 4]] * 3
    assert [seeds["teacher", strategy] for strategy in STRATEGIES] == [[0, 1, 2, 3, 4]] * 3
    assert [{seed for *_, seed in call} for call in rounds.calls] == [{0, 1, 2}, {3}, {4}]
    assert "  all comparisons together: whether the strategy matters is open after 4 seeds of at most 5" in said
    assert "seeds: round 2 of at most 3: " in said
    assert "  own on words, random start: whether the strategy matters is open after 3 seeds of at most 5" in said
    assert any("It is undecided after the most, 5 seeds." in line for line in verdict_lines(rounds))
    assert any("It is decided after 3 seeds." in line for line in verdict_lines(rounds))


def test_what_is_decided_gets_no_more_seeds(rounds: Rounds) -> None:
    rounds.score = lambda cell: score(Cell(cell.config.model_copy(update={"init": "teacher"}), "", "", ""))
    status, said = rounds.run()
    assert status == 0
    assert rounds.seeds() == {("random", strategy): [0, 1, 2] for strategy in STRATEGIES}
    assert said.count("seeds: no round is left; 2 questions, each of them decided") == 1
    again = rounds.run()
    assert again[0] == 0
    assert again[1].splitlines()[0] == "nothing to run: teachers: 1 done; cells: 9 done"
    assert len(rounds.calls) == 1


def test_a_sweep_that_is_cut_off_ends_in_the_same_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Path
) -> None:
    ends: list[tuple[Any, list[str]]] = []
    for name, limits in (("calm", [1000]), ("cut", [5, 5, 1000])):
        rounds = Rounds(tmp_path / name, monkeypatch, database)
        for limit in limits:
            rounds.limit = limit
            assert rounds.run()[0] == (0 if limit == 1000 else 130)
        ends.append((rounds.seeds(), verdict_lines(rounds)))
        fingerprints = rounds.records.storage.list("cells")
        assert [rounds.records.cell(each).attempts() for each in fingerprints] == [[1]] * 15
    assert ends[0] == ends[1]


def test_a_cell_that_failed_by_itself_holds_no_round_up(rounds: Rounds) -> None:
    rounds.score = lambda cell: None if (cell.config.strategy.kind, cell.config.seed) == ("reverse", 1) else score(cell)
    status, said = rounds.run()
    assert status == 1
    assert "have not ended" not in said
    assert rounds.seeds()["random", "forward"] == [0, 1, 2, 3, 4]


def test_a_round_with_cells_that_have_not_ended_is_the_last_one(
    rounds: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making.Maker, "make", lambda *_, **__: None)
    status, said = rounds.run()
    assert status == 1
    assert "seeds: 9 cells of the round did not end, so that no seeds are added" in said


def test_the_chosen_settings_of_a_search_run_with_the_seeds_of_the_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Path
) -> None:
    rounds = Rounds(tmp_path, monkeypatch, database, search=SEARCH)
    status, said = rounds.run()
    assert status == 0
    assert [{seed for *_, seed in call} for call in rounds.calls] == [{1000}, {0, 1, 2}, {3}, {4}]
    assert said.index("search: round 1 of 1") < said.index("seeds: round 1 of at most 3")


def test_a_plan_says_what_is_open_and_what_the_next_round_has(
    rounds: Rounds, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main([str(rounds.path), "--plan"]) == 0
    shown = capsys.readouterr().out
    assert "cells: 9 to do" in shown
    assert (
        "seeds: round 1 of at most 3: every question is open; it has 9 cells to do, and all rounds have at most 15"
    ) in shown
    rounds.limit = 9
    assert rounds.run()[0] == 130
    assert main([str(rounds.path), "--plan"]) == 0
    shown = capsys.readouterr().out
    assert (
        "seeds: round 2 of at most 3: 1 of 2 questions is open; it has 3 cells to do, and all rounds have at most 15\n"
        "  own on words, random start: whether the strategy matters is open after 3 seeds of at most 5\n"
    ) in shown


def test_the_rounds_end_with_the_verdict_of_the_report(rounds: Rounds) -> None:
    """Also beside baselines, which no question asks about: as a strategy, labels alone would decide both at once."""
    text = rounds.path.read_text()
    rounds.path.write_text(f"{text}baselines: [labels_only]\n")
    checked = checks.prepare(rounds.path)
    assert [cell.baseline for cell in checked.cells].count("labels_only") == 5
    for cell in checked.cells[:1]:
        finish_teacher(rounds.records.teacher(cell.teacher_hash), {"best/accuracy": 0.9, "test/accuracy": 0.9})
    present = SeedRounds(checked, rounds.records).present
    while cells := present().plan.cells_to_run(retry_failed=False):
        for cell in cells:
            value = 0.1 * cell.config.seed if cell.baseline else score(cell)
            attempt = begin(rounds.records.cell(cell.fingerprint))
            attempt.commit(make_result(attempt, metrics={"best/accuracy": value, "test/accuracy": value}))
    now = present()
    sections = summary.sections(results.rows(rounds.records, now.plan.settled))
    told = gather(sections, checked.config.verdict, rounds.records).verdict
    assert [(each.verdict, each.look) for each in told.blocks] == [
        (each.verdict, each.look) for each in now.verdict.blocks
    ]
    assert [each.table.strategies for each in now.verdict.blocks] == [tuple(STRATEGIES)] * 2
    assert {cell.config.seed for cell in now.plan.settled} == {0, 1, 2, 3, 4}
