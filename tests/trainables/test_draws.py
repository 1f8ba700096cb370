"""Streams of dropout: each goes on where it was, whatever is drawn in between."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.draws import Draws

CPU = torch.device("cpu")


def seeded(seed: int, count: int) -> list[float]:
    torch.manual_seed(seed)
    return torch.rand(count).tolist() if count else []


@given(order=st.lists(st.sampled_from([0, 1, 2]), max_size=12))
def test_each_stream_is_that_of_its_seed_alone(order: list[int]) -> None:
    streams = [Draws(seed, CPU) for seed in (5, 6, 2**63 - 1)]
    drawn: list[list[float]] = [[], [], []]
    for index in order:
        torch.rand(3)
        with streams[index].drawn():
            drawn[index].append(torch.rand(1).item())
    assert drawn == [seeded(seed, len(each)) for seed, each in zip((5, 6, 2**63 - 1), drawn, strict=True)]


def test_normal_draws_go_on_too() -> None:
    """Of which torch draws two at a time and keeps the second."""
    stream = Draws(3, CPU)
    found: list[float] = []
    for _ in range(5):
        with stream.drawn():
            found.append(torch.randn(1).item())
        torch.randn(1)
    torch.manual_seed(3)
    assert found == [torch.randn(1).item() for _ in range(5)]
