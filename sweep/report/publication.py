"""The tables of a report for a publication: scores and differences as CSV, and both as LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sweep.report import conclusions
from sweep.report.evidence import Evidence, block_of
from sweep.report.formats import capital, number, percent, score
from sweep.report.latex import escape, latex_table
from sweep.report.proof import proof
from sweep.report.report import Report
from sweep.report.summary import Group, Section, init_text
from sweep.verdict.decide import Answer
from sweep.verdict.paired import Difference
from sweep.verdict.tables import Block
from sweep.verdict.whole import WHOLE

PLACE = ("model", "task", "axes", "init")
SCORES = (*PLACE, "strategy", "metric", "num_seeds", "mean", "sd", "share_of_teacher", "teacher", "chance")
DIFFERENCES = (
    *PLACE,
    "question",
    "first",
    "second",
    "num_seeds",
    "difference",
    "low",
    "high",
    "p_different",
    "p_equivalent",
    "margin",
    "verdict",
    "seeds",
)
BASELINE = "against a baseline"


def files(report: Report) -> dict[str, bytes]:
    """File name -> content."""
    sections, evidence = report.sections, report.evidence
    return {
        "scores.csv": _csv(SCORES, _scores(sections)),
        "differences.csv": _csv(DIFFERENCES, _differences(evidence)),
        "tables.tex": _latex(report.sweep.name, sections, evidence).encode(),
    }


def _csv(columns: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue().encode()


def _scores(sections: Sequence[Section]) -> Iterator[dict[str, Any]]:
    """One line per group of cells that differ in their seed alone."""
    for section in sections:
        for group in section.groups:
            place = block_of(section, group.init)._asdict()
            numbers = {"num_seeds": len(group.scores), "mean": group.mean, "sd": group.sd}
            ends = {"share_of_teacher": group.share, "teacher": section.teacher_test, "chance": section.chance}
            yield {**place, "strategy": group.strategy, "metric": section.metric, **numbers, **ends}


def _differences(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """One line per pair of each question, of all comparisons together first; then the pairs with a baseline."""
    for answer in (*evidence.verdict.whole, *evidence.verdict.blocks):
        own = {"question": answer.question.value, "margin": answer.margin.value, "verdict": answer.verdict.value}
        if answer.look:
            own["seeds"] = conclusions.stop(answer)
        for each in answer.differences:
            yield {**_place(answer), **_pair(each), **own}
    for block, pairs in evidence.baselines.items():
        for each in pairs:
            yield {**block._asdict(), **_pair(each), "question": BASELINE}


def _place(answer: Answer) -> dict[str, str]:
    is_whole = answer.table.block == WHOLE
    return dict.fromkeys(PLACE, "all") if is_whole else answer.table.block._asdict()


def _pair(each: Difference) -> dict[str, Any]:
    """A pair with its p-value after Holm's correction."""
    mean = each.mean
    interval = {"num_seeds": mean.num_seeds, "difference": mean.value, "low": mean.low, "high": mean.high}
    p_values = {"p_different": each.p_adjusted, "p_equivalent": each.p_equivalent}
    return {"first": each.first, "second": each.second, **interval, **p_values}


def _latex(name: str, sections: Sequence[Section], evidence: Evidence) -> str:
    """The scores of every section in the layout of the page, and the differences under them."""
    tables = [f"% The tables of the sweep {escape(name)}; they need the package booktabs.\n"]
    if whole := _differences_table(WHOLE, "all comparisons together", evidence):
        tables.append(whole)
    for section in sections:
        tables.append(_scores_table(section))
        for init in section.inits:
            title = f"{section.title}, {init_text(init)}"
            tables.append(_differences_table(block_of(section, init), title, evidence))
    return "\n".join(filter(None, tables))


def _scores_table(section: Section) -> str:
    groups = {(group.strategy, group.init): group for group in section.groups}
    head = ["", *(text for init in section.inits for text in (init_text(init), "of the way"))]
    lines = [
        [name, *(text for init in section.inits for text in _score(groups.get((name, init)), section))]
        for name in section.strategies
    ]
    for name, value, share in (("teacher", section.teacher_test, "100%"), ("chance", section.chance, "0%")):
        if value is not None:
            lines.append([name, *[number(value, section.metric), share] * len(section.inits)])
    return latex_table(f"Test {section.metric} of {section.title}: mean ± standard deviation (seeds)", head, lines)


def _score(group: Group | None, section: Section) -> tuple[str, str]:
    return ("", "") if group is None else (score(group, section.metric), percent(group.share))


def _differences_table(block: Block, title: str, evidence: Evidence) -> str:
    shown = proof(block, title, evidence)
    if shown is None or not shown.differences:
        return ""
    head = ["", "difference", f"{shown.level} interval", "p, different", "p, equivalent"]
    return latex_table(
        f"{capital(title)}: differences", head, [[each.names, *each.cells] for each in shown.differences]
    )
