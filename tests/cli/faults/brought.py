"""Files that people bring: in other layouts, numbered, coded or damaged otherwise."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from vosbench.datasets.reading import read_labels, write_labels

from .fault import RUN, Fault

FRAMES = Path("data/JPEGImages/480p/discs")
GIVEN = Path("data/Annotations/480p/discs")
MASKS = RUN / "masks"
SOFT = cv2.GaussianBlur(
    cv2.rectangle(np.zeros((48, 64), np.uint8), (20, 10), (40, 30), 255, -1), (0, 0), 2
)


def brought() -> None:
    shutil.copytree(MASKS, "masks")


def counted_from_one() -> None:
    brought()
    for path in sorted(Path("masks/discs").iterdir(), reverse=True):
        path.rename(path.with_name(f"{int(path.stem) + 1:05d}.png"))


def saved(path: Path | str, pixels: np.ndarray, **how: object) -> Callable[[], None]:
    return lambda: Image.fromarray(pixels).save(path, **how)  # type: ignore[arg-type]


def turned() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(FRAMES / "00002.jpg") as image:
        image.load()
    image.save(FRAMES / "00002.jpg", exif=exif)


def with_a_hole() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    Image.fromarray(noise).save(FRAMES / "00002.jpg")
    data = (FRAMES / "00002.jpg").read_bytes()
    half = len(data) // 2
    (FRAMES / "00002.jpg").write_bytes(data[:half] + data[half + len(data) // 4 :])


def two_splits() -> None:
    for kind in ("JPEGImages", "Annotations"):
        for split in ("train", "val"):
            shutil.copytree(f"data/{kind}/480p", f"two/{kind}/{split}")


def lists(**texts: str) -> Callable[[], None]:
    def write() -> None:
        Path("data/ImageSets").mkdir()
        for name, text in texts.items():
            Path(f"data/ImageSets/{name}.txt").write_text(text)

    return write


def in_other_colours() -> None:
    brought()
    image = Image.fromarray(np.pad(np.zeros((38, 54), np.uint8), 5, constant_values=1))
    image.putpalette([255, 255, 255, 0, 0, 0])
    image.save("masks/discs/00002.png")


def mask_to_be_turned() -> None:
    brought()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((48, 64), np.uint8)).save("masks/discs/00002.png", exif=exif)


def two_codes() -> None:
    code = {"size": [48, 64], "counts": [48 * 64]}
    entry = {"video_id": "more", "object_id": 1, "segmentations": [code] * 4}
    Path("theirs.json").write_text(json.dumps([entry, entry]))


def linked_nowhere() -> None:
    (FRAMES / "00002.jpg").unlink()
    (FRAMES / "00002.jpg").symlink_to("gone")


def first_masks_only() -> None:
    shutil.copytree("data", "mine")
    for path in Path("mine/Annotations").rglob("*.png"):
        if path.stem != "00000":
            path.unlink()


def film() -> None:
    Path("data/JPEGImages/480p/film.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    write_labels(Path("data/Annotations/480p/film/00000.png"), np.ones((48, 64), np.uint8))


def overlapping() -> None:
    for name in ("discs", "more"):
        for path in sorted((MASKS / name).iterdir()):
            shown = read_labels(path) != 0
            for obj in np.unique(read_labels(path))[1:]:
                write_labels(Path(f"masks/{name}/{obj:03d}/{path.name}"), shown)


FAULTS = (
    Fault(
        "a palette in which 0 is not the background",
        "evaluate --masks masks --dataset data",
        6,
        "masks/discs/00002.png has a palette in which 1 is black and 0 is not: its indices are no "
        "object ids",
        prepare=in_other_colours,
    ),
    Fault(
        "a mask that is shown turned",
        "evaluate --masks masks --dataset data",
        6,
        "masks/discs/00002.png carries an EXIF orientation (6), and nothing says whether it fits "
        "its frame before or after being turned",
        prepare=mask_to_be_turned,
    ),
    Fault(
        "two codes for one object in one frame",
        "evaluate --masks theirs.json --dataset data --sequence more",
        6,
        "two masks of object 1 in frame 0; object_id tells",
        prepare=two_codes,
    ),
    Fault(
        "a frame that is a link to what is gone",
        "datasets verify data",
        3,
        "discs: data/JPEGImages/480p/discs/00002.jpg is a link that leads nowhere",
        prepare=linked_nowhere,
    ),
    Fault(
        "a video beside a folder of its name",
        "datasets verify data",
        3,
        "discs: data/JPEGImages/480p holds discs more than once: discs, discs.mp4",
        prepare=lambda: Path("data/JPEGImages/480p/discs.mp4").write_bytes(b""),
    ),
    Fault(
        "a list that names what is not there",
        "datasets verify data",
        3,
        "discs,: there is no data/JPEGImages/480p/discs,, but discs",
        prepare=lists(val="discs,\nmore\n"),
    ),
    Fault(
        "masks of frames that are not there",
        "evaluate --masks masks --dataset data",
        0,
        "more: 1 mask of no frame (00004.png), in masks/more",
        prepare=lambda: (brought(), shutil.copy("masks/more/00003.png", "masks/more/00004.png")),
    ),
    Fault(
        "an archive instead of a folder",
        "run --tracker copy-first --dataset data.zip",
        3,
        "error: data.zip is a file, not a folder",
        "Unpack an archive first, and give its folder.",
        lambda: Path("data.zip").write_bytes(b"PK"),
    ),
    Fault(
        "capitals in the names of folders",
        "datasets verify data",
        3,
        "error: data is not in DAVIS layout: it has no JPEGImages/SEQUENCE/",
        "Rename data/jpegimages: capitals count.",
        lambda: Path("data/JPEGImages").rename("data/jpegimages"),
    ),
    Fault(
        "one sequence that is broken",
        "run --tracker copy-first --dataset data --fresh",
        3,
        "not run, 1 broken sequence(s):",
        "`--skip NAME` leaves one out; `vosbench datasets verify` lists all that is wrong.",
        lambda: shutil.rmtree("data/Annotations/480p/more"),
    ),
    Fault(
        "masks counted from 1, frames from 0",
        "evaluate --masks masks --dataset data",
        6,
        "discs: masks 00001 to 00004 in masks/discs do not fit frames 00000 to 00003: every number "
        "is off by +1",
        "`vosbench import --by-order` takes predictions in order",
        counted_from_one,
    ),
    Fault(
        "annotations in grey levels: smoothed, or probabilities",
        "datasets verify data",
        3,
        "data/Annotations/480p/discs/00000.png holds",
        "grey levels that change from pixel to pixel: a smoothed mask or probabilities, not object "
        "ids",
        saved(GIVEN / "00000.png", SOFT),
    ),
    Fault(
        "probabilities as predictions",
        "import masks --name theirs --dataset data",
        6,
        "discs: mask of frame 00002 holds",
        "grey levels, no ids: --threshold 0.5 cuts them at one half",
        lambda: (brought(), saved("masks/discs/00002.png", SOFT)()),
    ),
    Fault(
        "a frame that is shown turned",
        "datasets verify data",
        3,
        "data/JPEGImages/480p/discs/00002.jpg carries an EXIF orientation (6: shown turned by 90 "
        "degrees), and nothing says whether its masks were drawn before or after that",
        "",
        turned,
    ),
    Fault(
        "a JPEG with a hole in its middle",
        "datasets verify data",
        3,
        "data/JPEGImages/480p/discs/00002.jpg is damaged: Corrupt JPEG data: premature end of data "
        "segment",
        "",
        with_a_hole,
    ),
    Fault(
        "a JPEG that is called .png",
        "evaluate --masks masks --dataset data",
        6,
        "masks/discs/00002.png is a JPEG, not a PNG",
        "",
        lambda: (brought(), saved("masks/discs/00002.png", SOFT, format="JPEG")()),
    ),
    Fault(
        "two folders that may hold the sequences",
        "run --tracker copy-first --dataset two",
        3,
        "error: two/JPEGImages holds several folders of sequences: train, val",
        "Make each a dataset of its own, or call the one that is meant 480p.",
        two_splits,
    ),
    Fault(
        "several lists of sequences",
        "evaluate --masks masks --dataset data",
        0,
        "ImageSets holds 2 lists (train.txt, val.txt) and none is followed: all 2 sequences count",
        "--list data/ImageSets/val.txt takes those of one",
        lambda: (brought(), lists(train="discs", val="more")()),
    ),
    Fault(
        "a list that names nothing",
        "run --tracker copy-first --dataset data",
        3,
        "error: data/ImageSets/val.txt names no sequence",
        "Fill it, or remove it.",
        lists(val="\n"),
    ),
    Fault(
        "only the first mask of each video",
        "evaluate --masks results/data/copy-first/masks --dataset mine",
        6,
        "error: mine holds only the first mask of each object: there is nothing to score against",
        "",
        first_masks_only,
    ),
    Fault(
        "a video that cannot be decoded",
        "datasets verify data",
        3,
        "film: data/JPEGImages/480p/film.mp4 cannot be decoded as a video",
        "",
        film,
    ),
    Fault(
        "255 beside other values",
        "datasets verify data",
        0,
        "255 is void and no object, in discs (first in data/Annotations/480p/discs/00000.png)",
        "",
        lambda: write_labels(
            GIVEN / "00000.png", np.where(read_labels(GIVEN / "00000.png") == 0, 255, 1)
        ),
    ),
    Fault(
        "a zip file of masks",
        "evaluate --masks masks.zip --dataset data",
        6,
        "masks.zip is neither a folder nor a .json file of masks",
        "Unpack an archive first, and give the folder that holds the sequences.",
        lambda: Path("masks.zip").write_bytes(b"PK"),
    ),
    Fault(
        "codes that do not fill their frame",
        "evaluate --masks theirs.json --dataset data --sequence discs",
        6,
        "theirs.json: a mask of frame",
        "its runs do not fill 64x48 pixels",
        lambda: Path("theirs.json").write_text(
            '[{"video_id": "discs", "segmentations": ['
            + ", ".join(['{"size": [48, 64], "counts": [1, 2]}'] * 4)
            + "]}]"
        ),
    ),
    Fault(
        "objects that overlap, in a layout that cannot hold them",
        "pack --masks masks --dataset data --layout davis --output submission.zip",
        6,
        "has objects that overlap, and the layout davis cannot hold them",
        "Nothing was written.",
        overlapping,
    ),
    Fault(
        "a name that an import would overwrite",
        "import masks --name copy-first --dataset data",
        5,
        "error: there is a run results/data/copy-first already",
        "--fresh replaces it; --name names it.",
        brought,
    ),
    Fault(
        "an archive of another size than public records say",
        "datasets verify DAVIS-2017-trainval-480p.zip",
        3,
        "error: DAVIS-2017-trainval-480p.zip has 2 bytes, public records agree on 832,766,765",
        "Fetch it again.",
        lambda: Path("DAVIS-2017-trainval-480p.zip").write_bytes(b"PK"),
    ),
)
