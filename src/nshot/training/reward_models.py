"""A trained reward model as what a policy's texts are worth, on the policy's own base.

Where both stand on one base, the reward model's adapter is put beside the policy's and switched to
by name: one base in memory plays policy, reference, critic and judge. Where that cannot be, a
second model is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from nshot.core.errors import CannotAdapt, Fault, InputError
from nshot.core.files import content_hash
from nshot.core.types import Check, Delta, Example, Input, ModelRef, Task
from nshot.metrics.reward import Reward
from nshot.models import open_models
from nshot.models.base import LentModel, Models
from nshot.predictors import load
from nshot.predictors.rewarded import Rewarded
from nshot.training.rewards import Function

_DO = "train one on preferences: nshot adapt pairs.jsonl --method reward --out FOLDER"


def reward_model(check: Check, models: Models) -> Rewarded:
    """The reward model that a check names.

    Raises `InputError` for a folder that is gone, has changed since, or holds none.
    """
    folder = Path(check.text)
    predictor = load(folder, models)
    if not isinstance(predictor, Rewarded):
        raise InputError(Fault("holds no reward model", do=_DO, where=check.text))
    if check.sha256 and content_hash(folder) != check.sha256:
        problem = "holds another reward model than when the task was read"
        raise InputError(Fault(problem, do="give it its own folder", where=check.text))
    return predictor


def misfit(base: ModelRef, task: Task, models: Models) -> str | None:
    """Why a policy on `base` cannot learn by the task's reward models, in one sentence, or None."""
    from nshot.models.hf.tokenizers import read_alike

    for check in task.reward:
        if check.kind == "model":
            ref = reward_model(check, models).ref
            if not read_alike(base, ref):
                return (
                    f"its reward model stands on {ref.name}, whose tokenizer is another than "
                    f"that of {base.name}: train it on {base.name}"
                )
    return None


def judge(task: Task, models: Models, lent: LentModel, note: Callable[[str], None]) -> Function:
    """What a text is worth by all checks of the task: their mean by weight.

    `lent` is the policy's base; the reward models' adapters are put on it. Raises `InputError` and
    `CannotAdapt` where one cannot judge what this policy writes.
    """
    if reason := misfit(lent.ref, task, models):
        raise CannotAdapt(reason)
    parts: list[tuple[float, Function]] = []
    if task.rules:
        parts.append((sum(check.weight for check in task.rules), Reward(task).rewards))
    for k, check in enumerate(one for one in task.reward if one.kind == "model"):
        rewarded = reward_model(check, models)
        parts.append((check.weight, _judging(rewarded, models, lent, f"reward_{k}", note)))
    if not parts:
        raise InputError(Fault("the task has no reward", do="reward: {model: FOLDER}"))
    whole = sum(weight for weight, _ in parts)

    def worth(examples: Sequence[Example], texts: Sequence[str]) -> list[float]:
        each = [[weight * x for x in function(examples, texts)] for weight, function in parts]
        return [sum(values) / whole for values in zip(*each, strict=True)]

    return worth


def _judging(
    rewarded: Rewarded,
    models: Models,
    lent: LentModel,
    name: str,
    note: Callable[[str], None],
) -> Function:
    """A reward model as a function, on the lent base where it can stand there."""
    stacked = _place(rewarded.ref, lent.ref)
    if stacked is None:
        apart = open_models() if rewarded.ref.base == lent.ref.base else models
        model = apart.open(rewarded.ref)
        note(f"the reward model on {rewarded.ref.name} is a second model in memory")
        return lambda examples, texts: rewarded.worth(_answered(examples, texts), model)
    lent.load(name, rewarded.ref.deltas[-1])
    lent.use()

    def worth(examples: Sequence[Example], texts: Sequence[str]) -> list[float]:
        with lent.as_lent(), lent.use(name, alone=not stacked):
            return rewarded.worth(_answered(examples, texts), lent)

    return worth


def _place(reward: ModelRef, policy: ModelRef) -> bool | None:
    """Whether a reward model's adapter stands on the policy's deltas; None: on another base."""
    if reward.base != policy.base or not reward.deltas or reward.deltas[-1].kind != "peft":
        return None
    under = _contents(reward.deltas[:-1])
    if under == _contents(policy.deltas):
        return True
    alone = not under and all(delta.kind == "peft" for delta in policy.deltas)
    return False if alone else None


def _contents(deltas: Sequence[Delta]) -> list[tuple[str, str]]:
    return [(delta.kind, delta.sha256) for delta in deltas]


def _answered(examples: Sequence[Example], texts: Sequence[str]) -> list[Input]:
    pairs = zip(examples, texts, strict=True)
    return [replace(example.input, answers=(text,)) for example, text in pairs]
