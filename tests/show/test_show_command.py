"""`vosbench show` on real video."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from vosbench import overlay
from vosbench.cli import main
from vosbench.datasets.reading import write_labels


@pytest.fixture
def masks(davis_root: Path, tmp_path: Path) -> Path:
    """Masks of "bear" as a tracker might write them: the first annotation in every frame."""
    folder = tmp_path / "masks" / "bear"
    files = sorted((davis_root / "Annotations" / "480p" / "bear").glob("*.png"))
    first = (np.asarray(Image.open(files[0])) > 0).astype(np.uint8)
    for path in files[:30]:
        write_labels(folder / path.name, first)
    return folder.parent


def show(davis_root: Path, masks: Path, *arguments: str) -> Result:
    common = ["show", "--dataset", "davis16-train", "--masks", str(masks)]
    common += ["--data-root", str(davis_root.parent), "--output", str(masks.parent / "out")]
    return CliRunner().invoke(main, [*common, *arguments])


def test_sheet_of_twelve_frames_says_where_it_is(davis_root: Path, masks: Path) -> None:
    result = show(davis_root, masks, "--annotation")
    assert result.exit_code == 0, result.output
    path = Path(result.output.strip())
    with Image.open(path) as sheet:
        # Four columns and three rows of 400-pixel pictures at 854:480.
        assert sheet.width == 4 * 406 + 6
        assert sheet.height == 34 + 3 * (20 + 225 + 6)


def test_pictures_have_the_frames_size_below_their_caption(davis_root: Path, masks: Path) -> None:
    result = show(davis_root, masks, "--format", "png", "--frames", "3", "--what", "both")
    assert result.exit_code == 0, result.output
    files = sorted((masks.parent / "out").rglob("*.png"))
    assert [path.stem for path in files] == ["00000", "00014", "00029"]
    with Image.open(files[1]) as picture:
        assert picture.width == 854
        assert 960 < picture.height < 1040
        pixels = np.asarray(picture)[-480:]
    # The bear walks: after half a second some of it is missed and some is false.
    blue, orange = (pixels[..., 2] > 130) & (pixels[..., 0] < 60), pixels[..., 0] > 180
    assert blue.sum() > 500
    assert orange.sum() > 500


def test_film_of_every_frame_that_has_a_mask(davis_root: Path, masks: Path) -> None:
    result = show(davis_root, masks, "--format", "mp4", "--what", "error")
    assert result.exit_code == 0, result.output
    assert overlay.count_frames(Path(result.output.strip())) == 30


def test_masks_of_another_size_are_named(davis_root: Path, masks: Path) -> None:
    write_labels(masks / "bear" / "00000.png", np.zeros((10, 12), np.uint8))
    result = show(davis_root, masks)
    assert result.exit_code == 6
    assert "00000.png is 12x10, its frame 854x480" in result.output


def test_folder_that_holds_no_sequence_is_refused(davis_root: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    result = show(davis_root, tmp_path / "nothing")
    assert result.exit_code == 3
    assert "no folder named as a sequence" in result.output


def test_run_must_be_named_in_one_way(davis_root: Path, masks: Path) -> None:
    result = CliRunner().invoke(main, ["show", "--masks", str(masks)])
    assert result.exit_code == 2
    assert "--tracker or --masks" in result.output


def test_two_side_by_side_as_a_film(davis_root: Path, masks: Path) -> None:
    other = masks.parent / "other"
    for path in sorted((masks / "bear").iterdir())[:20]:
        labels = np.roll(np.asarray(Image.open(path)), 40, axis=1).astype(np.uint8)
        write_labels(other / "bear" / path.name, labels)
    result = show(davis_root, masks, "--masks", str(other), "--format", "webm", "--frames", "5")
    assert result.exit_code == 0, result.output
    film = Path(result.output.strip())
    assert overlay.count_frames(film) == 5
    import cv2

    assert cv2.VideoCapture(str(film)).get(cv2.CAP_PROP_FRAME_WIDTH) == 2 * 854
    result = show(davis_root, masks, "--masks", str(other), "--what", "difference", "--json")
    assert result.exit_code == 0, result.output
    (sheet,) = json.loads(result.stdout)
    assert Path(sheet).is_file()


def test_a_difference_needs_two(davis_root: Path, masks: Path) -> None:
    result = show(davis_root, masks, "--what", "difference")
    assert result.exit_code == 2 and "needs two runs" in result.output
