"""The waist: what every model behind nshot can be asked, whatever engine it runs on.

Nothing here imports torch; the engines do, late.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import CannotAdapt, Fault, InputError
from nshot.core.types import Delta, Grammar, Image, ModelRef, Prompt, Turn

if TYPE_CHECKING:
    from typing_extensions import TypeIs

Ability: TypeAlias = Literal[
    "score", "generate", "hidden", "logits", "train", "images", "constrain", "decide"
]
Floats: TypeAlias = NDArray[np.float64]
Tokens: TypeAlias = tuple[int, ...]
View: TypeAlias = Literal["whole", "mirrored", "circle", "circle90", "circle180", "circle270"]
"""How a picture is looked at: all of it; flipped left to right; or what its inscribed circle holds,
turned by quarter turns."""

NO_ADAPTERS: Mapping[str, Delta] = MappingProxyType({})


@dataclass(frozen=True)
class Decoding:
    """How to continue a prompt. Temperature 0 is greedy; `stop` strings end the text.

    With a `grammar` every text that is `finished` is one of its texts; only a model that can
    ``constrain`` may be given one.
    """

    max_tokens: int = 64
    temperature: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    grammar: Grammar | None = None


@dataclass(frozen=True)
class Served:
    """How an endpoint answered, by what it says itself.

    `model`: its name where it is not the one that was asked for; `seconds` of the request without
    the attempts before it, which failed for the reasons in `retries`; `cached` tokens read from its
    own cache, which may cost less; `estimated` where it counted no tokens and we guess; `refusal`
    in its words, "" for none; `taken`: False where it would not even read the prompt; `money` where
    the asker has a price.
    """

    model: str = ""
    seconds: float = 0.0
    retries: tuple[str, ...] = ()
    cached: int = 0
    estimated: bool = False
    refusal: str = ""
    taken: bool = True
    money: float = 0.0


@dataclass(frozen=True)
class Completion:
    """One generated text, with what it took.

    `closed`: the grammar ended it on the shortest way, as the tokens left only just sufficed.
    `served`: how an endpoint answered; None of a model on this machine.
    """

    text: str
    tokens_in: int
    tokens_out: int
    finished: bool
    closed: bool = False
    served: Served | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Sample:
    """One sampled text as what the model read and wrote.

    `prompt` as it was read; `tokens` those that were drawn, the one that ended the text included;
    `logprobs` of each of them, in nats, at the temperature at which it was drawn; `states`, where
    they were asked for, what the head read when it was drawn, (tokens, width).
    """

    prompt: Tokens
    tokens: Tokens
    logprobs: tuple[float, ...]
    text: str
    finished: bool
    states: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class AnswerScores:
    """Log-likelihoods (nats, float64, summed over tokens) of the answers to one prompt.

    `tokens_in` is the length of the request as a server would be sent it: prompt and answers,
    without what was saved by sharing. `cut` says that the prompt was longer than the context.
    """

    logprobs: Floats
    tokens_in: int
    cut: bool = False


@dataclass(frozen=True)
class Hidden:
    """Hidden states of prompts, float32 arrays of shape (prompts, layers, width).

    `last` at the last token of the prompt, `mean` over all its tokens.
    """

    last: NDArray[np.float32]
    mean: NDArray[np.float32]
    tokens_in: tuple[int, ...]


@dataclass(frozen=True)
class Question:
    """A typed question about a text, whose answer is a probability of each of its `options`.

    ``choice``: one of them; ``yes_no``: the first is yes, the second no; ``levels``: the lowest
    first. An option is its name and what it means, "" where that is not described.
    """

    kind: Literal["choice", "yes_no", "levels"]
    instruction: str
    options: tuple[tuple[str, str], ...]


class TypedRequest(NamedTuple):
    """A text and what is asked about it at once."""

    text: str
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Reply:
    """The answers to a request: of each question the probabilities of its options, in their order.

    () for a question that was refused; `refusal` says in whose words. `seconds` is what the request
    took when it was answered, without the attempts before; `money` what it costs by the prices of a
    run, 0 without.
    """

    probabilities: tuple[tuple[float, ...], ...]
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    refusal: str = ""
    money: float = 0.0


class PrefixState(Protocol):
    """Keys and values that stand before every prompt: a soft prompt, or a shared cached text."""

    @property
    def length(self) -> int:
        """Number of positions it occupies."""
        ...


class ModelFacts(NamedTuple):
    """What is known of a model before it is asked; a default where its engine does not know.

    `context` is the longest sequence in tokens, `layers` the number of transformer blocks,
    `architecture` how its family calls itself (``llama``, ``gpt2``), `parameters` how many weights
    the base has without deltas, `shapes` those of the base's parameters by name. A model that is
    not `local` runs on another machine: how fast it is cannot be measured here.
    """

    ref: ModelRef
    can: frozenset[Ability]
    context: int
    layers: int = 0
    architecture: str = ""
    parameters: int = 0
    shapes: Mapping[str, tuple[int, ...]] = MappingProxyType({})
    local: bool = True


class Known(Protocol):
    """What says of itself what it can be asked."""

    @property
    @abstractmethod
    def facts(self) -> ModelFacts:
        """What is known of it."""
        ...

    def _unable(self, what: str) -> CannotAdapt:
        return CannotAdapt(f"{self.facts.ref.name} {what}")


class Scores(Known, Protocol):
    """What scores answers."""

    def logprobs(
        self,
        prompts: Sequence[Prompt],
        answers: Sequence[Sequence[str]],
        prefix: PrefixState | None = None,
    ) -> list[AnswerScores]:
        """Log-likelihood of each of a prompt's answers."""
        raise self._unable("cannot score answers")

    def next_logits(
        self,
        prompts: Sequence[Prompt | Tokens],
        positions: Sequence[Sequence[int]] | None = None,
    ) -> NDArray[np.float32]:
        """What comes next, as logits (rows, vocabulary), whatever else is asked beside it.

        One row a prompt, after its last token; or one for each of its `positions`, in order: place
        k of its tokens, or from the end where negative. A prompt may be given as its tokens.
        """
        raise self._unable("gives no logits")


