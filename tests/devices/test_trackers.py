"""Every tracker that runs on cards, on the pretended device."""

import numpy as np
import pytest
import torch

from vosbench.plugins import Plugins
from vosbench.testing import make_context, moving_discs
from vosbench.tracking.session import make_tracker
from vosbench.types import Prediction
from vosbench_baselines.osvos.network import OsvosNet
from vosbench_baselines.osvos.network import save_weights as save_osvos
from vosbench_baselines.stm.network import StmConfig, StmNet
from vosbench_baselines.stm.weights import save_weights as save_stm
from vosbench_eosvos import examples, finetune, tracker
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import MaskRCNN, build_model, get_config

SIZE = (64, 96)

#: Trackers, one of each kind, and what makes a short run enter everything of theirs.
TRACKERS = {
    "eosvos-10": {},
    "eosvos-10-ona": {"online_every": "1", "online_iterations": "1"},
    "eosvos-paper-50-ona": {"online_every": "1", "online_iterations": "1", "short_side": "64"},
    "handcrafted-10": {},
    "osvos-10": {"transforms": "1"},
    "onavos-50": {"transforms": "1", "online_every": "1", "online_iterations": "1"},
    "matching": {},
    "stm": {},
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Small random weights by the beginning of a tracker's name."""
    folder = tmp_path_factory.mktemp("weights")
    config = get_config("lite", fpn_channels=16, box_features=16, mask_channels=16)
    learned = LearnedOptimiser.create(build_model(config), "neuron", 1e-4)
    learned.state["box_score.bias"].copy_(torch.tensor([-1.0, 1.0]))  # everything is an object
    learned.save(folder / "eosvos.safetensors")
    save_osvos(OsvosNet(pretrained=False), folder / "osvos.safetensors", {"training": "none"})
    stm = StmNet(StmConfig(key=8, value=16, decoder=8), pretrained=False)
    save_stm(stm, folder / "stm.safetensors", {"steps": "0"})
    names = {"eosvos": "eosvos", "handcrafted": "eosvos", "osvos": "osvos", "onavos": "osvos"}
    names["stm"] = "stm"
    return {start: folder / f"{name}.safetensors" for start, name in names.items()}


@pytest.fixture
def track(weights, tmp_path):
    """An object over three frames, label maps."""

    def run(name, device):
        spec = Plugins().tracker(name)
        options = {"iterations": "1", "bf16": "off", "min_score": "0.05", "enlarge": "no"}
        options |= TRACKERS[name]
        if start := next((s for s in weights if name.startswith(s)), None):
            options["weights"] = str(weights[start])
        known = {option.name for option in spec.options}
        options = {k: v for k, v in options.items() if k in known}
        ctx = make_context(spec, tmp_path, options=options, device=str(device))
        sequence = moving_discs("devices", SIZE, 3, {1: 0})
        built = make_tracker(spec, ctx)
        built.init(sequence[0], sequence.clip().given[0], ctx)
        labels = []
        for t in range(1, 3):
            prediction = built.track(sequence[t], {}, ctx)
            assert isinstance(prediction, Prediction)
            labels.append(prediction.label_map())
            if hasattr(built, "update"):
                built.update(sequence[t], labels[-1], ctx)
        return np.stack(labels)

    return run


@pytest.mark.parametrize("name", TRACKERS)
def test_a_tracker_keeps_all_on_its_device(name, track, away, visited):
    labels = track(name, away)
    assert visited == {away}
    assert labels.shape == (2, *SIZE)
    if name in ("eosvos-10", "matching", "stm"):
        assert np.array_equal(labels, track(name, "cpu"))


def test_no_tracker_for_cards_is_left_out():
    """Of each class one, but for those whose networks are other libraries' code: these make tensors
    below Python, where no device can be pretended."""
    plugins = Plugins()
    ours = [spec for spec in plugins.trackers.values() if spec.origin is None]
    on_cards = {spec.factory for spec in ours if "cuda" in spec.capabilities.devices}
    assert on_cards == {plugins.tracker(name).factory for name in TRACKERS}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
@pytest.mark.parametrize("name", TRACKERS)
def test_a_tracker_runs_on_a_card(name, track):
    labels = track(name, "cuda")
    assert (labels != track(name, "cpu")).mean() < 0.05


class Stuck:
    """A tensor whose `.to(device)` is taken out."""

    def __init__(self, tensor):
        self.tensor = tensor

    def detach(self):
        return self

    def to(self, _device):
        return self.tensor.detach()


def stuck_frames(monkeypatch):
    real = examples.to_tensor
    monkeypatch.setattr(examples, "to_tensor", lambda image, _device: real(image, "cpu"))


def stuck_targets(monkeypatch):
    monkeypatch.setattr(finetune, "device_of", lambda _model: torch.device("cpu"))


def stuck_proposals(monkeypatch):
    real = tracker.propagate
    monkeypatch.setattr(tracker, "propagate", lambda *a, **k: Stuck(real(*a, **k)))


def stuck_parameters(monkeypatch):
    monkeypatch.setattr(MaskRCNN, "to", lambda model, *_a, **_k: model)


@pytest.mark.parametrize(
    "break_it", [stuck_frames, stuck_targets, stuck_proposals, stuck_parameters]
)
def test_one_forgotten_transfer_is_noticed(break_it, track, away, monkeypatch):
    break_it(monkeypatch)
    with pytest.raises(Exception, match="both devices"):
        track("eosvos-10", away)
