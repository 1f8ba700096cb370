"""Both semantics worked out by hand on two examples of three tokens, and by how much each quirk moves the loss.

B batch, T tokens, E width, V vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from trainables.config import LossConfig
from trainables.families import FAMILIES, Family
from trainables.families.base import Outputs
from trainables.families.states import aligned_labels, token_masks
from trainables.heads import LANGUAGE_MODEL, Head
from trainables.losses import IGNORED
from trainables.metrics import summed
from trainables.objective import Distillation
from trainables.official import CLEAN, OFFICIAL, Quirks, check, quirks
from trainables.tasks.batches import Batch
from trainables.tasks.kinds import KINDS

Array = np.ndarray[Any, np.dtype[np.float64]]

REAL = [[1, 1, 0], [1, 1, 1]]
"""Real tokens: 5 of 6, the last of the first example is padding."""
WIDTH = 4
PAD_ID, START_ID = 7, 6

# A student's states 1 and 2 as seen from a teacher's of zeros, [B, T, 2]; the other two of four places are 0.
# Squares summed over width:      2       4      162        1       9       8
STATE_1 = [[[1, 1], [2, 0], [9, 9]], [[1, 0], [0, 3], [2, 2]]]
#                                 1       1       25        0       5       9
STATE_2 = [[[1, 0], [1, 0], [0, 5]], [[0, 0], [2, 1], [3, 0]]]

# The same as turns from the teacher's direction: 0 (same), 1 (right angle), 2 (opposite); squared distances of the
# unit vectors 0, 2, 4.
TURNS_1 = [[1, 0, 2], [1, 1, 0]]
TURNS_2 = [[0, 0, 0], [0, 0, 2]]

FAR = [[1, 0, 1], [1, 1, 0]]
"""Where the student gives 1/4 and 3/4 while the teacher gives 1/2 and 1/2: a KL of K. Elsewhere both give 1/2: 0."""
K = math.log(2) - math.log(3) / 2
L = math.log(2)


@dataclass
class Given:
    """A model that shows given states, [B, T, E] each, and logits; `normed` is its final norm."""

    states: list[Tensor]
    logits: Tensor
    normed: float = 1.0
    config: Any = None


def shown(family: Family, model: Given, batch: Batch, *, final_norm: bool = False) -> Outputs:
    """A pass of a given model over the micro-batch of the examples in `only`; labels and masks are the family's."""
    states = [state_BTE[batch["only"]] for state_BTE in model.states]
    if final_norm:
        states[-1] = model.normed * states[-1]
    logits = model.logits[batch["only"]]
    seen = logits[:, :-1] if family.form == "decoder" else logits
    stacks = dict.fromkeys(family.stacks, states)
    return Outputs(seen, aligned_labels(family, batch), stacks, token_masks(family, batch), logits)


@pytest.fixture(autouse=True)
def _given_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainables.families.states.forward", shown)


def wide(state_BT2: list[list[list[int]]]) -> Tensor:
    return torch.nn.functional.pad(torch.tensor(state_BT2, dtype=torch.float32), (0, WIDTH - 2))


def turned(turns_BT: list[list[int]], length: float) -> Tensor:
    directions = torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [-1.0, 0, 0, 0]])
    return length * directions[torch.tensor(turns_BT)]


def student_logits(family: Family) -> Tensor:
    """[B, T, V]; BERT's [B, V]: far from the teacher's in the first example, equal in the second."""
    logits_BTV = torch.tensor([[0.5, 0.5], [0.25, 0.75]]).log()[torch.tensor(FAR)]
    return torch.stack([logits_BTV[0, 0], logits_BTV[1, 2]]) if family.form == "encoder" else logits_BTV


