"""The packages that the benchmarks compare with, imported as the benchmarks import them.

    .bench/venv/bin/python benchmarks/peers.py      imports each and says its version

`peers.txt` names what is installed. torchvision, which easyfsl imports, has a folder of its own:
its wheel on PyPI is compiled for the CUDA build of torch. Beside torch's CPU build its operators
cannot be loaded, and importing it ends with `operator torchvision::nms does not exist`. Every
package that finds it there would end so too, while nothing that is measured calls an operator.

TRL 1.12.0 has a folder of its own as well: it is the last one with a PPOTrainer, and 1.16 is what
all else is compared with. A process that asks for the one cannot have the other.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from table import ROOT

TORCHVISION = ROOT / ".bench" / "torchvision"
TRL_WITH_PPO = ROOT / ".bench" / "trl-1.12.0"


def lm_eval() -> Any:
    """The class of models, and what it is asked."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    return SimpleNamespace(Instance=Instance, HFLM=HFLM)


def trl() -> Any:
    """The trainer of TRL, its settings, and the rows that it takes."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    return SimpleNamespace(Dataset=Dataset, SFTConfig=SFTConfig, SFTTrainer=SFTTrainer)


def trl_alignment() -> Any:
    """The trainers of TRL that learn from preferences and from rewards."""
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, RewardConfig, RewardTrainer

    return SimpleNamespace(
        Dataset=Dataset,
        DPOConfig=DPOConfig,
        DPOTrainer=DPOTrainer,
        GRPOConfig=GRPOConfig,
        GRPOTrainer=GRPOTrainer,
        RewardConfig=RewardConfig,
        RewardTrainer=RewardTrainer,
    )


def trl_ppo() -> Any:
    """TRL 1.12.0's PPOTrainer and its module; `ImportError` where another TRL is imported."""
    if "trl" not in sys.modules:
        sys.path.insert(0, str(TRL_WITH_PPO))
    import trl
    from datasets import Dataset

    if not Path(trl.__file__).is_relative_to(TRL_WITH_PPO):
        raise ImportError(f"another TRL is imported: {trl.__file__}")
    from trl.experimental.ppo import PPOConfig, PPOTrainer, ppo_trainer

    return SimpleNamespace(
        Dataset=Dataset, PPOConfig=PPOConfig, PPOTrainer=PPOTrainer, module=ppo_trainer
    )


def setfit() -> Any:
    """The model of setfit, its trainer, and the rows that it takes."""
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    return SimpleNamespace(
        Dataset=Dataset,
        SetFitModel=SetFitModel,
        Trainer=Trainer,
        TrainingArguments=TrainingArguments,
    )


def easyfsl() -> Any:
    """The methods of easyfsl that are measured, and its loop over episodes."""
    _torchvision()
    from easyfsl.datasets import FeaturesDataset
    from easyfsl.methods import MatchingNetworks, PrototypicalNetworks
    from easyfsl.samplers import TaskSampler
    from easyfsl.utils import evaluate

    return SimpleNamespace(
        FeaturesDataset=FeaturesDataset,
        MatchingNetworks=MatchingNetworks,
        PrototypicalNetworks=PrototypicalNetworks,
        TaskSampler=TaskSampler,
        evaluate=evaluate,
    )


_OPERATORS: list[torch.library.Library] = []
"""Kept, since the operators go with the object."""


def _torchvision() -> None:
    """torchvision on the path; without CUDA its two operators are declared, and do nothing."""
    if str(TORCHVISION) in sys.path:
        return
    sys.path.append(str(TORCHVISION))
    if torch.version.cuda is None:
        declared = torch.library.Library("torchvision", "DEF")
        declared.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        declared.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _OPERATORS.append(declared)


def dspy() -> Any:
    """Signatures, adapters, models and the optimisers; MIPROv2 imports optuna when it begins."""
    import dspy as package
    import optuna

    assert optuna.__version__
    return package


PEERS: dict[str, Callable[[], Any]] = {
    "lm_eval": lm_eval,
    "trl": trl,
    "setfit": setfit,
    "easyfsl": easyfsl,
    "dspy": dspy,
}


def main() -> None:
    """Import each; the first that cannot be imported ends it."""
    for name, load in PEERS.items():
        start = time.perf_counter()
        load()
        print(f"{name} {version(name)}: {time.perf_counter() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
