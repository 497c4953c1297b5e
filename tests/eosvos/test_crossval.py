"""`vosbench eosvos crossval`: how the videos are drawn into folds."""

import pytest

from vosbench_eosvos.training.crossval import DRAWS


@pytest.mark.parametrize("draw", DRAWS)
def test_a_draw_holds_out_every_video_once(draw):
    assert len(DRAWS[draw]) == 5
    names = [name for fold in DRAWS[draw] for name in fold]
    assert len(names) == len(set(names)) == 30
    assert set(names) == {name for fold in DRAWS["plain"] for name in fold}
