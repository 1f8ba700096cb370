"""A picture in the page: an image with a text for those who do not see it."""

from __future__ import annotations

import base64
import re
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from matplotlib.figure import Figure

from sweep.report.plots.style import pdf, svg


class Picture(NamedTuple):
    """`uri` is a data URI of an SVG."""

    uri: str
    alt: str

    @classmethod
    def of(cls, figure: Figure, alt: str) -> Picture:
        content = svg(figure)
        if (files := _collection.get()) is not None:
            name = f"{len(files) // 2 + 1:03d}-{_slug(alt)}"
            files |= {f"{name}.svg": content, f"{name}.pdf": pdf(figure)}
        return cls(f"data:image/svg+xml;base64,{base64.b64encode(content).decode()}", alt)


_collection: ContextVar[dict[str, bytes] | None] = ContextVar("collection", default=None)


@contextmanager
def collected() -> Generator[dict[str, bytes]]:
    """Collects every picture that is made in it as an SVG and a PDF: file name -> content."""
    files: dict[str, bytes] = {}
    token = _collection.set(files)
    try:
        yield files
    finally:
        _collection.reset(token)


def _slug(text: str) -> str:
    """`test-accuracy-by-strategy-and-init-bert-on-sst2`, of letters that every file system has."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:80].rstrip("-")
