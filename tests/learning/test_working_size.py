"""The precision that a processor is given, and the size at which a network sees frames."""

import pytest
import torch

from vosbench_learning.working_size import bfloat16_pays, processor_gains, working_size


@pytest.mark.parametrize(
    ("described", "gains"),
    [
        ("vendor_id : AuthenticAMD\nflags : avx2 avx512f avx512_bf16", True),
        ("vendor_id : GenuineIntel\nflags : avx512f avx512_bf16 amx_bf16 amx_tile", True),
        ("vendor_id : GenuineIntel\nflags : avx512f avx512_bf16 avx512_fp16", False),
        ("vendor_id : AuthenticAMD\nflags : avx2", False),
        ("", False),
    ],
)
def test_bfloat16_is_for_processors_that_are_faster_in_it(described, gains):
    assert processor_gains(described) is gains


def test_this_processor_is_asked(tmp_path, monkeypatch):
    described = tmp_path / "cpuinfo"
    monkeypatch.setattr("vosbench_learning.working_size.Path", lambda _: described)
    assert not bfloat16_pays(torch.device("cpu"))
    described.write_text("flags : amx_bf16")
    assert bfloat16_pays(torch.device("cpu"))


def test_frames_are_shrunk_and_only_enlarged_when_asked():
    assert working_size((1080, 1920), 480) == (480, 853)
    assert working_size((240, 432), 480) == (240, 432)
    assert working_size((240, 432), 480, enlarge=True) == (480, 864)
    assert working_size((240, 432), 480, long_side=600, enlarge=True) == (333, 600)
