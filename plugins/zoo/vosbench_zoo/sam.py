"""SAM 2.1, EdgeTAM and SAM 3 through `transformers`, one frame at a time.

The three share an interface: given masks are prompts, a session holds each object's memory, so that
objects may appear in any frame. What no later frame can read is dropped, so that memory does not
grow with the video.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from vosbench.adapt import IMAGENET_MEAN, IMAGENET_STD, Fitted, fit
from vosbench.errors import UsageError
from vosbench.types import Context, Frame, Prediction, Targets

#: What a folder of weights holds.
FILES = ("config.json", "model.safetensors")


class SamVideo:
    """A video model of the SAM 2 kind as its authors run it on given masks: frames squashed to a
    square, float32.

    Options:
        weights: a folder with `config.json` and `model.safetensors`; "random" for a small model
            that was never trained, to try the code.
    """

    #: Its name for people; the beginning of its classes' names in `transformers`; where its weights
    #: are; what `-o weights=random` builds: the real code path on small squares.
    title: ClassVar[str]
    prefix: ClassVar[str]
    repository: ClassVar[str]
    small: ClassVar[Mapping[str, Any]]
    mean: ClassVar = IMAGENET_MEAN
    std: ClassVar = IMAGENET_STD

    def __init__(self, ctx: Context) -> None:
        self.model = self._build(ctx).to(ctx.device).eval()
        config = self.model.config
        self.side = int(config.image_size)
        self.reach = max(config.num_maskmem, config.max_object_pointers_in_encoder)

    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        """Begin a session of the model and remember the given masks."""
        module = sys.modules[type(self.model).__module__]
        self.session: Any = getattr(module, f"{self.prefix}InferenceSession")(
            video_height=frame.size[0],
            video_width=frame.size[1],
            inference_device=ctx.device,
            inference_state_device=ctx.device,
            video_storage_device=ctx.device,
            dtype=torch.float32,
        )
        self._step(frame, targets, ctx)

    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:
        """Logits of every known object, at the frame's size."""
        fitted, ids, masks = self._step(frame, targets, ctx)
        return Prediction.from_logits(ids, fitted.native(masks[:, 0]))

    def close(self, ctx: Context) -> None:  # noqa: ARG002
        """Forget the sequence."""
        self.session = None

    def _step(
        self, frame: Frame, targets: Targets, ctx: Context
    ) -> tuple[Fitted, list[int], Tensor]:
        """The frame as the network takes it, object ids and mask logits (K, 1, h, w), after
        `targets` became known."""
        session = self.session
        fitted = fit(frame, ctx.device, mean=self.mean, std=self.std, size=(self.side, self.side))
        for obj, mask in targets.items():
            slot = session.obj_id_to_idx(obj)
            session.add_mask_inputs(slot, frame.index, fitted.mask(mask)[None, None])
        session.obj_with_new_inputs = list(targets)
        output = self.model(session, frame=fitted.tensor, frame_idx=frame.index)
        self._drop(session, frame.index)
        return fitted, list(output.object_ids), output.pred_masks

    def _drop(self, session: Any, index: int) -> None:
        """Forget frames that are done with and memories that are out of the model's reach."""
        session.processed_frames.clear()
        for outputs in session.output_dict_per_obj.values():
            _drop_before(outputs["non_cond_frame_outputs"], index - self.reach)
        for tracked in session.frames_tracked_per_obj.values():
            _drop_before(tracked, index - self.reach)

    def _build(self, ctx: Context) -> Any:
        """The model of a folder, or a small random one.

        Raises:
            UsageError: a library is not installed; no weights, or other files than the model's.
        """
        try:
            transformers = importlib.import_module("transformers")
            kind = getattr(transformers, f"{self.prefix}Model")
            config = getattr(transformers, f"{self.prefix}Config")
        except (ImportError, AttributeError) as error:
            raise UsageError(
                f"{self.title} needs transformers: {error}", "pip install 'vosbench[zoo]'"
            ) from error
        weights = str(ctx.options["weights"])
        if not weights:
            raise UsageError(
                f"{self.title}'s weights do not ship with vosbench", self._way_out(ctx)
            )
        if weights == "random":
            return kind(config(**self.small))
        return self._read(kind, Path(weights).expanduser(), ctx)

    def _read(self, kind: Any, folder: Path, ctx: Context) -> Any:
        for name in FILES:
            if not (folder / name).is_file():
                raise UsageError(
                    f"-o weights={folder}: there is no file {folder / name}", self._way_out(ctx)
                )
        try:
            model, found = kind.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
        except Exception as error:  # the library raises whatever it meets in a foreign file
            raise UsageError(
                f"{folder} holds no weights of {self.title}: {error}", self._way_out(ctx)
            ) from error
        if problem := self._misfit(model, ctx):
            raise UsageError(f"{folder} holds {self.title} of {problem}", self._way_out(ctx))
        if missing := sorted(found["missing_keys"]):
            raise UsageError(
                f"{folder / FILES[1]} lacks {len(missing)} tensors of {self.title}, {missing[0]} "
                "the first",
                self._way_out(ctx),
            )
        for name in FILES:
            ctx.used_file(folder / name)
        return model

    def _misfit(self, model: Any, ctx: Context) -> str:  # noqa: ARG002
        """What is wrong with the size of the weights that were read; "" if nothing is."""
        return ""

    def _way_out(self, ctx: Context) -> str:
        repository = self.repository.format(**ctx.options)
        return (
            f"Download {' and '.join(FILES)} of https://huggingface.co/{repository} into a folder "
            "and give -o weights=FOLDER; -o weights=random tries the code without any."
        )


