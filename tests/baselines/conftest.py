"""Run a tracker over a rendered or real sequence through the session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vosbench.specs import TrackerSpec
from vosbench.testing import Synthetic, make_context
from vosbench.tracking.clip import Clip
from vosbench.tracking.session import Session, make_tracker
from vosbench.types import LabelMap


@pytest.fixture
def track(tmp_path: Path) -> Callable[..., list[LabelMap]]:
    def run(spec: TrackerSpec, sequence: Synthetic | Clip, **options: str) -> list[LabelMap]:
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        ctx = make_context(spec, scratch, options=options)
        session = Session(make_tracker(spec, ctx), spec.capabilities)
        clip = sequence.clip() if isinstance(sequence, Synthetic) else sequence
        outputs: list[LabelMap] = []
        session.run(clip, ctx, lambda _index, labels, _variants: outputs.append(labels))
        return outputs

    return run


@pytest.fixture
def overlap() -> Callable[[LabelMap, LabelMap, int], float]:
    """Intersection over union of one object in two label maps."""

    def measure(one: LabelMap, two: LabelMap, obj: int) -> float:
        a, b = one == obj, two == obj
        union = np.logical_or(a, b).sum()
        return float(np.logical_and(a, b).sum() / union) if union else 1.0

    return measure


@pytest.fixture(scope="session")
def osvos_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A parent whose backbone is ImageNet's and whose decoder is random."""
    import torch

    from vosbench_baselines.osvos.network import OsvosNet, save_weights

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = OsvosNet(pretrained=True)
    path = tmp_path_factory.mktemp("osvos") / "parent.safetensors"
    save_weights(net, path, {"training": "none"})
    return path
