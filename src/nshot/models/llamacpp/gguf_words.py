"""The tokenizer in a GGUF file, as llama.cpp reads with it, and the file's chat template.

It has the members of a transformers tokenizer that `nshot.models.hf.tokens` and `control` ask, so
that prompts are rendered, quoted and cut as for every other model.
"""

from __future__ import annotations

import ctypes
import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from nshot.models.llamacpp.llama_api import CONTROL, USER_DEFINED, library

_PIECE = 256


class Added(NamedTuple):
    """A token with a spelling of its own; `special`: no text may spell it."""

    content: str
    special: bool


class GgufWords:
    """The vocabulary of an open model; lives no longer than the model at `model`."""

    def __init__(self, model: int) -> None:
        self._lib = library()
        self._vocabulary = self._lib.llama_model_get_vocab(model)
        self._size = int(self._lib.llama_vocab_n_tokens(self._vocabulary))
        template = self._lib.llama_model_chat_template(model, None)
        self.chat_template: str | None = template.decode("utf-8") if template else None
        self.bos_token_id = self._known(self._lib.llama_vocab_bos(self._vocabulary))
        self.eos_token_id = self._known(self._lib.llama_vocab_eos(self._vocabulary))
        self.pad_token_id = self._known(self._lib.llama_vocab_pad(self._vocabulary))

    def _known(self, token: int) -> int | None:
        return int(token) if 0 <= token < self._size else None

    def __len__(self) -> int:
        return self._size

    @cached_property
    def added_tokens_decoder(self) -> Mapping[int, Added]:
        """Tokens that are looked for by their spelling."""
        added: dict[int, Added] = {}
        for token in range(self._size):
            attributes = self._lib.llama_vocab_get_attr(self._vocabulary, token)
            if attributes & (CONTROL | USER_DEFINED):
                spelling = self.piece(token).decode("utf-8", "replace")
                added[token] = Added(spelling, bool(attributes & CONTROL))
        return added

    @property
    def all_special_ids(self) -> list[int]:
        """Tokens that no text may spell."""
        return [token for token, one in self.added_tokens_decoder.items() if one.special]

    @property
    def all_special_tokens(self) -> list[str]:
        """Their spellings."""
        return [one.content for one in self.added_tokens_decoder.values() if one.special]

    @cached_property
    def ends(self) -> frozenset[int]:
        """Tokens that end a text: what the file names, and what llama.cpp knows by its spelling."""
        return frozenset(
            token
            for token in range(self._size)
            if self._lib.llama_vocab_is_eog(self._vocabulary, token)
        )

    def convert_tokens_to_ids(self, spelling: str) -> int:
        """The token of that spelling."""
        return self._numbers[spelling]

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        return {one.content: token for token, one in self.added_tokens_decoder.items()}

    def __call__(
        self,
        text: str | Sequence[str],
        add_special_tokens: bool = True,
        split_special_tokens: bool = False,
        verbose: bool = False,
    ) -> dict[str, Any]:
        """Tokens of a text, or of each of several, as ``input_ids``.

        With `split_special_tokens` a text that spells a special token is read as that text.
        """
        if not isinstance(text, str):
            each = (self(one, add_special_tokens, split_special_tokens) for one in text)
            return {"input_ids": [one["input_ids"] for one in each]}
        if not split_special_tokens:
            return {"input_ids": self._read(text, add_special_tokens, True)}
        # What a text may spell is looked for even so: cut behind its first letter it is text.
        pieces = self._spelled.sub(lambda m: f"{m[0][0]}\0{m[0][1:]}", text).split("\0")
        ids = self._read(pieces[0], add_special_tokens, False)
        for piece in pieces[1:]:
            ids += self._read(piece, False, False)
        return {"input_ids": ids}

    @cached_property
    def _spelled(self) -> re.Pattern[str]:
        spellings = [
            one.content
            for one in self.added_tokens_decoder.values()
            if not one.special and len(one.content.strip()) > 1
        ]
        longest = sorted(spellings, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest)) or "(?!)")

    def _read(self, text: str, add: bool, spelled: bool) -> list[int]:
        raw = text.encode("utf-8", "replace")
        room = len(raw) + 8
        while True:
            ids = (ctypes.c_int32 * room)()
            count = self._lib.llama_tokenize(
                self._vocabulary, raw, len(raw), ids, room, add, spelled
            )
            if count >= 0:
                return list(ids[:count])
            room = -count

    def piece(self, token: int) -> bytes:
        """The bytes that a token stands for; of a special token its spelling."""
        room = _PIECE
        while True:
            buffer = ctypes.create_string_buffer(room)
            length = self._lib.llama_token_to_piece(self._vocabulary, token, buffer, room, 0, True)
            if length >= 0:
                return buffer.raw[:length]
            room = -length

    def decode(
        self,
        tokens: Sequence[int],
        skip_special_tokens: bool = True,
        clean_up_tokenization_spaces: bool = False,
    ) -> str:
        """The text of tokens; half a character is U+FFFD."""
        skipped = self._skipped if skip_special_tokens else frozenset()
        whole = b"".join(self.piece(token) for token in tokens if token not in skipped)
        return whole.decode("utf-8", "replace")

    @cached_property
    def _skipped(self) -> frozenset[int]:
        return frozenset(self.all_special_ids)

    def apply_chat_template(
        self,
        messages: Sequence[Mapping[str, str]],
        tokenize: bool = False,
        add_generation_prompt: bool = False,
    ) -> str:
        """The chat as the file's template writes it. Raises jinja2's errors, as transformers."""
        names = {"bos_token": self.bos_token_id, "eos_token": self.eos_token_id}
        return str(
            _template(self.chat_template or "").render(
                messages=list(messages),
                add_generation_prompt=add_generation_prompt,
                **{
                    name: "" if token is None else self.piece(token).decode("utf-8", "replace")
                    for name, token in names.items()
                },
            )
        )

    def for_llguidance(self, ends: Sequence[int]) -> Any:
        """The tokens as llguidance knows them."""
        from llguidance import LLTokenizer, TokenizerWrapper

        return LLTokenizer(TokenizerWrapper(_Bytes(self, ends)), eos_token=list(ends) or None)


class _Bytes:
    """What llguidance asks of a tokenizer that it does not know."""

    def __init__(self, words: GgufWords, ends: Sequence[int]) -> None:
        self._words = words
        self.tokens = [words.piece(token) for token in range(len(words))]
        self.bos_token_id = words.bos_token_id
        self.eos_token_id = next(iter(ends), words.eos_token_id)
        self.special_token_ids = words.all_special_ids

    def __call__(self, text: str) -> list[int]:
        ids: list[int] = self._words(text, False, True)["input_ids"]
        return ids


@lru_cache(maxsize=8)
def _template(source: str) -> Any:
    """A chat template, in Jinja's immutable sandbox and with what transformers gives it."""
    from jinja2 import TemplateError
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise TemplateError(message)

    def as_json(value: Any, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=False, indent=indent)

    sandbox = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    sandbox.filters["tojson"] = as_json
    sandbox.globals["raise_exception"] = refuse
    return sandbox.from_string(source)
