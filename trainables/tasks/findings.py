"""The errors in a task's data: one line per sort of error, with its first place and its frequency."""

from __future__ import annotations

from dataclasses import dataclass, field

from trainables.errors import Problem


@dataclass
class Findings:
    """Collects findings; those of one field, subject and sort become one problem."""

    _places: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)

    def add(self, path: str, got: str, sort: str, place: str = "") -> None:
        """`path` is the config field, `got` its value or the data's, `sort` what would be right, `place` where."""
        self._places.setdefault((path, got, sort), []).append(place)

    def about(self, path: str) -> bool:
        """Whether there is a finding about this field of the config."""
        return any(field == path for field, _, _ in self._places)

    def problems(self) -> list[Problem]:
        return [Problem(path, _message(got, sort, places)) for (path, got, sort), places in self._places.items()]


def _message(got: str, sort: str, places: list[str]) -> str:
    where = f" ({places[0]})" if places[0] else ""
    message = f"got {got}; {sort}{where}" + (f", and {len(places) - 1} more" if len(places) > 1 else "")
    return message.encode(errors="backslashreplace").decode()  # half a surrogate pair could not be printed
