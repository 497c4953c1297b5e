"""Meta-training tasks: one object in two frames."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from vosbench_eosvos.training.tasks import TaskSampler, TaskSettings
from vosbench_learning.views import ViewSettings

VIEW = ViewSettings(size=(96, 128), side=(24.0, 80.0))


@pytest.mark.parametrize("imagined", [0.0, 1.0])
def test_tasks_show_one_object_in_all_images(corpus, imagined):
    sampler = TaskSampler(corpus, TaskSettings(view=VIEW, distractor=1.0, imagined=imagined))
    for seed in range(12):
        task = sampler.task(np.random.default_rng(seed), 5)
        assert len(task.train) == (3 if imagined else 1)
        for image, target in (*task.train, task.test):
            assert image.shape == (1, 3, 96, 128)
            assert target["masks"].shape == (1, 96, 128)
            assert target["masks"].any()
    again = sampler.task(np.random.default_rng(11), 5)
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(again.train, task.train, strict=True))
    assert torch.equal(again.test[0], task.test[0])


def test_inner_steps_learn_from_the_frame_and_new_views_in_turn(corpus):
    settings = TaskSettings(view=VIEW, imagined=1.0)
    task = TaskSampler(corpus, settings).task(np.random.default_rng(0), 6)
    assert [task.turn(step) for step in range(6)] == [0, 1, 0, 2, 0, 3]
    images = [image for image, _ in task.train]
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(images, 2))
    alone = replace(task, train=task.train[:1])
    assert [alone.turn(step) for step in range(3)] == [0, 0, 0]
