"""Files of weights without torch, against those that safetensors writes."""

import hashlib
import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from trainables import weights
from trainables.weights import Place

FLOATS = [torch.bfloat16, torch.float16, torch.float32, torch.float64]


def test_places_and_hash_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    tensors = {"b": torch.arange(6.0).view(2, 3), "a": torch.ones(4, dtype=torch.bfloat16), "c": torch.tensor(7)}
    save_file(tensors, path, metadata={"format": "pt"})
    places = weights.places(path)
    assert {name: place.shape for name, place in places.items()} == {"a": (4,), "b": (2, 3), "c": ()}
    assert {name: place.dtype for name, place in places.items()} == {"a": "BF16", "b": "F32", "c": "I64"}
    content = path.read_bytes()[-sum(place.end - place.start for place in places.values()) :]
    table = content[places["b"].start : places["b"].end]
    assert torch.equal(torch.frombuffer(bytearray(table), dtype=torch.float32).view(2, 3), tensors["b"])
    assert weights.sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 590_000, -1])
def test_one_number_that_is_not_finite_is_found(tmp_path: Path, dtype: torch.dtype, value: float, place: int) -> None:
    """Behind the first part that is read, and at either end."""
    path = tmp_path / "model.safetensors"
    spoilt = torch.zeros(600_001, dtype=dtype)
    spoilt[place] = value
    save_file({"fine": torch.full((5,), torch.finfo(dtype).max, dtype=dtype), "spoilt": spoilt}, path)
    with pytest.raises(ValueError, match=r"^model\.safetensors holds NaN or infinity in spoilt$"):
        weights.sha256(path)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_the_largest_and_the_smallest_numbers_are_finite(tmp_path: Path, dtype: torch.dtype) -> None:
    info = torch.finfo(dtype)
    tensor = torch.tensor([info.max, info.min, info.tiny, info.smallest_normal, -0.0], dtype=dtype)
    save_file({"floats": tensor, "integers": torch.tensor([-1])}, tmp_path / "model.safetensors")
    assert len(weights.sha256(tmp_path / "model.safetensors")) == 64


def whole(path: Path) -> bytes:
    tensors: dict[str, Tensor] = {"a": torch.ones(2, 3), "b": torch.ones(5, dtype=torch.float16)}
    save_file(tensors, path)
    return path.read_bytes()


@given(st.data())
def test_a_file_cut_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.safetensors"
    content = whole(path)
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(ValueError, match=r"^cut\.safetensors is "):
        weights.sha256(path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"{", "is no safetensors file: its header cannot be read"),
        (b"[]", "is no safetensors file: its header cannot be read"),
        (b'{"a": {"dtype": "F32", "shape": [1]}}', "is no safetensors file: its header cannot be read"),
        (
            json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}).encode(),
            "is damaged: its header has a gap or an overlap at a",
        ),
    ],
)
def test_a_header_that_is_none(tmp_path: Path, header: bytes, message: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(ValueError, match=f"^model.safetensors {message}$"):
        weights.places(path)


def test_a_place_has_its_numbers(tmp_path: Path) -> None:
    whole(tmp_path / "model.safetensors")
    assert weights.places(tmp_path / "model.safetensors") == {
        "a": Place("F32", (2, 3), 0, 24),
        "b": Place("F16", (5,), 24, 34),
    }
