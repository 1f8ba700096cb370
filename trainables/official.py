"""How the paper's public code differs from `clean`, by family: `losses.semantics: official`.

Each quirk is one field, and one line in each family that has it; without quirks the loss is the clean one. Read from
github.com/MANGA-UOFA/Layer-Selection: classification/trainer.py (BERT), dart/distillation.py (BART),
t5mt/distillation.py (T5), llm/sft_trainer.py (Qwen3). Whether state 0 is matched is no quirk but the family's own
choice in both semantics (`Family.match_embeddings`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from trainables.config import LossConfig
from trainables.distances import MSE
from trainables.errors import Problem
from trainables.heads import Head, HeadName


@dataclass(frozen=True)
class Quirks:
    """Differences from the clean loss. B batch and T tokens are those of a micro-batch."""

    hidden_summed_over_width: bool = False
    """The squared differences of a token are summed, not averaged, so that the hidden term grows with the width."""
    hidden_divided_by_batch: bool = False
    """The hidden term is divided by B and by the real tokens, so that it falls as the batch grows."""
    hidden_summed_over_pairs: bool = False
    """Matched pairs of encoder and decoder together are summed, not averaged."""
    hidden_over_padding: bool = False
    """The hidden term is the mean over all B * T positions, including padding, times the share of real tokens."""
    kl_over_all_positions: bool = False
    """KL is treated likewise, with prompt, padding and last position, and without shifting logits against labels."""
    decoder_mask_by_input: bool = False
    """A decoder position counts for KL and hidden where its input is not padding: the one after the end does, and
    the first does not where the start token is the padding token (T5)."""
    layernorm_of_whole_state: bool = False
    """`hidden_norm: layernorm` takes mean and variance over the whole [B, T, width] state, including padding."""
    l2_without_epsilon: bool = False
    """`hidden_norm: l2` divides by the length without epsilon: a state of zeros gives NaN."""
    last_state_normed: bool = False
    """A stack's last state is that of transformers, after the final norm (and, in T5, dropout)."""
    teacher_dropout: bool = False
    """The teacher's dropout is active while the student is trained."""
    ce_by_micro_batch: bool = False
    """CE is the mean of the means of the micro-batches, not the mean over all labels of the step."""
    kl_and_hidden_by_micro_batch: bool = False
    """KL and hidden are means of means likewise."""
    micro_batches_add_up: bool = False
    """In training, KL and hidden are sums of the micro-batches' means, which grow with accumulation, unlike CE."""
    projections_fixed: bool = False
    """Projections to another width are not trained, so that angles are not measured through them."""
    batches_at_random: bool = False
    """Batches are random instead of similar in length, which matters for all terms that count padding."""


CLEAN = Quirks()


@dataclass(frozen=True)
class PublicCode:
    """The public code of one family: its quirks, and the settings that it supports."""

    quirks: Quirks
    head: HeadName
    hidden_norms: tuple[str, ...]
    has_temperature: bool


_SEQ2SEQ = Quirks(
    hidden_summed_over_pairs=True,
    decoder_mask_by_input=True,
    layernorm_of_whole_state=True,
    teacher_dropout=True,
    ce_by_micro_batch=True,
    kl_and_hidden_by_micro_batch=True,
    batches_at_random=True,
)

OFFICIAL: dict[str, PublicCode] = {
    "bert": PublicCode(
        Quirks(
            hidden_summed_over_width=True,
            hidden_divided_by_batch=True,
            ce_by_micro_batch=True,
            kl_and_hidden_by_micro_batch=True,
            projections_fixed=True,
            batches_at_random=True,
        ),
        head="sequence_classification",
        hidden_norms=("none",),
        has_temperature=False,
    ),
    "bart": PublicCode(
        _SEQ2SEQ,
        head="language_model",
        hidden_norms=("none", "layernorm"),
        has_temperature=True,
    ),
    "t5": PublicCode(
        replace(_SEQ2SEQ, last_state_normed=True),
        head="language_model",
        hidden_norms=("none", "layernorm"),
        has_temperature=True,
    ),
    "qwen3": PublicCode(
        Quirks(
            hidden_summed_over_width=True,
            hidden_over_padding=True,
            kl_over_all_positions=True,
            l2_without_epsilon=True,
            last_state_normed=True,
            kl_and_hidden_by_micro_batch=True,
            micro_batches_add_up=True,
            batches_at_random=True,
        ),
        head="language_model",
        hidden_norms=("l2",),
        has_temperature=False,
    ),
}


def quirks(family: str, config: LossConfig) -> Quirks:
    """The quirks of the config's semantics."""
    return CLEAN if config.semantics == "clean" else OFFICIAL[family].quirks


def check(family: str, kind: str, head: Head | None, config: LossConfig) -> list[Problem]:
    """Settings that the public code of a family does not support; `head` is the task kind's, None if unknown."""
    if config.semantics == "clean":
        return []
    code = OFFICIAL.get(family)
    if code is None:
        message = f"got official for {family}; the paper's public code has {', '.join(OFFICIAL)}: give clean"
        return [Problem("losses.semantics", message)]
    problems: list[Problem] = []
    if head is not None and (head.name != code.head or head.loss != "cross_entropy"):
        does = "gives a class to a text or a pair" if code.head == "sequence_classification" else "generates"
        problems.append(
            Problem(
                "losses.semantics",
                f"got official for a {kind} task; the public code's {family} only {does}: give clean",
            )
        )
    if config.hidden_norm not in code.hidden_norms:
        message = f"got {config.hidden_norm}; the public code of {family} has {' and '.join(code.hidden_norms)}"
        problems.append(Problem("losses.hidden_norm", message))
    if not isinstance(config.distance, MSE):
        message = f"got {config.distance.kind}; the public code has mse"
        problems.append(Problem("losses.distance", message))
    if config.temperature != 1 and not code.has_temperature:
        message = f"got {config.temperature:g}; the public code of {family} has no temperature: give 1"
        problems.append(Problem("losses.temperature", message))
    return problems
