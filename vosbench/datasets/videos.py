"""A video file as the frames of a sequence: decoded once, into the cache folder.

Frames are written without loss and named 00000.png, 00001.png, ...; a phone's rotation is applied,
as every player does.
"""

from __future__ import annotations

import os
from pathlib import Path

from vosbench.datasets.derived import derived
from vosbench.errors import DatasetError

_COMPLETE = 0.95  # of the frames that the file promises, which is an estimate in some formats


def extract_frames(video: Path) -> Path:
    """The folder of the frames of `video`, decoded now if that was not done since the file
    changed.

    Raises:
        DatasetError: it is no video, ends early, or the cache cannot be written.
    """
    return derived(video, "videos", _decode)


def _decode(video: Path, folder: Path) -> None:
    import cv2

    before = os.environ.get("OPENCV_FFMPEG_LOGLEVEL")
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"  # what is wrong is said once, by us
    try:
        capture = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG)
        promised = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        count = 0
        while True:
            found, image = capture.read()
            if not found:
                break
            path = folder / f"{count:05d}.png"
            if not cv2.imwrite(str(path), image, [cv2.IMWRITE_PNG_COMPRESSION, 1]):
                raise OSError(f"{path} cannot be written")
            count += 1
        capture.release()
    finally:
        if before is None:
            del os.environ["OPENCV_FFMPEG_LOGLEVEL"]
        else:
            os.environ["OPENCV_FFMPEG_LOGLEVEL"] = before
    if not count:
        raise DatasetError(
            f"{video} cannot be decoded as a video",
            "Extract its frames into a folder of that name, e.g. by ffmpeg.",
        )
    if count < _COMPLETE * promised:
        raise DatasetError(
            f"{video} is damaged or cut off: {count} of {promised} frames can be decoded",
            "Copy it again, or extract the frames that are wanted into a folder of that name.",
        )
