"""The layer-selection strategies: which teacher state each student state is matched to (paper, section 3).

A strategy maps one stack at a time, so that encoder and decoder are mapped separately. Blocks count from 1; state i is
the output of block i, and state 0 the embeddings. A new strategy is one class with its parameters and its rule, and
one entry in `STRATEGIES`.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from operator import index
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, Field

Match = int | dict[int, float]
"""One teacher state, or several with weights that add up to 1: the student is matched to their weighted sum."""

StateMapping = dict[int, Match]
"""Student state -> what it is matched to; empty without matching."""

StateNumber = Annotated[int, Field(ge=0)]
Weights = dict[StateNumber, Annotated[float, Field(ge=0, le=1)]]


def weights_of(match: Match) -> dict[int, float]:
    """Teacher state -> weight; a single state has weight 1."""
    return match if isinstance(match, dict) else {match: 1.0}


def _checked(match: Any) -> Match:
    """Raises TypeError for a state that is no whole number, as a plug-in may return, ValueError for wrong weights."""
    if not isinstance(match, Mapping):
        return index(match)
    weights = {index(state): float(weight) for state, weight in match.items()}
    if not weights or abs(sum(weights.values()) - 1) > 1e-6 or min(weights.values()) < 0:
        raise ValueError(f"states: got the weights {weights}; expected weights from 0 that add up to 1")
    return weights


class Stack(NamedTuple):
    """One stack, with its depths in the teacher and in the student."""

    name: str
    num_teacher: int
    num_student: int
    influence: tuple[float, ...] | None = None
    """How much each of the teacher's blocks changes its input (trainables/influence.py); None: not measured."""


