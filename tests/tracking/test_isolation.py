"""What a tracker does to the process does not outlive its sequence."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from vosbench.tracking.isolation import guarded


def vandalise(folder):
    os.chdir(folder)
    torch.set_grad_enabled(False)
    torch.set_num_threads(torch.get_num_threads() + 1)
    return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002


def state():
    return (
        Path.cwd(),
        torch.is_grad_enabled(),
        torch.get_num_threads(),
        random.getstate(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
        torch.random.get_rng_state().tolist(),
    )


def test_state_is_put_back(tmp_path):
    before = state()
    with guarded(5):
        vandalise(tmp_path)
    assert state() == before


def test_state_is_put_back_after_an_error(tmp_path):
    before = state()
    with pytest.raises(KeyError), guarded(5):
        vandalise(tmp_path)
        raise KeyError
    assert state() == before


def test_the_seed_decides_the_numbers(tmp_path):
    drawn = []
    for seed in (5, 5, 6):
        random.random()
        with guarded(seed):
            drawn.append(vandalise(tmp_path))
    assert drawn[0] == drawn[1]
    assert not set(drawn[0]) & set(drawn[2])


def test_gradients_are_on_even_inside_inference_mode():
    weight = torch.ones(2, requires_grad=True)
    with torch.inference_mode(), guarded(0, threads=1):
        assert torch.get_num_threads() == 1
        (weight * 3).sum().backward()
    assert weight.grad.tolist() == [3, 3]


def test_a_removed_working_folder_is_no_problem(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gone").mkdir()
    os.chdir("gone")
    (tmp_path / "gone").rmdir()
    with guarded(0):
        os.chdir(tmp_path)
