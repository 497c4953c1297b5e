"""What learning to learn gains where more than one thing stands out: two objects in each video.

    python benchmarks/pairs.py --davis DAVIS --work FOLDER

Writes videos with two objects into FOLDER/pairs, made of the development split of DAVIS-2016 (real
frames; the object of one video, at 60 % of its size, pasted into another), runs the trackers over
them with `vosbench run` and prints `vosbench compare`. The same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Each video with the one whose object is put into it.
PAIRS = (
    ("breakdance-flare", "car-turn"),
    ("car-turn", "breakdance-flare"),
    ("dog-agility", "horsejump-low"),
    ("horsejump-low", "dog-agility"),
    ("motorbike", "tennis"),
    ("tennis", "motorbike"),
)
TRACKERS = ("handcrafted-10", "eosvos-10-single-lr", "eosvos-10-gn-lovasz", "eosvos-10")
#: What `eosvos-10` has besides learned weights, for the trackers that go without.
ALL_ON = (
    "-o",
    "box_propagation=yes",
    "-o",
    "continuity=0.5",
    "-o",
    "outline=edges",
    "-o",
    "sizes=yes",
)
SCALE = 0.6
PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 0]

Array = NDArray[np.uint8]


def read(davis: Path, sequence: str, frame: str) -> tuple[Array, NDArray[np.bool_]]:
    """A frame (H, W, 3) and its object (H, W)."""
    folder = Path("480p") / sequence / frame
    image = np.asarray(Image.open(davis / "JPEGImages" / folder.with_suffix(".jpg")))
    mask = np.asarray(Image.open(davis / "Annotations" / folder.with_suffix(".png")))
    return image, mask > 0


def centre(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Centre of gravity (x, y)."""
    y, x = np.argwhere(mask).mean(0)
    return np.array([x, y])


def placement(host: NDArray[np.bool_], guest: NDArray[np.bool_]) -> Array:
    """The affine map (2, 3) that shrinks the guest and puts it to the emptier side of the host."""
    height, width = host.shape
    left = centre(host)[0] > width / 2
    goal = np.array([width * (0.22 if left else 0.78), height * 0.6])
    return np.column_stack([np.eye(2) * SCALE, goal - SCALE * centre(guest)])


def write_pair(davis: Path, host: str, guest: str, out: Path) -> None:
    """One video: object 1 is the host's, object 2 the guest's, in front."""
    name = f"{host}+{guest}"
    names = [
        sorted(p.stem for p in (davis / "Annotations/480p" / s).glob("*.png"))
        for s in (host, guest)
    ]
    images, masks = (out / kind / "480p" / name for kind in ("JPEGImages", "Annotations"))
    images.mkdir(parents=True, exist_ok=True)
    masks.mkdir(parents=True, exist_ok=True)
    move = None
    for frame, other in zip(*names, strict=False):
        image, mask = read(davis, host, frame)
        pasted, shape = read(davis, guest, other)
        if move is None:
            move = placement(mask, shape)
        size = mask.shape[::-1]
        alpha = cv2.warpAffine(shape.astype(np.float32), move, size)[..., None]
        front = cv2.warpAffine(pasted, move, size, flags=cv2.INTER_LINEAR)
        mixed = (1 - alpha) * image + alpha * front
        labels = np.where(alpha[..., 0] > 0.5, 2, mask).astype(np.uint8)
        Image.fromarray(mixed.round().astype(np.uint8)).save(images / f"{frame}.jpg", quality=95)
        picture = Image.fromarray(labels)
        picture.putpalette(PALETTE)
        picture.save(masks / f"{frame}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--davis", type=Path, required=True, help="DAVIS folder, 480p")
    parser.add_argument("--work", type=Path, required=True, help="videos and runs go here")
    parser.add_argument("--trackers", nargs="+", default=TRACKERS)
    args = parser.parse_args()
    data = args.work / "pairs"
    for host, guest in PAIRS:
        if not (data / "Annotations/480p" / f"{host}+{guest}").is_dir():
            write_pair(args.davis, host, guest, data)
    vosbench = [sys.executable, "-m", "vosbench"]
    where = ["--dataset", str(data), "--results", str(args.work / "results")]
    chosen = [part for name in args.trackers for part in ("--tracker", name)]
    for options in ((), ALL_ON):
        subprocess.run([*vosbench, "run", *chosen, *options, *where], check=True)
    subprocess.run([*vosbench, "compare", "--dataset", "pairs", *where[2:]], check=True)


if __name__ == "__main__":
    main()