def batch_of(family: Family, only: list[int]) -> Batch:
    labels = {
        "encoder": torch.tensor([0, 0]),
        "encoder_decoder": torch.tensor([[0, 1, IGNORED], [0, 0, 1]]),
        "decoder": torch.tensor([[IGNORED, 0, IGNORED], [IGNORED, 0, 1]]),
    }[family.form]
    return {"labels": labels[only], "attention_mask": torch.tensor(REAL)[only], "only": torch.tensor(only)}


@dataclass
class Case:
    """A step: its micro-batches, how the hidden states are compared, and what the final norm does to the student's."""

    micro: tuple[list[int], ...] = ([0, 1],)
    norm: str | None = None
    normed: float = 1.0
    training: bool = True
    zero_token: bool = False


ONE = Case()
TWO = Case(micro=([0, 1], [1]))


def terms(name: str, found: Quirks, case: Case = ONE) -> dict[str, float]:
    """The terms of a step."""
    family = FAMILIES[name]
    norm = case.norm or OFFICIAL[name].hidden_norms[0]
    if norm == "l2":
        teacher_states, states = [turned([[0] * 3] * 2, 3.0)] * 3, [turned(x, 2.0) for x in (TURNS_1, TURNS_1, TURNS_2)]
    else:
        teacher_states, states = [torch.zeros(2, 3, WIDTH)] * 3, [wide(x) for x in (STATE_1, STATE_1, STATE_2)]
    if case.zero_token:
        states[1][0, 0] = 0.0
    logits = student_logits(family)
    start_id = PAD_ID if name == "t5" else START_ID
    config = SimpleNamespace(decoder_start_token_id=start_id, pad_token_id=PAD_ID)
    model, teacher = Given(states, logits, case.normed, config), Given(teacher_states, torch.zeros_like(logits))
    batches = [batch_of(family, only) for only in case.micro]

    student = SimpleNamespace(model=model, training=case.training, project=lambda _stack, _state, x: x)
    mappings = {stack: {1: 1, 2: 2} for stack in family.stacks}
    stand_ins: Any = student, mappings
    objective = Distillation(family, LANGUAGE_MODEL, *stand_ins, LossConfig(hidden_norm=norm), found)
    totals = summed([objective.totals(batch) for batch in batches])
    parts: list[dict[str, float]] = []
    for batch in batches:
        wanted = shown(family, teacher, batch, final_norm=found.last_state_normed)
        part = objective.terms(batch, objective.forward(batch), wanted, totals)
        parts.append({key: value.item() for key, value in part.items()})
    return summed(parts)


# Both semantics by hand. Clean: a mean over width (4), real tokens or labels of the step, and pairs.

BY_HAND: dict[tuple[str, str], dict[str, float]] = {
    # CE: the first example gives its label 1/4, 2 L; the second 1/2, L.
    ("bert", "clean"): {"ce": 1.5 * L, "kl": K / 2, "hidden": (24 / 4 / 5 + 16 / 4 / 5) / 2},
    # Summed over width, by the real tokens and by the batch: clean * 4 / 2.
    ("bert", "official"): {"ce": 1.5 * L, "kl": K / 2, "hidden": (24 / 5 / 2 + 16 / 5 / 2) / 2},
    ("bart", "clean"): {"ce": 8 / 5 * L, "kl": 3 / 5 * K, "hidden": (24 + 16 + 24 + 16) / 4 / 5 / 4},
    # All 6 decoder positions have an input that is not padding.
    ("bart", "official"): {"ce": 8 / 5 * L, "kl": 4 / 6 * K, "hidden": (24 + 16) / 4 / 5 + (186 + 41) / 4 / 6},
    ("t5", "clean"): {"ce": 8 / 5 * L, "kl": 3 / 5 * K, "hidden": (24 + 16 + 24 + 16) / 4 / 5 / 4},
    # The first decoder position of each example has the start token, which is padding: 4 positions are left.
    ("t5", "official"): {"ce": 8 / 5 * L, "kl": 2 / 4 * K, "hidden": (24 + 16) / 4 / 5 + (183 + 40) / 4 / 4},
    # Labels stand one place after their logits: those at the first place of both examples, and at the second of one.
    # The last of them has the label that the student gives 3/4: 2 L - ln 3.
    ("qwen3", "clean"): {"ce": (6 * L - math.log(3)) / 3, "kl": K, "hidden": (6 + 4) / 4 / 5 / 2},
    # Over all 6 positions, times 5 / 6.
    ("qwen3", "official"): {
        "ce": (6 * L - math.log(3)) / 3,
        "kl": 4 / 6 * 5 / 6 * K,
        "hidden": (10 + 4) / 6 * 5 / 6 / 2,
    },
}


