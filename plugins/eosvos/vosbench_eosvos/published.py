"""The ablation that the paper prints: Meinhardt and Leal-Taixé, NeurIPS 2020, Table 1."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vosbench.export import Column, Table

if TYPE_CHECKING:
    import pandas as pd

SOURCE = "Meinhardt and Leal-Taixé, NeurIPS 2020, Table 1, over davis17-val"


def ablation() -> pd.DataFrame:
    """The ablation of e-OSVOS on DAVIS-2017 val: columns `variant`, `iterations`, `JF` and `gain`
    over the row above, both in percent."""
    import pandas as pd

    path = Path(__file__).parent / "ablation_davis17_val.csv"
    return pd.read_csv(path, comment="#")


def ablation_table() -> Table:
    """The same to look at."""
    import pandas as pd

    listed = ablation().set_index("variant")
    frame = pd.DataFrame(
        {"Steps": listed["iterations"], "J&F": listed["JF"] / 100, "Gain": listed["gain"] / 100}
    )
    frame.index.name = "Published"
    score, gain = Column(scale=100, decimals=1), Column(scale=100, decimals=1, signed=True)
    return Table(
        title="Published ablation: not comparable with other datasets",
        frame=frame,
        columns={"Steps": Column(decimals=0), "J&F": score, "Gain": gain},
        notes=(f"{SOURCE}; without test-time transformations.",),
    )
