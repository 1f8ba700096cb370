"""The command line: `run.py [CONFIG.yaml] [key.path=value …] [flags]`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from sweep.spec.fields import nearest
from sweep.spec.messages import quote
from trainables.errors import InputError, Problem

_OVERRIDE = re.compile(r"[\w.-]+=")
PROGRAM = "python sweep/run.py"
Mode = Literal["alone", "wait", "join"]
"""What a driver does where another one runs the sweep: it leaves, waits for its end, or takes part."""
WORDS = "CONFIG.yaml | key.path=value | profile=NAME"
_DESCRIPTION = "Runs the missing cells of a sweep. Without a config it runs the demo."


@dataclass(frozen=True)
class Command:
    """A parsed command line; `config` is None for the demo."""

    config: Path | None
    overrides: tuple[str, ...]
    plan: bool
    address: str | None
    retry_failed: bool
    remake_students: bool
    watch: bool
    forget: str | None
    is_sure: bool
    sync: bool
    wait: bool
    join: bool
    example: bool
    schema: bool
    verbose: bool

    @property
    def mode(self) -> Mode:
        """What to do where another command runs the sweep."""
        return "wait" if self.wait else "join" if self.join else "alone"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        flag, _, reason = message.removeprefix("argument ").partition(": ")
        raise InputError([Problem(flag, reason) if reason else Problem("", message)])


def parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """The parser of the command's words and flags."""
    usage = f"{program} [CONFIG.yaml] [key.path=value ...] [flags]"
    flags = _Parser(program, usage=usage, description=_DESCRIPTION, allow_abbrev=False)
    flags.add_argument("words", nargs="*", metavar=WORDS, help="a config file, overrides and a profile")
    flags.add_argument("--plan", action="store_true", help="show what would run and start nothing")
    flags.add_argument("--address", metavar="RAY", help="the Ray cluster; default: RAY_ADDRESS, else a local one")
    flags.add_argument("--retry-failed", action="store_true", help="also rerun the failed cells")
    flags.add_argument("--remake-students", action="store_true", help="also retrain kept students that are gone")
    flags.add_argument("--watch", action="store_true", help="show the state of a sweep that runs elsewhere, to its end")
    flags.add_argument(
        "--forget", metavar="CELL", help="delete the record and the runs of a cell, by the start of its fingerprint"
    )
    flags.add_argument("--yes", action="store_true", help="forget without a question")
    flags.add_argument("--sync", action="store_true", help="compute nothing: bring MLflow and the report up to date")
    at_once = flags.add_mutually_exclusive_group()
    at_once.add_argument("--wait", action="store_true", help="wait for another command that runs the sweep")
    at_once.add_argument("--join", action="store_true", help="take part in a sweep that another command runs")
    flags.add_argument("--example", action="store_true", help="print a commented config to start from")
    flags.add_argument("--schema", action="store_true", help="print the config's JSON schema, for editors")
    flags.add_argument("--verbose", action="store_true", help="show what the command does and where the workers log")
    return flags


def parse(arguments: Sequence[str]) -> Command:
    """Parses the arguments. Raises InputError with every problem; --help prints and exits."""
    flags = parser()
    options, unknown_words = flags.parse_known_intermixed_args(arguments)
    problems = [Problem(word.partition("=")[0], _unknown(word, flags)) for word in unknown_words]
    overrides = [word for word in options.words if _OVERRIDE.match(word)]
    configs = [word for word in options.words if not _OVERRIDE.match(word)]
    if len(configs) > 1:
        problems.append(
            Problem("config", f"got {', '.join(map(quote, configs))}; give one config, and overrides as key.path=value")
        )
    if problems:
        raise InputError(problems)
    return Command(
        config=Path(configs[0]) if configs else None,
        overrides=tuple(overrides),
        plan=options.plan,
        address=options.address,
        retry_failed=options.retry_failed,
        remake_students=options.remake_students,
        watch=options.watch,
        forget=options.forget,
        is_sure=options.yes,
        sync=options.sync,
        wait=options.wait,
        join=options.join,
        example=options.example,
        schema=options.schema,
        verbose=options.verbose,
    )


def _unknown(word: str, parser: argparse.ArgumentParser) -> str:
    flags = sorted(flag for action in parser._actions for flag in action.option_strings if flag.startswith("--"))
    near = nearest(word.partition("=")[0], flags)
    known = ", ".join(flags)
    return f"got an unknown flag; did you mean {near}?" if near else f"got an unknown flag; expected one of {known}"
