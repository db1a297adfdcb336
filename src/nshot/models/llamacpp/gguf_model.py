"""A GGUF file as it is asked through llama.cpp: scores, texts, streams, logits. It cannot learn.

Answers are scored exactly: from the logits after the prompt and after every token of an answer but
its last. The prompt is read once for all of its answers, and what answers begin with alike once.
"""

from __future__ import annotations

import ctypes
import random
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import CannotAdapt, InputError
from nshot.core.types import ModelRef, Prompt, digest
from nshot.models.base import (
    Ability,
    AnswerScores,
    Completion,
    Decoding,
    Floats,
    LanguageModel,
    ModelFacts,
    PrefixState,
    Tokens,
    is_tokens,
)
from nshot.models.hf.grammar import Compiled, compiled, is_installed
from nshot.models.hf.tokens import Row, cut_left, encode_prompts, end_of_turn, rows, shared
from nshot.models.llamacpp.choosing import choose
from nshot.models.llamacpp.gguf_words import GgufWords
from nshot.models.llamacpp.llama_api import library, load
from nshot.models.llamacpp.llama_context import OUTPUTS, PIECE, Fed, LlamaContext, Logits
from nshot.models.texts import Rules, Text

ROWS = 32
"""Texts that are written side by side."""
POSITIONS = 16384
"""Tokens of texts that are written side by side, at most; one text may need more."""
_CAN: frozenset[Ability] = frozenset({"score", "generate", "logits"})


