"""The network's maps, proposals, losses and gradients against the reference's."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.func import functional_call

from vosbench_eosvos.learned import outer_gradients

LOSSES = 1e-5
NORMS, EACH_NORM = 1e-3, 5e-3


def norm(tensor):
    return float(tensor.double().norm())


def close_norms(found, wanted):
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert np.linalg.norm(found - wanted) <= NORMS * np.linalg.norm(wanted)
    assert np.all(np.abs(found - wanted) <= EACH_NORM * np.abs(wanted) + 1e-12)


def close_sums(found, wanted):
    """Shape, sums and both ends of a map in C order."""
    found = found.detach().double().contiguous()
    assert list(found.shape) == wanted["shape"]
    scale = wanted["abs_sum"]
    assert float(found.sum()) == pytest.approx(wanted["sum"], abs=1e-6 * scale)
    assert float(found.abs().sum()) == pytest.approx(scale, rel=1e-6)
    ends = torch.cat([found.flatten()[:3], found.flatten()[-3:]]).tolist()
    assert ends == pytest.approx(wanted["first"] + wanted["last"], abs=2e-4, rel=1e-4)


@pytest.fixture
def numbers(golden):
    return golden("torchvision04")


def test_maps_heads_and_losses(network, example, numbers, first_ones_sampled):
    image, target = example(0)
    heads = {
        "rpn": network.rpn.head,
        "box_score": network.box_score,
        "box_delta": network.box_delta,
        "mask": network.mask_head,
    }
    seen = {}
    hooks = [
        module.register_forward_hook(lambda _module, _in, out, name=name: seen.update({name: out}))
        for name, module in heads.items()
    ]
    with torch.no_grad():
        maps = network.backbone(network.backbone.start(image)).maps
        losses = network(image, target)
    for hook in hooks:
        hook.remove()
    for level in range(4):
        close_sums(maps[level + 1], numbers.numbers["backbone"][f"C{level + 2}"])
    for kind, found in zip(("rpn_objectness", "rpn_deltas"), seen["rpn"], strict=True):
        for level in range(5):
            close_sums(found[level], numbers.numbers[kind][f"P{level + 2}"])
    close_sums(seen["box_score"], numbers.numbers["box_score"])
    close_sums(seen["box_delta"], numbers.numbers["box_delta"])
    close_sums(seen["mask"], numbers.numbers["mask_rois"]["logits"])
    assert np.abs(seen["mask"][:4].numpy() - numbers.arrays["mask_logits"]).max() < 2e-4
    for name, value in numbers.numbers["losses"].items():
        assert float(losses[name]) == pytest.approx(value, abs=LOSSES), name


def test_losses_of_torchvision_today(network, example, golden, first_ones_sampled, monkeypatch):
    """The same with the box losses that torchvision changed since."""
    monkeypatch.setattr(network, "config", replace(network.config, box_beta=1 / 9))
    monkeypatch.setattr(network.rpn, "beta", 1 / 9)
    with torch.no_grad():
        losses = network(*example(0))
    for name, value in golden("torchvision029").numbers["losses"].items():
        assert float(losses[name]) == pytest.approx(value, abs=LOSSES), name


def test_three_steps_and_both_outer_gradients(
    network, learned, example, numbers, golden, first_ones_sampled
):
    names = list(learned.learning)
    params = learned.initial_parameters()
    inner = {}
    for step in range(3):
        losses = functional_call(network, params, example(0))
        for name, value in numbers.numbers["step_losses"][step].items():
            assert losses[name].item() == pytest.approx(value, abs=LOSSES), (step, name)
        found = torch.autograd.grad(sum(losses.values()), list(params.values()))
        grads = dict(zip(params, found, strict=True))
        if step == 0:
            close_norms([norm(grads[n]) for n in names], numbers.arrays["gradient_norms"])
            stem = grads["backbone.stages.0.0.weight"][:4].numpy()
            wanted = numbers.arrays["gradient_stem"]
            assert np.abs(stem - wanted).max() < 1e-3 * np.abs(wanted).max()
            bias = grads["box_delta.bias"].tolist()
            assert bias == pytest.approx(
                numbers.arrays["gradient_box_delta_bias"].tolist(), abs=1e-5
            )
        inner = {n: inner[n] + g if inner else g for n, g in grads.items()}
        params = learned.step(params, grads)
    moved = [norm(params[n].detach().double() - learned.state[n].double()) for n in names]
    close_norms(moved, numbers.arrays["update_norms"])
    losses = functional_call(network, params, example(1))
    for name, value in numbers.numbers["test_losses"].items():
        assert losses[name].item() == pytest.approx(value, abs=LOSSES), name
    found = torch.autograd.grad(sum(losses.values()), list(params.values()))
    theta, rates = outer_gradients(learned, inner, dict(zip(params, found, strict=True)))
    close_norms([norm(theta[n]) for n in names], numbers.arrays["meta_init_norms"])
    vector = torch.cat([rates[n] for n in names]).numpy()
    with np.load(golden.folder / "meta_rates_torchvision04.npz") as file:
        wanted = file["meta_rates"]
    assert np.linalg.norm(vector - wanted) <= 1e-3 * np.linalg.norm(wanted)
