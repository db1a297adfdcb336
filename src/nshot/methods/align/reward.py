"""A reward model: a number for an answer, learned from which answers people preferred."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from nshot.core.types import Cost, Delta, ModelRef, Shots, Task
from nshot.methods.align.preferring import Preferring, asked_pairs, with_two_answers
from nshot.methods.any_part import AnyPart
from nshot.methods.contract import Brief, Workbench
from nshot.methods.trained import Trained
from nshot.models.base import Ability, Lent, ModelFacts
from nshot.predictors.base import Predictor
from nshot.predictors.rewarded import trained_reward
from nshot.training.recipe import Data, Part

if TYPE_CHECKING:
    from nshot.training.loop import Objective


@dataclass(frozen=True)
class RewardHead(Part):
    """A head of one number at zero, and another part in the body under it."""

    under: Part

    def free(self, model: ModelFacts) -> tuple[str, ...]:
        """Those of the part under it."""
        return self.under.free(model)

    def room(self, lent: Lent, context: int) -> int:
        """What the part under it leaves."""
        return self.under.room(lent, context)

    def put_on(self, lent: Lent, seed: int) -> Any:
        """The lent body under the head."""
        from nshot.nets.reward_head import RewardLogits

        return RewardLogits(self.under.put_on(lent, seed))

    def save(self, lent: Lent, module: Any, folder: Path) -> Delta:
        """The folder of the part under it, and the head beside it."""
        from nshot.nets.reward_head import save_head

        delta = self.under.save(lent, module.adapted, folder)
        save_head(module, folder)
        return delta


class Reward(Preferring, AnyPart, Trained):
    """A linear head on the last token's state, and LoRA under it, taught by comparisons.

    Long Ouyang et al. "Training language models to follow instructions with human feedback", 2022,
    section 3.5, step 2, equation 1. https://arxiv.org/abs/2203.02155
    Nisan Stiennon et al. "Learning to summarize from human feedback", 2020, section 3.4.
    https://arxiv.org/abs/2009.01325

    The better of two answers to a prompt is to have the greater reward:
    ``-log sigmoid(r(better) - r(worse))``, averaged over all pairs of a prompt's answers, which are
    in one batch. width parameters are trained beside LoRA's.

    Settings besides those of `Preferring`, of `AnyPart` and of `Trained`:

    Args:
        margin: by how much the better answer is to be ahead, times the difference of the grades
            (Touvron et al. 2023, "Llama 2", equation 2, https://arxiv.org/abs/2307.09288).
        ties: ``drop`` answers of equal grades, or count them as ``half`` a preference each way
            (Nakano et al. 2021, "WebGPT", section 3.2, https://arxiv.org/abs/2112.09332).
    """

    name: ClassVar[str] = "reward"
    needs: ClassVar[frozenset[Ability]] = frozenset({"hidden", "train"})
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"learning_rate": (5e-4, 2e-4)}
    about: ClassVar[str] = "LoRA under a head of one number, taught which answers are preferred"

    epochs: int = Field(default=2, ge=1)
    learning_rate: float = Field(default=5e-4, ge=0)
    margin: float = Field(default=0.0, ge=0)
    ties: Literal["drop", "half"] = "drop"

    def part(self, task: Task, shots: Shots, seed: int) -> RewardHead:
        """The head, and what learns under it."""
        return RewardHead(super().part(task, shots, seed))

    def data(self, task: Task, shots: Shots, seed: int) -> Data[Any]:
        """Every prompt with all its answers, each read through its end."""
        from nshot.training.data.rankings import RewardRows

        ties = self.ties == "half"
        return RewardRows(task, self.format, shots.labelled, self.max_tokens, ties)

    def objective(self) -> Objective[Any, Any]:
        """Equation 1."""
        from nshot.training.objectives.reward import RankedAnswers

        return RankedAnswers(self.margin)

    def predictor(self, task: Task, shots: Shots, bench: Workbench, ref: ModelRef) -> Predictor:
        """The trained head on the states of the model under it, its zero measured."""
        return trained_reward(task, bench.models, ref, self.format).normalised(shots.labelled)

    def forecast(self, brief: Brief) -> Cost:
        """As others, of longer rows."""
        return super().forecast(with_two_answers(brief))

    def use_forecast(self, brief: Brief) -> Cost:
        """Every answer is read behind its prompt."""
        return asked_pairs(brief, 1)