class GgufModel(LanguageModel):
    """An open GGUF file. Threads wait for each other's turn; a stream holds a memory of its own."""

    def __init__(self, ref: ModelRef, path: Path) -> None:
        self._lib = library()
        self._ref, self._path = ref, path
        self._model = load(path)
        if self._lib.llama_model_has_encoder(self._model):
            raise InputError(f"{path} has an encoder: no language model that writes by itself")
        self.words = GgufWords(self._model)
        self._ends = self.words.ends
        self._context: LlamaContext | None = None
        self._turn = threading.Lock()

    def __del__(self) -> None:
        self._context = None
        if getattr(self, "_model", 0):
            self._lib.llama_model_free(self._model)

    @cached_property
    def facts(self) -> ModelFacts:
        """Of the file's header."""
        lib = self._lib
        return ModelFacts(
            self._ref,
            _CAN | {"constrain"} if is_installed() else _CAN,
            int(lib.llama_model_n_ctx_train(self._model)),
            int(lib.llama_model_n_layer(self._model)),
            self._header("general.architecture"),
            int(lib.llama_model_n_params(self._model)),
        )

    @property
    def bytes(self) -> int:
        """Of its weights in memory."""
        return int(self._lib.llama_model_size(self._model))

    def _header(self, key: str) -> str:
        buffer = ctypes.create_string_buffer(256)
        self._lib.llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        """Tokens of each prompt."""
        return [len(tokens) for tokens in encode_prompts(self.words, prompts)]

    def logprobs(
        self,
        prompts: Sequence[Prompt],
        answers: Sequence[Sequence[str]],
        prefix: PrefixState | None = None,
    ) -> list[AnswerScores]:
        """Log-likelihood of each of a prompt's answers."""
        if prefix is not None:
            raise CannotAdapt("llama.cpp takes no soft prompt before a text")
        batch = rows(self.words, prompts, answers, self.facts.context)
        scored = [i for i, row in enumerate(batch) if row.answers]
        sums = [np.zeros(0)] * len(batch)
        longest = max((_positions(batch[i]) for i in scored), default=0)
        with self._memory(longest) as memory:
            for i in sorted(scored, key=lambda i: batch[i].context):
                sums[i] = _score(memory, batch[i])
        return [AnswerScores(s, row.tokens_in, row.cut) for s, row in zip(sums, batch, strict=True)]

    def next_logits(
        self,
        prompts: Sequence[Prompt | Tokens],
        positions: Sequence[Sequence[int]] | None = None,
    ) -> NDArray[np.float32]:
        """Logits after given tokens; without `positions` a prompt too long is cut from the left."""
        tokens = self._encoded(prompts)
        if positions is None:
            tokens = [cut_left(t, self.facts.context, self.words.bos_token_id)[0] for t in tokens]
            positions = [[-1]] * len(tokens)
        places = [self._places(one, some) for one, some in zip(tokens, positions, strict=True)]
        out: list[Logits] = []
        with self._memory(max(map(len, tokens), default=0)) as memory:
            for one, some in zip(tokens, places, strict=True):
                different = sorted(set(some))
                known = dict(zip(different, memory.at(one, different), strict=True)) if some else {}
                out += [known[place] for place in some]
        return np.stack(out) if out else np.zeros((0, len(self.words)), np.float32)

    def _places(self, tokens: Tokens, positions: Sequence[int]) -> list[int]:
        if len(tokens) > self.facts.context:
            room = f"{self.facts.context} can be read"
            raise CannotAdapt(f"no logits at positions of {len(tokens)} tokens: {room}")
        if wrong := [at for at in positions if not -len(tokens) <= at < len(tokens)]:
            raise InputError(f"no position {wrong[0]}: the prompt has {len(tokens)} tokens")
        return [at % len(tokens) for at in positions]

    def _encoded(self, prompts: Sequence[Prompt | Tokens]) -> list[Tokens]:
        coded = iter(encode_prompts(self.words, [p for p in prompts if not is_tokens(p)]))
        return [prompt if is_tokens(prompt) else next(coded) for prompt in prompts]

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        """A continuation of each prompt; a prompt too long for the context is cut from the left."""
        tokens = self._fitting(prompts, how.max_tokens)
        if how.max_tokens < 1 or not prompts:
            return [Completion("", len(one), 0, False) for one in tokens]
        rules, grammar = self._rules(how)
        texts = [_text(one, how, grammar) for one in tokens]
        for some in _side_by_side(texts, how.max_tokens):
            with self._memory(sum(len(t.prompt) + how.max_tokens for t in some)) as memory:
                _write(memory, some, rules)
        return [text.completion(rules) for text in texts]

    def stream(self, prompt: Prompt, how: Decoding) -> Generator[str, None, Completion]:
        """The text of `generate`, piece by piece; others may ask between two pieces."""
        (tokens,) = self._fitting([prompt], how.max_tokens)
        if how.max_tokens < 1:
            return Completion("", len(tokens), 0, False)
        rules, grammar = self._rules(how)
        text, shown = _text(tokens, how, grammar), ""
        memory = self._new_memory(len(tokens) + how.max_tokens)
        try:
            for goes_on in _growing(memory, text, rules):
                so_far = text.settled(rules) if goes_on else text.completion(rules).text
                if len(so_far) > len(shown) and so_far.startswith(shown):
                    yield so_far[len(shown) :]
                    shown = so_far
        finally:
            memory.close()
        return text.completion(rules)

    def _rules(self, how: Decoding) -> tuple[Rules, Compiled | None]:
        closing = end_of_turn(self.words)
        ends = self._ends if closing is None else self._ends | {closing}
        rules = Rules(self.words, ends, how)
        if how.grammar is None:
            return rules, None
        grammar = compiled(how.grammar, self.words, ends)
        grammar.require(how.max_tokens)
        return rules, grammar

    def _fitting(self, prompts: Sequence[Prompt], reserved: int) -> list[Tokens]:
        room, start = self.facts.context - reserved, self.words.bos_token_id
        return [cut_left(one, room, start)[0] for one in encode_prompts(self.words, prompts)]

    @contextmanager
    def _memory(self, positions: int) -> Iterator[LlamaContext]:
        """An empty context with room for so many tokens, for this thread alone."""
        with self._turn:
            if self._context is None or self._context.positions < positions:
                self._context = None
                self._context = self._new_memory(positions)
            self._context.clear()
            yield self._context

    def _new_memory(self, positions: int) -> LlamaContext:
        return LlamaContext(self._model, self._path, len(self.words), max(positions, 1))


def _positions(row: Row) -> int:
    return len(row.context) + sum(map(len, row.answers))


