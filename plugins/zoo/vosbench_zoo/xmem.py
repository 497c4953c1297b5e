"""XMem (Cheng and Schwing, 2022) by its repository, with the settings of its evaluation."""

import torch
from inference.inference_core import InferenceCore
from model import resnet
from model.network import XMem as Network

from vosbench.adapt import IMAGENET_MEAN, IMAGENET_STD, Slots, checkpoint, fit
from vosbench.types import Context, Frame, Prediction, Targets

SETTINGS = {
    "top_k": 30, "mem_every": 5, "deep_update_every": -1, "enable_long_term": True,
    "enable_long_term_count_usage": True, "max_mid_term_frames": 10, "min_mid_term_frames": 5,
    "num_prototypes": 128, "max_long_term_elements": 10000,
}  # fmt: skip


class XMem:
    def __init__(self, ctx: Context) -> None:
        resnet.load_weights_add_extra_dim = lambda *_: None  # no backbones from the network:
        resnet.model_zoo.load_url = lambda *_, **__: {}  # the checkpoint holds them
        self.settings = dict(SETTINGS)  # the network adds its dimensions
        self.net = Network(self.settings).to(ctx.device).eval()
        if tensors := checkpoint(ctx, "the releases of github.com/hkchengrex/XMem"):
            self.net.load_weights(tensors, init_as_zero_if_needed=True)
        self.short_side = int(ctx.options["short_side"])

    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        self.processor, self.slots = InferenceCore(self.net, self.settings), Slots()
        self.track(frame, targets, ctx)

    @torch.inference_mode()
    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:
        fitted = fit(
            frame, ctx.device, mean=IMAGENET_MEAN, std=IMAGENET_STD, short_side=self.short_side,
            enlarge=True,
        )  # fmt: skip
        new = self.slots.add(targets)
        self.processor.set_all_labels(list(range(1, len(self.slots) + 1)))
        masks = torch.zeros(len(self.slots), *fitted.tensor.shape[-2:], device=ctx.device)
        for obj in new:
            masks[self.slots[obj]] = fitted.mask(targets[obj])
        given = (masks, [self.slots[obj] + 1 for obj in new]) if new else ()
        probabilities = self.processor.step(fitted.tensor[0], *given)
        return Prediction.from_softmax(self.slots.ids, fitted.native(probabilities))
