"""The Ray executor, on a cluster of two nodes on this machine, where Ray is installed."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
import warnings

import pytest

from vosbench.errors import UsageError
from vosbench.running.recorder import Progress
from vosbench.store import Run

RAY = importlib.util.find_spec("ray") is not None
if not RAY:
    warnings.warn("ray is not installed: tests of the cluster are SKIPPED", stacklevel=1)
needs_ray = pytest.mark.skipif(not RAY, reason="ray is not installed")


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one CPU each; the driver's node has none, so that it may lose any."""
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    made.nodes = [made.add_node(num_cpus=1) for _ in range(2)]
    ray.init(address=made.address, log_to_driver=False)
    yield made
    with contextlib.suppress(Exception):
        ray.shutdown()
    made.shutdown()


@needs_ray
def test_a_cluster_gives_what_local_processes_give(go, masks, cluster):
    fault = {"fault": "exit", "sequence": "bee"}
    there = go(options=fault, executor="ray", results="ray")
    assert [r.status for r in there.sequences().values()] == ["done", "failed", "done"]
    here = go(options=fault, sequences=["ant", "cat"])
    found = masks(there)
    assert masks(here).items() <= found.items()
    assert there.record.jobs == 2
    assert there.record.nodes
    assert {r.node for r in there.sequences().values() if r.status == "done"} <= set(
        there.record.nodes
    )


@needs_ray
def test_what_no_node_has_is_said_at_once(go, cluster):
    began = time.monotonic()
    with pytest.raises(UsageError, match=r"3 GPU are asked for, the nodes have .*1 CPU and 0 GPU"):
        go(executor="ray", gpus=3, results="more")
    with pytest.raises(UsageError, match="Ray says which GPU"):
        go(executor="ray", device="cuda:1", results="more")
    assert time.monotonic() - began < 20


PLUGIN = """
import os
import numpy as np
from vosbench import Prediction, TrackerSpec, hookimpl

class Needy:
    def __init__(self, ctx):
        import shipped  # lies on no node: it is sent there
        assert shipped.ANSWER == 42 and os.environ["SHIPPED"] == "too"
    def init(self, frame, targets, ctx):
        self.labels = np.zeros(frame.size, np.uint8)
    def track(self, frame, targets, ctx):
        return Prediction.from_labels(self.labels)

@hookimpl
def vosbench_register_trackers(register):
    register(TrackerSpec(name="needy", factory=Needy, summary="Needs a module."))
"""


@needs_ray
def test_modules_and_variables_of_a_tracker_are_sent_along(dataset, cluster, tmp_path):
    (tmp_path / "needy.py").write_text(PLUGIN)
    (tmp_path / "lib/shipped").mkdir(parents=True)
    (tmp_path / "lib/shipped/__init__.py").write_text("ANSWER = 42")
    how = {"py_modules": [str(tmp_path / "lib/shipped")], "env_vars": {"SHIPPED": "too"}}
    said = {}
    for name, content in {"good": how, "bad": {"env_vars": ["SHIPPED"]}}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
        said[name] = subprocess.run(
            [
                *(sys.executable, "-m", "vosbench", "run", "--plugin", tmp_path / "needy.py"),
                *("--tracker", "needy", "--dataset", dataset.root, "--results", tmp_path / "r"),
                *("--executor", "ray", "--fresh", "--runtime-env", tmp_path / f"{name}.json"),
            ],
            env={**os.environ, "RAY_ADDRESS": cluster.address},
            capture_output=True,
            text=True,
            check=False,
        )
    assert said["good"].returncode == 0, said["good"].stderr
    assert Run.open(tmp_path / "r/tiny/needy").complete
    assert said["bad"].returncode == 2
    assert "--runtime-env: " in said["bad"].stderr


class KillNode(Progress):
    """Takes a node from the cluster as soon as both work."""

    def __init__(self, cluster):
        self._cluster = cluster
        self._begun = set()
        self.thread = None

    def started(self, sequence, frames):
        self._begun.add(sequence)

    def called(self, sequence, call, frame):
        if len(self._begun) >= 2 and self.thread is None:
            node = self._cluster.nodes.pop()
            self.thread = threading.Thread(
                target=self._cluster.remove_node, args=(node,), kwargs={"allow_graceful": False}
            )
            self.thread.start()


@needs_ray
def test_a_node_that_is_lost_costs_no_sequence(go, masks, cluster):
    kill = KillNode(cluster)
    options = {"sleep": "0.3"}
    there = go(options=options, executor="ray", results="ray", progress=kill, retries=3)
    kill.thread.join()
    assert there.complete
    assert masks(there) == masks(go(options=options))


@pytest.mark.skipif(RAY, reason="ray is installed")
def test_without_ray_the_way_out_is_named(go):
    with pytest.raises(UsageError, match="ray is not installed") as caught:
        go(executor="ray")
    assert "vosbench[ray]" in caught.value.hint
