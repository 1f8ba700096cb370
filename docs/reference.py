"""Writes the generated parts of the pages: the tables of the config, the commands and the names.

    python docs/reference.py

A page marks such a part by `<!-- begin NAME -->` and `<!-- end NAME -->`, NAME being a key of `PARTS`. The tables come
from the config's JSON schema, the parsers, the docstrings, and the tables of strategies, families and kinds.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sweep import cli, load_angles, load_results
from sweep.cluster import submit
from sweep.spec import command
from sweep.spec.schema import schema
from trainables import angle_file
from trainables.builtin import MODELS, TASKS
from trainables.families import FAMILIES
from trainables.strategies import STRATEGIES, Strategy
from trainables.tasks.kinds import KINDS
from trainables.tasks.serving import served

PAGES = Path(__file__).parent
ROOT = PAGES.parent
NO_DEFAULT = "-"
PLAIN = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "object": "mapping",
    "null": "`null`",
}
TABLES = {"sweep": (load_results, load_angles)}
ANGLES = {"trainables.angle_file": (angle_file.read, angle_file.Angles, angle_file.seen_from)}
BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}

Json = dict[str, Any]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [" | ".join(cells) for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(f"| {line} |" for line in lines)


def code(value: object) -> str:
    return f"`{value}`"


def listed(names: Iterable[str]) -> str:
    return ", ".join(map(code, names))


def cell(text: str) -> str:
    """A text as one cell of a table: in one line, with its first paragraph alone."""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


def default(field: Json) -> str:
    """A field's default; a block's stands in its own section."""
    if "default" not in field or "$ref" in field:
        return NO_DEFAULT
    value = field["default"]
    if isinstance(value, dict) and "kind" in value:
        value = value["kind"]
    whole = isinstance(value, float) and value.is_integer()
    return code(json.dumps(int(value) if whole else value))


class Config:
    """The sections of the config, one per block of keys."""

    def __init__(self) -> None:
        self.schema = schema()
        self.blocks: dict[str, Json] = self.schema["$defs"]

    def sections(self) -> Iterator[str]:
        """The sweep first, then each block under its dotted path, from the outside in."""
        waiting = [("", self.schema)]
        while waiting:
            path, block = waiting.pop(0)
            inner: list[tuple[str, Json]] = []
            rows: list[Sequence[str]] = []
            for name, field in block["properties"].items():
                here = f"{path}.{name}".lstrip(".")
                names = [] if name == "grids" or here.startswith("grids") else list(self.names(field))
                inner += [(here, self.blocks[each]) for each in names]
                meaning = cell(field.get("description") or (self.blocks[names[0]]["description"] if names else ""))
                rows.append((code(name), self.values(field, here), default(field), meaning))
            text = "" if path == "" else f"### {path}\n\n{block['description']}\n\n"
            yield text + table(("key", "value", "default", "meaning"), rows)
            waiting = inner + waiting

    def names(self, field: Json) -> Iterator[str]:
        """The blocks that the value of a field may be."""
        for part in (field, *field.get("anyOf", []), field.get("additionalProperties", {})):
            if isinstance(part, dict) and "$ref" in part:
                yield part["$ref"].rpartition("/")[2]

    def values(self, field: Json, path: str) -> str:
        """What a field may be, in words."""
        if "$ref" in field:
            return f"[block](#{path.replace('.', '')})" if not path.startswith("grids") else "mapping"
        if "anyOf" in field:
            return ", or ".join(self.values(part, path) for part in field["anyOf"])
        if "enum" in field:
            return listed(field["enum"])
        if "type" not in field:
            return "value"
        if field["type"] == "array":
            return f"list of {self.values(field['items'], path)}s"
        bounds = [f"{sign} {field[name]}" for name, sign in BOUNDS.items() if name in field]
        return " ".join([PLAIN[field["type"]], ", ".join(bounds)]).strip()


def config() -> str:
    """Every key of a config."""
    return "\n\n".join(Config().sections())


def parameters(strategy: type[Strategy]) -> str:
    """The parameters of a strategy beside those that every strategy has."""
    own = [name for name in strategy.model_fields if name not in Strategy.model_fields]
    return listed(own) or NO_DEFAULT


def strategies() -> str:
    """Every strategy with its parameters."""
    rows = [(code(name), parameters(each), cell(inspect.getdoc(each) or "")) for name, each in STRATEGIES.items()]
    return table(("strategy", "parameters", "what it matches"), rows)


def families() -> str:
    """Every model family with its form and the task kinds that it serves."""
    rows = [(code(name), family.form, listed(served(family))) for name, family in FAMILIES.items()]
    return table(("family", "form", "task kinds"), rows)


def kinds() -> str:
    """Every task kind with its head and its metrics."""
    rows = [(code(name), kind.head_name.replace("_", " "), listed(kind.metrics)) for name, kind in KINDS.items()]
    return table(("kind", "head", "metrics, the main one first"), rows)


def builtin() -> str:
    """The models and tasks that a config may name."""
    named: Mapping[str, Iterable[str]] = {"model": MODELS, "task": TASKS}
    return table(("key", "built-in names"), [(code(key), listed(names)) for key, names in named.items()])


def flags(parser: argparse.ArgumentParser) -> str:
    """A command's usage and a table of its words and flags."""
    rows: list[Sequence[str]] = []
    for action in parser._actions:
        name = action.option_strings[-1] if action.option_strings else ""
        value = str(action.metavar or "") if action.nargs != 0 else ""
        rows.append((code(cell(f"{name} {value}")), cell(action.help or "")))
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    return f"```\n{usage}\n```\n\n{parser.description}\n\n{table(('word or flag', 'meaning'), rows)}"


