"""Answers without nshot: Python and numpy alone. It reads ``model.json`` and ``arrays.safetensors``
beside it, which `nshot export --to standalone` wrote.

    python answer.py < inputs.jsonl > answers.jsonl

A line is an object with a text for each field of the task, or with ``messages``. In Python:

    from answer import Model
    Model().predict([{"text": "where is my parcel?"}])

A prompt is asked of the endpoint that ``model.json`` names (NSHOT_ENDPOINT sets another); its key
comes from NSHOT_API_KEY or OPENAI_API_KEY and goes into the request's header, nowhere else.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
import time
import unicodedata
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Fields = Sequence[Sequence[str]]
"""Names and texts, in the order in which they are read."""
Answer = dict[str, Any]
"""``answer``, a text, and ``scores``: one per label, or none."""
LEAST, NEVER = 1e-3, -30.0
ATTEMPTS, SECONDS = 6, 120.0
_DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "I8": "i1"}


def arrays_in(path: Path) -> dict[str, Any]:
    """The arrays of a safetensors file: eight bytes of length, JSON, then the numbers."""
    if not path.exists():
        return {}
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    head, body = json.loads(raw[8 : 8 + size]), raw[8 + size :]
    arrays = {
        name: np.frombuffer(
            body[one["data_offsets"][0] : one["data_offsets"][1]], _DTYPES[one["dtype"]]
        ).reshape(one["shape"])
        for name, one in head.items()
        if name != "__metadata__"
    }
    for name in [name for name in arrays if f"{name}.scales" in arrays]:  # kept in 8 bits
        arrays[name] = arrays[name] * arrays[f"{name}.scales"].astype(np.float64)
    return arrays


def log_softmax(scores: Any) -> Any:
    """Log-probabilities of (labels,) scores."""
    shifted = scores - scores.max()
    return shifted - np.log(np.exp(shifted).sum())


class Terms:
    """Counted n-grams times the weights of a head: (1 + log count) * idf at unit length."""

    def __init__(self, source: Mapping[str, Any], arrays: Mapping[str, Any], weights: Any) -> None:
        self._parts = []
        start = 0
        for cut, shortest, longest in source["ngrams"]:
            terms = source["terms"][cut]
            rows = weights[start : start + len(terms)]
            start += len(terms)
            places = {term: place for place, term in enumerate(terms)}
            idf = arrays[f"source.idf.{cut}"]
            self._parts.append((cut, range(shortest, longest + 1), places, idf, rows))

    def products(self, text: str) -> Any:
        """(outputs,) of one text."""
        total = 0.0
        for cut, lengths, places, idf, rows in self._parts:
            counts = Counter(one for one in _grams(text.lower(), cut, lengths) if one in places)
            if counts:
                at = [places[term] for term in counts]
                values = (1 + np.log(list(counts.values()))) * idf[at]
                total = total + values / np.sqrt(values @ values) @ rows[at]
        return total


def _grams(text: str, cut: str, lengths: range) -> Iterator[str]:
    """Runs of words of two letters or more, or of characters of each word and its edges."""
    if cut == "word":
        words = re.findall(r"\b\w\w+\b", text)
        for length in lengths:
            for start in range(len(words) - length + 1):
                yield " ".join(words[start : start + length])
        return
    for word in text.split():
        padded = f" {word} "
        for length in lengths:
            for start in range(len(padded) - length + 1):
                yield padded[start : start + length]


class Model:
    """What the folder answers."""

    def __init__(self, folder: str | Path | None = None) -> None:
        place = Path(folder) if folder else Path(__file__).resolve().parent
        about = json.loads((place / "model.json").read_text(encoding="utf-8"))
        if about.get("form") != "standalone":
            raise ValueError(f"{place / 'model.json'}: not of the form standalone")
        self.kind, self.settings = about["kind"], about["settings"]
        self.task, self.calibration = about["task"], about["calibration"]
        self.labels = [label["name"] for label in self.task.get("labels", [])]
        self.arrays = arrays_in(place / "arrays.safetensors")
        self.terms = None
        if "source" in self.settings:
            weights = self.arrays["weights"]
            weights = weights[:, None] if weights.ndim == 1 else weights
            self.terms = Terms(self.settings["source"], self.arrays, weights)

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """The answer to each row, in order."""
        return [self._calibrated(self._answer(*self._read(row))) for row in rows]

    def _read(self, row: Mapping[str, Any]) -> tuple[Fields, Fields]:
        """The texts of a row by field, and the turns of a conversation by role."""
        if isinstance(row.get("messages"), (list, tuple)):
            return [], [(turn["role"], turn["content"]) for turn in row["messages"]]
        if isinstance(row.get("fields"), (list, tuple)):
            return row["fields"], []
        names = [name for name, _ in self.task.get("field_names", [])] or list(row)
        fields = [(name, str(row[name])) for name in names if str(row.get(name, "")).strip()]
        return fields, []

    def _answer(self, fields: Fields, turns: Fields) -> Answer:
        if self.kind == "prompted":
            return self._from_endpoint(fields, turns)
        text = "\n".join([text for _, text in [*fields, *turns]])
        settings, arrays = self.settings, self.arrays
        if self.kind == "constant":
            return self._classified(np.array(settings["logprobs"]))
        if self.kind == "fixed_number":
            return {"answer": _written(float(settings["value"])), "scores": []}
        if self.kind == "fixed_labels":
            shares = np.clip(settings["shares"], LEAST, 1 - LEAST)
            return {"answer": settings["answer"], "scores": np.log(shares).tolist()}
        products = 0.0 if self.terms is None else self.terms.products(text)
        if self.kind == "label_head":
            return self._classified(log_softmax(arrays["bias"] + products))
        if self.kind == "number_head":
            value = float(np.sum(products)) + settings["bias"]
            return {
                "answer": _written(min(max(value, settings["low"]), settings["high"])),
                "scores": [],
            }
        if self.kind == "label_set_head":
            shares = np.clip(0.5 * (1 + np.tanh((products + arrays["bias"]) / 2)), LEAST, 1 - LEAST)
            least = np.clip(arrays["thresholds"], LEAST, 1 - LEAST)
            names = [name for name, on in zip(self.labels, shares >= least, strict=True) if on]
            return {"answer": " | ".join(names), "scores": np.log(shares).tolist()}
        return self._level(float(np.sum(products)))

    def _classified(self, scores: Any) -> Answer:
        return {"answer": self.labels[int(np.argmax(scores))], "scores": scores.tolist()}

    def _level(self, place: float) -> Answer:
        """Of the levels along a line with thresholds the one nearest to the expected one."""
        thresholds, known = self.arrays["thresholds"], self.arrays["known"]
        scores = np.full(len(self.labels), NEVER)
        edges = thresholds - place
        below, above = -np.logaddexp(0, -edges), -np.logaddexp(0, edges)
        inside = np.log(-np.expm1(-np.diff(thresholds)))
        scores[known] = (
            np.append(below, 0) + np.insert(above, 0, 0) + np.concatenate([[0], inside, [0]])
            if len(thresholds)
            else 0.0
        )
        expected = float(np.exp(scores) @ np.arange(len(scores)))
        level = min(round(expected), len(scores) - 1)
        return {"answer": self.labels[level], "scores": scores.tolist()}

    def _calibrated(self, answer: Answer) -> Answer:
        scores = np.array(answer["scores"])
        if not self._may_calibrate(answer["answer"], scores):
            return answer
        for step in self.calibration:
            scores = _calibrated(scores, step)
        return {**answer, "scores": scores.tolist()}

    def _may_calibrate(self, answer: str, scores: Any) -> bool:
        """Is there a score for each label, and the answer that of the highest?"""
        if not self.calibration or not len(scores) == len(self.labels) > 1:
            return False
        best = int(scores.argmax())
        return bool(np.isfinite(scores[best])) and answer == self.labels[best]

    # ------------------------------------------------------------------ prompts

    def _from_endpoint(self, fields: Fields, turns: Fields) -> Answer:
        messages = _messages(self.task, self.settings, fields, turns)
        text = _completion(self.settings, messages).strip()
        labels = self.settings["labels"]
        if labels:
            text = _label_in(text, labels) or ""
        elif self.settings["format"] != "chat" and fields:
            name = _field(self.task, fields[0][0])
            text = text.split(f"\n{_start(self.task, name)}")[0].strip()
        if self.task["kind"] == "number":
            text = _first_number(text)
        return {"answer": text, "scores": []}


def _calibrated(scores: Any, step: Mapping[str, Any]) -> Any:
    """Divided by the temperature; then the best probability goes by the knots."""
    best = int(scores.argmax())
    logprobs = log_softmax(scores / step["temperature"])
    others = np.delete(logprobs, best)
    if not step.get("knots") or not np.isfinite(others.max()):
        return logprobs
    others = log_softmax(others)
    second = float(np.exp(others.max()))
    points, heights = zip(*step["knots"], strict=True)
    sure = max(
        float(np.interp(np.exp(logprobs[best]), points, heights)),
        second / (1 + second) * (1 + 1e-9),
    )
    return np.insert(others + np.log1p(-sure), best, math.log(sure))


def _written(value: float) -> str:
    return f"{value:.10g}"


def _first_number(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).replace("\u2212", "-")
    match = re.search(
        r"[+-]?[0-9]+(?:,[0-9]{3})*(?![0-9])(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?", plain, re.IGNORECASE
    )
    return _written(float(match[0].replace(",", ""))) if match else ""


def _field(task: Mapping[str, Any], name: str) -> str:
    words = " ".join(name.replace("_", " ").split())
    return str(dict(task.get("field_names", [])).get(name) or words[:1].upper() + words[1:])


def _lines(task: Mapping[str, Any], fields: Fields, turns: Fields) -> list[str]:
    named = [(_field(task, name), text) for name, text in fields]
    named += [(role.capitalize(), text) for role, text in turns]
    gap = re.compile(r"\s*\n\s*")
    return [_line(task, name, gap.sub(chr(10), text.strip())) for name, text in named]


def _fence(task: Mapping[str, Any]) -> str:
    return str(task.get("parts", {}).get("delimiter", "none"))


def _tag(name: str) -> str:
    return "_".join(name.lower().split())


def _start(task: Mapping[str, Any], name: str) -> str:
    return f"<{_tag(name)}>" if _fence(task) == "tags" else f"{name}:"


def _line(task: Mapping[str, Any], name: str, text: str) -> str:
    fence = _fence(task)
    if fence == "none":
        return f"{name}: {text}".rstrip()
    fenced = _fenced(fence, name, text)
    return fenced if fence == "tags" else f"{name}: {fenced}"


def _fenced(fence: str, name: str, text: str) -> str:
    if fence == "none":
        return text
    if fence == "tags":
        return f"<{_tag(name)}>\n{text}\n</{_tag(name)}>"
    mark = {"quotes": '"""', "hashes": "###"}[fence]
    return f"{mark}\n{text}\n{mark}"


