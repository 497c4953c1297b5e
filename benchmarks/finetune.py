"""What fine-tuning and tracking cost, with random weights, for every model and size.

    python benchmarks/finetune.py                  # models x sizes, as they run by default
    python benchmarks/finetune.py --without        # one size, each optimisation taken away in turn
    python benchmarks/finetune.py --without --threads 1 --cpu-time    # on a busy machine

Each row is measured in a process of its own, so that its peak memory is its own. Times are the
quickest of `--repeats`, in seconds: other work on the machine only ever adds. A step is split into
forward, backward and update; its work also by kind of operation (self time in the profiler). One
object of half the frame's height and a third of its width, batch of one image; the mask loss looks
at as many positive RoIs as its configuration allows (lite 4, r50 32). Convolutions run in bfloat16
where the trackers choose it, on processors that have it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any
from unittest.mock import patch

SIZES = {"lite": ((480, 854), (360, 640), (240, 427)), "r50": ((480, 854), (240, 427))}

#: What `--without` takes away -> the models that have it.
OPTIMISATIONS = {
    "bfloat16": ("lite", "r50"),
    "channels last": ("lite", "r50"),
    "memory kept": ("lite", "r50"),
    "levels on demand": ("lite", "r50"),
    "few proposals (1000)": ("lite", "r50"),
    "few RoIs (four times as many)": ("lite", "r50"),
    "cached frozen stages": ("lite",),
    "frozen layers": ("lite",),
    "spinning threads": ("lite", "r50"),
}

#: Operations whose self time counts as each kind.
KINDS = {
    "convolution": ("conv", "mkldnn"),
    "RoIAlign": ("embedding_bag", "index_select", "aten::index"),
    "norm": ("norm",),
    "linear": ("addmm", "aten::mm", "linear"),
}


@dataclass(frozen=True)
class Case:
    """One row: what runs, and which of `OPTIMISATIONS` is taken away."""

    model: str
    size: tuple[int, int]
    threads: int
    repeats: int
    cpu_time: bool = False
    without: str = ""


@dataclass(frozen=True)
class Row:
    """Seconds, bytes and shares of one case."""

    forward: float
    backward: float
    update: float
    frame: float
    peak: int
    shares: dict[str, float]

    @property
    def step(self) -> float:
        return self.forward + self.backward + self.update


def measure(case: Case) -> Row:
    """Run one case in this process."""
    import torch
    from torch.func import functional_call

    from vosbench_eosvos.boxprop import propagate
    from vosbench_eosvos.detect import paste_all
    from vosbench_eosvos.finetune import loss_of, make_example, to_tensor
    from vosbench_eosvos.learned import LearnedOptimiser
    from vosbench_eosvos.model import build, build_model, get_config, mask_rcnn
    from vosbench_learning.working_size import bfloat16_pays

    clock = time.process_time if case.cpu_time else time.perf_counter
    torch.set_num_threads(case.threads)
    torch.manual_seed(0)
    config = get_config(case.model)
    changes: dict[str, Any] = {"min_score": 0.0, "post_nms": (config.post_nms[0], 100)}
    if case.without == "few proposals (1000)":
        changes |= {"pre_nms": (2000, 1000), "post_nms": (2000, 1000)}
    if case.without == "few RoIs (four times as many)":
        changes |= {
            "mask_rois": 4 * config.mask_rois,
            "roi_samples": 4 * config.roi_samples,
        }
    if case.without == "frozen layers":
        changes |= {"frozen_stages": 0, "frozen_depthwise": False}
    config = replace(config, **changes)
    # Enough positives for random weights.
    config = replace(config, jittered_boxes=4 * config.mask_rois)
    if case.without == "memory kept":
        patch.object(build, "keep_freed_memory").start()
    if case.without == "levels on demand":
        patch.object(mask_rcnn, "_read", read_all_levels).start()
    model = build_model(config)
    if case.without == "channels last":
        model = model.to(memory_format=torch.contiguous_format)
        start = model.backbone.start
        patch.object(model.backbone, "start", lambda images: planar(start(images))).start()
    model.bf16 = case.without != "bfloat16" and bfloat16_pays(torch.device("cpu"))
    learned = LearnedOptimiser.create(model, "neuron", 1e-6)
    params = learned.initial_parameters(drop_frozen=True)
    depth = 0 if case.without == "cached frozen stages" else model.frozen_depth(params)
    height, width = case.size
    image = torch.randint(0, 256, (height, width, 3), dtype=torch.uint8).numpy()
    mask = torch.zeros(height, width, dtype=torch.bool)
    mask[height // 4 : height * 3 // 4, width // 3 : width * 2 // 3] = True
    example = make_example(model, image, mask.numpy(), depth)
    times: dict[str, list[float]] = {
        "forward": [],
        "backward": [],
        "update": [],
        "frame": [],
    }

    def step() -> None:
        nonlocal params
        start = clock()
        loss = loss_of(model, params, example)
        middle = clock()
        grads = torch.autograd.grad(
            loss, list(params.values()), allow_unused=True, materialize_grads=True
        )
        end = clock()
        params = learned.step(params, dict(zip(params, grads, strict=True)))
        times["forward"].append(middle - start)
        times["backward"].append(end - middle)
        times["update"].append(clock() - end)

    @torch.no_grad()
    def frame() -> None:
        start = clock()
        features = model(to_tensor(image, torch.device("cpu")), stop=depth)
        box = (width / 3, height / 4, width / 1.5, height / 1.5)
        boxes = propagate(box, 32, case.size, torch.Generator().manual_seed(0))
        [found] = functional_call(
            model, params, (features,), {"proposals": [boxes], "max_detections": 1}
        )
        paste_all(found.mask_logits[0], found.mask_boxes[0], case.size)
        times["frame"].append(clock() - start)

    for run in (step, frame):
        for _ in range(case.repeats + 1):
            run()
    quickest = {name: min(values[1:]) for name, values in times.items()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Row(**quickest, peak=peak, shares=shares(step))


def planar(outputs: Any) -> Any:
    """The normalised image with one plane a channel."""
    return replace(outputs, maps={stage: x.contiguous() for stage, x in outputs.maps.items()})


def read_all_levels(
    pyramid: Any, images: Any, boxes: Any, levels: Any, window: int, sampling: int
) -> Any:
    """RoIAlign out of all levels, whether or not a box is on them."""
    from vosbench_eosvos.model.roi import FeatureTable, roi_align

    nowhere = boxes[:0]  # so that no level is computed in parts
    table = FeatureTable.build({k: pyramid.around(k, nowhere) for k in range(2, 6)})
    return roi_align(table, images, boxes, levels, window, sampling)


def shares(run: Callable[[], None]) -> dict[str, float]:
    """Share of each kind of operation in the self time of `run`."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        run()
    seconds = dict.fromkeys([*KINDS, "other"], 0.0)
    for event in profiler.key_averages():
        name = event.key.lower()
        kind = next((k for k, parts in KINDS.items() if any(p in name for p in parts)), "other")
        seconds[kind] += event.self_cpu_time_total
    total = sum(seconds.values())
    return {kind: value / total for kind, value in seconds.items()}