def targets() -> str:
    """The targets of the Makefile."""
    lines = re.findall(r"^([a-z-]+):.*## (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return table(("target", "what it does"), [(code(f"make {name}"), cell(said)) for name, said in lines])


def api(modules: Mapping[str, Sequence[type | Callable[..., Any]]]) -> str:
    """The signature and the docstring of what the modules give."""
    return "\n\n".join(described(module, thing) for module, things in modules.items() for thing in things)


def described(module: str, thing: type | Callable[..., Any]) -> str:
    """A function, or a class with its fields, as a section."""
    where = f"```python\nfrom {module} import {thing.__name__}\n```"
    said = inspect.getdoc(thing) or ""
    if isinstance(thing, type):
        fields = [(code(name), code(kind)) for name, kind in inspect.get_annotations(thing).items()]
        return f"### {thing.__name__}\n\n{where}\n\n{said}\n\n{table(('field', 'type'), fields)}"
    signature = str(inspect.signature(thing)).replace("'", "").replace("pd.", "pandas.")
    return f"### {thing.__name__}\n\n{where}\n\n`{thing.__name__}{signature}`\n\n{said}"


PARTS: dict[str, Callable[[], str]] = {
    "config": config,
    "strategies": strategies,
    "families": families,
    "kinds": kinds,
    "builtin": builtin,
    "command": lambda: flags(command.parser()),
    **{f"verb {name}": lambda name=name: flags(cli.verb(name).parser()) for name in cli.VERBS},
    "submit": lambda: flags(submit.parser()),
    "targets": targets,
    "tables": lambda: api(TABLES),
    "angles": lambda: api(ANGLES),
}


def filled(page: str) -> str:
    """The text of a page with its generated parts as they are now."""

    def part(match: re.Match[str]) -> str:
        begin, name, end = match.group(1, 2, 3)
        return f"{begin}\n\n{PARTS[name]()}\n\n{end}"

    return re.sub(r"(<!-- begin ([\w ]+) -->).*?(<!-- end \2 -->)", part, page, flags=re.DOTALL)


if __name__ == "__main__":
    for path in PAGES.rglob("*.md"):
        path.write_text(filled(path.read_text()))
