"""The pretended device itself."""

import pytest
import torch


def test_it_computes_what_the_cpu_computes(away):
    x = torch.arange(6.0).view(2, 3)
    there = x.to(away).requires_grad_()
    loss = ((there * 2)[:, 1:].exp() + torch.ones((), device=away)).sum()
    assert loss.device == away
    (gradient,) = torch.autograd.grad(loss, [there])
    assert gradient.device == away
    here = x.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(((here * 2)[:, 1:].exp() + 1).sum(), [here])
    assert torch.equal(gradient.cpu(), wanted)
    assert torch.tensor([1.0, 2.0], device=away).tolist() == [1.0, 2.0]


def test_tensors_of_two_devices_may_not_meet(away):
    there = torch.zeros(3, device=away)
    for mix in (
        lambda: there + torch.ones(3),
        lambda: torch.cat([there, torch.ones(3)]),
        lambda: torch.ones(3)[there > 0],
        lambda: torch.nn.Linear(3, 1)(there),
    ):
        with pytest.raises(Exception, match=r"both devices|device"):
            mix()
    with pytest.raises(TypeError):
        there.numpy()
    assert torch.equal((there + torch.tensor(2.0)).cpu(), torch.full((3,), 2.0))
