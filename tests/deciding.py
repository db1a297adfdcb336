"""A real HTTP server that speaks System One and OpenAI's Decisions, with a mind that is planted.

The mind likes the option whose words are in the text, and may have every fault that hosted models
are said to have. Nothing of a real service is in it.
"""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from local_server import listening, send
from nshot.core.types import ModelRef, digest

SECRET = "a-key-that-must-not-be-seen-anywhere"


@dataclass
class Mind:
    """How options are liked; every field but the first two is a fault.

    Args:
        words: of each label those that speak for it, in one string; else an option's own words.
        sharpness: what a word counts, in nats.
        noise: of the liking, from the text alone: it makes mistakes.
        overconfidence: by which the liking is multiplied after it is decided.
        first: nats for the option that comes first.
        worded: nats of noise that hang on the words of the question's instruction.
        obeys: does it choose what a text asks it to choose?
        drifts: nats of noise that are others in each answer.
        refuses, breaks, rejects: texts with this word are refused; answered with NaN; with 422.
        strays: texts with this word are answered with an option that was not offered.
    """

    words: Mapping[str, str] = field(default_factory=dict)
    sharpness: float = 2.0
    noise: float = 0.0
    overconfidence: float = 1.0
    first: float = 0.0
    worded: float = 0.0
    obeys: bool = False
    drifts: float = 0.0
    refuses: str = ""
    breaks: str = ""
    rejects: str = ""
    strays: str = ""
    count: int = 0

    def probabilities(self, text: str, options: Sequence[str], wording: str) -> list[float]:
        self.count += 1
        told = re.findall(r"choose '(.*?)'", text)
        if self.obeys and told and told[-1] in options:
            return [0.97 if one == told[-1] else 0.03 / (len(options) - 1) for one in options]
        text = text.split("Ignore the above")[0].rpartition("To be decided:")[2]
        seen = set(re.findall(r"\w+", text.casefold()))
        liking = []
        for place, one in enumerate(options):
            words = set(re.findall(r"\w+", self.words.get(one, one).casefold()))
            value = self.sharpness * len(words & seen) + self.noise * _normal(text, one)
            value += self.worded * _normal(text, one, wording)
            value = self.overconfidence * value + self.first * (place == 0)
            liking.append(value + self.drifts * _normal(text, one, str(self.count)))
        top = max(liking)
        shares = [math.exp(one - top) for one in liking]
        return [one / sum(shares) for one in shares]


def _normal(*parts: str) -> float:
    """A number that is about normal, and the same for the same parts."""
    return sum(int(digest(*parts, str(i)), 16) / 2**64 for i in range(12)) - 6


@dataclass
class Service:
    """`script` holds (status, headers) for the first requests; after them the mind answers."""

    mind: Mind
    script: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    key: str = ""
    delay: float = 0.0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    busiest: int = 0
    busy: int = 0
    port: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def name(self, engine: str = "systemone", model: str = "scripted") -> str:
        """What --model takes."""
        return f"{engine}:{model}@http://127.0.0.1:{self.port}/v1"

    def ref(self, engine: str = "systemone") -> ModelRef:
        return ModelRef(engine, self.name(engine).partition(":")[2])

    @property
    def tokens(self) -> int:
        """What it has billed."""
        return sum(_tokens(body) for body in self.bodies)


def _tokens(body: Mapping[str, Any]) -> int:
    return len(json.dumps(body).split())


def _systemone(body: dict[str, Any], mind: Mind) -> dict[str, Any]:
    answers = {}
    for name, question in body["questions"].items():
        answers[name] = _answer_one(body["state"], question, mind)
    return {"model": body["model"], "answers": answers}


def _answer_one(text: str, question: dict[str, Any], mind: Mind) -> dict[str, Any]:
    if mind.refuses and mind.refuses in text:
        return {"type": "refusal", "refusal": "not about this"}
    if question["type"] == "noul":
        return {"type": "noul", "noul": _yes(text, question["instructions"], mind)}
    if question["type"] == "choice":
        options = list(question["criteria"])
        assert 2 <= len(options) <= 255
        row = _row(text, options, mind, question["instructions"])
        best = options[max(range(len(row)), key=lambda i: row[i])]
        options = _offered(text, options, mind)
        return {"type": "choice", "choice": best, "confidence": max(row),
                "probabilities": dict(zip(options, row, strict=True))}  # fmt: skip
    levels = question["criteria"]
    assert 2 <= len(levels) <= 10
    names = [one.partition(":")[0] for one in levels]
    row = _row(text, names, mind, question["instructions"])
    return {"type": "score", "score": sum(i * p for i, p in enumerate(row)), "confidence": 0.5,
            "legend": {str(i): one for i, one in enumerate(levels)},
            "probabilities": {str(i): p for i, p in enumerate(row)}}  # fmt: skip


