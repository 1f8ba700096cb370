"""The question before something is deleted."""

from __future__ import annotations

from trainables.errors import InputError, Problem


def is_agreed(question: str, *, is_sure: bool) -> bool:
    """Whether the user agrees; asks unless `is_sure`. Raises InputError where nobody answers."""
    if is_sure:
        return True
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        reason = "got nothing, and nobody answers; give it to delete without a question"
        raise InputError([Problem("--yes", reason)]) from None
    return answer.strip().lower() in ("y", "yes")