@pytest.mark.parametrize(("name", "semantics"), BY_HAND)
def test_by_hand(name: str, semantics: str) -> None:
    found = terms(name, CLEAN if semantics == "clean" else OFFICIAL[name].quirks)
    wanted = BY_HAND[name, semantics]
    assert {term: found[f"loss_{term}"] for term in wanted} == pytest.approx(wanted, rel=1e-6)
    assert found["loss"] == pytest.approx(wanted["ce"] + wanted["kl"] + 3 * wanted["hidden"], rel=1e-6)


# Each quirk alone: the term as the public code has it, and without this one quirk.

SEQ2SEQ_CE = {"with": (8 / 5 + 5 / 3) / 2 * L, "without": 13 / 8 * L}


@dataclass
class Move:
    """What switching one quirk off does to a term."""

    case: Case
    term: str
    official: float
    without: float


MOVES: dict[tuple[str, str], list[Move]] = {
    ("bert", "hidden_summed_over_width"): [Move(ONE, "hidden", 2.0, 0.5)],
    ("bert", "hidden_divided_by_batch"): [Move(ONE, "hidden", 2.0, 4.0)],
    # The second micro-batch is the second example alone: CE L against 1.5 L in the first.
    ("bert", "ce_by_micro_batch"): [Move(TWO, "ce", (1.5 + 1) / 2 * L, 4 / 3 * L)],
    ("bert", "kl_and_hidden_by_micro_batch"): [
        Move(TWO, "kl", (K / 2 + 0) / 2, K / 3),
        Move(TWO, "hidden", (2 + (18 + 14) / 3 / 2) / 2, ((24 + 16) / 2 + (18 + 14)) / 8 / 2),
    ],
    ("bart", "hidden_summed_over_pairs"): [Move(ONE, "hidden", 2 + 227 / 24, (2 + 227 / 24) / 4)],
    ("bart", "decoder_mask_by_input"): [
        Move(ONE, "kl", 4 / 6 * K, 3 / 5 * K),
        Move(ONE, "hidden", 2 + 227 / 24, 4.0),
    ],
    ("bart", "ce_by_micro_batch"): [Move(TWO, "ce", SEQ2SEQ_CE["with"], SEQ2SEQ_CE["without"])],
    ("bart", "kl_and_hidden_by_micro_batch"): [
        Move(TWO, "kl", (4 / 6 + 2 / 3) / 2 * K, 6 / 9 * K),
        Move(TWO, "hidden", (2 + 227 / 24 + 2 * 32 / 12) / 2, (42 + 30) / 32 + (204 + 55) / 36),
    ],
    ("t5", "hidden_summed_over_pairs"): [Move(ONE, "hidden", 15.9375, 15.9375 / 4)],
    ("t5", "decoder_mask_by_input"): [Move(ONE, "kl", K / 2, 3 / 5 * K), Move(ONE, "hidden", 15.9375, 4.0)],
    # A norm that doubles the student's last state: 4 times the squares of state 2 in both stacks.
    ("t5", "last_state_normed"): [Move(Case(normed=2.0), "hidden", 1.2 + 3.2 + 11.4375 + 10, 15.9375)],
    ("t5", "ce_by_micro_batch"): [Move(TWO, "ce", SEQ2SEQ_CE["with"], SEQ2SEQ_CE["without"])],
    ("t5", "kl_and_hidden_by_micro_batch"): [
        Move(TWO, "kl", (2 / 4 + 1 / 2) / 2 * K, 3 / 6 * K),
        Move(TWO, "hidden", (15.9375 + 32 / 12 + 31 / 8) / 2, (42 + 30) / 32 + (200 + 54) / 24),
    ],
    ("qwen3", "hidden_summed_over_width"): [Move(ONE, "hidden", 35 / 36, 35 / 36 / 4)],
    ("qwen3", "hidden_over_padding"): [Move(ONE, "hidden", 35 / 36, 1.0)],
    ("qwen3", "kl_over_all_positions"): [Move(ONE, "kl", 20 / 36 * K, K)],
    ("qwen3", "l2_without_epsilon"): [Move(Case(zero_token=True), "hidden", math.nan, 35 / 36 - 5 / 6 / 6 / 2)],
    # A norm that turns the student's last state round.
    ("qwen3", "last_state_normed"): [Move(Case(normed=-1.0), "hidden", (10 + 20) / 6 * 5 / 6 / 2, 35 / 36)],
    ("qwen3", "kl_and_hidden_by_micro_batch"): [
        Move(TWO, "kl", (20 / 36 + 2 / 3) * K, (4 * 5 / 6 + 2) / 9 * K),
        Move(TWO, "hidden", 35 / 36 + 4 / 3, ((10 + 4) * 5 / 6 + 4 + 4) / 9 / 2),
    ],
    ("qwen3", "micro_batches_add_up"): [
        Move(TWO, "kl", (20 / 36 + 2 / 3) * K, (20 / 36 + 2 / 3) / 2 * K),
        Move(TWO, "hidden", 35 / 36 + 4 / 3, (35 / 36 + 4 / 3) / 2),
    ],
}
ELSEWHERE = {"layernorm_of_whole_state", "teacher_dropout", "projections_fixed", "batches_at_random"}
"""Quirks with tests of their own, below and in test_official_cell.py."""


