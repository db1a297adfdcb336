"""The forms of OpenAI's answers: whole and in pieces."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from nshot.core.types import Prediction
from nshot.use.wire.answerer import Answerer


class Frame(ABC):
    """The frame of a completion."""

    kind: str
    piece: str

    def __init__(self, id: str, model: str) -> None:
        self._frame = {"id": id, "created": int(time.time()), "model": model}

    def whole(
        self, answerer: Answerer, predictions: Sequence[Prediction], length: int
    ) -> dict[str, Any]:
        """All answers at once; a text of `length` tokens was cut there."""
        choices = [
            {
                "index": i,
                **self._content(one.answer),
                "logprobs": None,
                "finish_reason": finish(one.tokens_out, length),
                "nshot": answerer.shown(one),
            }
            for i, one in enumerate(predictions)
        ]
        return {
            **self._frame, "object": self.kind, "choices": choices, "usage": usage(predictions),
        }  # fmt: skip

    def chunk(self, text: str | None, end: str | None = None) -> dict[str, Any]:
        """A piece of the text, or its end."""
        choice = {"index": 0, **self._delta(text), "logprobs": None, "finish_reason": end}
        return {**self._frame, "object": self.piece, "choices": [choice]}

    def last(self, tokens_in: int, tokens_out: int) -> dict[str, Any]:
        """What it took, behind the text."""
        took = usage([Prediction("", tokens_in=tokens_in, tokens_out=tokens_out)])
        return {**self._frame, "object": self.piece, "choices": [], "usage": took}

    @abstractmethod
    def _content(self, text: str) -> dict[str, Any]:
        """A whole text within a choice."""

    @abstractmethod
    def _delta(self, text: str | None) -> dict[str, Any]:
        """A piece of a text within a choice."""


class ChatFrame(Frame):
    """Of ``/v1/chat/completions``."""

    kind, piece = "chat.completion", "chat.completion.chunk"

    def __init__(self, id: str, model: str) -> None:
        super().__init__(f"chatcmpl-{id}", model)

    def _content(self, text: str) -> dict[str, Any]:
        return {"message": {"role": "assistant", "content": text, "refusal": None}}

    def _delta(self, text: str | None) -> dict[str, Any]:
        return {"delta": {} if text is None else {"role": "assistant", "content": text}}


class TextFrame(Frame):
    """Of ``/v1/completions``."""

    kind, piece = "text_completion", "text_completion"

    def __init__(self, id: str, model: str) -> None:
        super().__init__(f"cmpl-{id}", model)

    def _content(self, text: str) -> dict[str, Any]:
        return {"text": text}

    def _delta(self, text: str | None) -> dict[str, Any]:
        return {"text": text or ""}


def finish(tokens_out: int, length: int) -> str:
    """Why a text ended: ``length`` where it has all the tokens that it may have."""
    return "length" if length and tokens_out >= length else "stop"


def usage(predictions: Sequence[Prediction]) -> dict[str, int]:
    """Tokens as OpenAI's clients read them."""
    tokens_in = sum(one.tokens_in for one in predictions)
    tokens_out = sum(one.tokens_out for one in predictions)
    total = tokens_in + tokens_out
    return {
        "prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": total,
    }  # fmt: skip
