"""Direct preference optimisation: preferences taught to the language model itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from nshot.core.types import Cost, ModelRef, Shots, Task
from nshot.methods.align.preferring import Preferring, asked_pairs, with_two_answers
from nshot.methods.any_part import AnyPart
from nshot.methods.contract import Brief, Workbench
from nshot.methods.trained import Trained
from nshot.predictors.base import Predictor
from nshot.predictors.implicit import Implicit
from nshot.training.recipe import Data

if TYPE_CHECKING:
    from nshot.training.loop import Objective


class DPO(Preferring, AnyPart, Trained):
    """A policy that prefers what people prefer, without a reward model and without sampling.

    Rafael Rafailov, Archit Sharma, Eric Mitchell, Stefano Ermon, Christopher D. Manning, Chelsea
    Finn. "Direct Preference Optimization: Your Language Model is Secretly a Reward Model", 2023,
    equation 7. https://arxiv.org/abs/2305.18290

    ``-log sigmoid(beta * ((log pi - log ref)(better) - (log pi - log ref)(worse)))``, averaged over
    all pairs of a prompt's answers. The reference is the model as it was lent, the policy an
    adapter on it, or its own weights set free: one base in memory. The reference is asked once.

    Settings besides those of `Preferring`, of `AnyPart` and of `Trained`:

    Args:
        beta: what a step away from the reference counts: the smaller, the further the policy goes.
        label_smoothing: share of the judgements that are taken for wrong (Mitchell 2023,
            "A note on DPO with noisy preferences", https://ericmitchell.ai/cdpo.pdf).
        per_token: the reward of a mean token, so that a long answer has no greater say (Lambert et
            al. 2024, "Tulu 3", equation 6, https://arxiv.org/abs/2411.15124); beta is then tens
            of times as large.
    """

    name: ClassVar[str] = "dpo"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"learning_rate": (2e-4, 5e-5)}
    about: ClassVar[str] = "an adapter that writes rather what people preferred"

    learning_rate: float = Field(default=2e-4, ge=0)
    beta: float = Field(default=0.1, gt=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    per_token: bool = False

    def data(self, task: Task, shots: Shots, seed: int) -> Data[Any]:
        """Every prompt with all its answers, and what the reference thinks of them."""
        from nshot.training.data.rankings import PolicyRows

        return PolicyRows(
            task,
            self.format,
            shots.labelled,
            self.max_tokens,
            beta=self.beta,
            per_token=self.per_token,
        )

    def objective(self) -> Objective[Any, Any]:
        """Equation 7."""
        from nshot.training.objectives.dpo import DirectPreferences

        return DirectPreferences(self.beta, self.label_smoothing, self.per_token)

    def predictor(self, task: Task, shots: Shots, bench: Workbench, ref: ModelRef) -> Predictor:
        """Ranks by the implicit reward, and writes."""
        return Implicit(task, bench.models, ref, self.format, self.beta, self.per_token)

    def forecast(self, brief: Brief) -> Cost:
        """As others, of longer rows, each of which the reference reads once."""
        longer = with_two_answers(brief)
        reading = brief.labelled * longer.tokens / brief.rates.lm_tokens
        return super().forecast(longer).then(Cost(seconds=reading))

    def use_forecast(self, brief: Brief) -> Cost:
        """Every answer is scored by the policy and by the reference."""
        return asked_pairs(brief, 2)
