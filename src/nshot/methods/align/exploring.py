"""What the methods share that learn from what their own answers are worth."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from nshot.core.errors import CannotAdapt, DidNotLearn, Diverged, InputError
from nshot.core.files import content_hash, write_folder
from nshot.core.types import Cost, Delta, Kind, ModelRef, Rung, Shots, Task
from nshot.methods.any_part import AnyPart
from nshot.methods.contract import Brief, Method, Workbench
from nshot.methods.prompting import WRITTEN_TOKEN, base_of
from nshot.methods.spec import spec
from nshot.methods.table import Nested
from nshot.models.base import Ability
from nshot.predictors.base import Predictor
from nshot.predictors.prompted import Prompted
from nshot.prompts.render import Format, render
from nshot.training.parts.adapter import NamedAdapter
from nshot.training.recipe import Part

if TYPE_CHECKING:
    from torch import nn

    from nshot.models.base import LentModel
    from nshot.training.forward import Reader
    from nshot.training.loop import Objective
    from nshot.training.rewards import Function
    from nshot.training.rounds import Answers, Explorer, Learner, Look, Plan, Rounds
    from nshot.training.rows import Schedule

_POLICY = "policy"
"""The name of the adapter that learns."""
_AROUND = 12
"""Tokens that a chat template adds to a question."""
_ASKED = 32
"""Prompts that are answered before and after the training, at most."""
_SAMPLED = 6.0
"""What an answer's token costs, sampled beside others and read by the reference, in tokens read."""
_CHOSEN_REWARD = "reward: [{length: {most: 20}}]"


