"""What only a graphics card can tell: one command for a machine that has one.

    python benchmarks/gpu.py --write     # writes benchmarks/gpu.md

It runs the tests of devices on the card itself, compares the card's masks with the processor's, and
times fine-tuning steps, frames and training steps of `lite`, `r50` and `paper`. Weights are random
where none ship; times do not depend on them, but for how many boxes are found.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch.func import functional_call

ROOT = Path(__file__).parents[1]

#: Trackers whose masks are compared, and how many pixels of a frame may differ on average: sums
#: are added in another order there, which moves outlines by single pixels.
COMPARED = {"matching": 20.0, "osvos-10": 60.0, "eosvos-10": 60.0, "stm": 60.0}

SIZE = (480, 854)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1")
    parser.add_argument("--dataset", default="demo", help="whose first sequence is compared")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--write", action="store_true", help="write benchmarks/gpu.md")
    given = parser.parse_args()
    if given.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit("torch sees no CUDA device here; --device cpu tries the command itself")
    device = torch.device(given.device)
    parts = [
        heading(device),
        tests(),
        agreement(device, given.dataset),
        speeds(device, given.repeats),
    ]
    text = "\n\n".join(parts) + "\n"
    print(text)
    if given.write:
        (ROOT / "benchmarks/gpu.md").write_text(text, encoding="utf-8")


def heading(device: torch.device) -> str:
    """Machine, date, and every setting that changes numbers."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "a processor"
    matmul, cudnn = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    return (
        f"# On a graphics card\n\n{name}, torch {torch.__version__}, CUDA {torch.version.cuda}, "
        f"cuDNN {torch.backends.cudnn.version()}, TF32 in products {matmul}, in convolutions "
        f"{cudnn}; {time.strftime('%Y-%m-%d')}.\n`python benchmarks/gpu.py --device {device}`"
    )


def tests() -> str:
    """The tests of devices, as pytest sums them up."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/devices"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return f"`pytest tests/devices`: {done.stdout.strip().splitlines()[-1]}"


def agreement(device: torch.device, dataset: str) -> str:
    """Pixels a frame in which masks of the card and of the processor differ."""
    from vosbench.datasets.reading import read_labels

    lines = ["| tracker | pixels a frame that differ | at most | |", "| --- | ---: | ---: | --- |"]
    for tracker, most in COMPARED.items():
        with tempfile.TemporaryDirectory() as folder:
            masks = []
            for place in ("cpu", str(device)):
                results = Path(folder, place.replace(":", "-"))
                command = [sys.executable, "-m", "vosbench", "run", "--tracker", tracker]
                command += ["--dataset", dataset, "--limit", "1", "--device", place]
                command += ["-o", "bf16=no"] if tracker != "matching" else []
                command += ["-o", f"weights={_random_stm(folder)}"] if tracker == "stm" else []
                command += ["--results", str(results), "--no-evaluate"]
                done = subprocess.run(
                    command, cwd=ROOT, capture_output=True, text=True, check=False
                )
                if done.returncode:
                    lines.append(
                        f"| {tracker} | {done.stderr.strip().splitlines()[-1]} | | failed |"
                    )
                    break
                files = sorted(results.rglob("masks/*/*.png"))
                masks.append(np.stack([read_labels(path) for path in files]))
            else:
                differing = float((masks[0] != masks[1]).sum((1, 2)).mean())
                verdict = "" if differing <= most else "TOO MANY"
                lines.append(f"| {tracker} | {differing:.1f} | {most:.0f} | {verdict} |")
    return "## Masks against the processor's\n\n" + "\n".join(lines)


def _random_stm(folder: str) -> Path:
    """Weights for `stm`, of which none ship: random ones, the same each time."""
    from vosbench_baselines.stm.network import StmConfig, StmNet
    from vosbench_baselines.stm.weights import save_weights

    torch.manual_seed(0)
    path = Path(folder, "stm.safetensors")
    if not path.exists():
        save_weights(StmNet(StmConfig(), pretrained=True), path, {"training": "none"})
    return path


def speeds(device: torch.device, repeats: int) -> str:
    """Milliseconds of a fine-tuning step, a frame and a training step; bytes at the peak."""
    lines = ["| model | step ms | frame ms | pre-training step ms | peak MB |"]
    lines.append("| --- | ---: | ---: | ---: | ---: |")
    for model in ("lite", "r50", "paper"):
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        times = _model_times(model, device, repeats)
        peak = torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else 0
        numbers = " | ".join(f"{1e3 * seconds:.1f}" for seconds in times)
        lines.append(f"| {model} | {numbers} | {peak:.0f} |")
    lines += ["", f"Pasting a mask and letting it follow edges: {_outline_ms(device, repeats)}."]
    return f"## Speed at {SIZE[1]}x{SIZE[0]}, bfloat16, medians of {repeats}\n\n" + "\n".join(lines)


def _outline_ms(device: torch.device, repeats: int) -> str:
    """Of an object that covers a quarter of the frame, on the device and on the processor."""
    from vosbench_eosvos.detect import paste_all
    from vosbench_eosvos.edges import follow_edges

    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    logits = torch.randn(3, 80, 80, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([[200.0, 100.0, 620.0, 380.0]]).repeat(3, 1)

    def outline(place: torch.device) -> Callable[[], object]:
        there = logits.to(place)
        return lambda: follow_edges(image, paste_all(there, boxes, SIZE), place)

    places = (device, torch.device("cpu"))
    times = [1e3 * _seconds(outline(place), place, repeats) for place in places]
    return f"{times[0]:.1f} ms, {times[1]:.1f} ms on the processor"


def _model_times(name: str, device: torch.device, repeats: int) -> tuple[float, float, float]:
    from vosbench_eosvos.finetune import loss_of, make_example, to_tensor
    from vosbench_eosvos.learned import LearnedOptimiser
    from vosbench_eosvos.model import build_model, get_config

    random = np.random.default_rng(0)
    image = random.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    mask = np.zeros(SIZE, bool)
    mask[120:360, 284:568] = True
    model: Any = build_model(get_config(name, min_score=0.0)).to(device)
    model.bf16 = True
    learned = LearnedOptimiser.create(model, "neuron", 1e-6)
    params = learned.initial_parameters(drop_frozen=True)
    depth = model.frozen_depth(params)
    example = make_example(model, image, mask, depth)

    def step() -> None:
        torch.autograd.grad(
            loss_of(model, params, example),
            list(params.values()),
            allow_unused=True,
            materialize_grads=True,
        )

    @torch.no_grad()
    def frame() -> None:
        features = model(to_tensor(image, device), stop=depth)
        functional_call(model, dict(params), (features,), {"max_detections": 1})

    images = torch.from_numpy(np.stack([image] * 2)).permute(0, 3, 1, 2).to(device)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])

    def train() -> None:
        optimiser.zero_grad()
        losses = model(images, list(example.targets) * 2)
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        optimiser.step()

    return (
        _seconds(step, device, repeats),
        _seconds(frame, device, repeats),
        _seconds(train, device, repeats),
    )


def _seconds(call: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Median time of a call after three that do not count (cuDNN picks its kernels)."""
    times = []
    for _ in range(repeats + min(3, repeats)):
        start = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return median(times[min(3, repeats) :])


if __name__ == "__main__":
    main()
