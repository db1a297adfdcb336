"""An engine without weights, for tests of everything that stands on models.

``fake:scorer`` can be asked everything, ``fake:remote`` can only write, ``fake:slow`` is a scorer
that takes its time over each prompt, ``fake:encoder`` is a hashed bag of words. All are
deterministic, answer each row by itself, and are right often enough that a method can win with
them: they read the words that a prompt's last lines share with its demonstrations and an answer.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Generator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import Fault, InputError, nearest
from nshot.core.types import Image, ModelRef, Prompt, digest
from nshot.models.base import (
    Ability,
    AnswerScores,
    Completion,
    Decoding,
    Encoder,
    Floats,
    Hidden,
    LanguageModel,
    Layer,
    ModelFacts,
    Models,
    PictureEncoder,
    PrefixState,
    Tokens,
    TokenVectors,
    View,
    is_tokens,
    stop_at,
)

WIDTH = 64
LAYERS = 4
CONTEXT = 4096
SECONDS = 0.02
"""What ``fake:slow`` takes for each prompt."""
_CAN: dict[str, frozenset[Ability]] = {
    "scorer": frozenset({"score", "generate", "hidden", "logits"}),
    "slow": frozenset({"score", "generate", "hidden", "logits"}),
    "remote": frozenset({"generate"}),
}


class FakeModels(Models):
    """`Models` over the fakes."""

    def open(self, ref: ModelRef) -> LanguageModel:
        """The fake language model of that name; raises `InputError` for another."""
        if ref.name not in _CAN:
            raise InputError(Fault(f"no fake model '{ref.name}'", do=nearest(ref.name, _CAN)))
        return FakeLanguageModel(ref)

    def encoder(self, ref: ModelRef) -> Encoder:
        """The fake encoder."""
        return FakeEncoder(ref)

    def pictures(self, ref: ModelRef) -> PictureEncoder:
        """The fake image network."""
        return FakePictures(ref)


class FakeLanguageModel(LanguageModel):
    """Likes answers whose words, or whose demonstrations' words, are in the question."""

    def __init__(self, ref: ModelRef) -> None:
        self._ref = ref

    @property
    def facts(self) -> ModelFacts:
        """A remote one can only generate; the context is in words."""
        return ModelFacts(self._ref, _CAN[self._ref.name], CONTEXT, LAYERS)

    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        """Words of each prompt."""
        return [len(_words(_text(prompt))) for prompt in prompts]

    def logprobs(
        self,
        prompts: Sequence[Prompt],
        answers: Sequence[Sequence[str]],
        prefix: PrefixState | None = None,
    ) -> list[AnswerScores]:
        """Log-softmax over a prompt's answers of their shared words and a little hashed noise."""
        if "score" not in self.facts.can:
            raise self._unable("cannot score answers")
        return [self._score(_text(p), given) for p, given in zip(prompts, answers, strict=True)]

    def _score(self, text: str, answers: Sequence[str]) -> AnswerScores:
        self._take_time()
        words = len(_words(text)) + sum(len(_words(answer)) for answer in answers)
        return AnswerScores(self._liking(text, answers), words, words > CONTEXT)

    def _liking(self, text: str, answers: Sequence[str]) -> Floats:
        if not answers:
            return np.zeros(0)
        question, demonstrations = _read(text)
        raw = np.array(
            [
                2.0 * len(question & set(_words(answer)))
                + max(
                    (_overlap(question, d) for d, a in demonstrations if _key(a) == _key(answer)),
                    default=0,
                )
                + 0.1 * _noise(self._salt, text, answer)
                for answer in answers
            ]
        )
        shifted = raw - raw.max()
        out: Floats = shifted - np.log(np.exp(shifted).sum())
        return out

    @property
    def _salt(self) -> str:
        return "".join(delta.sha256 for delta in self._ref.deltas)

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        """The answer of the demonstration most like the question, or the question's own words."""
        return [self._write(_text(prompt), how) for prompt in prompts]

    def _write(self, text: str, how: Decoding) -> Completion:
        self._take_time()
        question, demonstrations = _read(text)
        near = max(demonstrations, key=lambda d: _overlap(question, d[0]), default=None)
        words = near[1].split() if near else sorted(question)
        if how.temperature > 0:
            random.Random(digest(str(how.seed), text)).shuffle(words)
        answer = " ".join(words[: how.max_tokens])
        answer = answer[: stop_at(answer, how.stop)]
        tokens_out = len(_words(answer))
        return Completion(answer, len(_words(text)), tokens_out, len(words) <= how.max_tokens)

    def stream(self, prompt: Prompt, how: Decoding) -> Generator[str, None, Completion]:
        """The text of `generate`, word by word."""
        completion = self._write(_text(prompt), how)
        for word in re.findall(r"\s*\S+\s*$|\s*\S+", completion.text):
            yield str(word)
        return completion

    def next_logits(
        self,
        prompts: Sequence[Prompt | Tokens],
        positions: Sequence[Sequence[int]] | None = None,
    ) -> NDArray[np.float32]:
        """Bags of the words read so far, over a vocabulary of `WIDTH`."""
        if "logits" not in self.facts.can:
            raise self._unable("gives no logits")
        words = [[*map(str, p)] if is_tokens(p) else _words(_text(p)) for p in prompts]
        where = [[-1]] * len(words) if positions is None else positions
        rows = [
            _bag(" ".join(one[: at % max(1, len(one)) + 1]))
            for one, some in zip(words, where, strict=True)
            for at in some
        ]
        return np.stack(rows) if rows else _no_rows()

    def hidden(self, prompts: Sequence[Prompt], layers: Sequence[int]) -> Hidden:
        """Bags of words, turned a little with each layer."""
        if "hidden" not in self.facts.can:
            raise self._unable("shows no hidden states")
        bags = np.stack([_bag(_text(prompt)) for prompt in prompts]) if prompts else _no_rows()
        states = np.stack([np.roll(bags, layer, axis=1) for layer in layers], axis=1)
        return Hidden(states, states.copy(), tuple(self.count(prompts)))

    def _take_time(self) -> None:
        if self._ref.name == "slow":
            time.sleep(SECONDS)


