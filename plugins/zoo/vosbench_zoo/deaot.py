"""DeAOT (Yang and Yang, 2022) by the package deaotpy: a tracker that refers to frames by slots."""

import contextlib
import importlib

import torch
from torch.nn import functional as F

from vosbench.adapt import IMAGENET_MEAN, IMAGENET_STD, Fitted, Slots, checkpoint, fit
from vosbench.types import Context, Frame, Prediction, Targets


class DeAot:
    def __init__(self, ctx: Context) -> None:
        build_model = importlib.import_module("aot.networks.models").build_vos_model
        config = importlib.import_module("aot.configs.pre_ytb_dav").EngineConfig
        with contextlib.chdir(ctx.scratch):  # it makes folders where it is
            self.config = config("default", ctx.options["model"])
        self.model = build_model(self.config.MODEL_VOS, self.config).to(ctx.device).eval()
        if tensors := checkpoint(ctx, "MODEL_ZOO.md of github.com/yoxu515/aot-benchmark"):
            self.model.load_state_dict(tensors)
        self.short_side = int(ctx.options["short_side"])

    def fit(self, frame: Frame, ctx: Context) -> Fitted:
        scale = min(1, self.short_side / min(frame.size))
        height, width = (max(2, round((side * scale - 1) / 16)) * 16 + 1 for side in frame.size)
        size = (height, width)
        return fit(frame, ctx.device, mean=IMAGENET_MEAN, std=IMAGENET_STD, size=size)

    def refer(self, fitted: Fitted, targets: Targets, labels: torch.Tensor) -> None:
        for obj in self.slots.add(targets):
            labels[fitted.mask(targets[obj]) > 0] = self.slots[obj] + 1
        self.engine.add_reference_frame(
            fitted.tensor, labels[None, None], obj_nums=[len(self.slots)], frame_step=self.step
        )

    @torch.inference_mode()
    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        self.engine = importlib.import_module("aot.networks.engines").build_engine(
            self.config.MODEL_ENGINE, phase="eval", aot_model=self.model, gpu_id=0,
            long_term_mem_gap=self.config.TEST_LONG_TERM_MEM_GAP,
        )  # fmt: skip
        self.slots, self.step = Slots(), 0
        fitted = self.fit(frame, ctx)
        self.refer(fitted, targets, torch.zeros_like(fitted.tensor[0, 0]))

    @torch.inference_mode()
    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:
        self.step += 1
        fitted, ids = self.fit(frame, ctx), self.slots.ids
        self.engine.match_propogate_one_frame(fitted.tensor)
        logits = self.engine.decode_current_logits(frame.size)[0, : len(ids) + 1]
        small = F.interpolate(logits[None], fitted.size, mode="bilinear").argmax(1)[0].float()
        if targets:
            self.refer(fitted, targets, small)
        else:
            self.engine.update_memory(small[None, None])
        return Prediction.from_softmax(ids, logits.softmax(0))
