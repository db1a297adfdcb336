"""Models whose askers wait for each other: what they ask of one base is asked at once.

Each asker is ordinary code that opens a model and asks it. It runs in a thread of its own, but only
one of them at a time: until it asks a language model, or ends. When all have asked or ended, what
they have asked is put together and answered in the caller's thread, and they go on one after the
other. So it is decided by what they ask alone what is asked together, and nothing runs at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Generic, NamedTuple, TypeVar

from nshot.core.types import ModelRef, Prompt
from nshot.models.base import (
    AnswerScores,
    Completion,
    Decoding,
    Hidden,
    LanguageModel,
    PrefixState,
)
from nshot.models.wrap.around import Around, AroundModel

T = TypeVar("T")


class Question(NamedTuple):
    """What an asker wants of a model: `answers` to score, `layers` to see, or a text by `how`."""

    ref: ModelRef
    prompts: Sequence[Prompt]
    answers: Sequence[Sequence[str]] | None = None
    layers: tuple[int, ...] | None = None
    how: Decoding | None = None

    @property
    def shared(self) -> tuple[Any, ...]:
        """Questions of which this is the same can be asked together."""
        return (self.ref.effective.base, self.answers is None, self.layers is None, self.how)


class Outcome(NamedTuple):
    """How an asker ended."""

    result: Any = None
    error: BaseException | None = None


class _Left(BaseException):
    """Ends an asker whom nobody answers any more."""


class Asker(Generic[T]):
    """Code that asks, as far as it has come."""

    def __init__(self, work: Callable[[], T], current: threading.local) -> None:
        self._replies: SimpleQueue[Any] = SimpleQueue()
        self._steps: SimpleQueue[Question | Outcome] = SimpleQueue()
        self._thread = threading.Thread(
            target=self._run, args=(work, current), name="asker", daemon=True
        )

    def start(self) -> Question | Outcome:
        """Let it run until it asks or ends."""
        self._thread.start()
        return self._steps.get()

    def go_on(self, reply: Any) -> Question | Outcome:
        """The reply to what it asked, an exception to be raised there; its next question or end."""
        self._replies.put(reply)
        return self._steps.get()

    def ask(self, question: Question) -> Any:
        """Called by the code itself: the reply, as soon as there is one."""
        self._steps.put(question)
        reply = self._replies.get()
        if isinstance(reply, BaseException):
            raise reply
        return reply

    def _run(self, work: Callable[[], T], current: threading.local) -> None:
        current.asker = self
        try:
            outcome = Outcome(work())
        except BaseException as error:  # it is raised again where the asker was started
            outcome = Outcome(error=error)
        self._steps.put(outcome)


@dataclass(frozen=True)
class Together(Around):
    """`Models` for `all_of`; asked from anywhere else they are as `models`."""

    _current: threading.local = field(default_factory=threading.local, compare=False)

    def open(self, ref: ModelRef) -> LanguageModel:
        """A language model, with the ref's deltas applied whenever it answers."""
        return _Waiting(self.models.open(ref), ref, self._current)

    def all_of(self, works: Sequence[Callable[[], T]]) -> list[T]:
        """What each of `works` returns; their questions to one base are asked together.

        Raises the exception of the first that fails; the others end there.
        """
        askers = [Asker(work, self._current) for work in works]
        steps: dict[int, Question | Outcome] = {}
        try:
            for i, asker in enumerate(askers):
                steps[i] = asker.start()
                _raise_error(steps[i])
            while questions := {i: s for i, s in steps.items() if isinstance(s, Question)}:
                for i, reply in self._replies(questions).items():
                    steps[i] = askers[i].go_on(reply)
                    _raise_error(steps[i])
        finally:
            for i, step in steps.items():
                if isinstance(step, Question):
                    askers[i].go_on(_Left())
        return [step.result for step in steps.values() if isinstance(step, Outcome)]

    def _replies(self, questions: dict[int, Question]) -> dict[int, Any]:
        """A reply to each, by asker."""
        groups: dict[tuple[Any, ...], dict[int, Question]] = {}
        for i, question in questions.items():
            groups.setdefault(question.shared, {})[i] = question
        return {i: r for group in groups.values() for i, r in self._answers(group).items()}

    def _answers(self, group: dict[int, Question]) -> dict[int, Any]:
        """The replies to questions that can be asked together."""
        questions = list(group.values())
        first, prompts = questions[0], [p for q in questions for p in q.prompts]
        if not prompts:
            return {i: [] for i in group}
        if len(questions) == 1:
            model = self.models.open(first.ref)
        else:
            model = self.models.open_rows([q.ref for q in questions for _ in q.prompts])
        mine, end = {}, 0
        for i, question in group.items():
            mine[i] = slice(end, end + len(question.prompts))
            end += len(question.prompts)
        if first.how is not None:
            texts = model.generate(prompts, first.how)
            return {i: texts[some] for i, some in mine.items()}
        if first.layers is None:
            answers = [a for q in questions for a in q.answers or ()]
            scores = model.logprobs(prompts, answers)
            return {i: scores[some] for i, some in mine.items()}
        layers = sorted({layer for q in questions for layer in q.layers or ()})
        states = model.hidden(prompts, layers)
        return {i: _some(states, some, layers, group[i].layers or ()) for i, some in mine.items()}


@dataclass(frozen=True)
class _Waiting(AroundModel):
    """A language model that is asked together with others, where an asker asks it."""

    ref: ModelRef
    current: threading.local

    def logprobs(
        self,
        prompts: Sequence[Prompt],
        answers: Sequence[Sequence[str]],
        prefix: PrefixState | None = None,
    ) -> list[AnswerScores]:
        """Log-likelihood of each of a prompt's answers; behind a `prefix` by itself."""
        asker = self._asker
        if asker is None or prefix is not None:
            return self.model.logprobs(prompts, answers, prefix)
        scores: list[AnswerScores] = asker.ask(Question(self.ref, prompts, answers))
        return scores

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        """A continuation of each prompt."""
        asker = self._asker
        if asker is None:
            return self.model.generate(prompts, how)
        texts: list[Completion] = asker.ask(Question(self.ref, prompts, how=how))
        return texts

    def hidden(self, prompts: Sequence[Prompt], layers: Sequence[int]) -> Hidden:
        """Hidden states after the given blocks."""
        asker = self._asker
        if asker is None or not prompts:
            return self.model.hidden(prompts, layers)
        states: Hidden = asker.ask(Question(self.ref, prompts, layers=tuple(layers)))
        return states

    @property
    def _asker(self) -> Asker[Any] | None:
        return getattr(self.current, "asker", None)


def _raise_error(step: Question | Outcome) -> None:
    if isinstance(step, Outcome) and step.error is not None:
        raise step.error


def _some(states: Hidden, rows: slice, known: Sequence[int], layers: Sequence[int]) -> Hidden:
    """The states of some rows, after the given blocks of those that are known."""
    at = [known.index(layer) for layer in layers]
    return Hidden(states.last[rows][:, at], states.mean[rows][:, at], states.tokens_in[rows])
