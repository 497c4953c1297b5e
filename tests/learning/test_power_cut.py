"""What training has written down is on the disk when the power fails."""

from __future__ import annotations

import numpy as np
import torch

from vosbench_learning.checkpoint import load_checkpoint, save_checkpoint
from vosbench_learning.corpus import load_corpus, photo_sources


def test_a_checkpoint_survives(disk):
    weights = torch.arange(100_000, dtype=torch.float32)
    for step in (1, 2):
        content = {"settings": {"rate": 0.1}, "step": step, "weights": step * weights}
        save_checkpoint(disk.folder / "run/checkpoint.pt", content)
        left = load_checkpoint(disk.cut() / "run/checkpoint.pt", {"rate": 0.1})
        assert left is not None
        assert left["step"] == step
        assert torch.equal(left["weights"], step * weights)


def test_decoded_images_survive_with_their_index(disk, training_folders):
    sources = photo_sources(training_folders / "photos")
    made = load_corpus(sources, disk.folder / "cache")
    cache = disk.cut() / "cache"
    before = {path.name: path.read_bytes() for path in cache.glob("*.*")}
    left = load_corpus(sources, cache)
    assert [item.name for item in left.items] == [item.name for item in made.items]
    for i in range(len(made)):
        for one, other in zip(left[i], made[i], strict=True):
            np.testing.assert_array_equal(one, other)
    assert {path.name: path.read_bytes() for path in cache.glob("*.*")} == before


def test_an_index_that_is_broken_is_made_anew(tmp_path, training_folders):
    sources = photo_sources(training_folders / "photos")
    made = load_corpus(sources, tmp_path)
    (index,) = tmp_path.glob("*.json")
    for text in ("", '{"items": [{}]}', "[]"):
        index.write_text(text)
        assert load_corpus(sources, tmp_path).items == made.items
