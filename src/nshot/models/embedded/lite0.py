"""EfficientNet-Lite0, which comes as a file of torch's first format."""

from __future__ import annotations

from pathlib import Path

from nshot.models.embedded.packages import FEATURES

WEIGHTS = "model.safetensors"
TENSORS = 296
"""In the published file."""


def convert_lite0(folder: Path) -> None:
    """Fold the norms of EfficientNet-Lite0 into its weights, in float32 safetensors."""
    import torch
    from safetensors.torch import save_file

    from nshot.models.hf.unpickled import tensors
    from nshot.nets.efficientnet import folded

    state = {name: torch.tensor(flat) for name, flat in tensors(FEATURES.read(), TENSORS).items()}
    save_file(folded(state), folder / WEIGHTS)
