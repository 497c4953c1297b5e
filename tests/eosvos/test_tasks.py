"""Meta-training tasks: one object in two frames."""

from __future__ import annotations

import numpy as np
import torch

from vosbench_eosvos.training.tasks import TaskSampler, TaskSettings
from vosbench_learning.views import ViewSettings

VIEW = ViewSettings(size=(96, 128), side=(24.0, 80.0))


def test_tasks_show_one_object_in_both_frames(corpus):
    sampler = TaskSampler(corpus, TaskSettings(view=VIEW, distractor=1.0))
    for seed in range(12):
        task = sampler.task(np.random.default_rng(seed))
        for image, target in (
            (task.train_image, task.train_target),
            (task.test_image, task.test_target),
        ):
            assert image.shape == (1, 3, 96, 128)
            assert target["masks"].shape == (1, 96, 128)
            assert target["masks"].any()
    again = sampler.task(np.random.default_rng(11))
    assert torch.equal(again.test_image, task.test_image)
