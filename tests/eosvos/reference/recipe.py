"""Everything that the golden numbers take as input, by formula; names are those of our model.

numpy's RandomState is frozen: it draws the same in any version.
"""

import zlib

import numpy as np

H, W = 128, 192


def _normal(key, shape):
    state = np.random.RandomState(zlib.crc32(key.encode()))
    return state.standard_normal(int(np.prod(shape))).reshape(shape)


#: gains of some layers on top of sqrt(2 / fan_in)
GAINS = (
    ("rpn.head.cls_logits", 0.2),
    ("rpn.head.bbox_pred", 0.05),
    ("box_score", 0.4),
    ("box_delta", 0.3),
    ("mask_head.10", 0.5),
    ("fpn.", 0.4),
)


def weight(name, shape):
    """float32 value of the parameter `name`."""
    z = _normal(name, shape)
    if len(shape) > 1:
        fan = shape[0] if name == "mask_head.8.weight" else np.prod(shape[1:])
        std = np.sqrt(2.0 / fan)
        for prefix, gain in GAINS:
            if name.startswith(prefix):
                std *= gain
        return (std * z).astype(np.float32)
    is_norm = any(part in name for part in (".bn", ".downsample.1.", "backbone.stages.0.1."))
    if is_norm and name.endswith(".weight"):
        return ((0.4 if ".bn3." in name else 1.0) + 0.1 * z).astype(np.float32)
    value = 0.1 * z
    if name == "box_score.bias":  # so that in every frame something scores above one half
        value = value + np.array([-0.5, 0.5])
    return value.astype(np.float32)


def rate(name, count):
    """float32 learning rates (count,) of the parameter `name`."""
    state = np.random.RandomState(zlib.crc32(("rate:" + name).encode()))
    u = state.uniform(0, 1, count)
    return (1e-3 * u).astype(np.float32)


def scene(t, h=H, w=W):
    """Frame t: uint8 RGB (h, w, 3) and labels (h, w), 1 an ellipse, 2 a rectangle, 0 the ground."""
    y, x = np.mgrid[:h, :w].astype(np.float64)
    waves = [60 * np.sin(x / 17 + k) * np.cos(y / 13 - k) for k in range(3)]
    img = np.stack([128 + waves[k] + 20 * np.sin(x * y / 450 + k) for k in range(3)], -1)
    lab = np.zeros((h, w), np.uint8)
    cx, cy, a, b = 0.30 * w + 3 * t, 0.5 * h + 2 * t, 0.14 * w, 0.24 * h
    e = ((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 < 1
    u, v = x - cx, y - cy
    obj = np.stack([128 + 110 * np.sin(u / 5 + 2 * k) * np.sin(v / 6 + k) for k in range(3)], -1)
    img[e] = obj[e]
    lab[e] = 1
    x0, y0 = 0.66 * w - 2 * t, 0.2 * h + 3 * t
    r = (x >= x0) & (x < x0 + 0.22 * w) & (y >= y0) & (y < y0 + 0.3 * h)
    obj = np.stack([128 + 100 * np.sin((x - x0 + 2 * (y - y0)) / 4 + k) for k in range(3)], -1)
    img[r] = obj[r]
    lab[r] = 2
    return np.clip(np.rint(img), 0, 255).astype(np.uint8), lab


#: fractional parts of (i + 1/2) * PHI[j] stand for the uniform draws of box propagation
PHI = (0.6180339887, 0.7548776662, 0.5698402910, 0.8191725134)


def fractions(count):
    """float32 (4, count): how far left, upper, right and lower sides of copies move outward."""
    return np.stack([np.modf((np.arange(count) + 0.5) * p)[0].astype(np.float32) for p in PHI])


def probe_logits(n=4, side=56):
    """float32 (n, side, side): smooth logits, for pasting and for the Lovasz loss."""
    y, x = np.mgrid[:side, :side] / (side - 1.0)
    blobs = [6 * (0.42 - np.hypot(x - 0.5, (y - 0.5) * (1 + 0.2 * k))) for k in range(n)]
    values = [blob + np.sin(9 * x + k) * np.cos(7 * y) for k, blob in enumerate(blobs)]
    return np.stack(values).astype(np.float32) * 3


#: boxes x1, y1, x2, y2 in an image of H x W: for mask targets and for pasting
PROBE_BOXES = np.array(
    [
        [30.25, 28.5, 88.75, 101.0],
        [0.0, 0.0, 192.0, 128.0],
        [120.3, 20.6, 170.9, 70.2],
        [50.5, 40.5, 61.5, 47.75],
    ],
    np.float32,
)