class Exploring(AnyPart, Method):
    """A policy that answers prompts, is told what its answers are worth, and answers better.

    The policy is a LoRA adapter, or the model's own weights set free; its reference is the model
    as it was: one base in memory. The prompts are the shots' inputs; their answers are looked at by
    the task's ``reward`` alone. What an answer ends in is part of it, so that the policy learns to
    stop.

    Settings of all, besides those of `AnyPart`:

    Args:
        updates: rounds of sampling and learning.
        prompts: prompts a round.
        answers: answers sampled to each of them.
        max_tokens: the longest answer; the delivered model writes no longer ones.
        temperature: at which answers are sampled.
        kl_budget: nats an answer that the policy may be away from its reference: further, the
            training stops with the last policy that was within. None: any.
        warmup: share of the steps in which the rate rises; afterwards it falls linearly to zero.
        start: a method to begin from, such as instruct; its model is then the reference.
        format: how the task is put; see `nshot.prompts.render`. Generation ends where the model
            ends it: in ``chat`` it closes its turn.
    """

    rung: ClassVar[Rung] = "align"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"generate"})
    needs: ClassVar[frozenset[Ability]] = frozenset({"score", "generate", "train"})
    fast: ClassVar[bool] = False
    version: ClassVar[int] = 1
    search_folds: ClassVar[int] = 2
    has_critic: ClassVar[bool] = False
    """Whether a critic reads the policy's states."""

    learning_rate: float = Field(default=3e-4, ge=0)
    updates: int = Field(default=40, ge=1)
    prompts: int = Field(default=8, ge=1)
    answers: int = Field(default=8, ge=1)
    max_tokens: int = Field(default=32, ge=1)
    temperature: float = Field(default=1.0, gt=0)
    kl_budget: float | None = Field(default=30.0, gt=0)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    start: Nested | None = None
    format: Format = "chat"

    def part(self, task: Task, shots: Shots, seed: int) -> Part:
        """LoRA's matrices beside other adapters on the lent base; or the weights."""
        if self.learn == "weights":
            return super().part(task, shots, seed)
        return NamedAdapter(_POLICY, self.config)

    @property
    @abstractmethod
    def passes(self) -> tuple[int, int]:
        """How often a round's answers are gone through, and in how many batches each time."""

    @abstractmethod
    def inner(self, policy: Any) -> nn.Module:
        """What is trained, of PEFT's model."""

    @abstractmethod
    def model(self, learner: Learner, reader: Reader) -> Any:
        """What the objective is given."""

    @abstractmethod
    def rows(self, learner: Learner, model: Any, answers: Answers) -> Sequence[Any]:
        """A round's answers as they are learned from."""

    @abstractmethod
    def objective(self) -> Objective[Any, Any]:
        """What is minimised."""

    def beside(
        self, task: Task, explorer: Explorer, bench: Workbench
    ) -> Callable[[int, Sequence[Any]], Sequence[Any]] | None:
        """What is learned beside the answers of a step's batch; None: nothing."""
        return None

    @property
    def coefficient(self) -> float:
        """Of the KL penalty, at the start."""
        return 0.0

    def why_not(self, brief: Brief) -> str | None:
        """Also where nothing says what an answer is worth, or a reward model cannot say it."""
        from nshot.models import open_models
        from nshot.training.reward_models import misfit

        if problem := super().why_not(brief):
            return problem
        if not brief.task.reward:
            return f"needs a reward in the task file: {_CHOSEN_REWARD}"
        return misfit(brief.base, brief.task, open_models()) if brief.base else None

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Learn by the checks and the reward models of the task; see `Method.adapt`."""
        from nshot.training.reward_models import judge

        if not task.reward:
            raise CannotAdapt(f"needs a reward in the task file: {_CHOSEN_REWARD}")

        def judging(lent: LentModel) -> Function:
            return judge(task, bench.models, lent, bench.note)

        return self._adapt(judging, repr(task.reward), task, shots, bench)

    def adapt_by(
        self, reward: Function, called: str, task: Task, shots: Shots, bench: Workbench
    ) -> Predictor:
        """Learn by a function (`nshot.training.rewards.Function`).

        `called` names it and all that it depends on: a killed training is taken up under the same
        name alone. Raises `InputError` where a reward is not a finite number, `DidNotLearn` where
        answers are worth no more than before, and `CannotAdapt` without prompts.
        """
        return self._adapt(lambda lent: reward, called, task, shots, bench)

    def _adapt(
        self,
        judging: Callable[[LentModel], Function],
        called: str,
        task: Task,
        shots: Shots,
        bench: Workbench,
    ) -> Predictor:
        """Learn by what `judging` makes of the lent base."""
        if not shots.labelled:
            raise CannotAdapt("there is no prompt to answer")
        ref = self._begin(task, shots, bench)
        delta = self._learn(judging, called, task, shots, ref, bench)
        ref = replace(ref, deltas=(*ref.deltas, delta))
        # Where the reward models lay means nothing where this is delivered to.
        task = replace(task, reward=task.rules)
        return Prompted(task, bench.models, ref, self.format, max_tokens=self.max_tokens)

    def _begin(self, task: Task, shots: Shots, bench: Workbench) -> ModelRef:
        if self.start is None:
            return base_of(bench)
        predictor = bench.adapt("start", self.start, task, shots)
        if not isinstance(predictor, Prompted) or predictor.demos or predictor.retrieval:
            raise CannotAdapt(
                f"no policy begins from {self.start.name}: it tunes no model that writes"
            )
        return predictor.ref

    def _learn(
        self,
        judging: Callable[[LentModel], Function],
        called: str,
        task: Task,
        shots: Shots,
        ref: ModelRef,
        bench: Workbench,
    ) -> Delta:
        """What was learned, or the last of it within the limits."""
        from nshot.models.base import Decoding
        from nshot.training.forward import reader
        from nshot.training.rollouts import probe
        from nshot.training.rounds import Explorer

        examples = shots.labelled
        prompts = [render(task, self.format, example.input) for example in examples]
        how = Decoding(self.max_tokens, self.temperature, bench.seed)
        part = self.part(task, shots, bench.seed)
        free = part.free(bench.models.open(ref).facts)
        with bench.models.lend(ref, free=free) as lent:
            reward = judging(lent)
            policy = part.put_on(lent, bench.seed)
            reads = reader(policy, probe(lent, prompts[:_ASKED]), None, lent.device)
            explorer = Explorer(
                lent, policy, reads, examples, prompts, reward, how, states=self.has_critic
            )
            identity = repr((ref, called, task.name, examples, prompts, how, spec(self)))
            return self._carry_out(task, explorer, identity, bench)

    def _carry_out(self, task: Task, explorer: Explorer, identity: str, bench: Workbench) -> Delta:
        from nshot.training.rounds import Learner, Limits, Look, Plan, Rounds

        plan = Plan(self.updates, self.prompts, self.answers, *self.passes, bench.seed)
        learner = Learner(self.inner(explorer.policy), self.updates, self.coefficient)
        model, limits = self.model(learner, explorer.reader), Limits(self.kl_budget)
        good = bench.folder / "good"
        before = _look(explorer)
        if reason := limits.broken(before):
            raise CannotAdapt(f"before it has learned anything, {reason}")
        rounds = Rounds(
            plan,
            explorer,
            learner,
            limits,
            rows=lambda answers: self.rows(learner, model, answers),
            keep=lambda: self._save(task, explorer, good),
            identity=identity,
        )
        if beside := self.beside(task, explorer, bench):
            rounds.beside = beside
        stopped = self._train(rounds, model, good, bench)
        after = rounds.look if stopped else _look(explorer)
        if not stopped and (reason := limits.broken(after)):
            stopped, after = f"{reason} after {self.updates} updates", rounds.look
        # A look of a round is at other prompts than the look before and after: like with like.
        _require_better(Look(*learner.looks[0].tolist()) if stopped else before, after, stopped)
        bench.note(f"before: {before}; after: {after}")
        if not stopped:
            return self._save(task, explorer, bench.folder / "learned")
        bench.note(f"stopped, and the last policy within the limits taken: {stopped}")
        return self._delta(good)

    def _save(self, task: Task, explorer: Explorer, folder: Path) -> Delta:
        """The policy as it is, in a folder that is there whole or not at all."""
        part = self.part(task, Shots(), 0)
        write_folder(folder, lambda draft: part.save(explorer.lent, explorer.policy, draft))
        return self._delta(folder)

    def _place(self, folder: Path) -> Path:
        """Where `_save` puts it in `folder`."""
        return folder / ("weights" if self.learn == "weights" else _POLICY)

    def _delta(self, folder: Path) -> Delta:
        """What `_save` wrote."""
        place = self._place(folder)
        kind: Literal["weights", "peft"] = "weights" if self.learn == "weights" else "peft"
        return Delta(kind, str(place), content_hash(place))

    def _train(self, rounds: Rounds[Any], model: Any, good: Path, bench: Workbench) -> str:
        """Go through all rounds; why they stopped early (a limit, a loss that is no number), or "".

        A checkpoint stands between two rounds: what is sampled again after a kill is the same.
        """
        from nshot.training.checkpoints import Checkpoints
        from nshot.training.loop import Stage, optimise_stages
        from nshot.training.rounds import Stopped

        schedule, learner = self._schedule(rounds.plan), rounds.learner
        checkpoints = Checkpoints(bench.folder / "checkpoint", rounds.plan.steps)
        bench.trained(sum(p.numel() for p in learner.parameters() if p.requires_grad))
        try:
            trace = optimise_stages(
                [Stage(learner, lambda: model, rounds, self.objective(), schedule)],
                device=rounds.explorer.lent.device,
                checkpoints=checkpoints,
                note=bench.note,
                progress=lambda done, total: bench.progress(done, total, rounds.now),
            )
        except (Stopped, Diverged) as error:
            bench.learned((), (), rounds.looks)
            checkpoints.forget()
            return str(error)
        except InputError as error:
            raise _with_place(error, self._place(good)) from error
        bench.learned(trace.losses, (), rounds.looks)
        checkpoints.forget()
        return ""

    def _schedule(self, plan: Plan) -> Schedule:
        from nshot.training.rows import Schedule

        return Schedule(
            learning_rate=self.learning_rate,
            batch_size=plan.batch,
            warmup=self.warmup,
            micro_batch=16,
            seed=plan.seed,
        )

    def forecast(self, brief: Brief) -> Cost:
        """Answers are written; policy, reference and what learns read them with their prompts."""
        written = self.updates * self.prompts * self.answers * self.max_tokens
        read = self.updates * self.prompts * (brief.tokens + _AROUND)
        passes, _ = self.passes
        reading = (read + _SAMPLED * written) / brief.rates.lm_tokens
        learning = passes * (read + written) / brief.rates.train_tokens
        return Cost(seconds=reading + learning, tokens_out=written)

    def use_forecast(self, brief: Brief) -> Cost:
        """The prompts are read, and answers written."""
        read, written = (brief.tokens + _AROUND) * brief.test, self.max_tokens * brief.test
        seconds = (read + WRITTEN_TOKEN * written) / brief.rates.lm_tokens
        return Cost(seconds=seconds, tokens_in=round(read), tokens_out=written)


def _look(explorer: Explorer) -> Look:
    """What the policy's answers to some of the prompts are like: the same draws at every time."""
    count = len(explorer.prompts)
    numbers = list(range(0, count, -(-count // _ASKED)))
    return explorer.answers(numbers, max(1, _ASKED // count), "look").look


def _with_place(error: InputError, good: Path) -> InputError:
    """The faults, each of which says where the last good policy lies."""
    if not good.exists():
        return error
    kept = f"the policy before that is kept in {good}"
    return InputError([replace(f, do=f"{f.do}; {kept}" if f.do else kept) for f in error.faults])


def _require_better(before: Look, after: Look, stopped: str) -> None:
    if after.reward <= before.reward:
        why = f"; {stopped}" if stopped else ""
        raise DidNotLearn(f"did not learn: at first {before}, at last {after}{why}")
