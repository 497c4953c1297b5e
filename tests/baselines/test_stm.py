"""STM: the network against plain restatements, the authors' file, tracking, training."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from vosbench.cli import main
from vosbench.errors import RunError, UsageError
from vosbench.plugins import Plugins
from vosbench.testing import check_tracker, conformance_cases, make_context, moving_discs
from vosbench.tracking.session import make_tracker
from vosbench_baselines.stm.network import CONFIGS, Memory, StmConfig, StmNet, aggregate
from vosbench_baselines.stm.training import ClipSampler, ClipSettings, StmSettings, StmTraining
from vosbench_baselines.stm.weights import import_reference, load_weights, save_weights
from vosbench_learning.views import ViewSettings

SMALL = StmConfig(key=8, value=16, decoder=8)
VIEW = ViewSettings(size=(64, 64), side=(24.0, 50.0))


@pytest.fixture(scope="module")
def net() -> StmNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return StmNet(SMALL, pretrained=True).eval()


@pytest.fixture(scope="module")
def weights(net, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("stm") / "small.safetensors"
    save_weights(net, path, {"steps": "0"})
    return path


@given(st.integers(1, 4), st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_soft_aggregation_keeps_odds_in_proportion(count: int, seed: int) -> None:
    each = np.random.default_rng(seed).uniform(0.01, 0.99, (count, 3, 2))
    merged = aggregate(torch.from_numpy(each)).numpy()
    assert merged.sum(0) == pytest.approx(np.ones((3, 2)))
    background = np.prod(1 - each, 0)
    odds = np.concatenate([[background / (1 - background)], each / (1 - each)])
    assert merged == pytest.approx(odds / odds.sum(0))


@torch.no_grad()
def test_a_read_is_the_mean_of_values_weighted_by_similarity(net: StmNet) -> None:
    """A memory whose every place holds one value gives that value, wherever it is read."""
    image = torch.randint(0, 256, (1, 3, 32, 48), dtype=torch.uint8)
    mask = torch.zeros(1, 32, 48)
    mask[:, 8:24, 8:24] = 1
    [memory] = net.memorize(image, mask)
    assert memory.keys.shape == (8, 6)
    same = Memory(memory.keys, memory.values[:, :1].expand(-1, 6).contiguous())
    once, thrice = (net.segment(image, [Memory.joined([same] * n)]) for n in (1, 3))
    torch.testing.assert_close(once, thrice)
    assert once.shape == (2, 32, 48)
    torch.testing.assert_close(once.sum(0), torch.ones(32, 48))


@torch.no_grad()
def test_objects_are_independent_until_they_are_aggregated(net: StmNet) -> None:
    image = torch.randint(0, 256, (1, 3, 40, 56), dtype=torch.uint8)
    masks = torch.zeros(2, 40, 56)
    masks[0, :20], masks[1, 20:] = 1, 1
    first, second = net.memorize(image, masks)
    both = net.segment(image, [first, second])
    swapped = net.segment(image, [second, first])
    torch.testing.assert_close(both[1:], swapped[1:].flip(0))
    assert both.shape == (3, 40, 56)  # neither side is a multiple of 16


def reference_file(path: Path, *, random: bool, **changes: torch.Tensor | None) -> Path:
    """A file in the layout of STM_weights.pth; values are small and random, or all one number."""
    from torchvision.models import resnet50

    generator = torch.Generator().manual_seed(0)
    number = torch.full((), 0.02)  # stored once, however large the tensor that shows it
    with torch.device("meta"):
        resnet = resnet50(weights=None)
    layout: dict[str, tuple[int, ...]] = {}
    for encoder in ("Encoder_Q", "Encoder_M"):
        for old, new in (
            ("conv1", "conv1"), ("bn1", "bn1"), ("layer1", "res2"), ("layer2", "res3"),
            ("layer3", "res4"),
        ):  # fmt: skip
            for name, value in resnet.get_submodule(old).state_dict().items():
                layout[f"{encoder}.{new}.{name}"] = tuple(value.shape)
        layout[f"{encoder}.mean"] = layout[f"{encoder}.std"] = (1, 3, 1, 1)
    layout["Encoder_M.conv1_m.weight"] = layout["Encoder_M.conv1_o.weight"] = (64, 1, 7, 7)
    convolutions = {
        **{f"KV_{x}_r4.{kv}": (n, 1024) for x in "QM" for kv, n in (("Key", 128), ("Value", 512))},
        "Decoder.convFM": (256, 1024),
        "Decoder.RF3.convFS": (256, 512),
        "Decoder.RF2.convFS": (256, 256),
        "Decoder.pred2": (2, 256),
        **{
            f"Decoder.{block}.conv{i}": (256, 256)
            for block in ("ResMM", "RF3.ResFS", "RF3.ResMM", "RF2.ResFS", "RF2.ResMM")
            for i in (1, 2)
        },
    }
    for name, (outputs, inputs) in convolutions.items():
        layout[f"{name}.weight"], layout[f"{name}.bias"] = (outputs, inputs, 3, 3), (outputs,)
    content = {
        f"module.{name}": torch.zeros((), dtype=torch.long)
        if name.endswith("num_batches_tracked")
        else (torch.rand(shape, generator=generator) * number if random else number.expand(shape))
        for name, shape in layout.items()
    }
    for name, value in changes.items():
        if value is None:
            del content[name]
        else:
            content[name] = value
    torch.save(content, path)
    return path


def test_the_authors_file_is_taken_over_tensor_by_tensor(tmp_path: Path) -> None:
    path = reference_file(tmp_path / "STM_weights.pth", random=True)
    done = CliRunner().invoke(main, ["baselines", "import-stm", str(path)])
    assert done.exit_code == 0, done.output
    assert "SHA-256" in done.output
    given = torch.load(path, weights_only=True)
    net = load_weights(tmp_path / "STM_weights.safetensors")
    assert net.config == CONFIGS["r50"]
    state = net.state_dict()
    stem = [given[f"module.Encoder_M.conv1{part}.weight"] for part in ("", "_m", "_o")]
    half = {"rtol": 1e-3, "atol": 1e-5}
    torch.testing.assert_close(
        state["memory_encoder.stages.0.0.weight"], torch.cat(stem, 1), **half
    )
    for ours, theirs in (
        ("query_encoder.stages.3.5.conv2.weight", "Encoder_Q.res4.5.conv2.weight"),
        ("memory_encoder.stages.0.1.running_var", "Encoder_M.bn1.running_var"),
        ("memory.key.bias", "KV_M_r4.Key.bias"),
        ("query.value.weight", "KV_Q_r4.Value.weight"),
        ("decoder.refine8.skip.conv2.weight", "Decoder.RF3.ResFS.conv2.weight"),
        ("decoder.refine4.project.bias", "Decoder.RF2.convFS.bias"),
        ("decoder.predict.weight", "Decoder.pred2.weight"),
    ):
        torch.testing.assert_close(state[ours], given[f"module.{theirs}"], **half)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"module.Decoder.pred2.bias": None}, "there is no tensor Decoder.pred2.bias"),
        ({"module.Decoder.pred2.bias": torch.zeros(3)}, "Decoder.pred2.bias has shape"),
        ({"module.Decoder.more": torch.zeros(3)}, "nothing is known of the tensor Decoder.more"),
    ],
)
def test_a_file_of_another_layout_is_refused(tmp_path: Path, changes, complaint) -> None:
    with pytest.raises(UsageError, match=complaint):
        import_reference(reference_file(tmp_path / "STM_weights.pth", random=False, **changes))


def test_nothing_but_tensors_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "evil.pth"
    torch.save({"module.Encoder_Q.conv1.weight": print}, path)
    with pytest.raises(UsageError, match="cannot be read"):
        import_reference(path)


@pytest.mark.parametrize("case", conformance_cases(slow=False), ids=str)
def test_conformance(case, weights) -> None:
    options = {"weights": str(weights), "bf16": "off", "memory_every": "2"}
    outcome = check_tracker(Plugins().tracker("stm"), case, options=options, size=(64, 96))
    assert outcome.ok, outcome.reason


def test_memory_stays_within_its_limit_and_keeps_the_given_frame(weights, tmp_path) -> None:
    spec = Plugins().tracker("stm")
    sequence = moving_discs("discs", (48, 64), 12, {1: 0, 2: 6})
    options = {"weights": str(weights), "bf16": "off", "memory_every": "2", "memory_frames": "3"}
    ctx = make_context(spec, tmp_path, options=options)
    tracker = make_tracker(spec, ctx)
    clip = sequence.clip()
    tracker.init(clip.video[0], clip.given[0], ctx)
    first = tracker.memories[1][0]
    for index in range(1, 12):
        tracker.track(clip.video[index], clip.given.get(index, {}), ctx)
        assert len(tracker.memories[1]) <= 3
    assert tracker.memories[1][0] is first
    assert set(tracker.memories) == {1, 2}


def test_clips_show_their_objects_in_the_first_frame(corpus) -> None:
    sampler = ClipSampler(corpus, ClipSettings(view=VIEW, objects=2))
    for seed in range(8):
        clip = sampler.clip(np.random.default_rng(seed))
        again = sampler.clip(np.random.default_rng(seed))
        assert torch.equal(clip.images, again.images)
        assert clip.images.shape == (3, 3, 64, 64)
        assert 1 <= clip.count <= 2
        assert set(clip.labels.unique().tolist()) <= set(range(clip.count + 1))
        assert set(clip.labels[0].unique().tolist()) >= set(range(1, clip.count + 1))


def test_training_resumes_as_if_never_stopped(corpus, tmp_path) -> None:
    torch.set_num_threads(1)

    def new(folder: Path, **changes: float) -> StmTraining:
        torch.manual_seed(0)
        values = {"steps": 4, "clips": 1, "checkpoint_every": 2, **changes}
        clips_from = ClipSettings(view=VIEW)
        return StmTraining(
            StmNet(SMALL, pretrained=True),
            corpus,
            StmSettings(**values, clips_from=clips_from),
            folder,
        )

    whole = new(tmp_path / "whole")
    whole.run(quiet=True)
    part = new(tmp_path / "parts")
    part.advance()
    part.advance()
    part.checkpoint()
    resumed = new(tmp_path / "parts")
    assert resumed.step == 2
    resumed.run(quiet=True)
    for name, value in whole.net.state_dict().items():
        assert torch.equal(value, resumed.net.state_dict()[name]), name
    with (tmp_path / "whole" / "losses.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]
    assert load_weights(whole.weights).config == SMALL
    with pytest.raises(RunError, match="other settings"):
        new(tmp_path / "whole", rate=1.0)


def test_the_command_trains_and_says_what_is_missing(training_folders, tmp_path) -> None:
    command = ["baselines", "stm-train", "--cache", str(tmp_path / "cache")]
    command += ["--out", str(tmp_path / "out"), "--steps", "1", "--clips", "1", "--size", "64"]
    nothing = CliRunner().invoke(main, command)
    assert nothing.exit_code == 2
    assert "--photos" in nothing.output
    done = CliRunner().invoke(main, [*command, "--photos", str(training_folders / "photos")])
    assert done.exit_code == 0, done.output
    first = tmp_path / "out" / "stm.safetensors"
    assert load_weights(first).config == CONFIGS["lite"]
    command[command.index("--out") + 1] = str(tmp_path / "on")
    command += ["--photos", str(training_folders / "photos"), "--parent", str(first)]
    on = CliRunner().invoke(main, [*command, "--rate", "1e-12", "--backbone-rate", "1e-12"])
    assert on.exit_code == 0, on.output
    after = load_weights(tmp_path / "on" / "stm.safetensors").state_dict()
    assert all(torch.equal(t, after[n]) for n, t in load_weights(first).state_dict().items())
    other = CliRunner().invoke(main, [*command, "--model", "r50", "--out", str(tmp_path / "other")])
    assert other.exit_code == 2
    assert "its model is not r50" in other.output
