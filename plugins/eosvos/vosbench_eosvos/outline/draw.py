"""From the mask head's probabilities to those with a new outline."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from vosbench.types import Image, Scores
from vosbench_eosvos.outline.network import OutlineNet, load_outline
from vosbench_eosvos.outline.sight import Table, as_bytes, planes, sight_of

#: Weight of what the network draws against what the mask head said. Videos out of fold are as good
#: with one half as with all; where the mask head is better than those that the network learned
#: from, all of it would spoil good outlines.
TRUST = 0.5


class Outlines:
    """Draws outlines with one network.

    Args:
        path: its weights. bf16: convolve in bfloat16.
    """

    def __init__(self, path: Path, device: torch.device, *, bf16: bool) -> None:
        self._net: OutlineNet = load_outline(path).to(device)
        self._device = device
        self._bf16 = bf16

    @torch.no_grad()
    def __call__(
        self, image: Image, probabilities: Scores, carried: Scores | None, table: Table
    ) -> Scores:
        """Probabilities (H, W) with the outline drawn anew; as they are outside of the sight.

        Args:
            image: RGB uint8 (H, W, 3).
            probabilities: (H, W) of one object, in 0..1.
            carried: (H, W) where motion carries its last mask, if that is known.
            table: its colours, see `colour_table`.
        """
        sight = sight_of(probabilities)
        if sight is None:
            return probabilities
        at = sight.rows, sight.columns
        before = np.zeros_like(probabilities) if carried is None else carried
        shown = planes(image[at], as_bytes(probabilities[at]), as_bytes(before[at]), table)
        size = sight.size[::-1]
        smaller = size[0] * size[1] < shown[0].shape[0] * shown[0].shape[1]
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        crop = np.dstack([cv2.resize(three, size, interpolation=how) for three in shown])
        seen = torch.from_numpy(crop).to(self._device).permute(2, 0, 1)[None].float() / 255
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            logits = self._net(seen.contiguous(memory_format=torch.channels_last))
        drawn = logits.float().sigmoid()[0, 0].cpu().numpy()
        out: Scores = probabilities.copy()
        native = out[at].shape[::-1]
        whole = cv2.resize(drawn, native, interpolation=cv2.INTER_LINEAR)
        out[at] += TRUST * (whole - out[at])
        return out
