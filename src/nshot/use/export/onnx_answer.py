"""Answers without nshot: Python, numpy, onnxruntime and tokenizers. It reads what lies beside it:
``model.onnx`` with its weights, ``tokenizer.json``, ``graph.json`` (the graph's sizes and the
chat's frame) and ``asking.json`` (how the model is asked), which `nshot export --to onnx` wrote.

    pip install numpy onnxruntime tokenizers
    python answer.py < inputs.jsonl > answers.jsonl

A line is an object with a text for each field of the task. In Python:

    from answer import Model
    Model().predict([{"text": "where is my parcel?"}])
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import tokenizers

Answer = dict[str, Any]
"""``answer``, a text, and ``scores``: one per label, or none."""
STEP = 256
"""Tokens of a prompt that are read in one pass: of each there are logits over all tokens."""
ROWS = 8
"""Labels that are read in one pass, each behind a copy of the prompt's keys and values."""


class Model:
    """What the folder answers; `threads` 0: as onnxruntime has it, all cores."""

    def __init__(self, folder: str | Path | None = None, threads: int = 0) -> None:
        place = Path(folder) if folder else Path(__file__).resolve().parent
        self.asking = json.loads((place / "asking.json").read_text(encoding="utf-8"))
        self.about = json.loads((place / "graph.json").read_text(encoding="utf-8"))
        self.tokenizer = tokenizers.Tokenizer.from_file(str(place / "tokenizer.json"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            str(place / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self.names = [one.name for one in self.session.get_inputs()]
        self.labels = self.asking.get("labels", [])

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """The answer to each row, in order; `ValueError` where one lacks a field."""
        return [self._answer(self.prompt(row)) for row in rows]

    def prompt(self, row: Mapping[str, Any]) -> str:
        """The text that the model reads."""
        fields = dict(row["fields"]) if isinstance(row.get("fields"), (list, tuple)) else row
        turns = [_filled(part["pieces"], fields) for part in self.asking["parts"]]
        frame = self.about["frame"]
        if not frame:
            return turns[0]
        if self.about["strips"]:
            turns = [turn.strip() for turn in turns]
        between = (turn + text for turn, text in zip(turns, frame[1:], strict=True))
        return str(frame[0]) + "".join(between)

    def _answer(self, prompt: str) -> Answer:
        if not self.labels:
            return {"answer": self._written(prompt), "scores": []}
        offsets = np.array(self.asking.get("offsets") or 0.0)
        scores = log_softmax(self._scored(prompt) - offsets)
        best = int(scores.argmax())
        for step in self.asking.get("calibration", []):
            scores = calibrated(scores, step["temperature"], step.get("knots", []))
        return {"answer": self.labels[best], "scores": scores.tolist()}

    def _scored(self, prompt: str) -> Any:
        """(labels,) log-likelihoods of the tokens that any of the answers changes."""
        joint = [self._tokens(prompt + answer) for answer in self.asking["answers"]]
        alone = self._tokens(prompt)
        start = min(_shared(alone, tokens) for tokens in joint)
        if not start:
            joint, start = [[self.about["start"], *tokens] for tokens in joint], 1
        tails = [tokens[start:] for tokens in joint]
        room = self.about["context"] - max(map(len, tails))
        last, past = self._read(self._cut(joint[0][:start], room))
        sums = np.array([last[tail[0]] for tail in tails])
        for at in range(0, len(tails), ROWS):
            sums[at : at + ROWS] += self._continued(tails[at : at + ROWS], past)
        return sums

    def _continued(self, tails: Sequence[Sequence[int]], past: Sequence[Any]) -> Any:
        """(rows,) log-likelihoods of all tokens but the first, of each row behind `past`."""
        longest = max(map(len, tails)) - 1
        sums = np.zeros(len(tails))
        if not longest:
            return sums
        ids = np.zeros((len(tails), longest), np.int64)
        for row, tail in zip(ids, tails, strict=True):
            row[: len(tail) - 1] = tail[:-1]
        logits, _ = self._pass(ids, [np.repeat(one, len(tails), axis=0) for one in past])
        for place, tail in enumerate(tails):
            for at, token in enumerate(tail[1:]):
                sums[place] += log_softmax(logits[place, at].astype(np.float64))[token]
        return sums

    def _written(self, prompt: str) -> str:
        """The likeliest tokens one after the other, up to the first of what ends a text."""
        most, stops = self.asking["max_tokens"], self.asking.get("stops", [])
        tokens = self._tokens(prompt) or [self.about["start"]]
        last, past = self._read(self._cut(tokens, self.about["context"] - most))
        written: list[int] = []
        text = ""
        while len(written) < most and (token := int(last.argmax())) not in self.about["ends"]:
            written.append(token)
            text = self.tokenizer.decode(written)
            if any(stop in text for stop in stops):
                break
            logits, past = self._pass(np.array([[token]]), past)
            last = logits[0, -1]
        for stop in stops:
            text = text.split(stop)[0]
        return text.strip()

    def _read(self, tokens: Sequence[int]) -> tuple[Any, list[Any]]:
        """(vocabulary,) log-probabilities of the token behind a prompt, and the prompt's cache."""
        empty = np.zeros((1, self.about["heads"], 0, self.about["width"]), np.float32)
        logits, past = None, [empty] * (len(self.names) - 1)
        for at in range(0, len(tokens), STEP):
            logits, past = self._pass(np.array([tokens[at : at + STEP]]), past)
        assert logits is not None
        return log_softmax(logits[0, -1].astype(np.float64)), past

    def _pass(self, ids: Any, past: Sequence[Any]) -> tuple[Any, list[Any]]:
        """(rows, tokens, vocabulary) logits of the tokens behind `past`, and the longer past."""
        feed = dict(zip(self.names, [ids.astype(np.int64), *past], strict=True))
        logits, *present = self.session.run(None, feed)
        return logits, present

    def _tokens(self, text: str) -> list[int]:
        """A chat's frame has the special tokens that a text gets from the tokenizer."""
        special = not self.about["frame"]
        return list(self.tokenizer.encode(text, add_special_tokens=special).ids)

    def _cut(self, tokens: Sequence[int], room: int) -> list[int]:
        """The last `room` tokens of a prompt; its start token stays."""
        if len(tokens) <= room:
            return list(tokens)
        if tokens[0] == self.about["bos"]:
            return [tokens[0], *tokens[len(tokens) - room + 1 :]]
        return list(tokens[len(tokens) - room :])


def _filled(pieces: Sequence[Mapping[str, Any]], fields: Mapping[str, Any]) -> str:
    """A text with the fields of an input in it; an empty one takes the space before it along."""
    text = ""
    for piece in pieces:
        value, name = piece.get("text", ""), piece.get("field", "")
        if name:
            if name not in fields:
                raise ValueError(f"no {name} in an input")
            value = str(fields[name]).strip()
            value = value if piece.get("whole") else re.sub(r"\s*\n\s*", "\n", value)
        text = text + value if value else text.rstrip(" ")
    return text


def _shared(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens two lists begin with alike."""
    differ = (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
    return next(differ, min(len(a), len(b)))


def log_softmax(scores: Any) -> Any:
    """Log-probabilities of scores."""
    shifted = scores - scores.max()
    return shifted - np.log(np.exp(shifted).sum())


def calibrated(scores: Any, temperature: float, knots: Sequence[Sequence[float]]) -> Any:
    """Log-probabilities of scores over a temperature; the best label's then goes by the knots."""
    best = int(scores.argmax())
    logprobs = log_softmax(scores / temperature)
    if not knots:
        return logprobs
    others = log_softmax(np.delete(logprobs, best))
    second = float(np.exp(others.max()))
    points, heights = zip(*knots, strict=True)
    step = float(np.interp(np.exp(logprobs[best]), points, heights))
    sure = max(step, second / (1 + second) * (1 + 1e-9))
    return np.insert(others + np.log1p(-sure), best, np.log(sure))


def _lines() -> Iterator[Mapping[str, Any]]:
    return (json.loads(line) for line in sys.stdin if line.strip())


def main() -> None:
    """A line of JSON in, a line of JSON out, both in UTF-8."""
    for stream in (sys.stdin, sys.stdout):
        stream.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    model = Model()
    for row in _lines():
        (answer,) = model.predict([row])
        print(json.dumps(answer, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
