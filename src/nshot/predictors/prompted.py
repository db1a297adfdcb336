"""A language model asked with a prompt: labels by log-likelihood, texts by generation."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import CannotAdapt
from nshot.core.numbers import first_number, written
from nshot.core.serial import from_data, to_data
from nshot.core.spans import written as written_spans
from nshot.core.types import Example, Grammar, Input, ModelRef, Prediction, Prompt, Task
from nshot.models.base import (
    Completion,
    Decoding,
    Floats,
    LanguageModel,
    Models,
    Scores,
    settled,
)
from nshot.predictors.base import Predictor
from nshot.predictors.features import Encoded
from nshot.predictors.folder import Arrays, Saved, array, ref_from_json, ref_to_json, write
from nshot.predictors.nearest import Vote, cosines, neighbours
from nshot.predictors.scores import classified, log_softmax
from nshot.prompts.parts import label_words
from nshot.prompts.render import (
    Format,
    answer_text,
    field_name,
    first_answer,
    label_answers,
    parse_label,
    render,
    stops,
)
from nshot.prompts.span_lists import located, span_grammar

Calibration: TypeAlias = Literal["none", "content_free", "batch"]
Likest: TypeAlias = Literal["similar_last", "similar_first"]
"""Where the example stands that is most like the input."""

CONTENT_FREE = ("N/A", "[MASK]", "")
"""Inputs that say nothing (Zhao et al. 2021, section 5)."""


def content_free_offsets(logprobs: Floats) -> Floats:
    """Log of the mean probability of each label over content-free inputs, (inputs, labels) given.

    Zhao et al. 2021, "Calibrate Before Use", https://arxiv.org/abs/2102.09690, eq. 1 with
    W = diag(p_cf)^-1 and b = 0: dividing by p_cf is subtracting its logarithm.
    """
    return np.asarray(np.logaddexp.reduce(log_softmax(logprobs), axis=0) - np.log(len(logprobs)))


def batch_offsets(logprobs: Floats) -> Floats:
    """Mean log-probability of each label over unlabelled inputs, (inputs, labels) given.

    Zhou et al. 2023, "Batch Calibration", https://arxiv.org/abs/2309.17249, in logarithms.
    """
    return np.asarray(log_softmax(logprobs).mean(axis=0))


class Manner(NamedTuple):
    """How a text is to be written where that is not as the predictor would; None: as it would.

    `stop` strings end the text beside its own, a `grammar` takes the place of its own.
    """

    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    grammar: Grammar | None = None


AS_IT_WOULD = Manner()


@dataclass(frozen=True)
class Retrieval:
    """Shows each input its `k` nearest examples of `pool`, by default the nearest next to it.

    `vectors` (pool, width) are the pool's, from the same encoder that reads the inputs.
    """

    encoder: Encoded
    pool: tuple[Example, ...]
    vectors: NDArray[np.float32]
    k: int
    order: Likest = "similar_last"

    def nearest(self, inputs: Sequence[Input]) -> list[tuple[Example, ...]]:
        """The demonstrations of each input."""
        likeness = cosines(self.encoder.read(inputs).matrix, self.vectors)
        step = -1 if self.order == "similar_last" else 1
        return [tuple(self.pool[i] for i in row[::step]) for row in neighbours(likeness, self.k)]


@dataclass(frozen=True)
class Prompted:
    """Asks a language model, with fixed or retrieved demonstrations or none.

    A classify task is answered by the label whose text the model finds most likely after the
    prompt, `offsets` (one per label, log-probabilities) taken off first. A model that cannot score
    is asked to write the label; what names no label is the answer "" without scores. A generate
    task is answered by up to `max_tokens` generated tokens, `constrained` to its answer_format; of
    kind spans by a list of labels and texts, which are looked up in the input.
    """

    task: Task
    models: Models
    ref: ModelRef
    format: Format = "plain"
    demos: tuple[Example, ...] = ()
    retrieval: Retrieval | None = None
    offsets: tuple[float, ...] = ()
    max_tokens: int = 64
    constrained: bool = False
    tuned: bool | None = None
    """Whether the model was trained to write this task's answers; None: where it has deltas."""

    def prompts(self, inputs: Sequence[Input]) -> list[Prompt]:
        """The prompt of each input."""
        if self.retrieval is None:
            return [render(self.task, self.format, input, self.demos) for input in inputs]
        return [
            render(self.task, self.format, input, demos)
            for input, demos in zip(inputs, self.retrieval.nearest(inputs), strict=True)
        ]

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Equal prompts are asked once. Scores are log-probabilities over the labels."""
        return self.answers(inputs, self.prompts(inputs)) if inputs else []

    def answers(self, inputs: Sequence[Input], prompts: Sequence[Prompt]) -> list[Prediction]:
        """The answers to inputs that are asked with these prompts, one each, and not its own."""
        model = self.models.open(self.ref)
        if self.task.has_labels and "score" in model.facts.can:
            logprobs, tokens = self._scored(model, prompts)
            offsets = np.array(self.offsets) if self.offsets else 0.0
            return classified(self.task, log_softmax(logprobs - offsets), tokens)
        return self._written(inputs, prompts, AS_IT_WOULD)

    def write(self, inputs: Sequence[Input], manner: Manner = AS_IT_WOULD) -> list[Prediction]:
        """Answers that the model writes, each by itself; equal prompts are asked once.

        Raises `CannotAdapt` for a grammar that the model cannot be kept to.
        """
        return self._written(inputs, self.prompts(inputs), manner) if inputs else []

    def sampled(self, inputs: Sequence[Input], temperature: float, seed: int) -> list[Prediction]:
        """An answer to each input that is drawn, not the likeliest (`sampled_vote.Samples`)."""
        return self.write(inputs, Manner(temperature=temperature, seed=seed))

    def _written(
        self, inputs: Sequence[Input], prompts: Sequence[Prompt], manner: Manner
    ) -> list[Prediction]:
        model = self.models.open(self.ref)
        how = self._decoding(model, manner)
        different = list(dict.fromkeys(prompts))
        written = dict(zip(different, model.generate(different, how), strict=True))
        return [
            self._heard(input, written[prompt])
            for input, prompt in zip(inputs, prompts, strict=True)
        ]

    def stream(
        self, input: Input, manner: Manner = AS_IT_WOULD
    ) -> Generator[str, None, Prediction]:
        """The answer of `write` to one input of a task of kind generate, in pieces; returns it.

        An empty piece says that the text waits to be written. Closed early, it stops. Raises as
        `write` does.
        """
        model = self.models.open(self.ref)
        (prompt,) = self.prompts([input])
        pieces = model.stream(prompt, self._decoding(model, manner))
        text, shown = "", ""
        while True:
            try:
                piece = next(pieces)
            except StopIteration as end:
                completion = end.value or _counted(model, prompt, text)
                break
            if not piece:
                yield piece
            text += piece
            sure = self._settled(input, text)
            if len(sure) > len(shown):
                yield sure[len(shown) :]
                shown = sure
        prediction = self._heard(input, replace(completion, text=text))
        if len(prediction.answer) > len(shown):
            yield prediction.answer[len(shown) :]
        return prediction

    def calibrate(
        self,
        how: Calibration,
        unlabelled: Sequence[Input],
        prompted: Callable[[Sequence[Input]], Sequence[Prompt]] | None = None,
    ) -> Prompted:
        """The same with offsets measured by `how`; `unlabelled` must not be its demonstrations.

        `prompted` gives the prompts of inputs where they are not its own. Unchanged with ``none``,
        for tasks without labels and models that cannot score. Raises `CannotAdapt` when ``batch``
        is given no input.
        """
        model = self.models.open(self.ref)
        if how == "none" or not self.task.has_labels or "score" not in model.facts.can:
            return replace(self, offsets=())
        if not unlabelled:
            raise CannotAdapt(f"no input to measure the {how} calibration on")
        asking = prompted or self.prompts
        if how == "content_free":
            logprobs, _ = self._scored(model, asking(content_free(unlabelled[0])))
            return replace(self, offsets=tuple(content_free_offsets(logprobs).tolist()))
        logprobs, _ = self._scored(model, asking(unlabelled))
        return replace(self, offsets=tuple(batch_offsets(logprobs).tolist()))

    @property
    def beside(self) -> dict[str, Predictor]:
        """What to measure beside this, by name: without it the model is credited for the search."""
        if self.retrieval is None or not self.task.has_labels:
            return {}
        shown, names = self.retrieval, self.task.label_names
        targets = np.array([names.index(example.label) for example in shown.pool], dtype=np.int64)
        vote = Vote(self.task, shown.encoder, shown.vectors, targets, shown.k)
        return {"the k-NN vote of the same demonstrations": vote}

    def _scored(self, model: Scores, prompts: Sequence[Prompt]) -> tuple[Floats, list[int]]:
        """(prompts, labels) log-likelihoods, and the length of each request."""
        different = list(dict.fromkeys(prompts))
        answers = label_answers(self.task, self.format)
        scores = dict(
            zip(different, model.logprobs(different, [answers] * len(different)), strict=True)
        )
        logprobs = np.stack([scores[prompt].logprobs for prompt in prompts])
        return logprobs, [scores[prompt].tokens_in for prompt in prompts]

    def _decoding(self, model: LanguageModel, manner: Manner) -> Decoding:
        if manner.grammar is None:
            grammar = self._grammar(model)
        elif "constrain" not in model.facts.can:
            raise CannotAdapt(f"{self.ref.name} cannot be kept to a format")
        else:
            grammar = replace(manner.grammar, lead=answer_text("", self.format))
        own = () if self._ends_itself or grammar else stops(self.task, self.format)
        length = self._length(model) if manner.max_tokens is None else manner.max_tokens
        return Decoding(
            length, manner.temperature or 0.0, manner.seed or 0, (*own, *manner.stop), grammar
        )

    def _settled(self, input: Input, text: str) -> str:
        """As much of the answer as no later piece of the text can change."""
        text = text.lstrip()
        if not self._ends_itself and self.format != "chat":
            text = settled(
                text, [f"\n{field_name(self.task, name)}:" for name, _ in input.fields[:1]]
            )
        return text.rstrip()

    def _grammar(self, model: LanguageModel) -> Grammar | None:
        """What the model is kept to: a label where it can be, the task's format where asked."""
        lead = answer_text("", self.format)
        if self.task.has_labels and "constrain" in model.facts.can:
            words = json.dumps(label_words(self.task), ensure_ascii=False)
            return Grammar("choices", words, lead)
        if self.task.kind == "spans" and "constrain" in model.facts.can:
            return span_grammar(self.task, lead)
        if self.task.answer_format is None or not self.constrained:
            return None
        return replace(self.task.answer_format, lead=lead)

    @property
    def _ends_itself(self) -> bool:
        """A model that was trained to write this task's answers; a label is trained without end."""
        tuned = bool(self.ref.deltas) if self.tuned is None else self.tuned
        return tuned and self.task.is_written

    def _length(self, model: LanguageModel) -> int:
        """Tokens to generate: of the longest label and two to spare, or `max_tokens`."""
        if not self.task.has_labels:
            return self.max_tokens
        return max(model.count(label_answers(self.task, self.format))) + 2

    def _heard(self, input: Input, completion: Completion) -> Prediction:
        text = completion.text.strip()
        if self.task.has_labels:
            text = parse_label(self.task, text) or ""
        elif not self._ends_itself:
            text = first_answer(self.task, self.format, input, text)
        if self.task.kind == "number":
            value = first_number(text)
            text = "" if value is None else written(value)
        if self.task.kind == "spans":
            text = written_spans(input.text, located(self.task, input.text, text))
        served = completion.served
        return Prediction(
            text,
            tokens_in=completion.tokens_in,
            tokens_out=completion.tokens_out,
            seconds=served.seconds if served else None,
            money=served.money if served else 0.0,
        )

    def save(self, folder: Path) -> None:
        """Prompt, demonstrations and offsets as JSON; the pool's vectors; the model's deltas."""
        settings = {
            "ref": ref_to_json(self.ref, folder),
            "format": self.format,
            "demos": [to_data(demo) for demo in self.demos],
            "offsets": list(self.offsets),
            "max_tokens": self.max_tokens,
            "constrained": self.constrained,
            "retrieval": None,
        }
        if self.tuned is not None:
            settings["tuned"] = self.tuned
        arrays: Arrays = {}
        if self.retrieval is not None:
            settings["retrieval"] = {
                "encoder": ref_to_json(self.retrieval.encoder.ref, folder / "encoder"),
                "pool": [to_data(example) for example in self.retrieval.pool],
                "k": self.retrieval.k,
                "order": self.retrieval.order,
            }
            arrays = {"pool": self.retrieval.vectors}
        write(folder, "prompted", self.task, settings, arrays)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> Prompted:
        """The predictor that `save` wrote."""
        settings = saved.settings
        return cls(
            saved.task,
            models,
            ref_from_json(settings["ref"], saved.folder),
            settings["format"],
            tuple(from_data(Example, demo) for demo in settings["demos"]),
            _retrieval(saved, models) if settings["retrieval"] else None,
            tuple(settings["offsets"]),
            settings["max_tokens"],
            settings.get("constrained", False),
            settings.get("tuned"),
        )


def _counted(model: LanguageModel, prompt: Prompt, text: str) -> Completion:
    """What a stream wrote, its tokens counted anew."""
    tokens_in, tokens_out = model.count([prompt, text])
    return Completion(text, tokens_in, tokens_out, True)


def content_free(like: Input) -> list[Input]:
    """Inputs with the fields of `like`, or one user turn, that say nothing."""
    names = [name for name, _ in like.fields] or ["text"]
    return [Input(fields=tuple((name, text) for name in names)) for text in CONTENT_FREE]


def _retrieval(saved: Saved, models: Models) -> Retrieval:
    data = saved.settings["retrieval"]
    ref = ref_from_json(data["encoder"], saved.folder / "encoder")
    pool = tuple(from_data(Example, example) for example in data["pool"])
    order = data.get("order", "similar_last")
    return Retrieval(Encoded(models, ref), pool, array(saved, "pool"), data["k"], order)
