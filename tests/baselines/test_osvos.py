"""`osvos`: loss, network, fine-tuning, tracker, parent training."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from vosbench.cli import main
from vosbench.datasets.registry import open_dataset
from vosbench.errors import RunError, UsageError
from vosbench.plugins import Plugins
from vosbench.testing import check_tracker, conformance_cases, make_context, moving_discs
from vosbench.tracking.clip import Clip
from vosbench.tracking.session import Session, make_tracker
from vosbench_baselines.osvos.fine_tune import (
    FineTuned,
    first_frame_examples,
    learnable,
    look,
    probabilities,
)
from vosbench_baselines.osvos.loss import balanced_cross_entropy, deep_loss
from vosbench_baselines.osvos.network import OsvosNet, Outputs, load_weights, save_weights
from vosbench_baselines.osvos.parent import ParentSettings, ParentTraining
from vosbench_baselines.search_lr import thinned
from vosbench_learning.corpus import load_corpus, photo_sources
from vosbench_learning.views import ViewSettings

SIZE = (64, 96)


@pytest.fixture(scope="module")
def spec():
    return Plugins().tracker("osvos-10")


@pytest.fixture(scope="module")
def options(osvos_weights):
    return {"weights": str(osvos_weights), "iterations": "1", "transforms": "0", "bf16": "off"}


@pytest.mark.parametrize("case", conformance_cases(slow=False), ids=str)
def test_conformance(spec, options, case):
    outcome = check_tracker(spec, case, options=options, size=SIZE)
    assert outcome.status == "passed" or case.name == "processes", outcome.reason


class TestLoss:
    def test_is_half_the_mean_of_each_class(self):
        logits = torch.randn(2, 5, 7)
        target = torch.rand(2, 5, 7) > 0.8
        p = logits.sigmoid()
        expected = -p[target].log().mean() / 2 - (1 - p[~target]).log().mean() / 2
        torch.testing.assert_close(balanced_cross_entropy(logits, target), expected)

    def test_is_the_papers_up_to_its_scale(self):
        logits, target = torch.randn(1, 9, 9), torch.rand(1, 9, 9) > 0.7
        p, beta, n = logits.sigmoid(), float((~target).float().mean()), target.numel()
        paper = -beta * p[target].log().sum() - (1 - beta) * (1 - p[~target]).log().sum()
        ours = balanced_cross_entropy(logits, target)
        torch.testing.assert_close(ours, paper / (2 * beta * (1 - beta) * n))

    def test_ignores_invalid_pixels_and_absent_classes(self):
        logits, target = torch.randn(1, 4, 4), torch.zeros(1, 4, 4, dtype=torch.bool)
        valid = torch.zeros_like(target)
        assert balanced_cross_entropy(logits, target, valid) == 0
        valid[0, 0, 0] = True
        expected = -(1 - logits[0, 0, 0].sigmoid()).log() / 2
        torch.testing.assert_close(balanced_cross_entropy(logits, target, valid), expected)

    def test_side_outputs_learn_from_cells_that_are_mostly_object(self):
        target = torch.zeros(1, 40, 40, dtype=torch.bool)
        target[:, :32, :8] = True
        sides = tuple(torch.zeros(1, 64 // s, 64 // s) for s in (4, 8, 16, 32))
        perfect = []
        for side, stride in zip(sides, (4, 8, 16, 32), strict=True):
            share = torch.zeros(1, 64, 64)
            share[:, :40, :40] = target.float()
            cells = share.unfold(1, stride, stride).unfold(2, stride, stride).mean((3, 4))
            perfect.append(torch.where(cells > 0.5, 40.0, -40.0))
            assert side.shape == perfect[-1].shape
        final = torch.where(target, 40.0, -40.0)
        assert deep_loss(Outputs(final, tuple(perfect)), target) < 1e-6


class TestNetwork:
    @pytest.mark.parametrize("size", [(64, 96), (97, 131), (33, 40)])
    def test_gives_logits_at_the_size_of_the_image(self, osvos_weights, size):
        net = load_weights(osvos_weights)
        images = torch.randint(0, 255, (2, 3, *size), dtype=torch.uint8)
        with torch.no_grad():
            out = net(images, sides=True)
        assert out.final.shape == (2, *size)
        whole = [-(-n // 32) * 32 for n in size]
        assert [s.shape[1:] for s in out.sides] == [
            (whole[0] // s, whole[1] // s) for s in (4, 8, 16, 32)
        ]

    def test_prefix_is_all_that_is_frozen(self, osvos_weights):
        net = load_weights(osvos_weights)
        images = torch.randint(0, 255, (1, 3, *SIZE), dtype=torch.uint8)
        torch.testing.assert_close(net(net.prefix(images)).final, net(images).final)
        net(images).final.sum().backward()
        got = {name for name, p in net.named_parameters() if p.grad is not None}
        assert got == set(learnable(net))

    def test_weights_survive_a_round_trip_in_half_precision(self, osvos_weights, tmp_path):
        net = load_weights(osvos_weights)
        save_weights(net, tmp_path / "again.safetensors", {})
        again = load_weights(tmp_path / "again.safetensors")
        for name, value in net.state_dict().items():
            assert torch.equal(value, again.state_dict()[name])

    def test_broken_or_foreign_weights_are_named(self, tmp_path):
        path = tmp_path / "broken.safetensors"
        path.write_bytes(b"no tensors")
        with pytest.raises(UsageError, match=r"broken\.safetensors"):
            load_weights(path)
        from safetensors.torch import save_file

        save_file({"x": torch.zeros(1)}, path)
        with pytest.raises(UsageError, match="no weights of OSVOS"):
            load_weights(path)


class TestFineTuning:
    def test_learns_the_object_and_leaves_the_shared_network_alone(self, osvos_weights):
        net = load_weights(osvos_weights)
        before = {name: p.clone() for name, p in net.state_dict().items()}
        sequence = moving_discs("learn", SIZE, 1)
        mask = sequence.labels[0] == 1
        examples = first_frame_examples(net, sequence.images[0], mask, 2, np.random.default_rng(0))
        tuned = FineTuned(net, learnable(net), 0.1)
        losses = [tuned.step(examples[0]) for _ in range(16)]
        assert losses[-1] < 0.5 * losses[0]
        prefix = look(net, sequence.images[0])
        found = probabilities(net, tuned.snapshot(), prefix).numpy() > 0.5
        assert (found & mask).sum() / (found | mask).sum() > 0.6
        for name, value in net.state_dict().items():
            assert torch.equal(value, before[name])


class TestTracker:
    def run(self, spec, tmp_path, sequence, snapshots=(), **options):
        ctx = make_context(spec, tmp_path, options={k: str(v) for k, v in options.items()})
        if snapshots:
            ctx.snapshots = {"iterations": snapshots}
        outputs = []
        session = Session(make_tracker(spec, ctx), spec.capabilities)
        timings = session.run(
            sequence.clip(),
            ctx,
            lambda _index, labels, variants: outputs.append((labels, variants)),
        )
        return outputs, timings

    def test_snapshots_are_what_separate_runs_give(self, spec, options, tmp_path):
        sequence = moving_discs("snapshots", SIZE, 3, {1: 0, 2: 1})
        together, timings = self.run(
            spec, tmp_path, sequence, (1,), **{**options, "iterations": 3, "transforms": 1}
        )
        assert set(timings.marks) == {"iterations=1", "iterations=3"}
        for steps in (1, 3):
            alone, _ = self.run(
                spec, tmp_path, sequence, **{**options, "iterations": steps, "transforms": 1}
            )
            for (final, variants), (labels, _) in zip(together, alone, strict=True):
                snapshot = final if steps == 3 else variants["iterations=1"]
                assert np.array_equal(snapshot, labels)

    def test_two_objects_together_are_two_objects_apart(self, spec, options, tmp_path):
        sequence = moving_discs("two", SIZE, 2, {1: 0, 2: 0})
        frame, targets = sequence[0], sequence.clip().given[0]

        def predict(chosen):
            ctx = make_context(spec, tmp_path, options=options)
            tracker = make_tracker(spec, ctx)
            tracker.init(frame, chosen, ctx)
            return tracker.track(sequence[1], {}, ctx)

        both = predict(targets)
        for channel, obj in enumerate(both.ids):
            alone = predict({obj: targets[obj]})
            assert np.array_equal(both.scores[channel], alone.scores[0])

    def test_large_frames_are_shrunk_and_answered_at_native_size(self, spec, options, tmp_path):
        sequence = moving_discs("large", SIZE, 2)
        outputs, _ = self.run(spec, tmp_path, sequence, **options, short_side=40)
        assert outputs[1][0].shape == SIZE

    def test_missing_weights_are_named(self, spec, tmp_path):
        ctx = make_context(spec, tmp_path, options={"weights": "nowhere"})
        with pytest.raises(UsageError, match="nowhere"):
            make_tracker(spec, ctx)


def test_shipped_weights_beat_copying_the_first_mask_on_real_video(
    spec, track, overlap, davis_root
):
    plugins = Plugins()
    whole = open_dataset("davis16-dev", plugins, (davis_root.parent,)).sequence("dog-agility")
    video = thinned(whole, 8)
    scores = {}
    for tracker, options in ((spec, {"short_side": "240"}), (plugins.tracker("copy-first"), {})):
        outputs = track(tracker, Clip.of(video), **options)
        scores[tracker.name] = np.mean(
            [overlap(outputs[i], video.labels(i), 1) for i in range(1, len(outputs))]
        )
    assert scores["osvos-10"] > scores["copy-first"] + 0.3


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for i in range(4):
        sequence = moving_discs(f"photo-{i}", SIZE, 1, {1: 0, 2: 0})
        Image.fromarray(sequence.images[0]).save(folder / "images" / f"{i}.jpg")
        Image.fromarray(sequence.labels[0]).save(folder / "masks" / f"{i}.png")
    return folder


class TestParentTraining:
    def train(self, photos, folder, steps, **changes):
        settings = ParentSettings(
            **{"steps": 4, "batch": 2, "view": ViewSettings(size=(64, 64)), **changes},
            checkpoint_every=2,
        )
        torch.manual_seed(0)
        corpus = load_corpus(photo_sources(photos), folder.parent / "cache")
        training = ParentTraining(OsvosNet(pretrained=True), corpus, settings, folder)
        if steps < settings.steps:
            # As if the process had been killed after a checkpoint.
            while training.step < steps:
                training.advance()
            training.checkpoint()
        else:
            training.run(quiet=True)
        return training

    def test_resumed_is_uninterrupted(self, photos, tmp_path):
        whole = self.train(photos, tmp_path / "whole", 4)
        self.train(photos, tmp_path / "parts", 2)
        parts = self.train(photos, tmp_path / "parts", 4)
        for name, value in whole.net.state_dict().items():
            assert torch.equal(value, parts.net.state_dict()[name]), name
        with (tmp_path / "whole" / "losses.csv").open() as file:
            assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]
        assert load_weights(whole.weights).frozen_depth == 3

    def test_other_settings_are_refused(self, photos, tmp_path):
        self.train(photos, tmp_path / "run", 2)
        with pytest.raises(RunError, match="other settings"):
            self.train(photos, tmp_path / "run", 4, rate=1.0)

    def test_command(self, photos, tmp_path):
        arguments = ["baselines", "osvos-parent", "--cache", str(tmp_path / "cache")]
        arguments += ["--out", str(tmp_path / "out"), "--steps", "1", "--batch", "1"]
        nothing = CliRunner().invoke(main, arguments)
        assert nothing.exit_code == 2
        assert "--photos" in nothing.output
        done = CliRunner().invoke(main, [*arguments, "--size", "64", "--photos", str(photos)])
        assert done.exit_code == 0, done.output
        assert load_weights(tmp_path / "out" / "osvos-parent.safetensors")
