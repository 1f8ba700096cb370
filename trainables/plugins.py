"""User-defined strategies, distances, losses, families, generated tasks and metrics, in files that a config names
under `plugins`.

A file adds extensions with `register`. Its identity is its text, which is part of the fingerprint of the cells that use
it and travels with them, so that workers on other nodes need no file. It is run once per process.
"""

from __future__ import annotations

import hashlib
import linecache
import pickle
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from trainables.config import TrialConfig
from trainables.distances import DISTANCES, Distance
from trainables.errors import InputError, Problem
from trainables.families import FAMILIES, Family
from trainables.own_losses import OWN_LOSSES, OwnLoss
from trainables.own_metrics import METRICS, Metric, of_kind
from trainables.strategies import STRATEGIES, Strategy
from trainables.tasks.generators import BUILT_IN, GENERATORS, Generator
from trainables.tasks.kinds import KINDS

Extension = type[Strategy] | type[Distance] | type[OwnLoss] | Family | Generator | Metric
"""What a plug-in may add."""

_CLASSES: dict[type[Any], tuple[str, dict[str, Any]]] = {
    Strategy: ("strategy", STRATEGIES),
    Distance: ("distance", DISTANCES),
    OwnLoss: ("loss", OWN_LOSSES),
}
"""Base class of an extension -> its sort and its table."""

E_co = TypeVar("E_co", bound=Extension)
T = TypeVar("T")


@dataclass(frozen=True)
class Plugin:
    """One file, by its name and text."""

    name: str
    """The file's name, for messages and tracebacks."""
    source: str

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.source.encode()).hexdigest()

    @property
    def filename(self) -> str:
        """The file's name in tracebacks."""
        return f"<plug-in {self.name}>"


@dataclass
class _Process:
    """The plug-ins of this process."""

    active: tuple[Plugin, ...] = ()
    owners: dict[tuple[str, str], Plugin] = field(default_factory=dict[tuple[str, str], Plugin])
    """(sort, name) of each active extension -> its plug-in."""
    extensions: dict[str, list[Extension]] = field(default_factory=dict[str, list[Extension]])
    """Hash of a plug-in that was run, active or not -> its extensions."""
    registering: list[Extension] | None = None
    """The extensions so far of the plug-in that is now run."""


_PROCESS = _Process()


def register(extension: E_co) -> E_co:
    """Adds a class of strategies, distances or losses, a family, a generator or a metric; also as a class decorator.

    Raises TypeError for anything else. It adds nothing where the file is not run as a plug-in.
    """
    _place(extension)
    if _PROCESS.registering is not None:
        _PROCESS.registering.append(extension)
    return extension


def activate(plugins: Sequence[Plugin]) -> None:
    """Makes these plug-ins the active ones: their extensions, and no others, join the built-in ones.

    Raises InputError, with paths such as `plugins[0]`; then none is active.
    """
    if tuple(plugins) == _PROCESS.active:
        return
    _deactivate()
    problems: list[Problem] = []
    for index, plugin in enumerate(plugins):
        try:
            _add(plugin)
        except InputError as error:
            problems += [Problem(f"plugins[{index}]", message) for _, message in error.problems]
    if problems:
        _deactivate()
        raise InputError(problems)
    _PROCESS.active = tuple(plugins)


