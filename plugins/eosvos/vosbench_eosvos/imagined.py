"""Views of the given frame that show the object as later frames may: elsewhere, turned, larger.

Ten steps on one frame as it is fit the object's one size and place. An object that comes nearer, or
turns, is then lost part by part; in the views it has been seen larger, and its masks read from
coarser levels of the pyramid. They are drawn as the tasks of meta-training are, from the frame's
own pixels, so that nothing but the object's vicinity fills the view.
"""

from __future__ import annotations

import numpy as np

from vosbench.types import Image, Mask
from vosbench_eosvos.boxprop import tight_box
from vosbench_learning.views import Random, ViewSettings, view_of

#: Largest magnification, and the largest share of the frame's sides that the object then takes.
NEARER, ROOM = 4.0, 0.8


def imagined_view(image: Image, mask: Mask, random: Random) -> tuple[Image, Mask]:
    """A view of the object, of the frame's size; the frame itself where none can be had.

    Args:
        image: RGB uint8 (H, W, 3). mask: (H, W), not empty.
    """
    box = tight_box(mask)
    assert box is not None
    height, width = mask.shape
    room = ROOM * min(height / (box[3] - box[1]), width / (box[2] - box[0]))
    nearer = np.log(max(1.0, min(NEARER, room)))
    settings = ViewSettings(
        size=(height, width), rotation=10.0, shift=0.3, stretch=0.08, colour=0.1
    )
    view = view_of(
        image,
        mask.astype(np.uint8),
        1,
        settings,
        random,
        scale=float(np.exp(random.uniform(0, nearer))),
        flip=bool(random.random() < 0.5),
    )
    return (view.image, view.masks[0]) if view.ids else (image, mask)
