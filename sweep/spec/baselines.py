"""The baselines of a sweep: arms without matching that every comparison of strategies should have beside it."""

from __future__ import annotations

from typing import Literal, get_args

Baseline = Literal["labels_only", "none_matched_compute"]
LABELS_ONLY: Baseline = "labels_only"
MATCHED_COMPUTE: Baseline = "none_matched_compute"
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
