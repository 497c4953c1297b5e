"""SAM 2.1 (Ravi et al., 2024) through `transformers`, one frame at a time.

Masks are the prompts. Each object has its own memory, so that objects may appear in any frame;
what no later frame can read is dropped, so that memory does not grow with the video.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vosbench.adapt import IMAGENET_MEAN, IMAGENET_STD
from vosbench.errors import UsageError
from vosbench.types import Context, Frame, Mask, Prediction, Targets

#: What a folder of weights holds.
FILES = ("config.json", "model.safetensors")
#: Blocks in the four stages of each size's image encoder, by which weights are told apart.
BLOCKS = {
    "tiny": [1, 2, 7, 2],
    "small": [1, 2, 11, 2],
    "base-plus": [2, 3, 16, 3],
    "large": [2, 6, 36, 4],
}
#: The small model of `-o weights=random`: the real code path at 128 pixels, in a few milliseconds.
_SMALL = {
    "image_size": 128,
    "memory_attention_num_layers": 1,
    "memory_attention_rope_feat_sizes": [8, 8],
    "prompt_encoder_config": {"image_size": 128},
    "vision_config": {
        "model_type": "sam2_vision_model",
        "backbone_config": {
            "model_type": "sam2_hiera_det_model",
            "hidden_size": 16,
            "image_size": [128, 128],
            "blocks_per_stage": [1, 1, 2, 1],
            "embed_dim_per_stage": [16, 32, 64, 128],
            "num_attention_heads_per_stage": [1, 1, 2, 4],
            "window_size_per_stage": [8, 4, 4, 4],
            "global_attention_blocks": [3],
        },
        "backbone_channel_list": [128, 64, 32, 16],
        "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
    },
}


class Sam2:
    """SAM 2.1 as its authors run it on given masks: frames squashed to a square, float32.

    Options:
        weights: a folder with `config.json` and `model.safetensors`; "random" for a small model
            that was never trained, to try the code.
        size: of the model that the weights must be of.
    """

    def __init__(self, ctx: Context) -> None:
        weights, size = str(ctx.options["weights"]), str(ctx.options["size"])
        self.model = _build(weights, size, ctx).to(ctx.device).eval()
        self.side = int(self.model.config.image_size)
        config = self.model.config
        self.reach = max(config.num_maskmem, config.max_object_pointers_in_encoder)
        shape = (1, 3, 1, 1)
        self.mean = torch.tensor(IMAGENET_MEAN, device=ctx.device).view(shape)
        self.std = torch.tensor(IMAGENET_STD, device=ctx.device).view(shape)

    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        """Begin a session of the model and remember the given masks."""
        from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

        self.session = Sam2VideoInferenceSession(
            video_height=frame.size[0],
            video_width=frame.size[1],
            inference_device=ctx.device,
            inference_state_device=ctx.device,
            video_storage_device=ctx.device,
            dtype=torch.float32,
        )
        self._step(frame, targets)

    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:  # noqa: ARG002
        """Logits of every known object, at the frame's size."""
        ids, masks = self._step(frame, targets)
        logits = F.interpolate(masks.float(), frame.size, mode="bilinear", align_corners=False)
        return Prediction.from_logits(ids, logits[:, 0])

    def close(self, ctx: Context) -> None:  # noqa: ARG002
        """Forget the sequence."""
        self.session = None

    def _step(self, frame: Frame, targets: Targets) -> tuple[list[int], Tensor]:
        """Object ids and mask logits (K, 1, h, w) of a frame in which `targets` are new."""
        session: Any = self.session
        for obj, mask in targets.items():
            session.add_mask_inputs(session.obj_id_to_idx(obj), frame.index, self._square(mask))
        session.obj_with_new_inputs = list(targets)
        output = self.model(session, frame=self._image(frame), frame_idx=frame.index)
        self._drop(session, frame.index)
        return list(output.object_ids), output.pred_masks

    def _image(self, frame: Frame) -> Tensor:
        """The frame as the network takes it: (1, 3, side, side)."""
        image = torch.from_numpy(frame.image.transpose(2, 0, 1).copy())[None]
        image = image.to(self.mean.device).float() / 255
        size = (self.side, self.side)
        image = F.interpolate(image, size, mode="bilinear", align_corners=False, antialias=True)
        return (image - self.mean) / self.std

    def _square(self, mask: Mask) -> Tensor:
        """A mask as the network takes it: (1, 1, side, side) of 0 and 1; no object gets lost."""
        given = torch.from_numpy(np.ascontiguousarray(mask, np.float32))[None, None]
        size = (self.side, self.side)
        share = F.interpolate(given, size, mode="bilinear", align_corners=False, antialias=True)
        return ((share >= min(0.5, float(share.max()))) & (share > 0)).float()

    def _drop(self, session: Any, index: int) -> None:
        """Forget frames that are done with and memories that are out of the model's reach."""
        session.processed_frames.clear()
        for outputs in session.output_dict_per_obj.values():
            _drop_before(outputs["non_cond_frame_outputs"], index - self.reach)
        for tracked in session.frames_tracked_per_obj.values():
            _drop_before(tracked, index - self.reach)


def _drop_before(table: dict[int, Any], first: int) -> None:
    for index in [index for index in table if index < first]:
        del table[index]


def _build(weights: str, size: str, ctx: Context) -> Any:
    """The model of a folder, or a small random one.

    Raises:
        UsageError: transformers is not installed; no weights, or other files than the model's.
    """
    try:
        from transformers import Sam2VideoConfig, Sam2VideoModel
    except ImportError as error:
        raise UsageError(
            f"SAM 2.1 needs transformers: {error}", "pip install 'vosbench[zoo]'"
        ) from error
    way_out = (
        f"Download {' and '.join(FILES)} of https://huggingface.co/facebook/sam2.1-hiera-{size} "
        "into a folder and give -o weights=FOLDER; -o weights=random tries the code without any."
    )
    if not weights:
        raise UsageError("SAM 2.1's weights do not ship with vosbench", way_out)
    if weights == "random":
        return Sam2VideoModel(Sam2VideoConfig(**_SMALL))
    folder = Path(weights).expanduser()
    for name in FILES:
        if not (folder / name).is_file():
            raise UsageError(f"-o weights={weights}: there is no file {folder / name}", way_out)
    try:
        model, found = Sam2VideoModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except Exception as error:  # the library raises whatever it meets in a foreign file
        raise UsageError(f"{folder} holds no weights of SAM 2.1: {error}", way_out) from error
    blocks = list(model.config.vision_config.backbone_config.blocks_per_stage)
    if blocks != BLOCKS[size]:
        sizes = [name for name, known in BLOCKS.items() if known == blocks]
        other = sizes[0] if sizes else "another size"
        raise UsageError(f"{folder} holds SAM 2.1 of {other}, not {size}", way_out)
    if missing := sorted(found["missing_keys"]):
        raise UsageError(
            f"{folder / FILES[1]} lacks {len(missing)} tensors of SAM 2.1, {missing[0]} the first",
            way_out,
        )
    for name in FILES:
        ctx.used_file(folder / name)
    return model