class Writes(Known, Protocol):
    """What continues prompts."""

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        """A continuation of each prompt."""
        raise self._unable("cannot write texts")

    def completions(
        self, prompts: Sequence[Prompt], how: Decoding
    ) -> Iterator[tuple[int, Completion]]:
        """(index, what `generate` gives) as they come: each is paid for when it is given."""
        yield from enumerate(self.generate(prompts, how))

    def stream(self, prompt: Prompt, how: Decoding) -> Generator[str, None, Completion | None]:
        """The text that `generate` gives, in pieces as it is written; closed early, it stops.

        In one piece where the engine cannot do better. An empty piece says that the text waits,
        with others, to be written. A generator that is read to its end returns the `Completion`
        where it is known.
        """
        (completion,) = self.generate([prompt], how)
        if completion.text:
            yield completion.text
        return completion


class Reads(Known, Protocol):
    """What shows its hidden states."""

    def hidden(self, prompts: Sequence[Prompt], layers: Sequence[int]) -> Hidden:
        """Hidden states after the given blocks: 1 after the first, the last after all of them.

        A chat that ends in the assistant's turn is read as it is; no further turn is opened.
        """
        raise self._unable("shows no hidden states")


class Decides(Known, Protocol):
    """What answers typed questions with probabilities."""

    def replies(
        self, requests: Sequence[TypedRequest], again: int = 0
    ) -> Iterator[tuple[int, Reply]]:
        """(index, reply) as they come: each is paid for when it is given.

        What is asked `again` under another number is answered anew, wherever replies are kept.
        """
        raise self._unable("answers no typed questions")

    def decide(self, requests: Sequence[TypedRequest], again: int = 0) -> list[Reply]:
        """A reply to each request, in order."""
        replies = dict(self.replies(requests, again))
        return [replies[index] for index in range(len(requests))]


class LanguageModel(Scores, Writes, Reads, Decides, ABC):
    """A language model, ready to be asked. Read-only: nothing asked of it changes it.

    What its facts do not say that it can (`ModelFacts.can`) raises `CannotAdapt`: an engine's model
    writes those of the methods that it can answer.
    """

    @abstractmethod
    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        """Tokens of each prompt."""


