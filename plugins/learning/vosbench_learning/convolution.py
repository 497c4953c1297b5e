"""3x3 convolutions that learn at full speed on processors without AVX-512.

There, oneDNN takes up to six times as long for the gradient of the weights as for that of the
input, on large maps in channels-last memory. Nine matrix products, one for each place in the
filter, give the same gradient at the processor's speed (figures: `benchmarks/finetune.md`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_input


def replace_convolutions(module: nn.Module) -> None:
    """Make every plain 3x3 convolution inside `module` a `Convolution`, in place."""
    for child in module.modules():
        if type(child) is nn.Conv2d and _is_plain(child):
            child.__class__ = Convolution


def _is_plain(conv: nn.Conv2d) -> bool:
    """Whether it is 3x3, dense, at stride 1, with a border of zeros that keeps the size."""
    geometry = conv.kernel_size, conv.stride, conv.padding, conv.dilation
    return geometry == ((3, 3), (1, 1), (1, 1), (1, 1)) and conv.groups == 1


class Convolution(nn.Conv2d):
    """`nn.Conv2d` for a plain 3x3 convolution, with the weights' gradient by matrix products where
    that is quicker."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, K, H, W)."""
        learns = torch.is_grad_enabled() and self.weight.requires_grad
        if learns and x.dtype == torch.float32 and products_are_quicker(x.device):
            found: Tensor = _Convolution.apply(x, self.weight, self.bias)
            return found
        return super().forward(x)


def products_are_quicker(device: torch.device) -> bool:
    """Whether it computes as a processor that has no wider vectors than AVX2's."""
    if device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return False
    return torch.backends.cpu.get_cpu_capability() == "AVX2"


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias, padding=1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        by_x, by_weight, by_bias = ctx.needs_input_grad
        return (
            conv2d_input(x.shape, weight, grad, padding=1) if by_x else None,  # type: ignore[no-untyped-call]
            _weight_gradient(x, grad) if by_weight else None,
            grad.sum((0, 2, 3)) if by_bias else None,
        )


def _weight_gradient(x: Tensor, grad: Tensor) -> Tensor:
    """Gradient (K, C, 3, 3) from the input (B, C, H, W) and the output's gradient (B, K, H, W).

    With zeros around both, a step in the image is a fixed step in the flat list of pixels, and
    what each place in the filter meets is one slice of that list.
    """
    width = x.shape[3] + 2
    seen = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1)).reshape(-1, x.shape[1])
    out = F.pad(grad.permute(0, 2, 3, 1), (0, 0, 0, 2, 0, 2)).reshape(-1, grad.shape[1])
    count = len(seen) - 2 * width - 2
    out = out[:count].t()
    starts = [row * width + column for row in range(3) for column in range(3)]
    products = torch.stack([out @ seen[start : start + count] for start in starts], 1)
    return products.view(len(products), 3, 3, -1).permute(0, 3, 1, 2)