@pytest.mark.parametrize(("name", "quirk"), MOVES)
def test_by_how_much_a_quirk_moves_a_term(name: str, quirk: str) -> None:
    official = OFFICIAL[name].quirks
    for move in MOVES[name, quirk]:
        term = f"loss_{move.term}"
        found = terms(name, official, move.case)
        without = terms(name, replace(official, **{quirk: False}), move.case)
        assert found[term] == pytest.approx(move.official, rel=1e-6, nan_ok=True)
        assert without[term] == pytest.approx(move.without, rel=1e-6)


def test_every_quirk_of_every_family_has_its_numbers() -> None:
    on = {
        (name, field.name)
        for name, code in OFFICIAL.items()
        for field in fields(Quirks)
        if getattr(code.quirks, field.name)
    }
    assert {each for each in on if each[1] not in ELSEWHERE} == MOVES.keys()
    assert {quirk for _, quirk in on} == {field.name for field in fields(Quirks)}


def test_clean_has_no_quirk() -> None:
    assert not any(getattr(CLEAN, field.name) for field in fields(Quirks))
    assert quirks("bert", LossConfig()) == CLEAN
    assert quirks("bert", LossConfig(semantics="official")) == OFFICIAL["bert"].quirks


# The norm over a whole state, in NumPy.


def whole(state_BTE: Array) -> Array:
    return (state_BTE - state_BTE.mean()) / np.sqrt(state_BTE.var() + 1e-5)


def each_token(state_BTE: Array) -> Array:
    mean, variance = state_BTE.mean(-1, keepdims=True), state_BTE.var(-1, keepdims=True)
    return (state_BTE - mean) / np.sqrt(variance + 1e-5)


