"""Outlines: what the network for them sees, draws, learns, and how it lies on disk."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vosbench.api import open_dataset
from vosbench.errors import UsageError
from vosbench_eosvos.outline.draw import Outlines
from vosbench_eosvos.outline.network import CELL, OutlineNet, load_outline, save_outline
from vosbench_eosvos.outline.sight import colour_table, sight_of
from vosbench_eosvos.training.outline import OutlineSampler, OutlineSettings, OutlineTraining
from vosbench_eosvos.training.records import record, recorded
from vosbench_eosvos.weights import find_outline, find_weights
from vosbench_learning.corpus import davis_sources, load_corpus

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def shipped():
    return Outlines(find_outline("outline-lite"), CPU, bf16=False)


def test_an_untrained_network_leaves_the_mask_as_it_is():
    planes = torch.rand(2, 6, 2 * CELL, 3 * CELL)
    drawn = OutlineNet()(planes).sigmoid()
    torch.testing.assert_close(drawn, planes[:, 3:4].clamp(0.02, 0.98))


@given(st.data())
def test_the_sight_holds_the_object_and_something_around_it(data):
    height, width = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 90))
    x1, y1 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    x2, y2 = data.draw(st.integers(x1 + 1, width)), data.draw(st.integers(y1 + 1, height))
    share = np.zeros((height, width), np.float32)
    share[y1:y2, x1:x2] = 1
    sight = sight_of(share)
    assert sight is not None
    assert 0 <= sight.rows.start <= max(0, y1 - 1)
    assert 0 <= sight.columns.start <= max(0, x1 - 1)
    assert min(height, y2 + 1) <= sight.rows.stop <= height
    assert min(width, x2 + 1) <= sight.columns.stop <= width
    assert all(side > 0 and side % CELL == 0 for side in sight.size)
    assert sight_of(share * 0.5) is None


def test_colours_of_the_object_are_likelier_in_it_than_those_around_it(scene):
    frames, masks = scene()
    table = colour_table(frames[0].image, masks[0][1])
    assert table[230 // 8, 30 // 8, 30 // 8] > 250
    assert table[90 // 8, 90 // 8, 90 // 8] < 5
    everything = colour_table(frames[0].image, np.ones(frames[0].size, bool))
    assert everything[90 // 8, 90 // 8, 90 // 8] > 250


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_what_is_drawn_is_a_probability_around_the_object(shipped, seed):
    random = np.random.default_rng(seed)
    size = tuple(random.integers(1, 200, 2))
    image = random.integers(0, 256, (*size, 3), dtype=np.uint8)
    share = random.random(size, np.float32) / 2
    y, x = (int(random.integers(side)) for side in size)
    share[y : y + 30, x : x + 20] = 0.9
    table = colour_table(image, share > 0.5)
    carried = np.roll(share, 3, 1) if seed % 2 else None
    drawn = shipped(image, share, carried, table)
    assert drawn.shape == size
    assert drawn.dtype == np.float32
    assert 0 <= drawn.min() <= drawn.max() <= 1
    sight = sight_of(share)
    changed = drawn != share
    assert changed[sight.rows, sight.columns].any()
    changed[sight.rows, sight.columns] = False
    assert not changed.any()
    nothing = np.zeros(size, np.float32)
    assert not shipped(image, nothing, nothing, table).any()


def test_outlines_of_real_objects_are_found_again(shipped):
    """Masks that are too wide and a little beside the object, in frames it did not learn from."""
    root = os.environ.get("VOSBENCH_DATA")
    if not root or not (Path(root) / "DAVIS").is_dir():
        pytest.skip("VOSBENCH_DATA is not set: no real videos")
    dataset = open_dataset("davis16-train", data_root=Path(root))
    before, after = [], []
    moved = np.array([[1.0, 0, 4], [0, 1, 3]])
    for name in ("breakdance-flare", "car-turn", "dog-agility", "tennis"):
        sequence = dataset.sequence(name)
        table = colour_table(sequence.frame(0).image, sequence.labels(0) > 0)
        for index in (10, 20):
            truth = sequence.labels(index) > 0
            coarse = cv2.warpAffine(truth.astype(np.float32), moved, truth.shape[::-1])
            coarse = cv2.GaussianBlur(cv2.dilate(coarse, np.ones((7, 7))), (0, 0), 5)
            drawn = shipped(sequence.frame(index).image, coarse, None, table)
            for masks, share in ((before, coarse), (after, drawn)):
                mask = share > 0.5
                masks.append((mask & truth).sum() / (mask | truth).sum())
    assert np.mean(after) > np.mean(before) + 0.01
    assert min(after) > 0.8


def test_weights_are_read_as_they_were_written(tmp_path):
    net = OutlineNet((8, 12, 16, 20))
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter)
    save_outline(net, tmp_path / "own.safetensors", {"steps": "3"})
    again = load_outline(tmp_path / "own.safetensors")
    assert again.widths == (8, 12, 16, 20)
    for name, value in net.state_dict().items():
        assert torch.equal(again.state_dict()[name], value.half().float())


def test_other_files_are_refused(tmp_path):
    with pytest.raises(UsageError, match="no network for outlines"):
        load_outline(find_weights("eosvos-lite"))
    (tmp_path / "broken.safetensors").write_bytes(b"\0" * 40)
    with pytest.raises(UsageError, match="cannot load"):
        load_outline(tmp_path / "broken.safetensors")
    with pytest.raises(UsageError, match="cannot load"):
        load_outline(tmp_path / "none.safetensors")


@pytest.fixture
def learning(thirty_videos, tiny_weights, tmp_path):
    """A corpus and what was recorded of its video."""
    record(tiny_weights, thirty_videos, ["bear"], tmp_path / "records")
    corpus = load_corpus(davis_sources(thirty_videos, ["bear"]), tmp_path / "cache")
    return corpus, recorded(tmp_path / "records")


def test_a_recorded_video_is_left_as_it_is(learning, thirty_videos, tiny_weights):
    _, records = learning
    [path] = records.values()
    seen = np.load(path)
    assert seen.dtype == np.uint8
    assert seen.shape[1] == 2
    before = path.stat().st_mtime_ns
    record(tiny_weights, thirty_videos, ["bear"], path.parent)
    assert path.stat().st_mtime_ns == before


def test_patches_show_the_outline(learning):
    corpus, records = learning
    # What a network of random weights takes for the object may be nothing at all.
    [path] = records.values()
    indices = corpus.sequences()["bear"]
    truth = np.stack([corpus[index][1] > 0 for index in indices[1:]])
    np.save(path, np.stack([truth * 255] * 2, 1).astype(np.uint8))
    sampler = OutlineSampler(corpus, records, OutlineSettings(side=64, shift=10))
    for seed in range(10):
        planes, mask = sampler.patch(np.random.default_rng(seed))
        assert planes.shape == (6, 64, 64)
        assert mask.shape == (1, 64, 64)
        assert 0 <= planes.min() <= planes.max() <= 1
        assert 0 < mask.mean() < 1
        assert ((planes[3:4] > 0.5) == (mask > 0.5)).float().mean() > 0.9


def test_training_resumes_and_lowers_the_loss(learning, tmp_path):
    corpus, records = learning
    [path] = records.values()
    truth = np.stack([corpus[index][1] > 0 for index in corpus.sequences()["bear"][1:]])
    coarse = np.stack([cv2.blur(mask.astype(np.float32), (15, 15)) for mask in truth])
    np.save(path, np.stack([coarse * 255] * 2, 1).astype(np.uint8))
    values = OutlineSettings(steps=12, patches=2, side=64, shift=10, warmup=2, checkpoint_every=4)
    whole = OutlineTraining(corpus, records, values, tmp_path / "whole")
    losses = [whole.advance()["loss"] for _ in range(12)]
    assert np.mean(losses[-4:]) < np.mean(losses[:4])
    part = OutlineTraining(corpus, records, values, tmp_path / "part")
    for _ in range(4):
        part.advance()
    part.checkpoint()
    again = OutlineTraining(corpus, records, values, tmp_path / "part")
    assert again.step == 4
    again.run()
    for name, value in whole.net.state_dict().items():
        torch.testing.assert_close(again.net.state_dict()[name], value)
    assert load_outline(again.weights).widths == whole.net.widths


def test_records_of_other_frames_or_of_nothing_are_refused(learning):
    corpus, records = learning
    [path] = records.values()
    np.save(path, np.zeros((1, 2, 5, 5), np.uint8))
    with pytest.raises(UsageError, match="other frames"):
        OutlineSampler(corpus, records, OutlineSettings())
    np.save(path, np.zeros((len(corpus.sequences()["bear"]) - 1, 2, *corpus[0][1].shape), np.uint8))
    with pytest.raises(UsageError, match="hold no outline"):
        OutlineSampler(corpus, records, OutlineSettings())
    with pytest.raises(UsageError, match="no video is recorded"):
        OutlineSampler(corpus, {}, OutlineSettings())