def _messages(
    task: Mapping[str, Any], settings: Mapping[str, Any], fields: Fields, turns: Fields
) -> list[dict[str, str]]:
    """The prompt that asks a row, after the demonstrations."""
    rows = [(demo["fields"], demo["turns"], demo["answer"]) for demo in settings["demos"]]
    if settings["format"] == "chat":
        return _chat(task, settings, [*rows, (fields, turns, None)])
    blocks = [settings["instruction"]] if settings["format"] == "instruction" else []
    for own, spoken, answer in [*rows, (fields, turns, None)]:
        question = "\n".join([*_lines(task, own, spoken), f"{settings['answer_name']}:"])
        blocks.append(question if answer is None else f"{question} {answer}")
    return [{"role": "user", "content": "\n\n".join(blocks)}]


def _chat(
    task: Mapping[str, Any], settings: Mapping[str, Any], rows: Sequence[Any]
) -> list[dict[str, str]]:
    spoken: list[tuple[str, str]] = []
    systems: list[str] = []
    for fields, turns, answer in rows:
        own = _user(task, settings, fields, turns)
        first = next((k for k, (role, _) in enumerate(own) if role != "system"), len(own))
        systems += [text for _, text in own[:first]]
        spoken += own[first:]
        if answer is not None:
            spoken.append(("assistant", answer))
    request = [task["system"]] if task.get("system") else []
    fields, turns, _ = rows[-1]
    if not _asks(settings, fields, turns) or task.get("instruction"):
        request.append(settings["instruction"])
    elif settings.get("beside"):
        request.append(settings["beside"])
    system = "\n".join([*request, *dict.fromkeys(systems)])
    whole = [("system", system), *spoken] if system else spoken
    roles = {"tool": "user"}
    return [{"role": roles.get(role, role), "content": text} for role, text in whole]


