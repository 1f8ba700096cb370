"""The angles between two teacher states as seen from a student state (paper, Figure 1).

For each token, with student state S and teacher states T_i and T_k, i < k, it is the cosine of T_i - S and T_k - S.
Where it is positive the angle is acute, and matching either teacher state pulls the student in a similar direction.

B batch, T tokens, E teacher width, L student states, M teacher states, P pairs i < k, N real tokens.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MAX_ELEMENTS = 2**20
"""The number of elements of differences that are computed at once: 4 MB, so that they fit the caches."""


class AngleStatistics:
    """Accumulates the cosines of all pairs of teacher states at all student states, over the real tokens of batches.

    A difference that is tiny relative to its teacher state (copied weights give S = T_i) has only the direction of
    rounding noise: it is left out and counted, and so is one that is not finite.
    """

    def __init__(self, num_student_states: int, num_teacher_states: int, num_bins: int = 20) -> None:
        self.rows_P, self.columns_P = np.triu_indices(num_teacher_states, k=1)
        shape_LP = (num_student_states, len(self.rows_P))
        self.num_teacher_states = num_teacher_states
        self.cos_sum_LP = np.zeros(shape_LP)
        self.num_acute_LP = np.zeros(shape_LP, np.int64)
        self.histogram_LPH = np.zeros((*shape_LP, num_bins), np.int64)
        self.left_out_LM = np.zeros((num_student_states, num_teacher_states), np.int64)

    @torch.no_grad()
    def update(
        self, student_states: list[Tensor], teacher_states: list[Tensor], mask_BT: Tensor, epsilon: float = 1e-4
    ) -> None:
        """Adds one batch: all states [B, T, E] from state 0, the student's projected to the teacher's width.

        Differences with |T_i - S| <= `epsilon` |T_i| are left out; use 1e-4 for fp32 states, and 1e-2 for bf16.
        """
        assert len(student_states) == len(self.left_out_LM)
        assert len(teacher_states) == self.num_teacher_states
        teacher_NME = torch.stack([state_BTE[mask_BT].float() for state_BTE in teacher_states], dim=1)
        shortest_NM = epsilon * teacher_NME.norm(dim=-1)
        num_tokens = max(1, MAX_ELEMENTS // (self.num_teacher_states * teacher_NME.shape[-1]))
        for j, student_BTE in enumerate(student_states):
            student_NE = student_BTE[mask_BT].float()
            assert student_NE.shape[-1] == teacher_NME.shape[-1]
            for chunk in zip(*(each.split(num_tokens) for each in (student_NE, teacher_NME, shortest_NM)), strict=True):
                self._add(j, *chunk)

    def _add(self, j: int, student_NE: Tensor, teacher_NME: Tensor, shortest_NM: Tensor) -> None:
        """Adds the tokens of one chunk at student state j, with one Gram matrix of differences per token."""
        difference_NME = teacher_NME - student_NE[:, None]
        with torch.autocast(difference_NME.device.type, enabled=False):
            gram_NMM = torch.bmm(difference_NME, difference_NME.mT)
        gram_MMN = gram_NMM.permute(1, 2, 0).contiguous()  # with tokens last, pairs are whole rows, fast to index
        length_MN = gram_MMN.diagonal().mT.sqrt()
        kept_MN = (length_MN > shortest_NM.mT) & length_MN.isfinite()
        rows_P, columns_P = (torch.from_numpy(each).to(gram_MMN.device) for each in (self.rows_P, self.columns_P))
        kept_PN = kept_MN[rows_P] & kept_MN[columns_P]
        cos_PN = gram_MMN[rows_P, columns_P] / (length_MN[rows_P] * length_MN[columns_P])
        cos_PN = cos_PN.where(kept_PN, 0).clamp(-1, 1)

        num_pairs, num_bins = self.histogram_LPH.shape[1:]
        bin_PN = ((cos_PN + 1) * (num_bins / 2)).long().clamp(max=num_bins - 1)
        slot_PN = bin_PN + num_bins * torch.arange(num_pairs, device=bin_PN.device)[:, None]
        slot_PN = slot_PN.where(kept_PN, num_pairs * num_bins)
        counts = torch.bincount(slot_PN.flatten(), minlength=num_pairs * num_bins + 1)[:-1]

        self.cos_sum_LP[j] += cos_PN.sum(1, dtype=torch.float64).cpu().numpy()
        self.num_acute_LP[j] += (cos_PN > 0).sum(1).cpu().numpy()
        self.histogram_LPH[j] += counts.view(num_pairs, num_bins).cpu().numpy()
        self.left_out_LM[j] += (~kept_MN).sum(1).cpu().numpy()

    def cos_mean(self) -> float:
        """The mean cosine over all student states, pairs and real tokens; NaN without measurements."""
        return float(_ratio(self.cos_sum_LP.sum(), self.histogram_LPH.sum()))

    def acute_share(self) -> float:
        """The share of acute angles (cosine > 0) over the same; NaN without measurements."""
        return float(_ratio(self.num_acute_LP.sum(), self.histogram_LPH.sum()))

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """`cos_mean`, `acute_share`, `count` [L, M, M], `left_out` [L, M], `histogram` [L, M, M, bins].

        Entries with i >= k or without measurements are 0 in counts and NaN elsewhere. The histogram counts cosines in
        equal bins from -1 to 1.
        """
        count_LP = self.histogram_LPH.sum(-1)
        return {
            "cos_mean": self._square(_ratio(self.cos_sum_LP, count_LP), np.nan),
            "acute_share": self._square(_ratio(self.num_acute_LP, count_LP), np.nan),
            "count": self._square(count_LP, 0),
            "left_out": self.left_out_LM.astype(np.float64),
            "histogram": self._square(self.histogram_LPH, 0),
        }

    def _square(self, values_LP: NDArray[np.generic], empty: float) -> NDArray[np.float64]:
        """[L, P, ...] as [L, M, M, ...]."""
        num_states = (self.num_teacher_states, self.num_teacher_states)
        square_LMM = np.full((len(values_LP), *num_states, *values_LP.shape[2:]), empty)
        square_LMM[:, self.rows_P, self.columns_P] = values_LP
        return square_LMM


def _ratio(total: NDArray[np.generic] | np.generic, count: NDArray[np.generic] | np.generic) -> NDArray[np.float64]:
    """total / count; NaN where the count is 0."""
    with np.errstate(invalid="ignore"):
        return np.divide(total, count, dtype=np.float64)
