"""Working size, mask targets, Lovász loss, pasting and proposals against the reference's."""

import numpy as np
import pytest
import torch
from torchvision.ops import roi_align

from vosbench_eosvos.conventions import paste_in_whole_pixels
from vosbench_eosvos.losses import lovasz_hinge
from vosbench_eosvos.variants import PAPER
from vosbench_learning.working_size import to_size, working_size


@pytest.fixture(scope="module")
def numbers(golden):
    return golden("torchvision04")


def test_working_size(numbers):
    for native, (wanted, padded) in numbers.numbers["resized"].items():
        height, width = (int(side) for side in native.split("x"))
        found = working_size(
            (height, width), PAPER["short_side"], long_side=PAPER["long_side"], enlarge=True
        )
        assert list(found) == wanted
        assert [-(-side // 32) * 32 for side in found] == padded


def test_frames_are_resized_as_torch_interpolates(recipe):
    image = recipe.scene(0)[0]
    for size in ((192, 288), (187, 333), (100, 150)):
        found = to_size(image, size, interpolate=True)
        planes = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
        wanted = torch.nn.functional.interpolate(
            planes, size=size, mode="bilinear", align_corners=False
        )
        assert np.abs(found - wanted[0].permute(1, 2, 0).numpy()).max() < 1e-5


def test_mask_targets_take_as_many_samples_as_a_cell_has_pixels(recipe, numbers):
    mask = torch.from_numpy((recipe.scene(0)[1] == 1)[None, None]).float()
    boxes = torch.from_numpy(recipe.PROBE_BOXES)
    rois = torch.cat([torch.zeros(4, 1), boxes], 1)
    found = roi_align(mask, rois, 56, 1.0, 0)[:, 0].numpy()
    assert np.abs(found - numbers.arrays["mask_targets"]).max() < 1e-5


def test_lovasz_hinge_with_soft_targets(recipe, numbers):
    logits = torch.from_numpy(recipe.probe_logits()).flatten(1).requires_grad_()
    targets = torch.from_numpy(numbers.arrays["mask_targets"]).flatten(1)
    losses = lovasz_hinge(logits, targets, soft=True)
    assert losses.tolist() == pytest.approx(numbers.numbers["lovasz"]["each"], abs=1e-5)
    assert float(losses.mean().detach()) == pytest.approx(
        numbers.numbers["lovasz"]["loss"], abs=1e-5
    )
    losses.mean().backward()
    norms = logits.grad.norm(dim=1).tolist()
    assert norms == pytest.approx(numbers.numbers["lovasz"]["gradient_norms"], rel=1e-4)


def test_pasting(recipe, numbers):
    for k, (logits, box) in enumerate(
        zip(torch.from_numpy(recipe.probe_logits()), recipe.PROBE_BOXES, strict=True)
    ):
        found = paste_in_whole_pixels(
            logits[None], torch.from_numpy(box)[None], (recipe.H, recipe.W)
        )
        assert np.abs(found - numbers.arrays["pasted"][k] / 65535).max() < 1e-4
