"""What the stages that never learn see of a frame, of all of it and of a part."""

from __future__ import annotations

import pytest
import torch

from vosbench_eosvos.features import FrameFeatures
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.surroundings import Region
from vosbench_eosvos.weights import find_weights
from vosbench_learning.backbone import CELL


@pytest.fixture(scope="module")
def shipped():
    """The model that ships, and how many of its stages never learn."""
    learned = LearnedOptimiser.load(find_weights("eosvos-lite"))
    model = learned.build_model()
    return model, model.frozen_depth(learned.learning_names(drop_frozen=True))


@pytest.fixture
def seen(shipped, monkeypatch):
    """Features of an image of 300x427 pixels, and the sizes of what the model is shown."""
    model, depth = shipped
    shown, forward = [], type(model).forward
    monkeypatch.setattr(
        type(model),
        "forward",
        lambda self, x, **options: shown.append(tuple(x.shape[2:])) or forward(self, x, **options),
    )
    pixels = torch.manual_seed(0)
    image = torch.randint(0, 256, (1, 3, 300, 427), dtype=torch.uint8, generator=pixels)
    return FrameFeatures(model, depth, image), shown


REGIONS = {
    "inside": Region(64, 96, 128, 192),
    "corner": Region(0, 0, 128, 128),
    "end of the image, within a cell": Region(128, 256, 172, 171),
}


@pytest.mark.parametrize("region", REGIONS.values(), ids=REGIONS)
def test_a_region_is_seen_as_a_part_of_the_whole(seen, region):
    features, _ = seen
    alone = features.within(region)
    part = region.cut(features.whole())
    assert alone.size == part.size == region.size and alone.depth == part.depth
    assert alone.maps.keys() == part.maps.keys()
    for name, values in alone.maps.items():
        torch.testing.assert_close(values, part.maps[name], atol=1e-4, rtol=1e-4)


def test_no_more_than_a_cell_around_a_region_is_looked_at_and_the_whole_once(seen):
    features, shown = seen
    features.within(REGIONS["inside"])
    assert shown == [(128 + 2 * CELL, 192 + 2 * CELL)]
    features.within(REGIONS["corner"])
    assert shown[1:] == [(128 + CELL, 128 + CELL)]
    whole = features.whole()
    features.within(REGIONS["inside"])
    assert features.whole() is whole and shown[2:] == [(300, 427)]


def test_regions_that_add_up_to_the_image_are_cut_from_the_whole(seen):
    features, shown = seen
    for _ in range(3):
        features.within(REGIONS["inside"])
    part, whole = (192, 256), (300, 427)
    assert shown == [part, part, whole]
