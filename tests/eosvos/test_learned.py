"""The learned optimisation: levels, steps, files, and its gradients in closed form."""

import pytest
import torch
from safetensors.torch import save_file
from torch.func import functional_call

from vosbench.errors import UsageError
from vosbench_eosvos.learned import LearnedOptimiser, outer_gradients
from vosbench_eosvos.model import build_model, get_config

LEVELS = ("global", "neuron", "parameter")


class Net(torch.nn.Module):
    """Smooth, with a convolution, a norm and a linear layer."""

    config = get_config("lite")

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 4, 3)
        self.norm = torch.nn.GroupNorm(2, 4)
        self.out = torch.nn.Linear(4, 1)

    def forward(self, x):
        return self.out(torch.tanh(self.norm(self.conv(x))).mean((2, 3)))


@pytest.fixture
def small():
    torch.manual_seed(0)
    return Net().double()


def make(model, level, rate=0.05):
    learned = LearnedOptimiser.create(model, level, rate)
    learned.rates = {n: r.double() for n, r in learned.rates.items()}
    return learned


def loss_of(model, params, data):
    x, y = data
    return (functional_call(model, params, (x,)) - y).square().mean()


def data(seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(3, 2, 6, 6, generator=generator, dtype=torch.float64)
    return x, torch.randn(3, 1, generator=generator, dtype=torch.float64)


def unrolled(model, learned, steps, *, second_order=False):
    """Autograd through the graph over time, inner gradients constant unless second order."""
    theta = learned.initial_parameters()
    rates = {n: r.clone().requires_grad_() for n, r in learned.rates.items()}
    held = LearnedOptimiser(
        learned.config, learned.level, learned.state, rates, {}, learned.learning
    )
    params = dict(theta)
    for _ in range(steps):
        grads = torch.autograd.grad(
            loss_of(model, params, data(1)),
            list(params.values()),
            create_graph=second_order,
            retain_graph=True,
        )
        params = {n: p - held.rate(n) * g for (n, p), g in zip(params.items(), grads, strict=True)}
    leaves = [*theta.values(), *rates.values()]
    found = torch.autograd.grad(loss_of(model, params, data(2)), leaves)
    return dict(zip(theta, found, strict=False)), dict(zip(rates, found[len(theta) :], strict=True))


@pytest.mark.parametrize("level", LEVELS)
def test_closed_form_is_autograd_through_time(small, level):
    learned = make(small, level)
    params = learned.initial_parameters()
    total = {n: torch.zeros_like(p) for n, p in params.items()}
    for _ in range(4):
        grads = torch.autograd.grad(loss_of(small, params, data(1)), list(params.values()))
        grads = dict(zip(params, grads, strict=True))
        for n, g in grads.items():
            total[n] += g
        params = learned.step(params, grads)
    h = torch.autograd.grad(loss_of(small, params, data(2)), list(params.values()))
    theta, rates = outer_gradients(learned, total, dict(zip(params, h, strict=True)))
    expected_theta, expected_rates = unrolled(small, learned, 4)
    assert set(rates) == set(learned.rates)
    for found, expected in ((theta, expected_theta), (rates, expected_rates)):
        for n, g in found.items():
            torch.testing.assert_close(g, expected[n], rtol=1e-12, atol=1e-14)


def test_second_order_differs_from_first_order(small):
    learned = make(small, "neuron", rate=0.3)
    first, _ = unrolled(small, learned, 4)
    second, _ = unrolled(small, learned, 4, second_order=True)
    assert any(not torch.allclose(first[n], second[n], rtol=1e-3) for n in first)


def test_levels_govern_what_they_say(small):
    one = {level: make(small, level, rate=0.25) for level in LEVELS}
    params = {n: torch.zeros_like(p) for n, p in small.named_parameters()}
    grads = {n: torch.ones_like(p) for n, p in params.items()}
    one["neuron"].rates["conv.weight"][1] = 7.0
    moved = one["neuron"].step(params, grads)
    assert (moved["conv.weight"][1] == -7).all()
    assert (moved["conv.weight"][0] == -0.25).all()
    assert (moved["conv.bias"] == -0.25).all()
    one["global"].rates["*"] = torch.tensor(2.0)
    assert all((v == -2).all() for v in one["global"].step(params, grads).values())
    one["parameter"].rates["out.weight"][0, 3] = 0.0
    assert one["parameter"].step(params, grads)["out.weight"].tolist()[0][2:] == [-0.25, 0.0]


def test_layers_whose_rates_are_all_zero_drop_out(small):
    learned = make(small, "neuron")
    learned.rates["conv.weight"].zero_()
    learned.rates["norm.bias"][0] = 0
    left = learned.initial_parameters(drop_frozen=True)
    assert set(left) == set(learned.learning) - {"conv.weight"}


@pytest.mark.parametrize("level", LEVELS)
def test_file_brings_everything_back(tmp_path, level):
    model = build_model(tiny_config())
    learned = LearnedOptimiser.create(model, level, 0.01, {"steps": 3, "data": ["photos"]})
    learned.save(tmp_path / "w.safetensors")
    back = LearnedOptimiser.load(tmp_path / "w.safetensors")
    assert (back.config, back.level, back.provenance) == (model.config, level, learned.provenance)
    assert back.learning == learned.learning
    assert back.state.keys() == learned.state.keys()
    assert all(torch.equal(t, learned.state[n]) for n, t in back.state.items())
    assert all(torch.equal(t, learned.rates[n]) for n, t in back.rates.items())
    back.build_model()


def test_half_precision_halves_the_weights_and_keeps_the_rates(tmp_path):
    learned = LearnedOptimiser.create(build_model(tiny_config()), "neuron", 0.0123456789)
    learned.save(tmp_path / "full.safetensors")
    learned.save(tmp_path / "half.safetensors", half=True)
    sizes = [(tmp_path / f"{n}.safetensors").stat().st_size for n in ("half", "full")]
    assert sizes[0] < 0.6 * sizes[1]
    back = LearnedOptimiser.load(tmp_path / "half.safetensors")
    assert all(torch.equal(t, learned.rates[n]) for n, t in back.rates.items())
    assert all(t.dtype == torch.float32 for t in back.state.values())


def tiny_config():
    return get_config("lite", fpn_channels=16, box_features=16, mask_channels=16)


def test_files_that_are_none_of_ours_are_named(tmp_path):
    (tmp_path / "text.safetensors").write_text("hello")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    for name in ("missing", "text", "other"):
        with pytest.raises(UsageError, match=name):
            LearnedOptimiser.load(tmp_path / f"{name}.safetensors")


def test_unknown_level_is_refused(small):
    with pytest.raises(UsageError, match="layer"):
        LearnedOptimiser.create(small, "layer", 0.1)
