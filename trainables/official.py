"""What the paper's public code does otherwise than `clean`, family by family: `losses.semantics: official`.

One field a quirk, one line a quirk in a family's entry; with all of them off the loss is the clean one. Read from
github.com/MANGA-UOFA/Layer-Selection: classification/trainer.py (BERT), dart/distillation.py (BART),
t5mt/distillation.py (T5), llm/sft_trainer.py (Qwen3). Whether state 0 is matched is no quirk but the family's own
choice in both semantics (`Family.match_embeddings`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from trainables.config import LossConfig
from trainables.errors import Problem
from trainables.heads import Head, HeadName


@dataclass(frozen=True)
class Quirks:
    """Where a loss leaves the clean one. B batch, T tokens, both of a micro-batch."""

    hidden_summed_over_width: bool = False
    """The squared differences of a token are summed, not averaged: the hidden term grows with the width."""
    hidden_divided_by_batch: bool = False
    """The hidden term is divided by B beside the real tokens: it falls as the batch grows."""
    hidden_summed_over_pairs: bool = False
    """Matched pairs are summed, those of encoder and decoder together, not averaged."""
    hidden_over_padding: bool = False
    """The hidden term is the mean over all B * T positions, padding too, times the share of real tokens."""
    kl_over_all_positions: bool = False
    """So is KL: prompt, padding and the last position too, the logits not shifted against the labels."""
    decoder_mask_by_input: bool = False
    """A decoder position counts for KL and hidden where its input is not padding: the one after the end does, and
    the first does not where the start token is the padding token (T5)."""
    layernorm_of_whole_state: bool = False
    """`hidden_norm: layernorm` takes mean and variance over the whole [B, T, width] of a state, padding too."""
    l2_without_epsilon: bool = False
    """`hidden_norm: l2` divides by the length as it is: a state of zeros is not a number."""
    last_state_normed: bool = False
    """A stack's last state is taken after its final norm (T5: and dropout), where transformers puts it."""
    teacher_dropout: bool = False
    """While the student trains, so does the teacher's dropout."""
    ce_by_micro_batch: bool = False
    """CE is the mean of the micro-batches' means, not the mean over the labels of the step."""
    kl_and_hidden_by_micro_batch: bool = False
    """So are KL and hidden."""
    micro_batches_add_up: bool = False
    """In training the micro-batches' KL and hidden means are summed: each counts once a micro-batch, CE once a step."""
    projections_fixed: bool = False
    """Projections to another width are never trained; there are no angles through them."""
    batches_at_random: bool = False
    """Batches are drawn at random, not of like length: what counts padding depends on how much there is."""


CLEAN = Quirks()


@dataclass(frozen=True)
class PublicCode:
    """The public code of one family: its quirks, and what it can be asked for."""

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
    """Those of the config's semantics."""
    return CLEAN if config.semantics == "clean" else OFFICIAL[family].quirks


def check(family: str, kind: str, head: Head | None, config: LossConfig) -> list[Problem]:
    """What the public code of a family cannot be asked for; `head` of the task kind, None: it is not known."""
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
    if config.temperature != 1 and not code.has_temperature:
        message = f"got {config.temperature:g}; the public code of {family} has no temperature: give 1"
        problems.append(Problem("losses.temperature", message))
    return problems
