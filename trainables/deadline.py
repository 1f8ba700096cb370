"""A time limit for what has none of its own, such as looking a name up."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

T = TypeVar("T")

ANSWER_SECONDS = 9.0
"""How long the hub may take to say whether it has a data set or a model."""


def within(seconds: float, ask: Callable[[], T], errors: tuple[type[Exception], ...]) -> T:
    """What `ask` gives, or raises of `errors`. Raises TimeoutError where it takes longer, and lets it go on."""
    answers: list[T] = []
    raised: list[Exception] = []

    def run() -> None:
        try:
            answers.append(ask())
        except errors as error:
            raised.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not answers:
        raise TimeoutError(f"no answer in {seconds:g} seconds")
    return answers[0]