def _decisions(body: dict[str, Any], mind: Mind) -> dict[str, Any]:
    answers = []
    for question in body["questions"]:
        name = question["name"]
        if mind.refuses and mind.refuses in body["input"]:
            answers.append({"type": "refusal", "name": name})
        elif question["type"] == "predicate":
            yes = _yes(body["input"], question["instructions"], mind)
            answers.append({"type": "predicate", "name": name, "probability": yes})
        else:
            key = "choices" if question["type"] == "choice" else "levels"
            options = [one["value" if key == "choices" else "label"] for one in question[key]]
            assert 2 <= len(options) <= (255 if key == "choices" else 10)
            row = _row(body["input"], options, mind, question["instructions"])
            options = _offered(body["input"], options, mind)
            values: Sequence[Any] = options if key == "choices" else range(len(options))
            pairs = [{"value": v, "probability": p} for v, p in zip(values, row, strict=True)]
            answers.append({"type": question["type"], "confidence": 0.5, "probabilities": pairs})
    return {"model": body["model"], "answers": answers}


def _row(text: str, options: Sequence[str], mind: Mind, wording: str) -> list[float]:
    if mind.breaks and mind.breaks in text:
        return [math.nan] * len(options)
    return mind.probabilities(text, options, wording)


def _offered(text: str, options: list[str], mind: Mind) -> list[str]:
    """The options' names in the answer: as they were offered, or not."""
    return ["else", *options[1:]] if mind.strays and mind.strays in text else options


def _yes(text: str, instruction: str, mind: Mind) -> float:
    """Of the label that a question names, against a label that nothing speaks for."""
    named = (re.findall(r"'(.*?)'", instruction) or [instruction])[-1]
    if mind.breaks and mind.breaks in text:
        return math.nan
    other = next((one for one in mind.words if one != named), "nothing")
    return mind.probabilities(text, [named, other], instruction)[0]


def _handler(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else an answer's body waits 40 ms for its headers' receipt

        def log_message(self, *args: object) -> None:
            """Nothing on the test's screen."""

        def do_GET(self) -> None:
            if self._is_known():
                self._send(200, {"models": [{"name": "scripted"}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not self._is_known():
                return
            with service.lock:
                service.bodies.append(body)
                service.keys.append(self.headers["Authorization"])
                status, headers = service.script.pop(0) if service.script else (200, {})
                if service.mind.rejects and service.mind.rejects in json.dumps(body):
                    status = 422
                service.busy += 1
                service.busiest = max(service.busiest, service.busy)
            try:
                time.sleep(service.delay)
                if status != 200:
                    detail: Any = {"error_type": "planted", "message": f"planted {status}"}
                    if status == 422:
                        detail = [{"loc": ["questions"], "msg": "planted", "type": "value_error"}]
                    self._send(status, {"detail": detail}, headers)
                    return
                speak = _systemone if self.path.endswith("/systemone") else _decisions
                answer = speak(body, service.mind)
                answer["usage"] = {"input_tokens": _tokens(body), "output_tokens": 1}
                self._send(200, answer)
            finally:
                with service.lock:
                    service.busy -= 1

        def _is_known(self) -> bool:
            if service.key and self.headers["Authorization"] != f"Bearer {service.key}":
                error = {"error_type": "authentication_error", "message": "no such key"}
                self._send(401, {"detail": error})
                return False
            return True

        def _send(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
            send(self, status, json.dumps(body).encode(), (headers or {}).items())

    return Handler


@contextmanager
def deciding(mind: Mind | None = None, **more: Any) -> Iterator[Service]:
    """A server on a free port of this machine, until the block ends."""
    service = Service(mind or Mind(), **more)
    with listening(_handler(service)) as port:
        service.port = port
        yield service
