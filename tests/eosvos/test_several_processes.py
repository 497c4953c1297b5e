"""Training in several processes computes what one process does."""

from __future__ import annotations

import csv
import runpy
import subprocess
import sys

import pytest

from vosbench_eosvos.training.pretrain import LOSSES
from vosbench_learning.corpus import load_corpus, photo_sources

_SCRIPT = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import build_model, get_config
from vosbench_learning import distributed
from vosbench_learning.views import ViewSettings
from vosbench_learning.corpus import load_corpus, photo_sources
from vosbench_eosvos.training.metatrain import MetaSettings, MetaTraining
from vosbench_eosvos.training.pretrain import Pretraining, PretrainSettings
from vosbench_eosvos.training.tasks import TaskSettings

photos, cache, out = map(Path, sys.argv[1:])
view = ViewSettings(size=(64, 96), side=(24.0, 60.0))
with distributed.process_group(torch.device("cpu")):
    corpus = load_corpus(photo_sources(photos), cache)
    model = build_model(get_config("lite", fpn_channels=16, box_features=16, mask_channels=16))
    learned = LearnedOptimiser.create(model, "neuron", 1e-3)
    tasks = TaskSettings(view=view)
    meta = MetaSettings(steps=2, tasks=2, inner_steps=(1,), warmup=1, tasks_from=tasks)
    MetaTraining(learned, corpus, meta, out / "meta").run()
    plain = PretrainSettings(steps=2, unit_images=1, warmup=1, view=view)
    Pretraining(model, corpus, plain, out / "pretrain").run()
"""


def rows(folder, name="losses"):
    with (folder / f"{name}.csv").open() as file:
        return [{k: v for k, v in r.items() if k != "seconds"} for r in csv.DictReader(file)]


def test_two_processes_compute_what_one_does(training_folders, tmp_path, monkeypatch):
    script = tmp_path / "train.py"
    script.write_text(_SCRIPT)
    load_corpus(photo_sources(training_folders / "photos"), tmp_path / "cache")
    arguments = [str(training_folders / "photos"), str(tmp_path / "cache")]
    monkeypatch.setattr(sys, "argv", [str(script), *arguments, str(tmp_path / "1")])
    runpy.run_path(str(script))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run(
        [*launch, str(script), *arguments, str(tmp_path / "2")], check=True, capture_output=True
    )
    for kind in ("meta", "pretrain"):
        one, two = rows(tmp_path / "1" / kind), rows(tmp_path / "2" / kind)
        assert len(one) == 2
        for a, b in zip(one, two, strict=True):
            for key in LOSSES:
                assert float(a[key]) == pytest.approx(float(b[key]), rel=2e-3, abs=1e-5), key
