"""Named streams: fixed values, and no stream that moves another."""

import random

from hypothesis import given
from hypothesis import strategies as st

from trainables.seeds import generator, stream

NAMES = ["init", "data/0", "data/1", "dropout", "projection", "strategy/encoder", "strategy/decoder"]


def test_golden_values() -> None:
    assert stream(0, "init") == 1519069808562059438
    assert stream(1, "init") == 5267816590608909949
    assert stream(0, "strategy/encoder") == 8098274926129309919
    assert generator(0, "data").random() == 0.10003065444578785


def test_streams_differ_by_seed_and_by_name() -> None:
    drawn = {stream(seed, name) for seed in range(100) for name in NAMES}
    assert len(drawn) == 100 * len(NAMES)


def test_seed_and_name_do_not_run_together() -> None:
    assert stream(1, "1/data") != stream(11, "/data")


@given(seed=st.integers(), name=st.text())
def test_a_stream_is_a_seed_that_torch_and_numpy_take(seed: int, name: str) -> None:
    assert 0 <= stream(seed, name) < 2**63


def test_generators_keep_apart_from_each_other_and_from_the_global_state() -> None:
    alone = [generator(3, "data").random() for _ in range(2)]
    state = random.getstate()
    one, other = generator(3, "data"), generator(3, "init")
    other.random()
    assert [one.random(), generator(3, "data").random()] == alone
    assert random.getstate() == state