def _asks(settings: Mapping[str, Any], fields: Fields, turns: Fields) -> bool:
    """Does the row say itself what is wanted?"""
    asks = turns or any(name in ("instruction", "prompt") for name, _ in fields)
    return bool(asks) and not settings["labels"]


def _user(
    task: Mapping[str, Any], settings: Mapping[str, Any], fields: Fields, turns: Fields
) -> list[tuple[str, str]]:
    if _asks(settings, fields, turns):
        alone = [("user", "\n\n".join(text for _, text in fields))]
        return [(role, text) for role, text in turns] or alone
    bare = len(fields) == 1 and not turns
    if not bare:
        return [("user", "\n".join(_lines(task, fields, turns)))]
    name, text = fields[0]
    return [("user", _fenced(_fence(task), _field(task, name), text.strip()))]


def _folded(text: str) -> str:
    plain = text.casefold().replace("_", " ").replace("-", " ")
    return " ".join(plain.split()).strip(" .,!?\"'`:*")


def _label_in(text: str, labels: Sequence[Sequence[str]]) -> str | None:
    """The label that a text names, of (name, words): exactly, or first and longest inside it."""
    plain = _folded(text)
    folded = [(_folded(words), name) for name, words in labels]
    for words, name in folded:
        if words == plain:
            return name
    places = []
    for words, name in folded:
        if words:
            end = r"(?!\w)" if words[-1].isascii() else ""
            match = re.search(rf"(?<!\w){re.escape(words)}{end}", plain)
            if match:
                places.append((match.start(), -len(words), name))
    return min(places)[2] if places else None


