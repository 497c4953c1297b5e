"""What a tracker does to the process does not outlive its sequence."""

from __future__ import annotations

import locale
import os
import random
import signal
import sys
from pathlib import Path

import cv2
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


def whole_state():
    """What `guarded` promises to put back, the generators apart."""
    mask = os.umask(0)
    os.umask(mask)
    return {
        "environment": dict(os.environ),
        "umask": mask,
        "locale": locale.setlocale(locale.LC_ALL),
        "signals": [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGUSR1)],
        "affinity": os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None,
        "path": list(sys.path),
        "recursion": sys.getrecursionlimit(),
        "numpy": np.geterr(),
        "opencv": cv2.getNumThreads(),
        "type": torch.get_default_dtype(),
        "device": torch.empty(0).device,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "precision": torch.get_float32_matmul_precision(),
        "anomaly": torch.is_anomaly_enabled(),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
    }


def vandalise_all():
    os.environ["VOSBENCH_VANDAL"] = "1"
    os.environ.pop("PATH")
    os.umask(0o077)
    locale.setlocale(locale.LC_ALL, "C.UTF-8" if whole_state()["locale"] == "C" else "C")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    sys.path.insert(0, "/nowhere")
    sys.setrecursionlimit(sys.getrecursionlimit() + 77)
    np.seterr(all="raise")
    cv2.setNumThreads(cv2.getNumThreads() + 1)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.use_deterministic_algorithms(True)
    torch.set_float32_matmul_precision("medium")
    torch.autograd.set_detect_anomaly(True)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.deterministic = True


def test_all_that_is_promised_is_put_back():
    before = whole_state()
    with guarded(5):
        vandalise_all()
        during = whole_state()
    changed = {key for key in before if before[key] != during[key]}
    one_core = len(before["affinity"] or "1") == 1
    assert changed == set(before) - ({"affinity"} if one_core else set())
    assert whole_state() == before


def test_the_seed_decides_the_numbers_of_opencv():
    drawn = []
    for _ in range(2):
        with guarded(5):
            noise = np.zeros((4, 4), np.uint8)
            cv2.randu(noise, 0, 255)
            drawn.append(noise.tolist())
    assert drawn[0] == drawn[1]
