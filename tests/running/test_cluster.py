"""The ray executor, where ray is installed."""

from __future__ import annotations

import importlib.util

import pytest

from vosbench.errors import UsageError

RAY = importlib.util.find_spec("ray") is not None


@pytest.mark.skipif(not RAY, reason="ray is not installed")
def test_ray_gives_what_local_processes_give(go, masks):
    fault = {"fault": "exit", "sequence": "bee"}
    local, ray = go(options=fault), go(options=fault, executor="ray", results="ray")
    assert masks(ray) == masks(local)
    assert [r.status for r in ray.sequences().values()] == ["done", "failed", "done"]


@pytest.mark.skipif(RAY, reason="ray is installed")
def test_without_ray_the_way_out_is_named(go):
    with pytest.raises(UsageError, match="ray is not installed") as caught:
        go(executor="ray")
    assert "vosbench[ray]" in caught.value.hint
