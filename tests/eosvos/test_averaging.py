"""The mean of several trainings, as a function and as `vosbench eosvos average`."""

import pytest
import torch
from click.testing import CliRunner

from vosbench.errors import UsageError
from vosbench_eosvos.averaging import average
from vosbench_eosvos.cli import eosvos
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import build_model, get_config


def training(path, *, rate, seed=0, level="neuron", width=16):
    """Weights as if a training had ended with them."""
    sizes = {"fpn_channels": width, "box_features": 16, "mask_channels": 16}
    model = build_model(get_config("lite", **sizes))
    learned = LearnedOptimiser.create(model, level, rate, {"seed": seed})
    for name in learned.learning:
        learned.state[name] += seed
    learned.save(path)
    return path


def test_weights_and_rates_are_halfway_between_two_trainings(tmp_path):
    files = [training(tmp_path / f"{n}.safetensors", rate=n * 1e-3, seed=n) for n in (1, 2)]
    result = CliRunner().invoke(
        eosvos, ["average", *map(str, files), "--out", str(tmp_path / "new/mean.safetensors")]
    )
    assert result.exit_code == 0, result.output
    mean = LearnedOptimiser.load(tmp_path / "new/mean.safetensors")
    first = LearnedOptimiser.load(files[0])
    for name, value in mean.state.items():
        moved = 0.5 if name in mean.learning else 0
        torch.testing.assert_close(value, first.state[name] + moved, atol=1e-3, rtol=1e-3)
    assert all(rate.sub(1.5e-3).abs().max() < 1e-9 for rate in mean.rates.values())
    assert mean.provenance == {"mean of": [{"seed": 1}, {"seed": 2}]}
    mean.build_model()


def test_the_mean_of_one_training_is_that_training(tmp_path):
    path = training(tmp_path / "w.safetensors", rate=1e-3)
    mean, alone = average([path]), LearnedOptimiser.load(path)
    assert all(torch.equal(value, alone.state[name]) for name, value in mean.state.items())
    assert all(torch.equal(rate, alone.rates[name]) for name, rate in mean.rates.items())


@pytest.mark.parametrize(
    ("other", "complaint"),
    [({"width": 32}, "another model"), ({"level": "global"}, "of level global")],
)
def test_what_has_no_mean_is_named(tmp_path, other, complaint):
    first = training(tmp_path / "first.safetensors", rate=1e-3)
    odd = training(tmp_path / "odd.safetensors", rate=1e-3, **other)
    with pytest.raises(UsageError, match=f"odd.safetensors.*{complaint}"):
        average([first, odd])
