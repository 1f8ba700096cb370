"""The pages for people: README, CONTRIBUTING, CHANGELOG and docs/, with their links, code and commands."""

from __future__ import annotations

import re
import runpy
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)
PROGRAMS = (
    "make",
    "python",
    "distillation-sweep",
    ".venv/bin/",
    ".ci/run",
    "ray",
    "docker",
    "ssh",
    "openssl",
    "export",
)

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_GENERATED = re.compile(r"<!-- begin .*?<!-- end [\w ]+ -->", re.DOTALL)
_COMMENT = re.compile(r"\s{2,}# .*")


class Named(NamedTuple):
    """Something that a page says, and the page."""

    page: str
    text: str


def reference() -> dict[str, Any]:
    """What docs/reference.py defines."""
    return runpy.run_path(str(ROOT / "docs" / "reference.py"))


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def written(page: Path) -> str:
    """A page without its generated parts."""
    return _GENERATED.sub("", page.read_text())


def blocks(language: str) -> list[Named]:
    """The written code blocks of a language on all pages."""
    found = [(page, block) for page in PAGES for block in _BLOCK.findall(written(page))]
    return [Named(name(page), body) for page, (named, body) in found if named == language]


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return _BLOCK.sub("", page.read_text())


def links(page: Path) -> Iterator[str]:
    """The targets of a page's links and pictures."""
    return iter(_LINK.findall(prose(page)))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    plain = (unicodedata.normalize("NFKD", heading).lower() for heading in headings)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip()) for heading in plain}


def commands() -> list[Named]:
    """Every command that the pages show, in a block without a language or inside a line, each once."""
    lines = [Named(page, _COMMENT.sub("", line)) for page, body in blocks("") for line in body.splitlines()]
    codes = [Named(name(page), code) for page in PAGES for code in _INLINE.findall(_BLOCK.sub("", written(page)))]
    said = [Named(page, " ".join(text.split())) for page, text in lines + codes if text.startswith(PROGRAMS)]
    return list({each.text: each for each in said if " " in each.text}.values())