def activate_files(paths: Sequence[str]) -> None:
    """Reads plug-ins from their files and activates them. Raises InputError with every problem."""
    plugins: list[Plugin] = []
    problems: list[Problem] = []
    for index, path in enumerate(paths):
        try:
            plugins.append(Plugin(Path(path).name, Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            reason = f"it cannot be read: {error.strerror}" if isinstance(error, OSError) else "it is no text in UTF-8"
            problems.append(Problem(f"plugins[{index}]", f"got {path!r}; {reason}"))
    if problems:
        activate(())
        raise InputError(problems)
    activate(plugins)


def active() -> tuple[Plugin, ...]:
    """The active plug-ins of this process."""
    return _PROCESS.active


def used_by(trial: TrialConfig) -> dict[str, list[str]]:
    """Sort of extension -> hashes of the plug-ins from which a trial takes it; empty where all is built in.

    Generators are left out: the hash of a trial's data covers what they generate. So are metrics other than the one
    that chooses the best model, because they move nothing else and can be measured on a finished model.
    """
    metrics = [metric.name for metric in of_kind(trial.task.kind) if trial.task.metric in metric.names]
    keys = {
        "distance": [trial.losses.distance.kind],
        "family": [trial.model.family],
        "loss": [trial.losses.own.kind] if trial.losses.own else [],
        "metric": metrics,
        "strategy": [trial.strategy.kind],
    }
    hashes_of = {
        sort: sorted({_PROCESS.owners[sort, name].hash for name in names if (sort, name) in _PROCESS.owners})
        for sort, names in keys.items()
    }
    return {sort: hashes for sort, hashes in hashes_of.items() if hashes}


def metric_sources(kind: str) -> dict[str, str]:
    """Name of each value that a plug-in's metric gives for a task kind -> the hash of the plug-in."""
    owners = [(metric, _PROCESS.owners.get(("metric", metric.name))) for metric in of_kind(kind)]
    return {name: owner.hash for metric, owner in owners if owner for name in metric.names}


def is_own(family: str) -> bool:
    """Whether a family comes from a plug-in."""
    return ("family", family) in _PROCESS.owners


class Carried(Generic[T]):
    """Carries a value to another process, which activates the plug-ins before it unpickles the value."""

    def __init__(self, value: T) -> None:
        self.value = value

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _unpickle, (active(), pickle.dumps(self.value))


def _unpickle(plugins: tuple[Plugin, ...], content: bytes) -> Any:
    activate(plugins)
    return pickle.loads(content)


def _place(extension: object) -> tuple[str, dict[str, Any], str]:
    """The sort of an extension, its table, and its name there."""
    if isinstance(extension, Family):
        return "family", FAMILIES, extension.name
    if isinstance(extension, Generator):
        return "generator", GENERATORS, extension.name
    if isinstance(extension, Metric):
        return "metric", METRICS, extension.name
    for base, (sort, table) in _CLASSES.items():
        if isinstance(extension, type) and issubclass(extension, base):
            kind = extension.model_fields["kind"].default
            if not isinstance(kind, str):
                raise TypeError(f'{extension.__name__} needs a kind: `kind: Literal["NAME"] = "NAME"`')
            return sort, table, kind
    expected = "a Strategy, Distance or OwnLoss class, a Family, a Generator or a Metric"
    raise TypeError(f"got {extension!r}; expected {expected}")


def _add(plugin: Plugin) -> None:
    """Runs the plug-in, if this process has not yet, and adds its extensions to the tables."""
    if plugin.hash not in _PROCESS.extensions:
        _PROCESS.extensions[plugin.hash] = _run(plugin)
    for extension in _PROCESS.extensions[plugin.hash]:
        sort, table, name = _place(extension)
        if isinstance(extension, Metric) and extension.kind not in KINDS:
            raise _wrong(plugin, f"the metric {name!r} is for no task kind; expected one of {', '.join(KINDS)}")
        if name in table or (sort == "generator" and name in BUILT_IN):
            raise _wrong(plugin, f"the {sort} {name!r} is there already; give it a name of its own")
        table[name] = extension
        _PROCESS.owners[sort, name] = plugin


def _deactivate() -> None:
    tables: dict[str, dict[str, Any]] = {
        "family": FAMILIES,
        "generator": GENERATORS,
        "metric": METRICS,
        **dict(_CLASSES.values()),
    }
    for sort, name in _PROCESS.owners:
        del tables[sort][name]
    _PROCESS.owners.clear()
    _PROCESS.active = ()


def _run(plugin: Plugin) -> list[Extension]:
    """The extensions of a plug-in. Raises InputError with the line that fails."""
    module = ModuleType(f"sweep_plugin_{plugin.hash[:16]}")
    # pydantic finds the annotations of a class by this name, and pickle finds the class.
    sys.modules[module.__name__] = module
    lines = plugin.source.splitlines(keepends=True)
    linecache.cache[plugin.filename] = (len(plugin.source), None, lines, plugin.filename)
    _PROCESS.registering = registered = []
    try:
        exec(compile(plugin.source, plugin.filename, "exec", dont_inherit=True), module.__dict__)
    except (Exception, SystemExit) as error:  # user code may raise anything
        del sys.modules[module.__name__]
        raise _wrong(plugin, f"line {_line(error, plugin)}: {type(error).__name__}: {_text(error)}") from None
    finally:
        _PROCESS.registering = None
    if not registered:
        raise _wrong(plugin, "it registers nothing; expected a call of trainables.plugins.register")
    return registered


def _line(error: BaseException, plugin: Plugin) -> int:
    """The innermost line of the plug-in in the error's traceback."""
    if isinstance(error, SyntaxError) and error.filename == plugin.filename:
        return error.lineno or 1
    frames = traceback.extract_tb(error.__traceback__)
    return next((f.lineno or 1 for f in reversed(frames) if f.filename == plugin.filename), 1)


def _text(error: BaseException) -> str:
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    return " ".join(message.split())[:300]


def _wrong(plugin: Plugin, message: str) -> InputError:
    return InputError([Problem("", f"got {plugin.name!r}; {message}")])
