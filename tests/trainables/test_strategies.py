"""Mappings: golden values of every strategy, and what must hold for any depths and seeds."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trainables.config import read_kind
from trainables.seeds import generator
from trainables.strategies import STRATEGIES, Stack, StateMapping, Strategy, even_blocks, weights_of

read_strategy = read_kind("strategy", STRATEGIES)


def mapping(
    strategy: Any, num_teacher: int, num_student: int, *, seed: int = 0, name: str = "encoder", embeddings: bool = False
) -> StateMapping:
    """A mapping as a cell draws it."""
    drawn: Strategy = read_strategy(strategy)
    stack = Stack(name, num_teacher, num_student, tuple(1 / block for block in range(1, num_teacher + 1)))
    return drawn.mapping(stack, generator(seed, f"strategy/{name}"), match_embeddings=embeddings)


def blocks(strategy: Any, num_teacher: int, num_student: int, **kwargs: Any) -> list[int]:
    """The teacher states of student blocks 1 to n."""
    found = mapping(strategy, num_teacher, num_student, **kwargs)
    assert list(found) == list(range(1, num_student + 1))
    return list(found.values())


@st.composite
def depths(draw: st.DrawFn) -> tuple[int, int]:
    num_student = draw(st.integers(1, 48))
    return draw(st.integers(num_student, 96)), num_student


seeds = st.integers(0, 2**31)

DEPTHS = [(12, 3), (12, 6), (12, 9), (36, 9), (6, 3), (4, 2)]

GOLDEN = {
    "forward": [
        [4, 8, 12],
        [2, 4, 6, 8, 10, 12],
        [2, 3, 4, 6, 7, 8, 10, 11, 12],
        [4, 8, 12, 16, 20, 24, 28, 32, 36],
        [2, 4, 6],
        [2, 4],
    ],
    "reverse": [
        [12, 8, 4],
        [12, 10, 8, 6, 4, 2],
        [12, 11, 10, 8, 7, 6, 4, 3, 2],
        [36, 32, 28, 24, 20, 16, 12, 8, 4],
        [6, 4, 2],
        [4, 2],
    ],
    "all_to_one": [[6] * 3, [6] * 6, [6] * 9, [18] * 9, [3] * 3, [2] * 2],
    "random": [
        [12, 4, 8],
        [6, 2, 4, 10, 12, 8],
        [10, 4, 12, 2, 3, 7, 8, 6, 11],
        [28, 12, 36, 4, 8, 20, 24, 16, 32],
        [6, 2, 4],
        [2, 4],
    ],
    "in_order_random": [
        [7, 11, 12],
        [1, 3, 7, 9, 11, 12],
        [1, 2, 3, 5, 7, 9, 10, 11, 12],
        [7, 11, 12, 15, 22, 23, 25, 31, 32],
        [1, 2, 3],
        [1, 3],
    ],
    # Under an influence that falls from block to block.
    "block_influence": [[1, 2, 3], [*range(1, 7)], [*range(1, 10)], [*range(1, 10)], [1, 2, 3], [1, 2]],
}


@pytest.mark.parametrize("kind", GOLDEN)
def test_golden_mappings_at_seed_0(kind: str) -> None:
    assert [blocks(kind, *depth) for depth in DEPTHS] == GOLDEN[kind]


@pytest.mark.parametrize("depth", DEPTHS)
def test_none_matches_nothing_whatever_the_family_does(depth: tuple[int, int]) -> None:
    assert mapping("none", *depth, embeddings=True) == {}


def test_golden_draws_of_the_decoder() -> None:
    assert blocks("random", 12, 3, name="decoder") == [8, 12, 4]
    assert blocks("random", 12, 6, name="decoder") == [8, 4, 12, 6, 2, 10]
    assert blocks("in_order_random", 12, 3, name="decoder") == [2, 4, 7]


def test_every_strategy_is_golden() -> None:
    assert set(GOLDEN) | {"none", "custom"} == set(STRATEGIES)


@given(depths())
def test_forward_is_increasing_and_ends_at_the_last_block(depth: tuple[int, int]) -> None:
    chosen = blocks("forward", *depth)
    assert chosen == sorted(set(chosen))
    assert chosen[0] >= 1
    assert chosen[-1] == depth[0]


@given(depths())
def test_forward_shares_differ_by_at_most_one_block(depth: tuple[int, int]) -> None:
    ends = [0, *blocks("forward", *depth)]
    shares = {end - start for start, end in pairwise(ends)}
    assert max(shares) - min(shares) <= 1


@given(depths(), seeds)
def test_reverse_and_random_reorder_forward(depth: tuple[int, int], seed: int) -> None:
    forward = blocks("forward", *depth)
    assert blocks("reverse", *depth) == forward[::-1]
    assert sorted(blocks("random", *depth, seed=seed)) == forward


@given(depths(), seeds)
def test_in_order_random_is_sorted_distinct_and_in_range(depth: tuple[int, int], seed: int) -> None:
    chosen = blocks("in_order_random", *depth, seed=seed)
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(range(1, depth[0] + 1))


@given(depths(), seeds, st.sampled_from(sorted(GOLDEN)))
def test_a_mapping_is_a_function_of_the_seed_and_the_stack(depth: tuple[int, int], seed: int, kind: str) -> None:
    assert blocks(kind, *depth, seed=seed) == blocks(kind, *depth, seed=seed)


@pytest.mark.parametrize("kind", ["forward", "reverse", "all_to_one"])
def test_what_is_not_drawn_is_the_same_for_all_seeds_and_stacks(kind: str) -> None:
    assert blocks(kind, 12, 5, seed=7, name="decoder") == blocks(kind, 12, 5, seed=8, name="encoder")


def test_random_comes_to_every_order_of_three_alike() -> None:
    drawn = [tuple(blocks("random", 12, 3, seed=seed)) for seed in range(600)]
    counts = {order: drawn.count(order) for order in set(drawn)}
    assert len(counts) == 6
    assert {(4, 8, 12), (12, 8, 4)} <= set(counts)
    assert all(70 <= count <= 130 for count in counts.values())  # 100 expected, deviation 9


def test_in_order_random_comes_to_every_subset_alike() -> None:
    drawn = [tuple(blocks("in_order_random", 4, 2, seed=seed)) for seed in range(600)]
    counts = {subset: drawn.count(subset) for subset in set(drawn)}
    assert set(counts) == {(1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)}
    assert all(70 <= count <= 130 for count in counts.values())


@pytest.mark.parametrize("kind", ["random", "in_order_random"])
def test_encoder_and_decoder_are_drawn_apart(kind: str) -> None:
    pairs = [[blocks(kind, 12, 6, seed=seed, name=name) for name in ("encoder", "decoder")] for seed in range(20)]
    assert sum(encoder == decoder for encoder, decoder in pairs) <= 1


def test_all_to_one_takes_its_state_and_gives_it_to_the_embeddings_too() -> None:
    assert mapping("all_to_one", 12, 2, embeddings=True) == {0: 6, 1: 6, 2: 6}
    assert mapping({"kind": "all_to_one", "teacher_state": 9}, 12, 2, embeddings=True) == {0: 9, 1: 9, 2: 9}
    assert blocks({"kind": "all_to_one", "teacher_state": 0}, 12, 2) == [0, 0]
    assert blocks("all_to_one", 7, 2) == [3, 3]


def test_custom_is_one_list_for_all_stacks_or_one_a_stack() -> None:
    assert blocks({"kind": "custom", "states": [5, 5, 0]}, 12, 3, name="decoder") == [5, 5, 0]
    by_stack = {"kind": "custom", "states": {"encoder": [1, 2], "decoder": [12, 3]}}
    assert blocks(by_stack, 12, 2) == [1, 2]
    assert blocks(by_stack, 12, 2, name="decoder") == [12, 3]


@pytest.mark.parametrize("kind", ["forward", "reverse", "random", "in_order_random"])
def test_the_embedding_pair_is_matched_as_the_strategy_says_else_as_the_family_does(kind: str) -> None:
    assert mapping(kind, 12, 3, embeddings=True)[0] == 0
    assert 0 not in mapping(kind, 12, 3, embeddings=False)
    assert mapping({"kind": kind, "match_embeddings": True}, 12, 3, embeddings=False)[0] == 0
    assert 0 not in mapping({"kind": kind, "match_embeddings": False}, 12, 3, embeddings=True)


@pytest.mark.parametrize("kind", ["random", "in_order_random"])
def test_matching_the_embeddings_does_not_move_a_draw(kind: str) -> None:
    with_embeddings = mapping(kind, 12, 6, embeddings=True)
    assert with_embeddings.pop(0) == 0
    assert with_embeddings == mapping(kind, 12, 6, embeddings=False)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (
            {"kind": "all_to_one", "teacher_state": 40},
            "teacher_state: got 40; the teacher's encoder has states 0 to 12",
        ),
        ({"kind": "custom", "states": [1, 2]}, "states: got 2 states; the student's encoder has 3 blocks"),
        ({"kind": "custom", "states": []}, "states: got 0 states; the student's encoder has 3 blocks"),
        ({"kind": "custom", "states": [1, 2, 13]}, "states: got 13; the teacher's encoder has states 0 to 12"),
        (
            {"kind": "custom", "states": {"decoder": [1, 2, 3]}},
            "states: got ['decoder']; the model has a stack 'encoder' too",
        ),
    ],
)
def test_impossible_states_are_refused(strategy: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        mapping(strategy, 12, 3)
    assert str(error.value) == message


@pytest.mark.parametrize("kind", sorted(GOLDEN))
def test_a_student_deeper_than_its_teacher_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="student_blocks: got 4; the teacher's encoder has 3 blocks"):
        mapping(kind, 3, 4)
    assert len(mapping(kind, 3, 3)) == 3


@pytest.mark.parametrize(
    "strategy",
    [
        {"kind": "all_to_one", "teacher_state": -1},
        {"kind": "custom", "states": [-1]},
        {"kind": "custom"},
        {"kind": "none", "match_embeddings": True},
        {"kind": "forward", "teacher_state": 3},
    ],
)
def test_impossible_parameters_are_refused(strategy: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        read_strategy(strategy)


def test_a_strategy_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        read_strategy("forward").match_embeddings = True


def test_even_blocks_of_a_whole_teacher_is_every_block() -> None:
    assert even_blocks(5, 5) == [1, 2, 3, 4, 5]


def test_block_influence_takes_the_blocks_that_change_their_input_most() -> None:
    stack = Stack("encoder", 6, 3, (0.5, 0.1, 0.4, 0.1, 0.4, 0.2))
    drawn: Strategy = read_strategy("block_influence")
    assert drawn.needs_influence
    assert drawn.mapping(stack, generator(0, "any"), match_embeddings=True) == {0: 0, 1: 1, 2: 3, 3: 5}
    equal = stack._replace(influence=(0.5,) * 6)
    assert drawn.mapping(equal, generator(0, "any"), match_embeddings=False) == {1: 1, 2: 2, 3: 3}


def test_a_state_may_be_matched_to_a_weighted_sum_of_several() -> None:
    found = mapping({"kind": "custom", "states": [{1: 0.25, 2: 0.75}, 6]}, 6, 2)
    assert found == {1: {1: 0.25, 2: 0.75}, 2: 6}
    assert [weights_of(match) for match in found.values()] == [{1: 0.25, 2: 0.75}, {6: 1.0}]


@pytest.mark.parametrize("weights", [{1: 0.5, 2: 0.25}, {}, {1: 1.0, 2: 0.5}])
def test_weights_add_up_to_1(weights: dict[int, float]) -> None:
    with pytest.raises(ValueError, match=r"^states: got the weights .*; expected weights from 0 that add up to 1$"):
        mapping({"kind": "custom", "states": [weights, 6]}, 6, 2)


def test_only_states_of_the_teacher_have_weights() -> None:
    with pytest.raises(ValueError, match=r"^states: got 7; the teacher's encoder has states 0 to 6$"):
        mapping({"kind": "custom", "states": [{7: 1.0}, 6]}, 6, 2)


@pytest.mark.parametrize("kind", ["random", "in_order_random"])
def test_a_drawn_mapping_may_be_drawn_anew_at_each_epoch(kind: str) -> None:
    assert read_strategy({"kind": kind, "redraw": "epoch"}).redraws
    assert not read_strategy(kind).redraws
