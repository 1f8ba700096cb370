"""The console script `distillation-sweep`: the command of `run.py` and additional verbs.

    distillation-sweep [CONFIG.yaml] [key.path=value …] [flags]
    distillation-sweep VERB …

A new verb is a module with `parser` and `main`, and one entry in `VERBS`. A verb's module
is imported only when needed, because importing MLflow takes seconds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NoReturn, Protocol, cast

from sweep import run
from sweep.spec import command

PROGRAM = "distillation-sweep"


class Verb(Protocol):
    """The contents of a verb's module."""

    parser: Callable[[], argparse.ArgumentParser]
    main: Callable[[Sequence[str]], int]


VERBS = {
    "list": "sweep.verbs.list",
    "show": "sweep.verbs.show",
    "delete": "sweep.verbs.delete",
    "prune": "sweep.verbs.prune",
    "predict": "sweep.verbs.predict",
    "report": "sweep.report.__main__",
    "ui": "sweep.ui",
    "dashboard": "sweep.verbs.dashboard",
}
"""Verb -> name of its module."""


def verb(name: str) -> Verb:
    """The module of a verb."""
    return cast(Verb, import_module(VERBS[name]))


def overview() -> str:
    """The help on verbs, one line each."""
    lines = [f"  {name:9} {verb(name).parser().description}" for name in VERBS]
    return "\n".join([f"verbs (see {PROGRAM} VERB --help):", *lines])


def main() -> NoReturn:
    """Runs the command or a verb and ends the process with its exit status."""
    words = sys.argv[1:]
    if words and words[0] in VERBS:
        sys.exit(verb(words[0]).main(words[1:]))
    if words and words[0] in ("-h", "--help"):
        print(command.parser(PROGRAM).format_help(), overview(), sep="\n")
        sys.exit()
    run.script()
