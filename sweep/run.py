"""The command: it parses, plans, runs and reports a sweep.

    python sweep/run.py [CONFIG.yaml] [key.path=value …] [--plan] [--address RAY] [--retry-failed]
        [--remake-students] [--wait | --join] [--watch] [--forget CELL [--yes]] [--verbose]

The exit status is 0 if every cell finished, 1 if a cell failed or could not be tracked, 2 if the config or the call is
invalid, 130 if the command was interrupted (the same command then continues), and 141 if the reader of `--example` or
`--schema` closed the pipe.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if __name__ == "__main__":
    # Python puts a script's own folder first, where `plan` or `report` could shadow a module that a package imports.
    sys.path[0] = str(Path(__file__).absolute().parents[1])

from rich.console import Console
from rich.text import Text

from sweep import interrupts
from trainables.errors import InputError

if TYPE_CHECKING:
    from sweep.plan.checks import Checked
    from sweep.plan.states import Plan
    from sweep.records.records import Records
    from sweep.search.studies import Studies
    from sweep.seed_rounds import Round
    from sweep.spec.command import Command

CLOSED_PIPE = 128 + signal.SIGPIPE
"""The status that a shell gives a command that SIGPIPE has ended."""

logger = logging.getLogger("sweep.run")  # __name__ would be __main__ in a script


def main(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    from sweep.records import log
    from sweep.spec import command, schema, sources

    console = Console()
    try:
        options = command.parse(arguments)
        if options.example:
            return _print(sources.EXAMPLE.read_text())
        if options.schema:
            return _print(json.dumps(schema.schema(), indent=2) + "\n")
        with log.attached(log.Terminal(console) if options.verbose else logging.NullHandler()):
            return _plan_and_run(options, arguments, console)
    except InputError as error:
        print("\n".join(map(str, error.problems)), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted before anything was started.", file=sys.stderr)
        return interrupts.STATUS


def _print(text: str) -> int:
    """Prints a text; returns the exit status, also where a reader such as `head` has closed the pipe."""
    try:
        print(text, end="", flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more when it ends
        return CLOSED_PIPE
    return 0


def _plan_and_run(options: Command, arguments: Sequence[str], console: Console) -> int:
    """Shows the plan or carries it out; returns the exit status. Raises InputError."""
    from sweep.plan import checks, cuts, states, watch
    from sweep.records.records import Records
    from sweep.records.storage import Storage
    from sweep.students import lost

    if options.forget is not None:
        return _forget(options, options.forget)
    checked = checks.prepare(options.config, options.overrides, look_up=not (options.plan or options.watch))
    records = Records(Storage(checked.config.storage_url))
    studies = rounds = seed_round = None
    if search := checked.config.search:
        from sweep.search.studies import Studies  # with Optuna

        studies = Studies.of(search, checked.cells, records)
    if checked.config.verdict.seeds:
        from sweep.seed_rounds import SeedRounds  # with pandas and scipy

        rounds = SeedRounds(checked, records, studies)
        seed_round = rounds.present()
        checked, plan = seed_round.checked, seed_round.plan
    elif studies:
        checked, plan = studies.plan(checked)
    else:
        plan = states.Plan.of(checked, records)
    logger.info("the plan of %s is: %s", checked.config.name, states.counts(plan))
    if options.watch:
        source = rounds or studies
        again = (lambda: source.again(checked)[1]) if source else (lambda: states.Plan.of(checked, records))
        return watch.Watch(checked.config.name, again, records, console).run()
    cuts.show(checked, console)
    if options.plan:
        _show(checked, plan, records, console, [each for each in (studies, seed_round) if each])
        return 0
    if options.remake_students:
        lost.forget(lost.fingerprints(checked.config, plan, records), records)
        plan = rounds.present().plan if rounds else None
        plan = plan or (studies.plan(checked)[1] if studies else states.Plan.of(checked, records))
    # Ray, MLflow and torch take seconds to import, and neither a plan nor an error needs them.
    from sweep import conduct

    status = conduct.run(checked, plan, options, arguments, console, studies, rounds)
    lost.show(lost.fingerprints(checked.config, plan, records), checked.config, plan, console, ask=True)
    return status


def _forget(options: Command, beginning: str) -> int:
    """Forgets a cell of the config's storage; returns the exit status. Raises InputError."""
    from sweep.records.records import Records
    from sweep.records.storage import Storage
    from sweep.spec.sweep import load
    from sweep.tracking.experiment import TrackingError
    from sweep.tracking.forget import forget
    from sweep.tracking.tracking import Tracking

    config = load(options.config, options.overrides)
    tracking = Tracking(config.tracking_url, config.name)
    try:
        forget(beginning, Records(Storage(config.storage_url)), tracking, is_sure=options.is_sure)
    except TrackingError as error:
        print(f"Nothing is deleted: MLflow does not delete the runs: {error}", file=sys.stderr)
        return 1
    return 0


def _show(checked: Checked, plan: Plan, records: Records, console: Console, sources: Iterable[Studies | Round]) -> None:
    """Shows the plan, where its cells come from beside the grid, and what they cost."""
    from sweep.plan import cohorts, costs, metrics, minutes, reasons, states
    from sweep.students import lost

    states.show(plan, console, reasons.reasons(plan, records, checked.config.name))
    metrics.show(checked, plan, records, console)
    for line in (line for source in sources for line in source.describe()):
        console.print(Text(line), soft_wrap=True)
    costs.show(checked, plan, console)
    cohorts.show(checked, plan, console)
    if not checked.config.resources.gpus and (duration := minutes.estimate(checked, plan)):
        console.print(Text(duration), soft_wrap=True)
    lost.show(lost.fingerprints(checked.config, plan, records), checked.config, plan, console, ask=False)


def script() -> NoReturn:
    """Runs the command and ends the process with its exit status."""
    interrupts.listen()
    status = main(sys.argv[1:])
    interrupts.listen(interrupts.at_once)
    gc.freeze()  # otherwise the last garbage collection takes 2 s for the objects of Ray and MLflow
    sys.exit(status)


if __name__ == "__main__":
    script()
