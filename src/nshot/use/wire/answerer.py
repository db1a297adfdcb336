"""A delivered folder on the server: what it takes, how it answers, what it shows of an answer."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nshot.core.errors import Fault, InputError
from nshot.core.label_sets import labels_of
from nshot.core.types import Image, Input, ModelRef, Prediction, Task, Turn
from nshot.models.base import Encoder, Models
from nshot.models.engines import CONTINUOUS, ENDPOINTS
from nshot.predictors import Predictor, load
from nshot.predictors.calibrated import bare
from nshot.predictors.features import Encoded
from nshot.predictors.folder import require_intact
from nshot.predictors.implicit import Implicit
from nshot.predictors.prompted import AS_IT_WOULD, Manner, Prompted
from nshot.predictors.replayed import Replayed
from nshot.use.abstaining import held_back, probability
from nshot.use.answers import fingerprint
from nshot.use.levels import expected_level
from nshot.use.ready import Ready

WARM = 2
"""Of the inputs that a folder was delivered with, how many it answers before it is ready."""


class Usage(NamedTuple):
    """Tokens that were read and written."""

    tokens_in: int
    tokens_out: int


@dataclass(frozen=True)
class Answerer:
    """One folder by its name. `raw` answers as its predictor does, nothing held back."""

    name: str
    place: Path
    raw: Ready
    predictor: Predictor
    models: Models
    abstain_below: float
    fingerprint: str
    """Of all files of the folder: what answers are kept under."""
    written: int
    """When the folder was written, in seconds since 1970."""

    @classmethod
    def open(cls, name: str, place: Path, models: Models) -> Answerer:
        """Read a delivered folder. Raises `InputError` for one that cannot be served."""
        require_intact(place)
        predictor = load(place, models)
        kept = Ready(predictor, place).abstain_below
        raw = Ready(predictor, place, abstain_below=0.0)
        written = int(max(file.stat().st_mtime for file in place.iterdir()))
        return cls(name, place, raw, predictor, models, kept, fingerprint(place), written)

    @property
    def task(self) -> Task:
        """What it answers."""
        return self.predictor.task

    @property
    def base(self) -> str:
        """The model under it: what is asked together; its own name where it has none."""
        ref = model_of(self.predictor)
        return f"{ref.engine}:{ref.form}" if ref else f"folder:{self.name}"

    @property
    def is_remote(self) -> bool:
        """Whether to ask it costs money elsewhere."""
        return any(ref.engine in ENDPOINTS for ref in _models(self.predictor))

    @property
    def writer(self) -> Prompted | None:
        """The language model that writes its texts; None where it answers with something else."""
        inner = bare(self.predictor)
        writer = inner.writer if isinstance(inner, Implicit) else inner
        return writer if isinstance(writer, Prompted) and writer.task.kind == "generate" else None

    @property
    def writes_together(self) -> bool:
        """Whether its texts can be written token by token, beside others that come and go."""
        writer = self.writer
        is_itself = writer is not None and writer is bare(self.predictor)
        return is_itself and writer is not None and writer.ref.engine in CONTINUOUS

    def pieces(
        self, input: Input, manner: Manner = AS_IT_WOULD
    ) -> Generator[str, None, Prediction]:
        """The text of one input in pieces, and at its end the prediction.

        Raises `InputError` where nothing is written here.
        """
        if self.writer is None:
            raise InputError(Fault(f"'{self.name}' writes no texts"))
        return self.writer.stream(input, manner)

    @property
    def encoder(self) -> Encoder:
        """The sentence encoder under it. Raises `InputError` without one."""
        source = self._encoded
        if source is None:
            raise InputError(Fault(f"'{self.name}' stands on no sentence encoder"))
        return self.models.encoder(source.ref)

    @property
    def embeds(self) -> bool:
        """Whether it stands on a sentence encoder."""
        return self._encoded is not None

    @property
    def _encoded(self) -> Encoded | None:
        inner = bare(self.predictor)
        source = getattr(inner, "source", None)
        if isinstance(inner, Prompted) and inner.retrieval is not None:
            source = inner.retrieval.encoder
        return source if isinstance(source, Encoded) and not self.task.pictures else None

    def warm(self) -> None:
        """Load what it needs by answering inputs that it was delivered with."""
        if not self.is_remote:
            inputs = [one for one, _ in self.raw.delivered_with[:WARM]]
            self.raw.predict(inputs or self._anything())

    def _anything(self) -> list[Input]:
        knows_few = self.task.kind == "rank" or isinstance(self.predictor, Replayed)
        if self.task.pictures or knows_few:
            return []
        return [Input(tuple((name, "?") for name in self.fields))]

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the texts that an input has."""
        return tuple(name for name, _ in self.task.field_names) or ("text",)

    def held_back(self, predictions: Sequence[Prediction]) -> list[Prediction]:
        """The predictions as the folder gives them: those that are too improbable held back."""
        if not self.abstain_below:
            return list(predictions)
        return held_back(self.task, predictions, self.abstain_below)

    def answers(self, inputs: Sequence[Input], manner: Manner = AS_IT_WOULD) -> list[Prediction]:
        """What the folder answers, in a client's manner where it writes texts."""
        if self.writer is not None and manner != AS_IT_WOULD:
            return self.write(inputs, manner)
        return self.held_back(self.raw.predict(inputs))

    def write(self, inputs: Sequence[Input], manner: Manner) -> list[Prediction]:
        """Texts written in a client's manner. Raises `InputError` where nothing is written here."""
        if self.writer is None:
            raise InputError(Fault(f"'{self.name}' writes no texts"))
        return self.writer.write(inputs, manner)

    def stream(self, input: Input, manner: Manner) -> Iterator[str | Usage]:
        """The text of `write` in pieces, then what it took; of what writes none, in one piece."""
        writer = self.writer
        if writer is not None:
            prediction = yield from writer.stream(input, manner)
        else:
            (prediction,) = self.held_back(self.raw.predict([input]))
            if prediction.answer:
                yield prediction.answer
        yield Usage(prediction.tokens_in, prediction.tokens_out)

    # --------------------------------------------------------------------------- inputs

    def input(self, value: str | Mapping[str, Any], pictures: Sequence[Image] = ()) -> Input:
        """A text, or a mapping of the task's fields to texts, as an input.

        Of kind ``rank`` a mapping has ``answers``, a list of texts. Nothing is opened: pictures
        come with the request. Raises `InputError`.
        """
        if self.task.pictures or pictures:
            if not self.task.pictures:
                raise InputError(Fault("a picture", f"a text: '{self.name}' reads no pictures"))
            if len(pictures) != 1:
                raise InputError(Fault(f"{len(pictures)} pictures", "one picture an input"))
            return Input(images=tuple(pictures))
        if self.task.kind == "rank" and isinstance(value, Mapping):
            return self._ranked(value)
        if isinstance(value, str):
            return self.raw.input(value)
        if other := [name for name in self.fields if not isinstance(value.get(name, ""), str)]:
            raise InputError(Fault(f"{', '.join(other)} of another kind", "a text for each field"))
        return self.raw.input({name: text for name, text in value.items() if isinstance(text, str)})

    def _ranked(self, value: Mapping[str, Any]) -> Input:
        answers = value.get("answers")
        if not (isinstance(answers, list) and all(isinstance(one, str) for one in answers)):
            raise InputError(Fault("no list 'answers'", "texts to choose from"))
        asked_with = {k: v for k, v in value.items() if k != "answers" and isinstance(v, str)}
        if not asked_with:
            raise InputError(Fault("nothing that the answers answer", "a text beside 'answers'"))
        if self.task.field_names:
            return Input(self.raw.input(asked_with).fields, answers=tuple(answers))
        return Input(tuple(asked_with.items()), answers=tuple(answers))

    def of_turns(self, turns: Sequence[Turn], pictures: Sequence[Image] = ()) -> Input:
        """A conversation as an input.

        A folder that writes and names no fields takes all turns. Any other takes what the user said
        last: of several fields as an object of JSON.
        """
        if not self.task.pictures and not pictures and self.takes_turns:
            return Input(turns=tuple(turns))
        last = next((turn.text for turn in reversed(turns) if turn.role == "user"), None)
        if last is None:
            raise InputError(Fault("no message of the user", "one that says what is asked"))
        if (len(self.fields) > 1 or self.task.kind == "rank") and not self.task.pictures:
            return self.input(_object(last, self.fields), pictures)
        return self.input(last, pictures)

    @property
    def takes_turns(self) -> bool:
        """Whether an input may be a conversation."""
        return self.writer is not None and not self.task.field_names

    # -------------------------------------------------------------------------- answers

    def shown(self, prediction: Prediction) -> dict[str, Any]:
        """An answer with all that is known of it, as ``/v1/classify`` sends it."""
        task, line = self.task, {"answer": prediction.answer, "abstained": prediction.abstained}
        scores = prediction.scores
        if task.kind == "spans":
            return {**line, "spans": json.loads(prediction.answer or "[]")}
        if task.kind == "number":
            return {**line, "number": float(prediction.answer) if prediction.answer else None}
        if task.kind == "multilabel":
            line["labels"] = list(labels_of(prediction.answer))
        if task.kind == "rank":
            return {**line, "scores": list(scores)}
        if task.has_labels:
            line["label"] = None if not prediction.answer else prediction.answer
        if len(scores) == len(task.labels) > 0:
            shares = np.exp(np.asarray(scores)).tolist()
            line["probabilities"] = dict(zip(task.label_names, shares, strict=True))
            if task.has_labels:
                line["probability"] = probability(task, prediction)
            if task.kind == "score":
                line["expected"] = expected_level(task, prediction)
        return line


def model_of(predictor: Predictor) -> ModelRef | None:
    """The model under a predictor, without what was put on it; None for what has none."""
    return next(_models(predictor), None)


def _models(predictor: Predictor) -> Iterator[ModelRef]:
    """The models under a predictor and under those that it asks, without what was put on them."""
    inner = bare(predictor)
    ref = getattr(inner, "ref", None) or getattr(getattr(inner, "source", None), "ref", None)
    if isinstance(ref, ModelRef):
        yield ref.base
    for name in ("inner", "cheap", "dear"):
        if (part := getattr(inner, name, None)) is not None:
            yield from _models(part)


def language_model_of(predictor: Predictor) -> ModelRef | None:
    """The language model that a predictor asks with a prompt; None for what asks none."""
    inner = bare(predictor)
    return inner.ref.base if isinstance(inner, Prompted | Implicit) else None


def _object(text: str, fields: Sequence[str]) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InputError(
            Fault("one text", f"an object of JSON with {', '.join(fields)} as the message")
        )
    return value
