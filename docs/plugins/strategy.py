"""A strategy of one's own: the last blocks of the teacher, after the "last" of PKD (Sun et al., 2019).

A strategy is one class: `kind` is its name in a config, its fields are its parameters there, and `blocks` gives the
teacher states of student blocks 1 to n of one stack. What it draws it draws from `rng`.
"""

import random
from typing import Annotated, Literal

from pydantic import Field

from trainables.plugins import register
from trainables.strategies import Stack, Strategy


@register
class Last(Strategy, frozen=True):
    """Student block i learns from the i-th of the teacher's last n blocks."""

    kind: Literal["last"] = "last"
    leave_out: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="Blocks at the teacher's end that are not matched; PKD leaves out one.",
    )

    def check(self, stack: Stack) -> None:
        if stack.num_student + self.leave_out > stack.num_teacher:
            raise ValueError(
                f"leave_out: got {self.leave_out}; {stack.num_student} of the teacher's {stack.num_teacher} "
                f"{stack.name} blocks are needed"
            )

    def blocks(self, stack: Stack, rng: random.Random) -> list[int]:
        end = stack.num_teacher - self.leave_out
        return list(range(end - stack.num_student + 1, end + 1))
