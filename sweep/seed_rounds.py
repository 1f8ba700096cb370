"""The rounds in which a sweep adds seeds: the cells of the present round, and what is still open.

A round is a function of the records, so that a command that was cut off continues with the same one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from rich.console import Console
from rich.text import Text

from sweep.plan.checks import Checked
from sweep.plan.states import Plan
from sweep.records.records import Records
from sweep.report import conclusions, results, summary
from sweep.report.evidence import block_of, tidy
from sweep.report.summary import Section, init_text
from sweep.search.studies import Studies
from sweep.verdict.decide import Answer
from sweep.verdict.judge import SweepVerdict, judge
from sweep.verdict.tables import Block
from sweep.verdict.whole import WHOLE
from trainables.errors import InputError
from trainables.wording import count

logger = logging.getLogger(__name__)

MAX_SHOWN = 20
"""The open questions that are shown one by one."""


@dataclass(frozen=True)
class SeedRounds:
    """The rounds of a sweep, whose grid has every seed that a round may add."""

    checked: Checked
    records: Records
    studies: Studies | None = None

    def present(self) -> Round:
        """The first round that has not ended or, after the last one, all cells that the rounds have asked for."""
        seeds = self.checked.config.verdict.seeds
        assert seeds is not None
        checked, plan = self.studies.plan(self.checked) if self.studies else (self.checked, None)
        plan = plan or Plan.of(checked, self.records)
        searched = tuple(checked.config.search.fields) if checked.config.search else ()
        sections = summary.sections(results.rows(self.records, plan.settled, searched))
        verdict = self._verdict(sections, seeds.looks)
        num_seeds = {block: _num_seeds(verdict, block, seeds.looks) for block in _blocks(sections)}
        chosen = {row.fingerprint for row in _rows(sections, num_seeds)}
        waiting = {key for key in plan.cells if plan.cell_states[key] == "waiting"}
        first = {key for key in waiting if plan.cells[key].config.seed < seeds.first}
        own = checked.of(cell for key, cell in plan.cells.items() if key in chosen | first)
        present = replace(Plan.of(own, self.records, waiting=first), trials=plan.trials)
        return Round(own, present, verdict, seeds.looks, num_seeds, len(plan.cells))

    def again(self, checked: Checked) -> tuple[Checked, Plan]:
        """The cells of the present round and their plan, after what other commands have computed meanwhile."""
        if self.studies:
            self.studies.again(checked)
        present = self.present()
        return present.checked, present.plan

    def _verdict(self, sections: Sequence[Section], looks: tuple[int, ...]) -> SweepVerdict:
        settings = self.checked.config.verdict
        try:
            return judge(tidy(sections), settings.margin, settings.alpha, looks)
        except InputError:  # the report says why there is no verdict
            return SweepVerdict(settings.alpha, (), ())


@dataclass(frozen=True)
class Round:
    """The cells that all rounds up to the present one have asked for."""

    checked: Checked
    plan: Plan
    verdict: SweepVerdict
    looks: tuple[int, ...]
    num_seeds: Mapping[Block, int]
    """Comparison -> its seeds in this round."""
    most: int
    """The cells of the sweep if every round is needed."""

    @cached_property
    def open_answers(self) -> list[Answer]:
        """The questions that get more seeds."""
        answers = [*self.verdict.whole, *self.verdict.blocks]
        return [
            each for each in answers if each.look and not each.look.is_decided and each.look.num_seeds < each.look.most
        ]

    @property
    def number(self) -> int:
        """From 1; the number of the look that the round with the most seeds ends with."""
        return self.looks.index(max(self.num_seeds.values(), default=self.looks[0])) + 1

    def describe(self) -> list[str]:
        """What the round is, and the open questions, one line each."""
        return [self._title, *self._lines()]

    @property
    def _title(self) -> str:
        """`seeds: round 2 of at most 9: 3 of 6 questions are open; it has 4 cells to do, and all rounds at most 90`"""
        ends = [answer.look for answer in (*self.verdict.whole, *self.verdict.blocks) if answer.look]
        questions, num_undecided = count(len(ends), "question"), sum(not each.is_decided for each in ends)
        to_do = len(self.plan.cells_to_run(retry_failed=False)) + len(self.plan.cells) - len(self.plan.settled)
        if not to_do and not self.open_answers:
            end = f"{num_undecided} of them undecided after the most" if num_undecided else "each of them decided"
            return f"seeds: no round is left; {f'{questions}, {end}' if ends else 'there is no question to decide'}"
        num_open = len(self.open_answers)
        open_ones = (
            f"{num_open} of {questions} {'is' if num_open == 1 else 'are'} open" if ends else "every question is open"
        )
        title = f"seeds: round {self.number} of at most {len(self.looks)}: {open_ones}"
        return f"{title}; it has {count(to_do, 'cell')} to do, and all rounds have at most {self.most}"

    def _lines(self) -> Iterator[str]:
        for answer in self.open_answers[:MAX_SHOWN]:
            block = answer.table.block
            place = "all comparisons together" if block == WHOLE else _place(block)
            yield f"  {place}: {conclusions.SUBJECTS[answer.question]} is {conclusions.stop(answer)}"
        if (num_more := len(self.open_answers) - MAX_SHOWN) > 0:
            yield f"  and {count(num_more, 'question')} more"

    def show(self, console: Console) -> None:
        """Prints and logs which round it is, and what is open."""
        for line in self.describe():
            logger.info(line)
            console.print(Text(line), soft_wrap=True)


def _place(block: Block) -> str:
    """`bert on sst2 · lr=2e-4, random start`"""
    return f"{' · '.join(filter(None, [f'{block.model} on {block.task}', block.axes]))}, {init_text(block.init)}"


def _blocks(sections: Sequence[Section]) -> list[Block]:
    return [block_of(section, init) for section in sections for init in section.inits]


def _num_seeds(verdict: SweepVerdict, block: Block, looks: Sequence[int]) -> int:
    """The seeds of a comparison: as many as the next look of its open questions, or of those of the whole, needs."""
    ends = [answer.look for answer in (*verdict.of(block), *verdict.whole) if answer.look]
    needs = [
        end.num_seeds if end.is_decided else next((num for num in looks if num > end.num_seeds), end.most)
        for end in ends
    ]
    return max(needs, default=looks[0])


def _rows(sections: Sequence[Section], num_seeds: Mapping[Block, int]) -> Iterator[results.ResultRow]:
    """The cells of each comparison with its seeds: all of its strategies have the same ones."""
    for section in sections:
        for group in section.groups:
            most = num_seeds[block_of(section, group.init)]
            yield from (row for row in group.rows if row.seed is not None and row.seed < most)
