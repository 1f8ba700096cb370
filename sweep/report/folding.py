"""The parts of a page: each folds and can be reached from a table of contents."""

from __future__ import annotations

import re

from markupsafe import Markup

_HEADING = re.compile(r"<h2>(.*?)</h2>", re.DOTALL)


def folded(body: Markup) -> Markup:
    """A page whose parts begin with `<h2>`: a table of contents, then the parts, which are open at first."""
    before, *rest = _HEADING.split(body)
    titles, contents = rest[::2], rest[1::2]
    links = "".join(f'<li><a href="#part-{number}">{title}</a></li>' for number, title in enumerate(titles, 1))
    parts = (
        f'<details class="part" id="part-{number}" open><summary><h2>{title}</h2></summary>{content}</details>\n'
        for number, (title, content) in enumerate(zip(titles, contents, strict=True), 1)
    )
    return Markup(f'{before}<nav aria-label="Contents"><ul>{links}</ul></nav>\n{"".join(parts)}')