def in_own_process(case: Case) -> Row:
    """`measure` in a fresh process."""
    os.environ.pop("OMP_WAIT_POLICY", None)
    if case.without == "spinning threads":
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measure, case).result()


def show(cases: list[Case], *, as_json: bool) -> None:
    """Measure and print row by row, as a Markdown table or one JSON object a line."""
    from torch import device

    from vosbench_learning.working_size import bfloat16_pays

    kinds = [*KINDS, "other"]
    if not as_json:
        pays = bfloat16_pays(device("cpu"))
        print(f"Convolutions in {'bfloat16' if pays else 'float32'}, as trackers choose here.\n")
        columns = [
            "model",
            "size",
            "without",
            "step",
            "forward",
            "backward",
            "update",
            "frame",
        ]
        columns += ["peak MB", *kinds]
        print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for case in cases:
        row = in_own_process(case)
        if as_json:
            print(json.dumps({**asdict(case), **asdict(row)}), flush=True)
            continue
        cells = [case.model, f"{case.size[1]}x{case.size[0]}", case.without or "-"]
        cells += [f"{v:.3f}" for v in (row.step, row.forward, row.backward, row.update, row.frame)]
        cells += [
            f"{row.peak / 1e6:.0f}",
            *(f"{row.shares[kind]:.0%}" for kind in kinds),
        ]
        print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Parse arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--models", nargs="+", default=["lite", "r50"], choices=SIZES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cpu-time", action="store_true", help="processor time, not the clock's")
    parser.add_argument("--without", action="store_true", help="take optimisations away, 854x480")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    given = parser.parse_args()
    cases = [
        Case(model, size, given.threads, given.repeats, given.cpu_time)
        for model in given.models
        for size in SIZES[model][: 1 if given.without else None]
    ]
    if given.without:
        cases = [
            replace(case, without=name)
            for case in cases
            for name in [
                "",
                *(n for n, models in OPTIMISATIONS.items() if case.model in models),
            ]
        ]
    show(cases, as_json=given.json)


if __name__ == "__main__":
    main()
