"""The search of a sweep while it runs: its studies in an Optuna storage, and what the terminal says of its rounds."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from sweep.records.archive import ArchivedStudy
from sweep.records.storage import Storage
from sweep.search.published import Published, StudiesError, studies_url
from sweep.search.studies import Studies
from sweep.search.study import Candidate
from sweep.spec.sweep import SweepConfig
from trainables.wording import count

logger = logging.getLogger(__name__)

MAX_SHOWN = 20
"""The groups whose best candidates are shown after a round."""


@dataclass
class SearchRun:
    """Writes the studies after each round, until their storage fails; then `published` is None."""

    studies: Studies
    published: Published | None
    console: Console

    @classmethod
    def of(cls, config: SweepConfig, studies: Studies, console: Console) -> SearchRun:
        """The search of a sweep. Raises InputError if the storage of its studies does not answer or has others."""
        storage, url = Storage(config.storage_url), studies_url(config)
        if url and studies.search.studies is None:
            storage.workspace(f"sweeps/{config.name}")
        if url is None:
            console.print(Text("search: no studies are written, because search.studies is null and the storage a URL"))
        published = Published(config.name, url) if url else None
        if published:
            published.check(studies)
        return cls(studies, published, console)

    def begin(self, candidates: Sequence[Candidate]) -> None:
        """Says which round begins."""
        number, most = self.studies.round_number, self.studies.num_rounds
        size = f"{count(len(candidates), 'candidate')} of {count(len(self.studies.studies), 'group')}"
        self._say(f"search: round {number} of {most}: {size}")

    def end(self) -> bool:
        """Tells the rounds that have ended, and shows the best of each group; returns whether one has ended."""
        before = [len(study.outcomes) for study in self.studies.studies]
        self.studies.advance()
        self.write()
        has_ended = before != [len(study.outcomes) for study in self.studies.studies]
        if has_ended:
            self._show_best()
        else:
            waiting = count(len(self.studies.open_candidates), "candidate")
            self._say(f"search: {waiting} did not end, so that no further round can begin", "red")
        return has_ended

    def write(self) -> None:
        """Adds the rounds that have ended to the studies in their storage."""
        try:
            if self.published:
                self.published.write(self.studies)
        except StudiesError as error:
            self._say(f"search: the studies are no longer written: {error}", "red")
            self.published = None

    def archived(self) -> tuple[ArchivedStudy, ...]:
        """The studies for the description of the sweep."""
        return tuple(
            ArchivedStudy(
                group=study.group.label,
                cells=tuple(candidate.cell for candidate in study.candidates),
                num_told=len(study.outcomes),
                chosen=study.best.number if study.is_done and study.best else None,
                importance=study.importance(),
            )
            for study in self.studies.studies
        )

    def shared(self) -> tuple[str, ...]:
        """The axes whose values share a study, with the value that it is made with: `init teacher`."""
        share = self.studies.search.share.items()
        return tuple(f"{axis} {value if isinstance(value, str) else json.dumps(value)}" for axis, value in share)

    def _show_best(self) -> None:
        for study in self.studies.studies[:MAX_SHOWN]:
            best, most = study.best, study.search.candidates
            told = f"{len(study.outcomes)} of {count(most, 'candidate')}"
            if best is None:
                self._say(f"  {study.group.label}: {told}, none of which has a score")
                continue
            values = ", ".join(f"{path} {json.dumps(value)}" for path, value in best.values.items())
            self._say(f"  {study.group.label}: {told}, the best {study.outcomes[best.number]:.4g} with {values}")
        if (num_more := len(self.studies.studies) - MAX_SHOWN) > 0:
            self._say(f"  and {count(num_more, 'more group')}; the report has all of them")

    def _say(self, text: str, style: str = "") -> None:
        logger.info(text)
        self.console.print(Text(text, style), soft_wrap=True)
