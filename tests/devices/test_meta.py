"""Networks on torch's meta device, where tensors have a shape and no values."""

import pytest
import torch

from vosbench_eosvos.model import build_model, get_config
from vosbench_eosvos.model.pyramid import Pyramid


@pytest.mark.parametrize("name", ["lite", "r50", "paper"])
def test_a_network_makes_no_tensor_elsewhere(name):
    with torch.device("meta"):
        model = build_model(get_config(name))
    images = torch.empty(2, 3, 96, 130, dtype=torch.uint8, device="meta")
    with torch.no_grad():
        outputs = model.backbone(model.backbone.start(images))
        pyramid = Pyramid(model.fpn, [outputs.maps[tap] for tap in model.backbone.taps])
        levels = [pyramid[level] for level in range(2, 7)]
        scores, deltas = model.rpn.head([pyramid[level] for level in model.config.rpn_levels])
        window, width = model.config.mask_window, model.config.fpn_channels
        masks = model.mask_head(torch.empty(5, width, window, window, device="meta"))
    made = [*outputs.maps.values(), *levels, *scores, *deltas, masks]
    assert {tensor.device.type for tensor in made} == {"meta"}
    assert [tuple(m.shape[-2:]) for m in levels[:4]] == [(24, 40), (12, 20), (6, 10), (3, 5)]
    assert masks.shape == (5, 2 * window, 2 * window)
