"""Frozen weights that are equal are held once; what is trained, or tied, or apart in a model stays so."""

import torch
from torch import nn

from trainables.shared_weights import SharedWeights


class Model(nn.Module):
    """An embedding that the head is tied to, two norms that start alike, and a layer."""

    def __init__(self, scale: float = 1.0, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.embedding = nn.Embedding(3, 4)
        self.norms = nn.ModuleList(nn.LayerNorm(4) for _ in range(2))
        self.layer = nn.Linear(4, 4)
        self.head = nn.Linear(4, 3, bias=False)
        with torch.no_grad():
            for seed, parameter in enumerate((self.embedding.weight, *self.layer.parameters())):
                parameter.copy_(scale * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed)))
        self.head.weight = self.embedding.weight
        self.to(dtype).requires_grad_(False)


def pointers(model: nn.Module) -> list[int]:
    return [parameter.data_ptr() for parameter in model.parameters()]


def test_equal_weights_are_the_first_models() -> None:
    shared, first, second = SharedWeights(), Model(), Model()
    before = pointers(first)
    state = {name: tensor.clone() for name, tensor in second.state_dict().items()}
    for model in (first, second):
        shared.share(model)
    assert pointers(first) == pointers(second) == before
    assert all(torch.equal(tensor, state[name]) for name, tensor in second.state_dict().items())


def test_norms_that_are_alike_stay_apart_and_tied_weights_tied() -> None:
    shared, first, second = SharedWeights(), Model(), Model()
    for model in (first, second):
        shared.share(model)
        assert len(set(pointers(model))) == len(list(model.parameters())) == 7
        assert model.head.weight is model.embedding.weight


def test_what_is_trained_is_not_shared() -> None:
    shared, first, second, third = SharedWeights(), Model(), Model(), Model()
    first.layer.requires_grad_(True)
    third.layer.requires_grad_(True)
    for model in (first, second, third):
        shared.share(model)
    layers = [model.layer.weight for model in (first, second, third)]
    assert len({layer.data_ptr() for layer in layers}) == 3
    assert first.embedding.weight is third.embedding.weight


def test_other_values_and_other_dtypes_are_not_equal() -> None:
    shared, one, other, rounded = SharedWeights(), Model(), Model(scale=1.001), Model(dtype=torch.bfloat16)
    for model in (one, other, rounded):
        shared.share(model)
    assert other.layer.weight is not one.layer.weight
    assert not set(pointers(rounded)) & set(pointers(one))
    assert other.norms[0].get_parameter("weight") is one.norms[0].get_parameter("weight")


def test_one_element_far_behind_the_first_is_enough_to_differ() -> None:
    shared, one, other = SharedWeights(), Model(), Model()
    with torch.no_grad():
        other.layer.weight[-1, -1] += 1
    shared.share(one)
    shared.share(other)
    assert other.layer.weight is not one.layer.weight