def even_blocks(num_teacher: int, num_student: int) -> list[int]:
    """The last block of each of `num_student` equal shares of the teacher: ceil(i * num_teacher / num_student)."""
    return [-(-i * num_teacher // num_student) for i in range(1, num_student + 1)]


def shuffled(blocks: Sequence[int], rng: random.Random) -> list[int]:
    """A uniform random permutation. It uses `random()`, the only draw that Python keeps stable across versions."""
    return sorted(blocks, key=lambda _: rng.random())


class Strategy(BaseModel, ABC, frozen=True, extra="forbid"):
    """One matching rule with its parameters."""

    kind: str
    match_embeddings: bool | None = Field(
        default=None, description="Whether state 0 is matched too; null: as in the paper for the family."
    )

    needs_influence: ClassVar[bool] = False
    """Whether the rule reads `Stack.influence`."""

    @property
    def redraws(self) -> bool:
        """Whether the mapping is drawn anew at each epoch."""
        return False

    @abstractmethod
    def blocks(self, stack: Stack, rng: random.Random) -> Sequence[Match]:
        """The teacher states of student blocks 1 to n; a random rule draws from `rng`."""

    def embedding_state(self, stack: Stack) -> int:
        """The teacher state that student state 0 is matched to, where it is matched."""
        return 0

    def check_stacks(self, names: Collection[str]) -> None:
        """Raises ValueError where the parameters are for a stack that is not one of the model's."""

    def check(self, stack: Stack) -> None:
        """Raises ValueError where the parameters are impossible for this stack."""

    def mapping(self, stack: Stack, rng: random.Random, *, match_embeddings: bool) -> StateMapping:
        """The mapping of one stack; `match_embeddings` is the default where the strategy does not set its own.

        Raises ValueError where the strategy is impossible for this stack.
        """
        if stack.num_student > stack.num_teacher:
            raise ValueError(
                f"student_blocks: got {stack.num_student}; the teacher's {stack.name} has {stack.num_teacher} blocks"
            )
        self.check(stack)
        states = [_checked(match) for match in self.blocks(stack, rng)]
        allowed = range(stack.num_teacher + 1)
        if len(states) != stack.num_student or not all(s in allowed for match in states for s in weights_of(match)):
            raise ValueError(
                f"kind: {self.kind} maps the {stack.num_student} student blocks of the {stack.name} to {states}; "
                f"expected as many teacher states, of 0 to {stack.num_teacher}"
            )
        mapping: StateMapping = dict(enumerate(states, start=1))
        if match_embeddings if self.match_embeddings is None else self.match_embeddings:
            state = index(self.embedding_state(stack))
            if state not in allowed:
                raise ValueError(
                    f"kind: {self.kind} maps the embeddings of the {stack.name} to {state!r}; "
                    f"expected a teacher state, of 0 to {stack.num_teacher}"
                )
            mapping = {0: state, **mapping}
        return mapping


class NoMatching(Strategy, frozen=True):
    """No matching: the loss is cross entropy and KL alone."""

    kind: Literal["none"] = "none"
    match_embeddings: Literal[None] = None

    def blocks(self, stack: Stack, rng: random.Random) -> list[int]:
        return []

    def mapping(self, stack: Stack, rng: random.Random, *, match_embeddings: bool) -> StateMapping:
        return {}


class Forward(Strategy, frozen=True):
    """Evenly spaced blocks in order, which the paper recommends."""

    kind: Literal["forward"] = "forward"

    def blocks(self, stack: Stack, rng: random.Random) -> list[int]:
        return even_blocks(stack.num_teacher, stack.num_student)


class Reverse(Strategy, frozen=True):
    """The blocks of forward in reverse order."""

    kind: Literal["reverse"] = "reverse"

    def blocks(self, stack: Stack, rng: random.Random) -> list[int]:
        return even_blocks(stack.num_teacher, stack.num_student)[::-1]


class AllToOne(Strategy, frozen=True):
    """Every matched student state, including the embeddings, is matched to one teacher state."""

    kind: Literal["all_to_one"] = "all_to_one"
    teacher_state: StateNumber | None = Field(default=None, description="null: the middle state, such as 6 of 12.")

    def check(self, stack: Stack) -> None:
        if self.teacher_state is not None and self.teacher_state > stack.num_teacher:
            raise ValueError(
                f"teacher_state: got {self.teacher_state}; the teacher's {stack.name} "
                f"has states 0 to {stack.num_teacher}"
            )

    def embedding_state(self, stack: Stack) -> int:
        return stack.num_teacher // 2 if self.teacher_state is None else self.teacher_state

    def blocks(self, stack: Stack, rng: random.Random) -> list[int]:
        return [self.embedding_state(stack)] * stack.num_student


class Drawn(Strategy, frozen=True):
    """A rule that draws its mapping once, or anew at each epoch."""

    redraw: Literal["never", "epoch"] = Field(default="never", description="When the mapping is drawn anew.")

    @property
    def redraws(self) -> bool:
        return self.redraw == "epoch"


class RandomOrder(Drawn, frozen=True):
    """A random permutation of forward's blocks ("out of order"), possibly the identity or the reversal."""

    kind: Literal["random"] = "random"

    def blocks(self, stack: Stack, rng: random.Random) -> list[int]:
        return shuffled(even_blocks(stack.num_teacher, stack.num_student), rng)


class InOrderRandom(Drawn, frozen=True):
    """A sorted random subset of the teacher's blocks; with `redraw: epoch`, RAIL-KD (Haidar et al., 2022)."""

    kind: Literal["in_order_random"] = "in_order_random"

    def blocks(self, stack: Stack, rng: random.Random) -> list[int]:
        return sorted(shuffled(range(1, stack.num_teacher + 1), rng)[: stack.num_student])


class BlockInfluence(Strategy, frozen=True):
    """The blocks that change their input most, in order (ShortGPT, Men et al., 2024), measured on the probe."""

    kind: Literal["block_influence"] = "block_influence"
    needs_influence: ClassVar[bool] = True

    def blocks(self, stack: Stack, rng: random.Random) -> list[int]:
        return most_influential(stack)


def most_influential(stack: Stack) -> list[int]:
    """As many blocks of the teacher as the student has, those with the most influence, in order."""
    assert stack.influence is not None
    ranked = sorted(enumerate(stack.influence, start=1), key=lambda numbered: -numbered[1])
    return sorted(block for block, _ in ranked[: stack.num_student])


class Custom(Strategy, frozen=True):
    """An explicit list of the teacher states of student blocks 1 to n, for all stacks or per stack.

    `{3: 0.5, 4: 0.5}` in place of a state is the weighted sum of several.
    """

    kind: Literal["custom"] = "custom"
    states: list[StateNumber | Weights] | dict[str, list[StateNumber | Weights]]

    def check_stacks(self, names: Collection[str]) -> None:
        others = [name for name in self.states if name not in names] if isinstance(self.states, dict) else []
        if others:
            raise ValueError(f"states.{others[0]}: got a stack that the model does not have; it has {', '.join(names)}")

    def check(self, stack: Stack) -> None:
        if isinstance(self.states, dict) and stack.name not in self.states:
            raise ValueError(f"states: got {sorted(self.states)}; the model has a stack {stack.name!r} too")
        states = self._of(stack)
        if len(states) != stack.num_student:
            raise ValueError(
                f"states: got {len(states)} states; the student's {stack.name} has {stack.num_student} blocks"
            )
        last = max(state for match in states for state in weights_of(_checked(match)))
        if last > stack.num_teacher:
            raise ValueError(f"states: got {last}; the teacher's {stack.name} has states 0 to {stack.num_teacher}")

    def blocks(self, stack: Stack, rng: random.Random) -> list[Match]:
        return list(self._of(stack))

    def _of(self, stack: Stack) -> Sequence[Match]:
        return self.states[stack.name] if isinstance(self.states, dict) else self.states


STRATEGIES: dict[str, type[Strategy]] = {
    "none": NoMatching,
    "forward": Forward,
    "reverse": Reverse,
    "all_to_one": AllToOne,
    "random": RandomOrder,
    "in_order_random": InOrderRandom,
    "block_influence": BlockInfluence,
    "custom": Custom,
}
