"""Sweeps of knowledge distillation. For a notebook: `from sweep import load_angles, load_results`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweep.report.frames import load_angles, load_results

__all__ = ["load_angles", "load_results"]


def __getattr__(name: str) -> Any:
    """What a notebook reads with is loaded when it is asked for: the command and its workers start without pandas."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sweep.report import frames

    return getattr(frames, name)
