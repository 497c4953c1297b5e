"""Cutie (Cheng et al., 2024) by its repository: a processor that takes a step a frame."""

import numpy as np
import torch
from cutie.inference.inference_core import InferenceCore
from cutie.inference.utils.args_utils import get_dataset_cfg
from cutie.model.cutie import CUTIE
from cutie.model.utils import resnet
from hydra import compose, initialize_config_module
from omegaconf import open_dict

from vosbench.adapt import checkpoint, label_map
from vosbench.types import Context, Frame, Prediction, Targets


class Cutie:
    def __init__(self, ctx: Context) -> None:
        with initialize_config_module("cutie.config", version_base="1.3.2"):
            cfg = compose("eval_config", overrides=[f"model={ctx.options['size']}"])
        with open_dict(cfg):
            cfg.dataset, cfg.max_internal_size = "d17-val", ctx.options["short_side"]
        get_dataset_cfg(cfg)
        resnet.load_weights_add_extra_dim = lambda *_: None  # no backbones from the network:
        resnet.model_zoo.load_url = lambda *_, **__: {}  # the checkpoint holds them
        self.cfg, self.net = cfg, CUTIE(cfg).to(ctx.device).eval()
        if tensors := checkpoint(ctx, "the releases of github.com/hkchengrex/Cutie"):
            self.net.load_weights(tensors)

    @torch.inference_mode()
    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        self.processor = InferenceCore(self.net, self.cfg)
        self.track(frame, targets, ctx)

    @torch.inference_mode()
    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:
        image = torch.from_numpy(frame.image.copy()).to(ctx.device).permute(2, 0, 1) / 255
        labels = torch.from_numpy(label_map(targets, frame.size).astype(np.int64)).to(ctx.device)
        step = self.processor.step(image, *((labels, list(targets)) if targets else ()))
        return Prediction.from_labels(self.processor.output_prob_to_mask(step))
