"""What every adapter of another project's tracker needs, written once.

    class Mine:
        def init(self, frame, targets, ctx):
            self.slots = Slots()
            fitted = fit(frame, ctx.device, mean=MEAN, std=STD, short_side=480, multiple=16)
            masks = fitted.masks(self.slots.add(targets), targets)       # (K, h, w), slot by slot
            ...
        def track(self, frame, targets, ctx):
            fitted = fit(frame, ctx.device, ...)
            probabilities = fitted.native(self.net(fitted.tensor))       # (K + 1, H, W)
            return Prediction.from_softmax(self.slots.ids, probabilities)

Only the functions that need torch import it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vosbench.errors import UsageError
from vosbench.types import Context, Frame, LabelMap, Mask, Targets, label_map

if TYPE_CHECKING:
    import torch

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "Fitted", "Slots", "checkpoint", "fit", "label_map"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Slots:
    """Object ids of the harness and tensor slots of a network: id -> 0, 1, 2, ... as they appear.

    Example:
        >>> slots = Slots()
        >>> slots.add([7, 3]), slots.add([200, 7])
        ([7, 3], [200])
        >>> slots.ids, slots[3]
        ((7, 3, 200), 1)
    """

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}

    def add(self, ids: Iterable[int]) -> list[int]:
        """Give a slot to each of `ids` that has none; returns these, in order of their slots."""
        new = [i for i in ids if i not in self._slots]
        self._slots |= {i: len(self._slots) + n for n, i in enumerate(new)}
        return new

    @property
    def ids(self) -> tuple[int, ...]:
        """The object id of each slot."""
        return tuple(self._slots)

    def __getitem__(self, identity: int) -> int:
        """The slot of an object. Raises KeyError if it has none."""
        return self._slots[identity]

    def __len__(self) -> int:
        return len(self._slots)

    def relabelled(self, labels: LabelMap) -> LabelMap:
        """A map (H, W) of slot numbers from 1, 0 for background, as a label map of object ids."""
        return np.array((0, *self._slots), np.uint8)[labels]


@dataclass(frozen=True)
class Fitted:
    """A frame as a network takes it.

    Attributes:
        tensor: (1, 3, h, w), normalised, zeros around the image where it was padded.
        size: (height, width) of the image inside of it. offset: (top, left) of its corner.
        native_size: (height, width) of the frame.
    """

    tensor: torch.Tensor
    size: tuple[int, int]
    offset: tuple[int, int]
    native_size: tuple[int, int]

    def native(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (K, h, w) over `tensor`, at its size or at a whole fraction of it, without padding
        and at the frame's size (K, H, W), float32, bilinear."""
        from torch.nn import functional as F

        maps = maps.float()
        whole = self.tensor.shape[-2:]
        padded = tuple(whole) != self.size
        if padded and maps.shape[-2:] != whole:
            maps = F.interpolate(maps[None], tuple(whole), mode="bilinear", align_corners=False)[0]
        top, left = self.offset
        if padded:
            maps = maps[:, top : top + self.size[0], left : left + self.size[1]]
        if maps.shape[-2:] == self.native_size:
            return maps
        return F.interpolate(maps[None], self.native_size, mode="bilinear", align_corners=False)[0]

    def mask(self, mask: Mask) -> torch.Tensor:
        """A mask (H, W) of the frame over `tensor`: float32 (h, w), 0 or 1. An object that is there
        at all keeps at least one pixel."""
        import torch
        from torch.nn import functional as F

        given = torch.from_numpy(np.ascontiguousarray(mask, np.float32))[None, None]
        if self.size != self.native_size:
            share = F.interpolate(
                given, self.size, mode="bilinear", align_corners=False, antialias=True
            )
            given = ((share >= min(0.5, float(share.max()))) & (share > 0)).float()
        out = torch.zeros(self.tensor.shape[-2:])
        top, left = self.offset
        out[top : top + self.size[0], left : left + self.size[1]] = given[0, 0]
        return out.to(self.tensor.device)

    def masks(self, ids: Sequence[int], targets: Mapping[int, Mask]) -> torch.Tensor:
        """The masks of `ids` over `tensor`: float32 (K, h, w)."""
        import torch

        return torch.stack([self.mask(targets[i]) for i in ids])

    def labels(self, targets: Targets) -> torch.Tensor:
        """The label map of `targets` over `tensor`: int64 (h, w), 0 for background."""
        import torch

        out = torch.zeros(self.tensor.shape[-2:], dtype=torch.int64, device=self.tensor.device)
        for identity, mask in targets.items():
            out[self.mask(mask) > 0] = identity
        return out


def fit(
    frame: Frame,
    device: str | torch.device,
    *,
    mean: Sequence[float] = (0.0, 0.0, 0.0),
    std: Sequence[float] = (1.0, 1.0, 1.0),
    short_side: int = 0,
    size: tuple[int, int] | None = None,
    enlarge: bool = False,
    multiple: int = 1,
    centred: bool = False,
    dtype: torch.dtype | None = None,
) -> Fitted:
    """A frame as a normalised tensor on `device`.

    Args:
        mean, std: of the channels, in units of 0..1 RGB.
        short_side: larger frames are shrunk to it (bilinear, antialiased); 0 keeps native size.
        enlarge: smaller frames are enlarged to it, too.
        size: (height, width) that frames of any shape are squashed to instead, as SAM wants it.
        multiple: height and width are padded with zeros to multiples of it, right and below.
        centred: pad equally on both sides instead.
        dtype: float32 by default.
    """
    import torch
    from torch.nn import functional as F

    height, width = frame.size
    scale = short_side / min(height, width) if short_side else 1.0
    scale = scale if enlarge else min(1.0, scale)
    size = size or (max(1, round(height * scale)), max(1, round(width * scale)))
    x = torch.from_numpy(frame.image.transpose(2, 0, 1).copy())[None].to(device).float() / 255
    if size != frame.size:
        x = F.interpolate(x, size, mode="bilinear", align_corners=False, antialias=True)
    shape = (1, 3, 1, 1)
    x = (x - x.new_tensor(mean).view(shape)) / x.new_tensor(std).view(shape)
    down, right = -size[0] % multiple, -size[1] % multiple
    top, left = (down // 2, right // 2) if centred else (0, 0)
    x = F.pad(x, (left, right - left, top, down - top))
    return Fitted(x.to(dtype or torch.float32), size, (top, left), frame.size)


def checkpoint(ctx: Context, source: str) -> dict[str, Any] | None:
    """The tensors of the file that the option `weights` names, None where it says "random".

    Nothing but tensors is unpickled; the file is recorded as one that the result depends on. What
    wraps the tensors ("state_dict", "model") or their names ("module.") is stripped.

    Args:
        source: where to get the weights, for the message.

    Raises:
        UsageError: no file is named, or it is no checkpoint.
    """
    import torch

    given = str(ctx.options["weights"])
    if given == "random":
        return None
    hint = f"{source}: download it and give -o weights=FILE; -o weights=random tries the code."
    if not given:
        raise UsageError("the weights do not ship with vosbench", hint)
    path = Path(given).expanduser()
    try:
        found = torch.load(path, map_location=ctx.device, weights_only=True)
    except Exception as error:  # whatever torch meets in a foreign file
        raise UsageError(f"-o weights={given}: {error}", hint) from error
    for wrapper in ("state_dict", "model"):
        found = found.get(wrapper, found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not all(isinstance(t, torch.Tensor) for t in found.values()):
        raise UsageError(f"-o weights={given} holds no table of tensors", hint)
    ctx.used_file(path)
    return {name.removeprefix("module."): tensor for name, tensor in found.items()}