def _completion(settings: Mapping[str, Any], messages: Sequence[Mapping[str, str]]) -> str:
    """What the endpoint writes, tried again while that may help."""
    body = {
        "model": settings["model"],
        "messages": list(messages),
        "max_tokens": settings["max_tokens"],
        "temperature": 0.0,
        "seed": 0,
    }
    if settings["stop"]:
        body["stop"] = settings["stop"]
    address = os.environ.get("NSHOT_ENDPOINT") or settings["address"]
    headers = {"Content-Type": "application/json"}
    key = os.environ.get("NSHOT_API_KEY") or os.environ.get("OPENAI_API_KEY")
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(
        f"{address}/chat/completions", json.dumps(body).encode(), headers
    )
    for attempt in range(ATTEMPTS):
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as response:
                text = json.load(response)["choices"][0]["message"]["content"] or ""
            ends = [text.find(stop) for stop in settings["stop"] if stop in text]
            return str(text[: min(ends)] if ends else text)
        except urllib.error.HTTPError as error:
            if error.code not in (408, 409, 425, 429) and error.code < 500:
                raise RuntimeError(f"{address} refuses (status {error.code})") from None
        except (OSError, ValueError, LookupError, TypeError):
            pass
        time.sleep(min(60.0, 0.5 * 2**attempt))
    raise RuntimeError(f"{address} does not answer, {ATTEMPTS} times in a row")


def main() -> None:
    """A line of JSON in, a line of JSON out, both in UTF-8."""
    for stream in (sys.stdin, sys.stdout):
        stream.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    model = Model()
    for line in sys.stdin:
        if line.strip():
            (answer,) = model.predict([json.loads(line)])
            print(json.dumps(answer, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
