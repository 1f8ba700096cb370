"""Parses YAML: errors have line and column, duplicate keys are refused, scalars follow YAML 1.2.

PyYAML follows YAML 1.1, where `no` is false, `1e-5` is a text and `010` is eight. A config means none of these.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.events import AliasEvent
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from trainables.errors import InputError, Problem


class Loader(yaml.SafeLoader):
    """Safe YAML with the scalars of the YAML 1.2 core schema; it collects duplicate keys as problems."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self.source = name
        self.problems: list[Problem] = []
        self.open_anchors: list[str | None] = []

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(AliasEvent) and (event := self.peek_event()).anchor in self.open_anchors:
            raise ComposerError(None, None, f"*{event.anchor} refers to a value that contains it", event.start_mark)
        return super().compose_node(parent, index)

    def compose_sequence_node(self, anchor: Any) -> SequenceNode:
        self.open_anchors.append(anchor)
        node = super().compose_sequence_node(anchor)
        self.open_anchors.pop()
        return node

    def compose_mapping_node(self, anchor: Any) -> MappingNode:
        self.open_anchors.append(anchor)
        node = super().compose_mapping_node(anchor)
        self.open_anchors.pop()
        first: dict[str, int] = {}
        for key, _ in node.value:
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            where = f"{self.source}, line {line}, column {column}"
            if not isinstance(key, ScalarNode):
                continue  # the constructor reports it
            if key.tag == "tag:yaml.org,2002:null":
                self.problems.append(Problem(where, "got null as a key; give a text"))
            elif key.value in first:
                message = f"got the key {key.value!r} again (first in line {first[key.value]}); give it once"
                self.problems.append(Problem(where, message))
            else:
                first[key.value] = line
        return node


_SCALARS = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    "merge": (r"<<", ["<"]),
}
for _tag, (_pattern, _first) in _SCALARS.items():
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)


def read_yaml(text: str, name: str) -> Any:
    """The plain value of a YAML text; `name` is its source in error messages. Raises InputError."""
    try:
        loader = Loader(text, name)
        value = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InputError([Problem(name + place, f"malformed YAML: {error.problem or error.context}")]) from None
    except (yaml.YAMLError, ValueError) as error:
        raise InputError([Problem(name, f"malformed YAML: {' '.join(str(error).split())}")]) from None
    if loader.problems:
        raise InputError(loader.problems)
    return value
