"""Draws one section of a report from the records of its cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sweep.records.records import Records
from sweep.report.angles import Angles, draw_angles
from sweep.report.evidence import Evidence, block_of
from sweep.report.findings import findings
from sweep.report.picture import Picture
from sweep.report.plots.scores import score_plot
from sweep.report.plots.style import Scale
from sweep.report.proof import Proof, proof
from sweep.report.summary import Section, init_text
from sweep.report.training import Journals, Training, draw_training


@dataclass(frozen=True)
class Drawn:
    """A section with its findings and its pictures."""

    section: Section
    findings: list[str]
    scores: Picture | None
    training: Training
    angles: Angles
    proofs: list[Proof]
    """One per init of which something can be asked."""


def draw(
    section: Section, journals: Journals, records: Records, colours: Mapping[str, str], evidence: Evidence
) -> Drawn:
    """Draws a section; `colours` has one per strategy of the whole page."""
    scale = Scale(section.metric, section.teacher_test, section.chance)
    scores = {(group.strategy, group.init): group.scores for group in section.groups}
    alt = f"Test {section.metric} by strategy and init: {section.title}"
    return Drawn(
        section=section,
        findings=findings(section),
        scores=Picture.of(score_plot(scores, scale), alt) if any(scores.values()) else None,
        training=draw_training(section, journals, records, colours),
        angles=draw_angles(section, journals, records, colours),
        proofs=[
            each
            for init in section.inits
            if (each := proof(block_of(section, init), f"{section.title}, {init_text(init)}", evidence))
        ],
    )
