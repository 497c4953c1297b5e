"""Two Ray nodes against one, and a node that is lost on the way.

    python benchmarks/cluster.py --write

needs `pip install 'vosbench[ray]'` and no data. The nodes are processes of this one machine; the
trackers sleep, so that two nodes can be twice as fast even here.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster

from vosbench.datasets.base import Dataset
from vosbench.datasets.registry import open_dataset
from vosbench.plugins import Plugins
from vosbench.running.recorder import Progress
from vosbench.running.runner import RunSettings, run
from vosbench.store import Run
from vosbench.testing import fakes
from vosbench.testing.synthetic import moving_discs

TRACKERS = ("fake", "fake-single", "fake-early")


class KillNode(Progress):
    """Takes a node from the cluster after some sequences."""

    def __init__(self, cluster: Cluster, node: Any, after: int) -> None:
        self._cluster, self._node, self._left = cluster, node, after
        self.thread: threading.Thread | None = None

    def started(self, sequence: str, frames: int) -> None:  # noqa: ARG002
        self._left -= 1
        if self._left < 0 and self.thread is None:
            self.thread = threading.Thread(
                target=self._cluster.remove_node,
                args=(self._node,),
                kwargs={"allow_graceful": False},
            )
            self.thread.start()


def seconds(plugins: Plugins, dataset: Dataset, folder: Path, sleep: str) -> float:
    """How long a run takes on all nodes, its workers' start included."""
    how = RunSettings(options={"sleep": sleep}, executor="ray")
    began = time.perf_counter()
    made = run(plugins, dataset, "fake", how, results=folder)[0]
    assert made.complete
    return time.perf_counter() - began


def masks(run: Run) -> dict[str, bytes]:
    return {str(p.relative_to(run.masks)): p.read_bytes() for p in run.masks.rglob("*.png")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sequences", type=int, default=30)
    parser.add_argument("--write", action="store_true", help="write cluster.md")
    arguments = parser.parse_args()
    logging.getLogger("ray").setLevel(logging.ERROR)
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    os.environ["OMP_NUM_THREADS"] = "1"
    plugins = Plugins([Path(fakes.__file__)])
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        clips = [
            moving_discs(f"s{i:02d}", (24, 32), 8, {1: 0, 2: i % 3})
            for i in range(arguments.sequences)
        ]
        dataset = open_dataset(str(fakes.write_dataset(root / "discs", clips)), plugins, ())
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False)
        one = seconds(plugins, dataset, root / "one", "0.2")
        second = cluster.add_node(num_cpus=1)
        two = seconds(plugins, dataset, root / "two", "0.2")
        rows = []
        for number, tracker in enumerate(TRACKERS):
            node = second if number == 0 else cluster.add_node(num_cpus=1)
            kill = KillNode(cluster, node, after=arguments.sequences // 2)
            how = RunSettings(options={"sleep": "0.1"}, executor="ray", retries=3)
            there = run(plugins, dataset, tracker, how, results=root / "lost", progress=kill)[0]
            assert kill.thread is not None
            kill.thread.join()
            here = run(
                plugins,
                dataset,
                tracker,
                RunSettings(options={"sleep": "0.1"}, jobs=2),
                results=root / "local",
            )[0]
            same = masks(there) == masks(here) and len(masks(there)) > 0
            rows.append(f"| {tracker} | {there.complete} | {same} |")
        ray.shutdown()
        cluster.shutdown()
    lines = "\n".join(rows)
    text = f"""# What a cluster gains and loses

{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Ray {ray.__version__},
{time.strftime("%Y-%m-%d")},
`python benchmarks/cluster.py --sequences {arguments.sequences} --write`.
Sequences of 8 frames; nodes of one CPU, all on this machine.

A tracker that sleeps 0.2 s a frame: {one:.1f} s on one node, {two:.1f} s on two:
**{one / two:.2f} times as fast**.

One of two nodes killed after half of the sequences:

| tracker | complete | masks as of a local run |
|---|---|---|
{lines}
"""
    print(text)
    if arguments.write:
        Path(__file__).with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()
