"""The margin: the largest difference that is too small to matter, in the units of the score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sweep.verdict.tables import NO_MATCHING, Floats, PairedTable

REFERENCE = "forward"
SHARE_OF_GAIN = 1 / 3


@dataclass(frozen=True)
class Margin:
    """The margin of one table: `value` is its mean over the seeds. Without one, `reason` says why."""

    per_seed_S: Floats | None
    gain: float | None = None
    """The gain of forward over `none` that it is a share of; None where the config sets the margin."""
    reason: str = ""

    @property
    def value(self) -> float | None:
        return None if self.per_seed_S is None else float(np.mean(self.per_seed_S))

    @property
    def is_relative(self) -> bool:
        return self.gain is not None


def margin_of(table: PairedTable, fixed: float | None) -> Margin:
    """The margin that the config sets; by default a third of the gain of forward over `none`.

    The default has one value per seed, as the tests of equivalence need it: it is an estimate from the same scores.
    """
    if not table.seeds:
        return Margin(None, reason="there is no seed that all strategies share")
    if fixed is not None:
        return Margin(np.full(len(table.seeds), fixed))
    if absent := [name for name in (NO_MATCHING, REFERENCE) if name not in table.strategies]:
        lack = f"{' and '.join(absent)} {'has' if len(absent) == 1 else 'have'} no score"
        return Margin(None, reason=f"{lack}, so that there is no gain to take a third of; set verdict.margin")
    gain_S = table.of(REFERENCE) - table.of(NO_MATCHING)
    gain = float(np.mean(gain_S))
    if gain <= 0:
        return Margin(None, reason="forward gains nothing over none to take a third of; set verdict.margin")
    return Margin(SHARE_OF_GAIN * gain_S, gain)
