"""The contract: what a method is, and what it is lent while it adapts.

A method is a frozen pydantic value: its fields are its settings, its verb is `adapt`. Nested
methods are nested values, in Python, JSON and YAML alike::

    {"method": "ppo", "start": {"method": "instruct"}, "reward": {"method": "reward"}}
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, model_serializer

from nshot.core.fields import no_truth_values
from nshot.core.types import LABELLED, Cost, Example, Kind, ModelRef, Rung, Shots, Task, Trains
from nshot.models.base import Ability, Floats, Models
from nshot.predictors.base import Predictor
from nshot.predictors.prompted import Prompted

T = TypeVar("T")
Taken: TypeAlias = Literal["text", "pictures"]
"""What an input may be made of."""
NO_ROUNDS: Mapping[str, Sequence[float]] = MappingProxyType({})
"""Of a training that samples nothing."""
_VERBS: Mapping[Ability, str] = {
    "hidden": "show hidden states",
    "logits": "give logits",
    "images": "see images",
    "decide": "answer typed questions (--model systemone:MODEL@ADDRESS)",
}
"""What a model that lacks an ability cannot do, where the ability is no verb."""


@dataclass(frozen=True)
class Rates:
    """What this machine does, measured: the ground of every forecast."""

    lm_tokens: float
    """Language-model tokens a second, forward only."""
    train_tokens: float
    """Language-model tokens a second, forward and backward through the whole depth."""
    encoder_tokens: float
    """Encoder tokens a second; of pictures, pictures a second, each of which counts one token."""


@dataclass(frozen=True)
class Brief:
    """All that `why_not` and `forecast` may know before anything is run."""

    task: Task
    labelled: int
    unlabelled: int
    per_label: int
    test: int
    tokens: float
    """Mean tokens of an input."""
    longest: int
    """Tokens of the longest input."""
    base: ModelRef | None
    abilities: frozenset[Ability]
    context: int
    layers: int
    encoder: ModelRef | None
    rates: Rates
    background: int = 0
    architecture: str = ""
    """The language model's ``model_type``; "" where unknown."""

    @property
    def pictures(self) -> bool:
        """Are the inputs pictures?"""
        return self.task.pictures


@dataclass(frozen=True)
class Attempt:
    """What a method tried that searches while it adapts; `score` on labelled rows, never on test.

    None: it could not be asked, and `note` says why.
    """

    settings: Mapping[str, Any]
    score: float | None
    chosen: bool
    note: str = ""


class Workbench(Protocol):
    """What a method is lent while it adapts. Budgets are in trials and steps, never in seconds."""

    @property
    def models(self) -> Models:
        """Opens models."""
        ...

    @property
    def base(self) -> ModelRef | None:
        """The language model to adapt."""
        ...

    @property
    def encoder(self) -> ModelRef | None:
        """The encoder to take features from."""
        ...

    @property
    def folder(self) -> Path:
        """This job's own folder, for checkpoints and what the predictor needs to stay on disk."""
        ...

    @property
    def seed(self) -> int:
        """Seed of everything random inside the job."""
        ...

    def adapt(self, role: str, method: Method, task: Task, shots: Shots) -> Predictor:
        """Adapt another method, or take it from the store: charged in full, spent once."""
        ...

    def shared(self, key: str, make: Callable[[], T]) -> T:
        """A value several jobs need (features): made once, charged as if cold to each user."""
        ...

    def charge(self, seconds: float, money: float = 0.0) -> None:
        """Count as this job's what was spent before it, on a teacher that is here already; and what
        its parts were paid for answers."""
        ...

    def note(self, sentence: str) -> None:
        """Say on the row what a reader must know of this job (texts cut, a smaller batch)."""
        ...

    def trained(self, parameters: int) -> None:
        """Report how many parameters were trained."""
        ...

    def learned(
        self,
        losses: Sequence[float],
        validation: Sequence[tuple[int, float]],
        rounds: Mapping[str, Sequence[float]] = NO_ROUNDS,
    ) -> None:
        """Report how the loss fell: of each step's batch, and (steps done, loss) of validation.

        `rounds`: what a policy's answers were like at the beginning of each round of sampling, by
        name: reward, kl, length, repetition. Where a job trains several times, the last training
        counts.
        """
        ...

    def attempted(self, attempts: Sequence[Attempt]) -> None:
        """Report what was tried inside the job: the row lists it as it lists a search's."""
        ...

    def progress(self, done: int, total: int, what: str) -> None:
        """Say how far this job is, for the display and its log."""
        ...