class Encoder(Protocol):
    """A frozen encoder of texts."""

    @property
    def ref(self) -> ModelRef:
        """What this is."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(texts, width), unit length rows, each independent of the others in the batch."""
        ...

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens read of each text, after cutting at the encoder's limit."""
        ...


class PictureEncoder(Protocol):
    """A frozen network that looks at pictures, each by itself."""

    @property
    def ref(self) -> ModelRef:
        """What this is."""
        ...

    @property
    def layers(self) -> tuple[str, ...]:
        """Its layers that are shown, shallow to deep, the head last."""
        ...

    def encode(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """(images, width), unit length rows: the head's mean over all of the picture."""
        ...

    def features(self, images: Sequence[Image], view: View) -> Mapping[str, NDArray[np.float32]]:
        """(images, width of the part) by part, of one view.

        For each layer ``LAYER.mean`` and ``LAYER.std``, for all but the head ``LAYER.rings``; of
        the whole picture also ``colour.rings`` (see `nshot.models.hf.views`).
        """
        ...


@dataclass
class Lent:
    """A model lent for training: the live module, its tokenizer, its identity.

    `module` is a transformers causal language model (or a sentence-transformers encoder) and
    `tokenizer` its tokenizer, typed loosely: no torch at this height. `trained` are the names of
    the base's parameters that were set free.
    """

    ref: ModelRef
    module: Any
    tokenizer: Any
    device: str
    trained: tuple[str, ...] = ()


Layer: TypeAlias = Literal["middle", "last"]
"""Whose output is shown: of half the blocks, or of all."""


class TokenVectors(NamedTuple):
    """The tokens of one text: `vectors` (tokens, width) of unit length, and which characters each
    stands for: from `starts` up to `ends` (tokens,)."""

    vectors: NDArray[np.float32]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


@runtime_checkable
class ReadsTokens(Protocol):
    """An encoder that shows what it makes of each token."""

    def tokens(self, texts: Sequence[str], layer: Layer) -> list[TokenVectors]:
        """The tokens of each text, whatever else is asked beside it.

        All of the text: what is longer than the encoder reads at once is read in parts.
        """
        ...


def token_reader(encoder: Encoder) -> ReadsTokens:
    """The encoder, which shows its tokens; `CannotAdapt` where it does not."""
    if not isinstance(encoder, ReadsTokens):
        raise CannotAdapt(f"{encoder.ref.name} shows no vectors of tokens")
    return encoder


@runtime_checkable
class LendsCopy(Protocol):
    """An encoder whose weights can be trained, on a copy."""

    def lend(self) -> Lent:
        """A copy to train as a whole, a sentence-transformers model; the encoder stays as it is."""
        ...


class LentModel(Lent, LanguageModel):
    """A base that is lent, with several adapters by name on it, and that can be asked.

    It answers as it stands, in evaluation mode and without gradients, under the adapters in use;
    train and evaluation flags, random state and gradients are as before when it has answered. The
    deltas of its ref are in use, except in `bare` and beside what is used `alone`.
    """

    @abstractmethod
    def add(self, name: str, config: Any, seed: int) -> Any:
        """A fresh adapter that learns, of a PEFT configuration; PEFT's model, the adapter in use.

        Raises `CannotAdapt` where PEFT cannot put it on this model, or beside what is on it.
        """

    @abstractmethod
    def load(self, name: str, delta: Delta, trainable: bool = False) -> Any:
        """The adapter of a ``peft`` delta; frozen, or `trainable` to go on with it. As `add`.

        Raises `InputError` for one of another model.
        """

    @abstractmethod
    def sample(
        self, prompts: Sequence[Prompt], how: Decoding, count: int, states: bool = False
    ) -> list[list[Sample]]:
        """`count` texts for each prompt, drawn at a temperature above 0; no grammar is kept.

        A prompt too long for the context is cut from the left. The k-th text of a prompt depends on
        the seed, the prompt and k alone.
        """

    @abstractmethod
    def use(self, *names: str, alone: bool = False) -> AbstractContextManager[object]:
        """Switch to these adapters, stacked; to none of them without a name. Nothing is copied.

        Holds until the next switch, or, as ``with lent.use(...)``, until the block ends. `alone`
        they stand on the base without the deltas of its ref, which must then be PEFT's: a reward
        model learned on the base itself. Raises `CannotAdapt` for other deltas.
        """

    @abstractmethod
    def bare(self) -> AbstractContextManager[None]:
        """The base alone while the block runs, as a reference: no adapter, no delta, and freed
        weights as they were before training. By reference: nothing is copied."""

    @abstractmethod
    def as_lent(self) -> AbstractContextManager[None]:
        """What was lent while the block runs, as a policy's reference: no adapter that was put on
        or loaded by name is in use, and freed weights are as they were before training; the deltas
        of the ref stay. Adapters can be used inside. By reference: nothing is copied."""


class Lends(Protocol):
    """What lends the base of a model for training."""

    def lend(
        self,
        ref: ModelRef,
        *,
        free: Sequence[str] = (),
        adapters: Mapping[str, Delta] = NO_ADAPTERS,
    ) -> AbstractContextManager[LentModel]:
        """Lend the base of `ref`, its deltas on, and take it back bare and unchanged.

        `free` are glob patterns over parameter names of the base to set free (``requires_grad``);
        all others are frozen. `adapters` are loaded by name, none of them in use. What is put on
        inside comes off, freed weights are restored: ``fingerprint(ref)`` is as before. Until then
        views on the base cannot be asked. Raises `InputError` for a pattern that matches no
        parameter.
        """
        raise CannotAdapt(f"{ref.name} has no weights that can be trained here")


class Models(Lends):
    """Opens models; one base per (name, quantisation, device, dtype) in memory.

    An engine writes those of the methods that it can answer: the others refuse, in one sentence.
    """

    def open(self, ref: ModelRef) -> LanguageModel:
        """A language model, with the ref's deltas applied whenever it answers."""
        raise _is_no(ref, "language model")

    def open_rows(self, refs: Sequence[ModelRef]) -> LanguageModel:
        """A model that is asked ``len(refs)`` prompts at a time: prompt i is answered as `refs[i]`
        answers it, up to 1e-4, in as few passes as the engine can.

        The refs, at least one, are of one base. It can `logprobs`, `generate` and `hidden`.
        """
        from nshot.models.wrap.rows import Rows

        return Rows.of(self.open, refs)

    def encoder(self, ref: ModelRef) -> Encoder:
        """A sentence encoder."""
        raise _is_no(ref, "sentence encoder")

    def pictures(self, ref: ModelRef) -> PictureEncoder:
        """A frozen image network."""
        raise _is_no(ref, "image network")

    def fingerprint(self, ref: ModelRef) -> str:
        """SHA-256 over the base's parameters as they are in memory; where none are, its name's."""
        return hashlib.sha256(ref.name.encode()).hexdigest()

    def resident_bytes(self) -> dict[str, int]:
        """Bytes of weights in memory by `ModelRef.form`: what a cold start would have to load."""
        return {}


def _is_no(ref: ModelRef, role: str) -> InputError:
    return InputError(Fault(f"'{ref.engine}:{ref.name}' is no {role}"))


def with_answer(prompt: Prompt, answer: str) -> Prompt:
    """The prompt with an answer behind it, as the last turn of a chat."""
    return prompt + answer if isinstance(prompt, str) else (*prompt, Turn("assistant", answer))


def is_tokens(prompt: Prompt | Tokens) -> TypeIs[Tokens]:
    """Whether a prompt is given as its tokens."""
    return not isinstance(prompt, str) and bool(prompt) and isinstance(prompt[0], int)


def stop_at(text: str, stops: Sequence[str]) -> int | None:
    """Where the first stop string in a text begins; None where there is none."""
    return min((at for stop in stops if stop and (at := text.find(stop)) >= 0), default=None)


def settled(text: str, stops: Sequence[str]) -> str:
    """As much of a text as stays whatever follows: before the first stop string, or its beginning.

    A stream shows no more than this.
    """
    text = text[: stop_at(text, stops)]
    longest = max((len(stop) for stop in stops), default=0)
    for at in range(max(0, len(text) - longest + 1), len(text)):
        if any(stop.startswith(text[at:]) for stop in stops):
            return text[:at]
    return text
