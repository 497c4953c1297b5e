"""SAM 2.1 by the package rf-sam-2, which wants the whole video as a folder of pictures."""

import torch
from sam2.build_sam import build_sam2_video_predictor

from vosbench.adapt import checkpoint
from vosbench.types import Context, Frame, Prediction, Targets


class Sam2:
    def __init__(self, ctx: Context) -> None:
        tensors = checkpoint(ctx, "github.com/facebookresearch/sam2, checkpoints")
        name = f"configs/sam2.1/sam2.1_hiera_{ctx.options['size']}.yaml"
        # Without weights it is the code that is tried: smaller squares will do.
        small = [] if tensors else ["++model.image_size=256"]
        self.model = build_sam2_video_predictor(
            name, None, device=ctx.device, hydra_overrides_extra=small
        )
        if tensors:
            self.model.load_state_dict(tensors)

    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        assert ctx.video is not None  # the declaration asks for access="video"
        pictures = ctx.video.as_folder(ctx.scratch / ctx.sequence)
        self.state = self.model.init_state(str(pictures), offload_video_to_cpu=True)
        self.add(frame, targets)

    def add(self, frame: Frame, targets: Targets) -> None:
        for obj, mask in targets.items():
            self.model.add_new_mask(self.state, frame.index, obj, torch.from_numpy(mask.copy()))

    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:  # noqa: ARG002
        self.add(frame, targets)
        one = self.model.propagate_in_video(self.state, frame.index, max_frame_num_to_track=0)
        _, ids, logits = next(iter(one))
        return Prediction.from_logits(ids, logits[:, 0])
