"""`matching`: conformance, propagation against a plain restatement, and real video."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vosbench.plugins import Plugins
from vosbench.testing import check_tracker, conformance_cases, moving_discs
from vosbench_baselines.matching import Features, Reference, propagate


@pytest.fixture(scope="module")
def spec():
    return Plugins().tracker("matching")


@pytest.mark.parametrize("case", conformance_cases(slow=False), ids=str)
def test_conformance(spec, case):
    outcome = check_tracker(spec, case, size=(64, 96))
    assert outcome.status == "passed" or case.name == "processes", outcome.reason


def plain(features, references, radius, top_k, temperature):
    """The definition, cell by cell."""
    _, height, width = features.shape
    objects = references[0][1].shape[0]
    out = np.zeros((objects, height, width))
    for y in range(height):
        for x in range(width):
            near = [
                (float(features[:, y, x] @ keys[:, v, u]), labels[:, v, u].numpy())
                for keys, labels in references
                for v in range(max(0, y - radius), min(height, y + radius + 1))
                for u in range(max(0, x - radius), min(width, x + radius + 1))
                if (v - y) ** 2 + (u - x) ** 2 <= radius**2
            ]
            near.sort(key=lambda pair: -pair[0])
            weights = np.exp([s / temperature for s, _ in near[:top_k]])
            for weight, (_, label) in zip(weights / weights.sum(), near, strict=False):
                out[:, y, x] += weight * label
    return out


@pytest.mark.parametrize(("size", "radius"), [((11, 18), 3), ((8, 8), 12), ((5, 21), 1)])
def test_propagation_is_its_definition(size, radius):
    generator = torch.Generator().manual_seed(radius)
    frames = [F.normalize(torch.randn(6, *size, generator=generator), dim=0) for _ in range(3)]
    labels = [torch.rand(2, *size, generator=generator) / 2 for _ in range(2)]
    labels[0][:, :, 6:] = 0
    pairs = list(zip(frames[1:], labels, strict=True))
    found = propagate(
        frames[0],
        [Reference.make(f, k, radius) for f, k in pairs],
        radius=radius,
        top_k=4,
        temperature=0.1,
    )
    expected = plain(frames[0], pairs, radius, 4, 0.1)
    expected[expected < 1e-3] = 0
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_features_are_unit_vectors_on_a_grid_of_eight_pixels():
    image = torch.randint(0, 255, (1, 3, 70, 100), dtype=torch.uint8)
    for stages, channels in (((3,), 40), ((4,), 80), ((4, 5), 192)):
        features = Features(stages)(image)
        assert features.shape == (channels, 12, 16)
        torch.testing.assert_close(features.norm(dim=0), torch.ones(12, 16))


def test_follows_discs_and_keeps_them_apart(spec, track, overlap):
    sequence = moving_discs("follow", (240, 400), 6, {3: 0, 8: 2}, speed=0.01)
    outputs = track(spec, sequence)
    for obj in (3, 8):
        assert overlap(outputs[-1], sequence.labels[-1], obj) > 0.8
