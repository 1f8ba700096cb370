"""The command: parse, plan, run, report.

    python sweep/run.py [CONFIG.yaml] [key.path=value …] [--plan] [--address RAY] [--retry-failed]
        [--verbose]

Exit status: 0 every cell finished; 1 some cell failed or could not be tracked; 2 the config or the call is
wrong; 130 interrupted, continues when run again.
"""

from __future__ import annotations

import gc
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if __name__ == "__main__":
    # A script's own folder comes first: its `plan` or `report` would shadow a module that somebody else imports.
    sys.path[0] = str(Path(__file__).absolute().parents[1])

from rich.console import Console

from sweep import interrupts
from trainables.errors import InputError

if TYPE_CHECKING:
    from sweep.spec.command import Command

logger = logging.getLogger("sweep.run")  # as a script its name is __main__


def main(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    from sweep.records import log
    from sweep.spec import command, schema, sources

    console = Console()
    try:
        asked = command.parse(arguments)
        if asked.example:
            print(sources.EXAMPLE.read_text(), end="")
            return 0
        if asked.schema:
            print(json.dumps(schema.schema(), indent=2))
            return 0
        with log.attached(log.Terminal(console) if asked.verbose else logging.NullHandler()):
            return _plan_and_run(asked, arguments, console)
    except InputError as error:
        print("\n".join(map(str, error.problems)), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted before anything was started.", file=sys.stderr)
        return interrupts.STATUS


def _plan_and_run(asked: Command, arguments: Sequence[str], console: Console) -> int:
    """Shows what the command would do, or does it; returns its exit status. Raises InputError."""
    from sweep.plan import checks, costs, states
    from sweep.records.records import Records
    from sweep.records.storage import Storage

    checked = checks.prepare(asked.config, asked.overrides, look_up=not asked.plan)
    planned = states.Plan.of(checked, Records(Storage(checked.config.storage_url)))
    logger.info("the plan of %s is: %s", checked.config.name, states.counts(planned))
    if asked.plan:
        states.show(planned, console)
        costs.show(checked, planned, console)
        return 0
    # Ray, MLflow and torch take seconds to load, which a plan and an error do without.
    from sweep import conduct

    return conduct.run(checked, planned, asked, arguments, console)


def script() -> NoReturn:
    """Runs the command as a process of its own."""
    interrupts.listen()
    status = main(sys.argv[1:])
    interrupts.listen(interrupts.at_once)
    gc.freeze()  # Python would search all that Ray and MLflow have loaded for garbage, which takes 2 s
    sys.exit(status)


if __name__ == "__main__":
    script()
