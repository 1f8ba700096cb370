"""Carries out a plan: opens tracking, computes teachers and cells, keeps students and writes the report.

Ray and torch are imported only if there is something to compute; a finished sweep needs neither.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from sweep import interrupts
from sweep.plan import states
from sweep.plan.checks import Checked
from sweep.plan.states import Plan
from sweep.records import environment, heartbeats, leases, log
from sweep.records.archive import Sweep
from sweep.records.drivers import Busy, Drivers
from sweep.records.environment import SweepEnvironment
from sweep.records.joined import joined
from sweep.records.records import Records, now
from sweep.records.storage import Storage
from sweep.reporting import Reporter
from sweep.search.studies import Studies
from sweep.search_run import SearchRun
from sweep.seed_rounds import Round, SeedRounds
from sweep.spec.command import Command
from sweep.spec.passwords import without_passwords, without_passwords_in
from sweep.spec.sweep import SweepConfig
from sweep.students import keep, published
from sweep.sweep_run import SweepRun
from sweep.tracking import experiment
from trainables import plugins
from trainables.wording import count

if TYPE_CHECKING:
    from sweep.making import Maker

logger = logging.getLogger(__name__)


def run(
    checked: Checked,
    plan: Plan,
    options: Command,
    arguments: Sequence[str],
    console: Console,
    studies: Studies | None = None,
    rounds: SeedRounds | None = None,
) -> int:
    """Carries out the plan, after its search and with its rounds of seeds; returns the exit status.

    Raises InputError only before anything has started.
    """
    drivers = drivers_of(checked.config, options, console)
    with interrupts.handled():
        try:
            drivers.settle()
            if drivers.has_waited:
                source = rounds or studies
                known = source.again(checked) if source else (checked, Plan.of(checked, Records(drivers.storage)))
                checked, plan = known
            search = SearchRun.of(checked.config, studies, console) if studies else None
            return _conduct(Conductor(checked, plan, options, _shown(arguments), console, drivers, search, rounds))
        except Busy as busy:
            console.print(Text(str(busy), "red"), soft_wrap=True)
            return 1
        except KeyboardInterrupt:
            console.print(Text("\nInterrupted before anything was started.", "bold"))
            return interrupts.STATUS


def drivers_of(config: SweepConfig, options: Command, console: Console) -> Drivers:
    """The drivers of the sweep, among them this command once it enters."""

    def say(text: str) -> None:
        console.print(Text(text), soft_wrap=True)

    address = without_passwords(config.tracking_address)
    return Drivers(Storage(config.storage_url), config.name, address, options.mode, say)


def _shown(arguments: Sequence[str]) -> str:
    return shlex.join(["python", "sweep/run.py", *map(without_passwords, arguments)])


def _conduct(conductor: Conductor) -> int:
    """Runs the sweep and ends in order where it is interrupted; returns the exit status."""
    try:
        return conductor.run()
    except KeyboardInterrupt:
        logger.warning("the sweep is interrupted")
        conductor.interrupted()
        message = "Interrupted. What is finished is kept. Run the same command again to continue."
        conductor.console.print(Text(f"\n{message}", "bold"))
        return interrupts.STATUS
    finally:
        conductor.at_end.close()
        conductor.drivers.leave(is_clean=conductor.is_clean)


@dataclass
class Conductor:
    """A sweep while it runs."""

    checked: Checked
    plan: Plan
    options: Command
    command: str
    console: Console
    drivers: Drivers
    search: SearchRun | None = None
    rounds: SeedRounds | None = None
    environment: SweepEnvironment = field(default_factory=environment.describe)
    at_end: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    """The contexts to leave when the sweep ends, for whatever reason."""
    maker: Maker | None = None
    """None as long as nothing is computed."""

    def __post_init__(self) -> None:
        self.config = self.checked.config
        self.storage = Storage(self.config.storage_url)
        self.records = Records(self.storage)
        self.sweep_run = SweepRun(self.config, self.plan, self.environment, self.storage, self.console)
        self._know_candidates()

    def run(self) -> int:
        """Computes what is missing and reports what is there; returns the exit status."""
        is_searching = bool(self.search and self.search.studies.open_candidates)
        is_finished = not is_searching and not self.plan.has_work(retry_failed=self.options.retry_failed)
        if is_finished or self.options.sync:
            start = "nothing to run" if is_finished else "nothing is computed"
            self.console.print(Text(f"{start}: {states.counts(self.plan)}"))
            self.drivers.enter()
            self._start_tracking()
        else:
            self._compute()
        if not self.drivers.is_last():
            return self._leave_to_others()
        self._clean()
        if self.search:
            self._drop_students(self.search)
        if not self.plan.settled:
            self._fail("No group has a chosen setting, so that there is no result to report.")
            return 1
        keep.students(self.config.keep, self.plan.settled, self.records, self.config.name)
        reporter = Reporter(self.checked, self.records, self.sweep_run, self.console)
        rows = reporter.report(joined(self._archive_entry(*self.sweep_run.fill_missing()), self.storage))
        is_done = self.plan.is_settled and reporter.is_exported and all(row.status == "done" for row in rows)
        return 0 if self.sweep_run.is_tracked and is_done else 1

    def _compute(self) -> None:
        """Runs the search, the grid and the rounds of seeds, each as far as the records lack it."""
        experiment.preload()
        from sweep.jobs import gpus, work
        from sweep.making import Maker

        work.check_families(self.plan.cells.values())
        self.at_end.enter_context(work.connected(self.config, self.plan.cells.values(), self.options.address))
        resources = gpus.check(self.config.resources, self.checked.largest())
        self.drivers.enter()
        self._start_tracking()
        if self.sweep_run.is_tracked and not published.is_loaded():
            self.sweep_run.publisher = published.Publisher()
            self.at_end.callback(self.sweep_run.publisher.close)
        self.maker = maker = Maker(self.sweep_run, resources, self.drivers, self.console)
        with self.sweep_run.system_metrics():
            if self.search:
                self._tune(self.search, maker)
            if self.rounds:
                self._begin(self.rounds.present())
            maker.make(self.checked, self.plan, retry_failed=self.options.retry_failed)
            if self.rounds:
                self._add_seeds(self.rounds, maker)

    def _fail(self, reason: str) -> None:
        self.console.print(Text(reason, "red"), soft_wrap=True)
        self.sweep_run.fill_missing()
        self.sweep_run.fail(reason)

    def _leave_to_others(self) -> int:
        """Leaves the report to the drivers that still run the sweep; returns the exit status."""
        self._clean()
        others = self.drivers.others()
        if others:  # else the last one has just written it
            self.console.print(Text(f"The report is left to {others[0].about}."), soft_wrap=True)
        is_done = all(self.records.cell(cell.fingerprint).result() for cell in self.plan.settled)
        if all(other.tracking != self.drivers.tracking for other in others):
            self.sweep_run.fill_missing()
            self.sweep_run.end(is_done=is_done)
        return 0 if self.sweep_run.is_tracked and is_done else 1

    @property
    def is_clean(self) -> bool:
        """Whether no driver and no worker is known that was killed and may have left something."""
        return not self.drivers.has_buried and (self.maker is None or self.maker.is_clean)

    def _clean(self) -> None:
        """Removes what drivers and workers that were killed have left."""
        if self.is_clean:
            return
        for record in self.plan.records(self.records):
            leases.clear(record, self.drivers.judge)
            self.storage.clean(record.root)
        self.storage.clean(f"sweeps/{self.config.name}")
        self.storage.clean(heartbeats.FOLDER)
        self.drivers.has_buried = False
        if self.maker:
            self.maker.is_clean = True

    def _tune(self, search: SearchRun, maker: Maker) -> None:
        """Carries out the rounds of the search, until every group has its setting or no round can end."""
        while candidates := search.studies.open_candidates:
            search.begin(candidates)
            maker.make(*search.studies.round(self.checked), retry_failed=self.options.retry_failed)
            has_ended = search.end()
            self._know_candidates()
            self._drop_students(search)
            self._archive()
            if not has_ended:
                break
        self.checked, self.plan = search.studies.plan(self.checked)
        self.sweep_run.plan = self.plan

    def _add_seeds(self, rounds: SeedRounds, maker: Maker) -> None:
        """Carries out one round of seeds after the other, until no question is open or a round has cells left."""
        while (next_round := rounds.present()).plan.cells.keys() != self.plan.cells.keys():
            self._begin(next_round)
            maker.make(self.checked, self.plan, retry_failed=False)
        if waiting := len(next_round.plan.cells_to_run(retry_failed=False)):
            text = f"seeds: {count(waiting, 'cell')} of the round did not end, so that no seeds are added"
            self.console.print(Text(text, "red"), soft_wrap=True)
        else:
            next_round.show(self.console)

    def _begin(self, seed_round: Round) -> None:
        self.checked, self.plan = seed_round.checked, seed_round.plan
        self.sweep_run.plan = self.plan
        seed_round.show(self.console)
        self._archive()

    def _know_candidates(self) -> None:
        """Lets MLflow know the cells of the search as candidates."""
        if self.search:
            candidates = self.search.studies.candidates
            self.sweep_run.candidates = {candidate.cell.fingerprint: candidate for candidate in candidates}

    def _drop_students(self, search: SearchRun) -> None:
        """Deletes the students of candidates, of which only the scores are needed."""
        candidates = [candidate.cell for candidate in search.studies.candidates]
        keep.students("none", candidates, self.records, self.config.name)

    def interrupted(self) -> None:
        """Ends the workers first, so that none writes to a run that is ended after them."""
        self.at_end.close()
        try:
            running, goes_on = self.drivers.running(), bool(self.drivers.others())
        except OSError:  # the storage does not answer
            running, goes_on = set[str](), False
        self.sweep_run.interrupt(running, goes_on=goes_on)

    def _start_tracking(self) -> None:
        """Opens the run of the sweep and its experiment before any cell starts, and archives the sweep."""
        self.checked.revisions.keep()
        artifacts = {
            "config.json": json.dumps(without_passwords_in(self.config.model_dump(mode="json")), indent=2),
            "environment.json": self.environment.model_dump_json(indent=2),
            "plan.json": json.dumps(
                {key: cell.config.model_dump(mode="json") for key, cell in self.plan.cells.items()}, indent=2
            ),
        }
        self.sweep_run.open(artifacts, self.drivers.running())
        self._archive()
        if self.search:
            if self.drivers.others():
                self.search.published = None  # the one that was there first writes the studies
            self.search.write()
        self.at_end.enter_context(log.stored(self.storage, f"sweeps/{self.config.name}/logs/{log.start_name()}"))
        logger.info("the command is: %s", self.command)
        self.sweep_run.log_start(self.environment.host)

    def _archive(self) -> None:
        """Stores what the sweep is, before any of its cells begins."""
        joined(self._archive_entry(*self.sweep_run.ended_runs()), self.storage).store(self.storage)

    def _archive_entry(self, experiment_id: str, runs: dict[str, str]) -> Sweep:
        """The archived description of the sweep, from which its results can be read together with the records."""
        return Sweep(
            name=self.config.name,
            command=self.command,
            time=now(),
            environment=self.environment,
            cells=tuple(self.plan.settled),
            tracking_uri=without_passwords(self.config.tracking_address),
            experiment_id=experiment_id,
            keep=self.config.keep,
            verdict=self.config.verdict,
            runs=runs,
            plugins=plugins.active(),
            searched=self.sweep_run.searched,
            shared=self.search.shared() if self.search else (),
            studies=self.search.archived() if self.search else (),
        )