class FakeEncoder:
    """A hashed bag of words, unit length."""

    def __init__(self, ref: ModelRef) -> None:
        self._ref = ref

    @property
    def ref(self) -> ModelRef:
        """What this is."""
        return self._ref

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(texts, WIDTH), unit length rows."""
        return np.stack([_bag(text) for text in texts]) if texts else _no_rows()

    def count(self, texts: Sequence[str]) -> list[int]:
        """Words of each text."""
        return [len(_words(text)) for text in texts]

    def tokens(self, texts: Sequence[str], layer: Layer) -> list[TokenVectors]:
        """A bag of each word; of the last layer with the word before it."""
        return [_word_vectors(text, layer) for text in texts]


def _word_vectors(text: str, layer: Layer) -> TokenVectors:
    matches = list(re.finditer(r"\w+", text))
    before = ["", *(match[0] for match in matches)] if layer == "last" else [""] * len(matches)
    bags = [_bag(f"{one} {match[0]}") for one, match in zip(before, matches, strict=False)]
    places = [(match.start(), match.end()) for match in matches]
    starts, ends = np.array(places, np.int64).reshape(-1, 2).T
    return TokenVectors(np.stack(bags) if bags else _no_rows(), starts, ends)


class FakePictures:
    """A network of two layers: the colours of 16 x 16 places, and how they change between them."""

    layers = ("colour16", "edges")

    def __init__(self, ref: ModelRef) -> None:
        self._ref = ref

    @property
    def ref(self) -> ModelRef:
        """What this is."""
        return self._ref

    def encode(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """(images, 6), unit length rows."""
        rows = self.features(images, "whole")["edges.mean"]
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    def features(self, images: Sequence[Image], view: View) -> Mapping[str, NDArray[np.float32]]:
        """Means, deviations and rings of both layers; colours of the whole picture."""
        from nshot.data.pictures import read_picture

        shown = [_fake_parts(read_picture(image), view) for image in images]
        names = shown[0] if shown else _fake_parts(np.zeros((1, 1, 3), np.uint8), view)
        return {
            name: np.array([one[name] for one in shown], np.float32).reshape(-1, len(values))
            for name, values in names.items()
        }


def _fake_parts(picture: NDArray[np.uint8], view: View) -> Mapping[str, NDArray[np.float16]]:
    from nshot.models.hf.views import colours, pooled, seen

    square = seen(picture, 16, view)
    light = square.transpose(2, 0, 1) / 255 + 0.01
    edges = np.concatenate([light[:, 1:, 1:], np.abs(np.diff(light[:, :, 1:], axis=1))])
    parts = pooled("colour16", light) | pooled("edges", edges)
    parts.pop("edges.rings")
    return parts | colours(square) if view == "whole" else parts


def _no_rows() -> NDArray[np.float32]:
    return np.zeros((0, WIDTH), np.float32)


def _text(prompt: Prompt) -> str:
    return prompt if isinstance(prompt, str) else "\n".join(turn.text for turn in prompt)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _key(answer: str) -> str:
    return " ".join(_words(answer))


def _read(text: str) -> tuple[set[str], list[tuple[set[str], str]]]:
    """The question's words, and (words, answer) of each demonstration.

    Blocks are parted by an empty line; a block's last line is ``Name: answer``, the last block's
    is ``Name:`` and waits for one.
    """
    *blocks, question = [b for b in re.split(r"\n\s*\n", text.strip()) if b.strip()] or [""]
    demonstrations = []
    for block in blocks:
        body, _, last = block.rpartition("\n")
        demonstrations.append((set(_words(body)), (last.partition(":")[2] or last).strip()))
    lines = question.split("\n")
    rest = lines[:-1] if len(lines) > 1 and lines[-1].rstrip().endswith(":") else lines
    return set(_words("\n".join(rest))), demonstrations


def _overlap(a: set[str], b: set[str]) -> float:
    return float(len(a & b) / np.sqrt(max(1, len(a | b))))


def _noise(*parts: str) -> float:
    """A number from 0 to 1 that depends on nothing but the parts."""
    return int(digest(*parts), 16) / 0xFFFFFFFFFFFFFFFF


def _bag(text: str) -> NDArray[np.float32]:
    bag = np.zeros(WIDTH, np.float32)
    for word in _words(text) or [""]:
        place = int(digest(word), 16)
        bag[place % WIDTH] += 1.0 if (place >> 32) % 2 else -1.0
    norm = float(np.linalg.norm(bag))
    return bag / norm if norm else _bag("")