#: Blocks in the four stages of each size's image encoder, by which weights are told apart.
BLOCKS = {
    "tiny": [1, 2, 7, 2],
    "small": [1, 2, 11, 2],
    "base-plus": [2, 3, 16, 3],
    "large": [2, 6, 36, 4],
}
_SMALL: Mapping[str, Any] = {
    "mask_decoder_config": {"mlp_dim": 64},
    "memory_attention_num_layers": 1,
    "memory_attention_feed_forward_hidden_size": 64,
    "memory_fuser_intermediate_dim": 64,
}
_SMALL_SQUARE: Mapping[str, Any] = {
    "image_size": 128,
    "memory_attention_rope_feat_sizes": [8, 8],
    "prompt_encoder_config": {"image_size": 128},
}
_SMALL_PYRAMID: Mapping[str, Any] = {
    "backbone_channel_list": [128, 64, 32, 16],
    "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
}


class Sam2(SamVideo):
    """SAM 2.1 (Ravi et al., 2024).

    Options:
        size: of the model that the weights must be of.
    """

    title = "SAM 2.1"
    prefix = "Sam2Video"
    repository = "facebook/sam2.1-hiera-{size}"
    small: ClassVar = {
        **_SMALL,
        **_SMALL_SQUARE,
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
            **_SMALL_PYRAMID,
        },
    }

    def _misfit(self, model: Any, ctx: Context) -> str:
        blocks = list(model.config.vision_config.backbone_config.blocks_per_stage)
        size = str(ctx.options["size"])
        if blocks == BLOCKS[size]:
            return ""
        sizes = [name for name, known in BLOCKS.items() if known == blocks]
        return f"{sizes[0] if sizes else 'another size'}, not {size}"


class EdgeTam(SamVideo):
    """EdgeTAM (Zhou et al., 2025): SAM 2 with a lighter image encoder and compressed memories."""

    title = "EdgeTAM"
    prefix = "EdgeTamVideo"
    repository = "yonigozlan/EdgeTAM-hf"
    small: ClassVar = {
        **_SMALL,
        **_SMALL_SQUARE,
        "memory_attention_mlp_hidden_size": 64,
        "memory_attention_rope_k_sizes": [4, 4],
        "perceiver_resampler_num_latents": 16,
        "perceiver_resampler_num_latents_2d": 16,
        "vision_config": {
            "model_type": "edgetam_vision_model",
            "backbone_config": {
                "model_type": "timm_wrapper",
                "architecture": "repvit_m0_9",
                "num_classes": 1,
                "label_names": ["none"],  # else those of ImageNet are asked for
                "model_args": {
                    "in_chans": 3,
                    "features_only": True,
                    "out_indices": [0, 1, 2, 3],
                    "depth": [1, 1, 2, 1],
                    "embed_dim": [16, 32, 64, 128],
                },
            },
            **_SMALL_PYRAMID,
        },
    }

    def _build(self, ctx: Context) -> Any:
        try:
            importlib.import_module("timm")
        except ImportError as error:
            raise UsageError(
                f"EdgeTAM's image encoder needs timm: {error}", "pip install 'vosbench[zoo]'"
            ) from error
        model = super()._build(ctx)
        given = model._use_mask_as_output

        def as_tracked(*args: Any, **kwargs: Any) -> Any:
            output = given(*args, **kwargs)
            if output.object_score_logits.ndim == 2:
                output.object_score_logits = output.object_score_logits[..., None]
            return output

        # transformers 5.24 cannot join the scores of objects given now and of those tracked.
        model._use_mask_as_output = as_tracked
        return model


class Sam3(SamVideo):
    """The tracker of SAM 3 (Carion et al., 2025); the file of its authors holds the detector
    too, which is not read."""

    title = "SAM 3"
    prefix = "Sam3TrackerVideo"
    repository = "facebook/sam3"
    mean = std = (0.5, 0.5, 0.5)
    small: ClassVar = {
        **_SMALL,
        "image_size": 112,
        "vision_config": {
            "model_type": "sam3_vision_model",
            "backbone_config": {
                "model_type": "sam3_vit_model",
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "window_size": 4,
                "global_attn_indexes": [1],
                "pretrain_image_size": 56,
                "image_size": 112,
            },
        },
    }


def _drop_before(table: dict[int, Any], first: int) -> None:
    for index in [index for index in table if index < first]:
        del table[index]
