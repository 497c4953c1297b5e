"""Convolutions that learn by matrix products: the gradients of `nn.Conv2d`, whatever the shape."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vosbench_learning import convolution
from vosbench_learning.convolution import Convolution, replace_convolutions


@pytest.fixture(autouse=True, scope="module")
def by_products():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "products_are_quicker", lambda device: True)
        yield


SIDES = st.integers(1, 9)


@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 5), SIDES, SIDES),
    out=st.integers(1, 5),
    bias=st.booleans(),
    channels_last=st.booleans(),
)
def test_output_and_gradients_are_those_of_a_convolution(shape, out, bias, channels_last):
    torch.manual_seed(0)
    plain = nn.Conv2d(shape[1], out, 3, padding=1, bias=bias)
    quick = nn.Sequential(nn.Conv2d(shape[1], out, 3, padding=1, bias=bias))
    quick[0].load_state_dict(plain.state_dict())
    replace_convolutions(quick)
    assert type(quick[0]) is Convolution
    memory = torch.channels_last if channels_last else torch.contiguous_format
    x = torch.randn(shape).contiguous(memory_format=memory).requires_grad_()
    y = plain(x)
    weighting = torch.randn_like(y)
    parameters = list(plain.parameters())
    expected = torch.autograd.grad((y * weighting).sum(), [x, *parameters])
    found = quick(x)
    torch.testing.assert_close(found, y)
    gradients = torch.autograd.grad((found * weighting).sum(), [x, *quick.parameters()])
    for gradient, wanted in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-4)


def test_it_can_be_differentiated_twice():
    """As meta-training of second order does."""
    torch.manual_seed(0)
    plain, quick = (nn.Sequential(nn.Conv2d(2, 3, 3, padding=1)) for _ in range(2))
    quick.load_state_dict(plain.state_dict())
    replace_convolutions(quick)
    x = torch.randn(2, 2, 5, 4)

    def second(net: nn.Module) -> list[torch.Tensor]:
        parameters = list(net.parameters())
        first = torch.autograd.grad(net(x).pow(3).sum(), parameters, create_graph=True)
        return list(torch.autograd.grad(sum(g.pow(2).sum() for g in first), parameters))

    for found, wanted in zip(second(quick), second(plain), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-2)


def test_others_stay_as_they_are():
    net = nn.Sequential(
        nn.Conv2d(4, 4, 1),
        nn.Conv2d(4, 4, 3, stride=2, padding=1),
        nn.Conv2d(4, 4, 3, padding=1, groups=4),
        nn.Conv2d(4, 4, 3),
    )
    replace_convolutions(net)
    assert all(type(child) is nn.Conv2d for child in net)


def test_without_gradients_it_is_the_plain_convolution(monkeypatch):
    net = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1))
    replace_convolutions(net)
    monkeypatch.setattr(convolution._Convolution, "apply", None)
    with torch.no_grad():
        assert net(torch.zeros(1, 2, 4, 4)).shape == (1, 2, 4, 4)