@pytest.mark.parametrize("name", ["bart", "t5"])
def test_the_layernorm_is_over_the_whole_state_with_its_padding(name: str) -> None:
    encoder_BT = np.array(REAL) > 0
    decoder_BT = np.ones((2, 3), bool)
    decoder_BT[:, 0] = name == "bart"
    states = [wide(state).double().numpy() for state in (STATE_1, STATE_2)]

    def hidden(normed: Any) -> float:
        """The teacher's zeros stay zeros."""
        return sum(
            (normed(state) ** 2).mean(-1)[mask_BT].mean() for state in states for mask_BT in (encoder_BT, decoder_BT)
        )

    official, case = OFFICIAL[name].quirks, Case(norm="layernorm")
    assert terms(name, official, case)["loss_hidden"] == pytest.approx(hidden(whole), rel=1e-5)
    without = terms(name, replace(official, layernorm_of_whole_state=False), case)["loss_hidden"]
    assert without == pytest.approx(hidden(each_token), rel=1e-5)
    assert abs(without - hidden(whole)) > 0.1


# In an evaluation


def test_an_evaluation_does_not_add_up_its_batches() -> None:
    """Qwen3's KL and hidden terms of two batches are their mean, whatever their number."""
    found = terms("qwen3", OFFICIAL["qwen3"].quirks, replace(TWO, training=False))
    assert found["loss_hidden"] == pytest.approx((35 / 36 + 4 / 3) / 2, rel=1e-6)
    assert found["loss_kl"] == pytest.approx((20 / 36 + 2 / 3) / 2 * K, rel=1e-6)


# State 0 is matched by default as in the paper, in both semantics


def test_which_families_match_the_embeddings() -> None:
    assert {name: FAMILIES[name].match_embeddings for name in OFFICIAL} == {
        "bert": True,
        "bart": True,
        "t5": True,
        "qwen3": False,
    }


# What the public code cannot be asked for

REFUSED = [
    (
        "roberta",
        "classification",
        {},
        "losses.semantics: got official for roberta; the paper's public code has bert, bart, t5, qwen3: give clean",
    ),
    (
        "bert",
        "classification",
        {"hidden_norm": "l2", "temperature": 2},
        "losses.hidden_norm: got l2; the public code of bert has none\n"
        "losses.temperature: got 2; the public code of bert has no temperature: give 1",
    ),
    (
        "t5",
        "generation",
        {"hidden_norm": "l2"},
        "losses.hidden_norm: got l2; the public code of t5 has none and layernorm",
    ),
    ("qwen3", "generation", {}, "losses.hidden_norm: got none; the public code of qwen3 has l2"),
    (
        "qwen3",
        "classification",
        {"hidden_norm": "l2"},
        "losses.semantics: got official for a classification task; the public code's qwen3 only generates: give clean",
    ),
    *(
        (
            "bert",
            kind,
            {},
            f"losses.semantics: got official for a {kind} task; the public code's bert only gives a class to a text "
            "or a pair: give clean",
        )
        for kind in ("regression", "token_classification")
    ),
]


@pytest.mark.parametrize(("family", "kind", "given", "message"), REFUSED)
def test_what_the_public_code_does_not_have(family: str, kind: str, given: dict[str, Any], message: str) -> None:
    config = LossConfig.model_validate({"semantics": "official", **given})
    head = KINDS[kind].head(())
    assert "\n".join(map(str, check(family, kind, head, config))) == message
    assert check(family, kind, head, LossConfig.model_validate(given)) == []


def test_what_the_public_code_has() -> None:
    for name, norm, temperature in (
        ("bert", "none", 1),
        ("bart", "none", 1),
        ("t5", "layernorm", 2),
        ("qwen3", "l2", 1),
    ):
        config = LossConfig(semantics="official", hidden_norm=norm, temperature=temperature)
        assert check(name, "any", Head("sequence_classification") if name == "bert" else LANGUAGE_MODEL, config) == []
        assert check(name, "", None, config) == []
