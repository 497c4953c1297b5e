"""Runs over many machines: a cluster that cannot do what is asked, parts that do not arrive."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import fsspec

from .fault import Fault
from .plugins import plugin
from .runs import interrupted

RAY = "run --executor ray --tracker copy-first --dataset data --fresh"


def environment(**what: object) -> Callable[[], int]:
    return lambda: Path("env.json").write_text(json.dumps(what))


def on_nodes(file: str, text: str) -> Callable[[], None]:
    """What comes before what is installed there."""

    def prepare() -> None:
        path = Path("there", file)
        path.parent.mkdir(parents=True)
        path.write_text(text)
        environment(env_vars={"PYTHONPATH": str(Path("there").resolve())})()

    return prepare


def cut_off() -> None:
    with fsspec.open("memory://bucket/part-1.zip", "wb") as stream:
        stream.write(b"PK\3\4, and then nothing")


FAULTS = (
    Fault(
        "a cluster that is not there",
        RAY,
        2,
        "--executor ray: nothing answers at 127.0.0.1:1: ",
        "RAY_ADDRESS names the cluster; without it one is started on this machine.",
        environment="RAY_ADDRESS=127.0.0.1:1",
        ray=True,
    ),
    Fault(
        "more GPUs than any node has",
        f"{RAY} --gpus 64",
        2,
        "no node of the cluster has room for one job: 1 CPU and 64 GPU are asked for, the "
        "nodes have",
        "OMP_NUM_THREADS sets the CPUs of a job, --gpus its GPUs (a fraction shares one).",
        ray=True,
    ),
    Fault(
        "one card of a cluster by its number",
        f"{RAY.replace('copy-first', 'eosvos-10')} --device cuda:1",
        2,
        "--device cuda:1: on a cluster Ray says which GPU",
        "Give --device cuda.",
        ray=True,
    ),
    Fault(
        "a node with another version of vosbench",
        f"{RAY} --runtime-env env.json",
        2,
        "has vosbench 0.0.9, this machine has",
        "Install the same version on every node.",
        on_nodes(
            "vosbench-0.0.9.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: vosbench\nVersion: 0.0.9\n",
        ),
        ray=True,
    ),
    Fault(
        "a node that has no vosbench, or one that does not work",
        f"{RAY} --runtime-env env.json",
        2,
        "a node of the cluster cannot start vosbench: ",
        "ModuleNotFoundError: No module named",
        on_nodes("vosbench/__init__.py", ""),
        ray=True,
    ),
    Fault(
        "a module to send along that is not there",
        f"{RAY} --runtime-env env.json",
        2,
        "--runtime-env: py_modules entry must be a .py file, a directory, or a .whl file; "
        "got nothing",
        prepare=environment(py_modules=["nothing"]),
        ray=True,
    ),
    Fault(
        "an environment that a node cannot set up",
        f"{RAY} --runtime-env env.json",
        2,
        "--runtime-env cannot be set up: ",
        prepare=environment(py_modules=["file:///nowhere/module.zip"]),
        ray=True,
    ),
    Fault(
        "a Python that is not on the nodes",
        f"{RAY} --timeout 6 --runtime-env env.json",
        2,
        "Ray has started no worker within 6 s (--timeout): the cluster is busy, or cannot",
        "`ray status` tells who is at work, /tmp/ray/session_latest/logs on the nodes why it "
        "failed.",
        environment(py_executable="there/python"),
        ray=True,
    ),
    Fault(
        "a node that is lost, or Ray's process there, as often as it is tried",
        "run --executor ray --tracker mine --dataset data --plugin mine.py --sequence discs",
        5,
        "discs: its worker was lost: ActorDiedError of Ray (--retries 1)",
        "the same command tries them again.",
        plugin(track="__import__('os').kill(__import__('os').getppid(), 9)"),
        ray=True,
    ),
    Fault(
        "a part of a run that is not finished",
        "push results memory://bucket/part-1.zip",
        5,
        "error: results/data/copy-first is running",
        "Finish it, or send what there is with --partial.",
        interrupted,
    ),
    Fault(
        "a place that nobody knows",
        "push results nowhere://bucket/part-1.zip",
        2,
        "error: nowhere://bucket/part-1.zip: Protocol not known: nowhere",
    ),
    Fault(
        "no part at an address",
        "merge memory://nothing/part-*.zip --results merged",
        5,
        "error: there is nothing at memory://nothing/part-*.zip",
    ),
    Fault(
        "a part that was cut off on its way",
        "merge memory://bucket/part-1.zip --results merged",
        5,
        "error: part-1.zip is no whole archive of runs: File is not a zip file",
        "Push it again, or run that part again.",
        cut_off,
    ),
)
