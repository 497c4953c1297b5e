"""Published numbers: the csv files beside this one, each naming its source in its first lines.

Figures are kept as printed: percent with one decimal.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_FOLDER = Path(__file__).parent
_DAVIS_FPS = "on DAVIS-2016 val, one object"


@dataclass(frozen=True, slots=True)
class _Listing:
    file: str
    sequences: int
    columns: dict[str, str]
    fps: str = ""


#: dataset -> where its figures are; column of ours -> column of the file.
_LISTINGS = {
    "davis16-val": _Listing(
        "davis.csv",
        20,
        {
            "J": "davis16_val_J",
            "J-Decay": "davis16_val_J_decay",
            "F": "davis16_val_F",
            "FPS": "fps",
        },
        _DAVIS_FPS,
    ),
    "davis17-val": _Listing(
        "davis.csv",
        30,
        {
            "J&F": "davis17_val_JF",
            "J": "davis17_val_J",
            "J-Decay": "davis17_val_J_decay",
            "F": "davis17_val_F",
            "FPS": "fps",
        },
        _DAVIS_FPS,
    ),
    "davis17-test-dev": _Listing(
        "davis.csv",
        30,
        {
            "J&F": "davis17_test_dev_JF",
            "J": "davis17_test_dev_J",
            "J-Decay": "davis17_test_dev_J_decay",
            "F": "davis17_test_dev_F",
            "FPS": "fps",
        },
        _DAVIS_FPS,
    ),
    "ytvos18-valid": _Listing(
        "youtube_vos_valid.csv",
        474,
        {
            "J&F": "overall",
            "J-seen": "J_seen",
            "F-seen": "F_seen",
            "J-unseen": "J_unseen",
            "F-unseen": "F_unseen",
        },
    ),
}

#: Datasets with published numbers.
DATASETS = tuple(_LISTINGS)


@dataclass(frozen=True, slots=True)
class Published:
    """Published numbers for one dataset.

    Attributes:
        dataset: its name, one of `DATASETS`.
        rows: index method; columns named as in `vosbench compare`: scores in 0..1, FPS in frames
            per second, NaN where the source gives none; `fine_tuning` is "yes" or "no".
        source: the publication that the numbers were taken from.
        fps: what the FPS was measured on; "" where there is none.
        sequences: number of sequences of the whole dataset.
    """

    dataset: str
    rows: pd.DataFrame
    source: str
    fps: str
    sequences: int


def published(dataset: str) -> Published | None:
    """The published numbers for `dataset`, or None where there are none.

    J&F is the mean of J and F where the source prints only those (DAVIS-2016). A method is left
    out where the source has no score of it on this dataset.
    """
    import pandas as pd

    listing = _LISTINGS.get(dataset)
    if listing is None:
        return None
    path = _FOLDER / listing.file
    raw = pd.read_csv(path, comment="#").set_index("method")
    rows = pd.DataFrame({name: raw[column] for name, column in listing.columns.items()})
    scores = [str(name) for name in rows if name != "FPS"]
    rows[scores] /= 100
    if "J&F" not in rows:
        rows.insert(0, "J&F", (rows["J"] + rows["F"]) / 2)
    rows["fine_tuning"] = raw["fine_tuning"]
    rows = rows.dropna(subset=["J&F"])
    first = path.read_text(encoding="utf-8").splitlines()[0]
    source = first.removeprefix("# Source: ").split(": ")[0]
    return Published(dataset, rows, source, listing.fps, listing.sequences)


def ablation() -> pd.DataFrame:
    """The ablation of e-OSVOS on DAVIS-2017 val (NeurIPS 2020, Table 1): columns `variant`,
    `iterations`, `JF` and `gain` over the row above, both in percent."""
    import pandas as pd

    return pd.read_csv(_FOLDER / "ablation_davis17_val.csv", comment="#")
