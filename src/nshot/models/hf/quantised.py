"""Models in four bits, or eight: how they are loaded, and what their packed weights hold.

Tim Dettmers, Artidoro Pagnoni, Ari Holtzman, Luke Zettlemoyer. "QLoRA: Efficient Finetuning of
Quantized LLMs", 2023. https://arxiv.org/abs/2305.14314

Tim Dettmers, Mike Lewis, Younes Belkada, Luke Zettlemoyer. "LLM.int8(): 8-bit Matrix Multiplication
for Transformers at Scale", 2022. https://arxiv.org/abs/2208.07339

A weight packed in four bits is a column of bytes with two numbers in each. What they mean stands
beside it: a scale for each block of 64 (itself quantised: double quantisation), and a table of 16
levels. In eight bits it is whole numbers with one scale a row. LLM.int8() rounds what is read too;
here it is not: a sum that is made in another batch may end a step aside, and an answer must not
depend on the rows beside it.
"""

from __future__ import annotations

import importlib.util
import logging
import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from nshot.core.errors import CannotAdapt
from nshot.core.serial import read_json

if TYPE_CHECKING:
    import torch


_STEPS = 127
"""The largest whole number of 8 bits; SCB is the largest weight of a row."""
Packing: TypeAlias = Literal["nf4", "int8"]
PACKINGS: tuple[Packing, ...] = get_args(Packing)


def quiet() -> None:
    """Keep the package from advertising, when it is imported, kernels that it could download, and
    from saying at every product of 8 bits that what is read is cast."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def missing_extra() -> str | None:
    """What to install before weights can be packed; None where all is there. Imports nothing."""
    installed = importlib.util.find_spec("bitsandbytes") is not None
    return None if installed else "needs bitsandbytes: pip install 'nshot[quantise]'"


def options(quant: str, dtype: torch.dtype, device: str) -> dict[str, Any]:
    """Arguments of ``from_pretrained`` for ``nf4`` or ``int8``: computed in `dtype`, on `device`.

    The head and the embeddings stay as they are. In 8 bits no feature is computed apart as an
    outlier (LLM.int8()): which ones are depends on all texts that are read together. Raises
    `CannotAdapt` for another quantisation, or where bitsandbytes is not installed.
    """
    if quant not in PACKINGS:
        known = " and ".join(PACKINGS)
        raise CannotAdapt(f"no quantisation '{quant}' of transformers models: there are {known}")
    if missing := missing_extra():
        raise CannotAdapt(missing)
    from transformers import BitsAndBytesConfig

    if quant == "int8":
        config = BitsAndBytesConfig(load_in_8bit=True, llm_int8_threshold=0.0)
        return {"quantization_config": config, "device_map": device}
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return {"quantization_config": config, "device_map": device}


def is_packed(folder: Path) -> bool:
    """Whether the weights in a folder of transformers are packed already."""
    about: dict[str, Any] = read_json(folder / "config.json")
    return "quantization_config" in about


def keep_layout(module: torch.nn.Module) -> None:
    """Forbid the packed weights of `module` to be laid out anew, and rounded, when first used.

    On a CPU with bfloat16 instructions bitsandbytes would do so in place, the first time it is
    asked outside training: other answers than in training, and a base that no longer is what was
    loaded. Of 8 bits the weights alone are rounded, whatever the package does with what is read.
    """
    packed: list[Any] = [m for m in module.modules() if hasattr(m, "support_avx512bf16_for_cpu")]
    for part in packed:
        part.support_avx512bf16_for_cpu = False
    for part in module.modules():
        if getattr(getattr(part, "weight", None), "CB", None) is not None:
            part.init_8bit_state()  # type: ignore[operator]
            part.forward = partial(_with_whole_numbers, part)


def _with_whole_numbers(part: Any, states: torch.Tensor) -> torch.Tensor:
    """What a layer in 8 bits makes of (..., in) states: (..., out)."""
    from torch.nn import functional

    scales = (part.state.SCB / _STEPS).unsqueeze(1)
    return functional.linear(states, (part.state.CB * scales).to(states.dtype), part.bias)


def tensors(parameter: torch.Tensor) -> list[torch.Tensor]:
    """All that a parameter is stored as: its data, and the scales and levels of a packed one."""
    parts, state = [parameter.data], getattr(parameter, "quant_state", None)
    while state is not None:
        parts += [t for t in (state.absmax, state.code, state.offset) if t is not None]
        state = state.state2
    return parts


def weights(parameter: torch.Tensor) -> int:
    """How many weights a parameter holds, packed or not."""
    state = getattr(parameter, "quant_state", None)
    return int(parameter.numel() if state is None else math.prod(state.shape))