def _score(memory: LlamaContext, row: Row) -> Floats:
    """Sum of log-probabilities (nats) of each answer of a row."""
    known: dict[Tokens, Floats] = {(): _log_softmax(memory.after(row.context))}
    starts = sorted({answer[:end] for answer in row.answers for end in range(1, len(answer))})
    # What no other one goes on from is a sequence; the beginnings that several share belong to all.
    last = [i for i, one in enumerate(starts) if starts[i + 1 : i + 2] == [] or
            starts[i + 1][: len(one)] != one]  # fmt: skip
    for begin in range(0, len(last), OUTPUTS - 1):
        ends = [starts[i] for i in last[begin : begin + OUTPUTS - 1]]
        known |= _branches(memory, len(row.context), ends)
    return np.array(
        [sum(known[a[:k]][a[k]] for k in range(len(a))) for a in row.answers], np.float64
    )


def _branches(memory: LlamaContext, depth: int, ends: Sequence[Tokens]) -> dict[Tokens, Floats]:
    """Log-probabilities after every beginning of `ends`, all of them behind sequence 0."""
    users: dict[Tokens, list[int]] = {}
    for sequence, end in enumerate(ends, 1):
        memory.copy(sequence)
        for stop in range(1, len(end) + 1):
            users.setdefault(end[:stop], []).append(sequence)
    fed = [
        Fed(start[-1], depth + len(start) - 1, tuple(sequences), True)
        for start, sequences in users.items()
    ]
    logits = memory.read(fed)
    for sequence in range(1, len(ends) + 1):
        memory.forget(sequence)
    return {start: _log_softmax(one) for start, one in zip(users, logits, strict=True)}


def _log_softmax(logits: Logits) -> Floats:
    exact = logits.astype(np.float64)
    exact -= exact.max()
    out: Floats = exact - np.log(np.exp(exact).sum())
    return out


def _text(prompt: Tokens, how: Decoding, grammar: Compiled | None) -> Text:
    """Before its first token. What it draws depends on the seed and the prompt alone."""
    rng = random.Random(digest(str(how.seed), str(prompt)))
    return Text(prompt, rng, grammar.start() if grammar else None)


def _side_by_side(texts: Sequence[Text], more: int) -> Iterator[list[Text]]:
    """Texts that are written at once, those of like length together."""
    some: list[Text] = []
    room = 0
    for text in sorted(texts, key=lambda text: (len(text.prompt), text.prompt)):
        needs = len(text.prompt) + more
        if some and (len(some) == ROWS or room + needs > POSITIONS):
            yield some
            some, room = [], 0
        some.append(text)
        room += needs
    if some:
        yield some


def _write(memory: LlamaContext, texts: Sequence[Text], rules: Rules) -> None:
    """Write texts side by side to their ends: text k is sequence k."""
    first = _read_prompts(memory, [text.prompt for text in texts])
    going = [
        (k, text)
        for (k, text), logits in zip(enumerate(texts), first, strict=True)
        if text.add(choose(logits, text, rules.how), rules)
    ]
    while going:
        fed = [
            Fed(text.tokens[-1], len(text.prompt) + len(text.tokens) - 1, (k,), True)
            for k, text in going
        ]
        logits = memory.read(fed)
        going = [
            (k, text)
            for (k, text), one in zip(going, logits, strict=True)
            if text.add(choose(one, text, rules.how), rules)
        ]


def _read_prompts(memory: LlamaContext, prompts: Sequence[Tokens]) -> list[Logits]:
    """Logits after each prompt k, which is then sequence k; what all begin with is read once."""
    first, last = min(prompts), max(prompts)
    start = min(shared(first, last), min(map(len, prompts)) - 1) // PIECE * PIECE
    if start:
        memory.at(prompts[0][:start], [])
    out: list[Logits] = []
    for sequence in range(1, len(prompts) if start else 0):
        memory.copy(sequence)
    for sequence, prompt in enumerate(prompts):
        logits: list[Logits] = []
        for begin in range(start, len(prompt), PIECE):
            piece = enumerate(prompt[begin : begin + PIECE], begin)
            logits = memory.read([Fed(t, i, (sequence,), i == len(prompt) - 1) for i, t in piece])
        out += logits
    return out


def _growing(memory: LlamaContext, text: Text, rules: Rules) -> Iterator[bool]:
    """Write a text; after each token, whether it goes on."""
    logits = memory.after(text.prompt)
    while text.add(choose(logits, text, rules.how), rules):
        yield True
        at = len(text.prompt) + len(text.tokens) - 1
        (logits,) = memory.read([Fed(text.tokens[-1], at, output=True)])
    yield False