class Method(BaseModel, ABC):
    """One way to adapt. Subclasses are one file each, named like the file, with their paper."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    name: ClassVar[str]
    rung: ClassVar[Rung]
    kinds: ClassVar[frozenset[Kind]] = LABELLED
    takes: ClassVar[frozenset[Taken]] = frozenset({"text"})
    """What its inputs may be."""
    needs: ClassVar[frozenset[Ability]] = frozenset()
    needs_encoder: ClassVar[bool] = False
    trains: ClassVar[Trains] = "nothing"
    fast: ClassVar[bool] = True
    """False: takes seconds a row or minutes to build, so that a comparison lets it race."""
    after: ClassVar[str] = ""
    """A method whose trial speaks for this one too: it measured no lower, or at most `above` lower,
    wherever both were compared (``docs/results``)."""
    above: ClassVar[float] = 0.0
    learns: ClassVar[bool] = True
    """False: the answers depend on no shot and no seed (majority, a fixed prompt)."""
    learns_labels: ClassVar[bool] = True
    """False: what it learns from shots is not their labels (a fixed prompt, calibrated)."""
    searches: ClassVar[bool] = False
    """True: it searches while it adapts, so that each fold more would cost a search."""
    knows_rows: ClassVar[bool] = False
    """True: it has learned from the labelled rows before, so that folds of them tell nothing."""
    hands_over: ClassVar[bool] = True
    """False: where it is the pick there is no model to deliver."""
    afresh: ClassVar[bool] = False
    """True: what is measured is the saved folder, loaded in a new process as it will be served."""
    version: ClassVar[int] = 1
    """Stands in the job's hash: raise it when the same settings give other answers."""
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {}
    """What the search may try, by field, default first; a field the user sets is pinned."""
    search_folds: ClassVar[int] = 4
    about: ClassVar[str] = ""
    """Half a line for `nshot methods`."""

    def searched(self, kind: Kind) -> Mapping[str, tuple[Any, ...]]:
        """What of `space` can change an answer on a task of this kind."""
        return self.space

    def why_not(self, brief: Brief) -> str | None:
        """One sentence when this cannot work here, else None. Subclasses add to `super()`."""
        if brief.task.kind not in self.kinds:
            return f"answers tasks of kind {' or '.join(sorted(self.kinds))}, not {brief.task.kind}"
        if ("pictures" if brief.pictures else "text") not in self.takes:
            return "reads texts, not pictures" if brief.pictures else "reads pictures, not texts"
        if self.needs and brief.base is None:
            return "needs a language model, and there is none: see `nshot models`"
        if missing := self.needs - brief.abilities:
            verbs = sorted(_VERBS.get(ability, ability) for ability in missing)
            return f"the language model cannot {' or '.join(verbs)}"
        if self.needs_encoder and brief.encoder is None:
            return "needs an encoder, and there is none: see `nshot models`"
        return None

    @property
    def called(self) -> str:
        """Its name on the board, where a run may hold several of a kind."""
        return self.name

    @property
    def has_seconds(self) -> bool:
        """Is it known what an answer takes?"""
        return True

    @property
    def for_trial(self) -> Method:
        """As it is tried on a few labelled rows: cheaper where it would take minutes on them."""
        return self

    def for_short_trial(self, brief: Brief, seconds: float) -> Method | None:
        """As it is tried first, so that building takes about `seconds` at `brief.rates`.

        None where its trial on `brief.labelled` rows is no dearer, or cannot be cut short.
        """
        return None

    def stands_on(self, base: ModelRef) -> ModelRef:
        """The form of the language model `base` that this method loads: a quantised one, say."""
        return base

    def forecast(self, brief: Brief) -> Cost:
        """What one `adapt` on `brief.labelled` examples will cost, from the machine's rates.

        `use_forecast` is what answering the test set will cost.
        """
        return Cost(seconds=0.1)

    def use_forecast(self, brief: Brief) -> Cost:
        """What answering `brief.test` inputs will cost."""
        return Cost(seconds=0.01)

    @abstractmethod
    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Learn from `shots` and return what answers.

        Raises `CannotAdapt`, `DidNotLearn` or `Diverged` with the sentence for the row.
        """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        """A setting that is a number takes no truth value: ``rank=true`` is no rank of 1."""
        return no_truth_values(handler(source))

    @model_serializer(mode="wrap")
    def _with_name(self, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        return {"method": self.name, **handler(self)}


@runtime_checkable
class LearnsShares(Protocol):
    """A method that can learn how probable each label of a row is, not only which one it has."""

    def adapt_to_shares(
        self, task: Task, rows: Sequence[Example], shares: Floats, bench: Workbench
    ) -> Predictor:
        """Learn from inputs of `rows`, whose labels are `shares` (rows, labels), each row's sum 1.

        The labels of the task are the columns, in its order; the rows' own targets do not count.
        """
        ...


@runtime_checkable
class LearnsExpectations(Protocol):
    """A method that can learn what a language model expects at each token of the answers."""

    def adapt_to_model(
        self,
        task: Task,
        labelled: Sequence[Example],
        answered: Sequence[Example],
        teacher: Prompted,
        hard: float,
        bench: Workbench,
    ) -> Predictor:
        """Learn from a teacher that is asked with a prompt alone, without examples.

        `labelled` rows have their given answers, which are the share `hard` of what they teach;
        `answered` ones have the teacher's. Raises `CannotAdapt` for a teacher that reads texts as
        other tokens.
        """
        ...
