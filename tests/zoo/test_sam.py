"""SAM 2.1, EdgeTAM and SAM 3 in the real code path, with small models that were never trained."""

from __future__ import annotations

import numpy as np
import pytest

from vosbench.analysis.published import methods
from vosbench.errors import UsageError
from vosbench.plugins import Plugins
from vosbench.testing import check_tracker, conformance_cases, make_context, moving_discs
from vosbench.tracking.session import Session, make_tracker

pytest.importorskip("transformers", reason="the extra vosbench[zoo] is not installed")
pytest.importorskip("timm", reason="the extra vosbench[zoo] is not installed")

from vosbench_zoo.sam import BLOCKS

#: SAM 2.1's sizes differ in their weights alone.
NAMES = ("sam2.1-hiera-tiny", "edgetam", "sam3")


@pytest.fixture(scope="module", params=NAMES)
def spec(request):
    return Plugins().tracker(request.param)


@pytest.fixture
def build(spec, tmp_path):
    def make(weights):
        ctx = make_context(spec, tmp_path, options={"weights": str(weights)})
        return make_tracker(spec, ctx), ctx

    return make


@pytest.mark.parametrize("case", conformance_cases(slow=False), ids=str)
def test_conformance(spec, case):
    outcome = check_tracker(spec, case, options={"weights": "random"}, untrained=True)
    apart = {"processes", "sighted"} & set(case.needs)
    assert outcome.status == ("skipped" if apart else "passed"), outcome.reason


def test_memory_does_not_grow_with_the_video(spec, build):
    tracker, ctx = build("random")
    clip = moving_discs("long", (48, 64), 26, {3: 0, 9: 5}, speed=0.005).clip()
    kept = []

    def emit(index, labels, variants):
        session = tracker.session
        if index:
            outputs = session.output_dict_per_obj.values()
            kept.append(max(len(o["non_cond_frame_outputs"]) for o in outputs))
            assert not session.processed_frames

    Session(tracker, spec.capabilities).run(clip, ctx, emit)
    assert max(kept) == kept[-1] <= tracker.reach + 1


def test_dropping_what_is_out_of_reach_changes_nothing(spec, build, monkeypatch):
    clip = moving_discs("same", (48, 64), 22, {3: 0, 9: 5}, speed=0.005).clip()

    def run():
        tracker, ctx = build("random")
        logits = []
        tracker.init(clip.video[0], clip.given[0], ctx)
        for index in range(1, len(clip.video)):
            frame = clip.video[index]
            logits.append(tracker.track(frame, clip.given.get(index, {}), ctx).scores)
        return logits

    pruned = run()
    monkeypatch.setattr("vosbench_zoo.sam._drop_before", lambda *_: None)
    for one, other in zip(pruned, run(), strict=True):
        assert np.array_equal(one, other)


def test_weights_of_a_folder_are_read_or_refused(spec, build, tmp_path, monkeypatch):
    tracker, _ = build("random")
    folder = tmp_path / "weights"
    tracker.model.save_pretrained(folder)
    if spec.name.startswith("sam2.1"):
        with pytest.raises(UsageError, match="of another size, not tiny"):
            build(folder)
        monkeypatch.setitem(BLOCKS, "tiny", [1, 1, 2, 1])  # as small as the test's
    read, _ = build(folder)
    for one, other in zip(tracker.model.parameters(), read.model.parameters(), strict=True):
        assert one.equal(other)

    from safetensors.torch import load_file, save_file

    file = folder / "model.safetensors"
    tensors = load_file(file)
    tensors.pop(next(name for name in tensors if "memory_encoder" in name))
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(UsageError, match=r"lacks 1 tensors .*memory_encoder"):
        build(folder)
    file.write_bytes(b"nothing")
    with pytest.raises(UsageError, match=r"holds no weights"):
        build(folder)
    file.unlink()
    with pytest.raises(UsageError, match=r"there is no file .*model\.safetensors"):
        build(folder)


def test_without_weights_the_message_says_which_file_to_put_where(spec, build):
    with pytest.raises(UsageError) as caught:
        build("")
    assert f"model.safetensors of {spec.origin.weights} into a folder" in caught.value.hint


def test_the_published_numbers_that_are_declared_exist():
    known = methods()
    for spec in Plugins().trackers.values():
        if spec.origin and spec.origin.published:
            assert spec.origin.published in known
