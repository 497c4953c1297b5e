"""Cutie (Cheng et al., 2024) by the package rf-cutie: a processor that takes a step a frame."""

import torch
from cutie.inference.inference_core import InferenceCore
from cutie.inference.utils.args_utils import get_dataset_cfg
from cutie.model.cutie import CUTIE
from cutie.model.utils import resnet
from hydra import compose, initialize_config_module
from omegaconf import open_dict

from vosbench.adapt import checkpoint, fit
from vosbench.types import Context, Frame, Prediction, Targets


class Cutie:
    def __init__(self, ctx: Context) -> None:
        with initialize_config_module("cutie.config", version_base="1.3.2"):
            cfg = compose("eval_config", overrides=[f"model={ctx.options['size']}"])
        with open_dict(cfg):
            get_dataset_cfg(cfg)
        resnet.load_weights_add_extra_dim = lambda *_: None  # no backbones from the network:
        resnet.model_zoo.load_url = lambda *_, **__: {}  # the checkpoint holds them
        self.cfg, self.net = cfg, CUTIE(cfg).to(ctx.device).eval()
        if tensors := checkpoint(ctx, "the releases of github.com/hkchengrex/Cutie"):
            self.net.load_weights(tensors)
        self.short_side = int(ctx.options["short_side"])

    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        self.processor = InferenceCore(self.net, self.cfg)
        self.track(frame, targets, ctx)

    @torch.inference_mode()
    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:
        fitted = fit(frame, ctx.device, short_side=self.short_side, enlarge=True)
        given = (fitted.labels(targets), list(targets)) if targets else ()
        probabilities = self.processor.step(fitted.tensor[0], *given)
        ids = self.processor.object_manager.all_obj_ids
        return Prediction.from_softmax(ids, fitted.native(probabilities))
