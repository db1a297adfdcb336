"""How an exported language model is asked: one JSON file, and a runtime on transformers alone.

The runtime is written from the file's description in docs/extend/export.md. It renders the prompt
from pieces, tokenises prompt and answer together, and reads each answer whole in a plain forward
pass: slow, and nothing of the code that wrote the folder.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import Fault, InputError
from nshot.core.files import write_atomic
from nshot.core.serial import dumps, from_data, read_json, to_data
from nshot.core.types import Input, ModelRef, Prediction
from nshot.use.export.ngrams import Calibration, log_softmax

if TYPE_CHECKING:
    from nshot.models.base import Models
    from nshot.predictors.folder import Saved
    from nshot.predictors.prompted import Prompted

FILE = "asking.json"
_MARK = "\U000f0000{}\U000f0001"
_MARKED = re.compile("\U000f0000(\\d+)\U000f0001")


@dataclass(frozen=True)
class Piece:
    """A text, or the input's field of a name: without blank lines, unless it is `whole`."""

    text: str = ""
    field: str = ""
    whole: bool = False


@dataclass(frozen=True)
class Part:
    """A turn of a chat; of a text there is one, without a role."""

    pieces: tuple[Piece, ...]
    role: str = ""

    def filled(self, fields: dict[str, str]) -> str:
        """The text for an input; an empty field takes the space before it along."""
        text = ""
        for piece in self.pieces:
            value = fields[piece.field].strip() if piece.field else piece.text
            if piece.field and not piece.whole:
                value = re.sub(r"\s*\n\s*", "\n", value)
            text = text + value if value else text.rstrip(" ")
        return text


@dataclass(frozen=True)
class Asking:
    """What the file holds.

    `answers` are what is scored for each of `labels`, after the prompt; their log-likelihoods less
    `offsets` are scores before the softmax, which go through `calibration`. Without labels the
    model writes up to `max_tokens`, to the first of the `stops`. `base` and `revision` name the
    model that an adapter stands on.
    """

    parts: tuple[Part, ...]
    labels: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    offsets: tuple[float, ...] = ()
    calibration: tuple[Calibration, ...] = ()
    stops: tuple[str, ...] = ()
    max_tokens: int = 0
    base: str = ""
    revision: str = ""

    def rendered(self, tokenizer: Any, one: Input) -> str:
        """The rendered prompt of an input; `InputError` where it lacks a field."""
        names = {piece.field for part in self.parts for piece in part.pieces if piece.field}
        fields = dict(one.fields)
        if missing := sorted(names - fields.keys()):
            raise InputError(Fault(f"no {', '.join(missing)} in an input", expected="every field"))
        texts = [part.filled(fields) for part in self.parts]
        if not self.parts[0].role:
            return texts[0]
        turns = [
            {"role": part.role, "content": text}
            for part, text in zip(self.parts, texts, strict=True)
        ]
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))

    @property
    def is_chat(self) -> bool:
        """Whether the prompt is a chat, whose template brings its own special tokens."""
        return bool(self.parts[0].role)


@dataclass(frozen=True)
class Runtime:
    """A transformers model (PEFT's too) that is asked as a file says."""

    asking: Asking
    module: Any
    tokenizer: Any

    def answer(self, one: Input) -> Prediction:
        """The label with the highest score, or what the model writes."""
        prompt = self.asking.rendered(self.tokenizer, one)
        if not self.asking.labels:
            return Prediction(self._written(prompt))
        scores = log_softmax(self._scored(prompt) - np.array(self.asking.offsets or 0.0))
        best = int(scores.argmax())
        for step in self.asking.calibration:
            scores = step.applied(scores)
        return Prediction(self.asking.labels[best], tuple(scores.tolist()))

    def _scored(self, prompt: str) -> NDArray[np.float64]:
        """(labels,) log-likelihoods of the tokens that any of the answers changes."""
        import torch

        joint = [self._tokens(prompt + answer) for answer in self.asking.answers]
        start = min(_shared(self._tokens(prompt), tokens) for tokens in joint)
        if not start:
            joint, start = [[self._start, *tokens] for tokens in joint], 1
        room = self._context - max(len(tokens) - start for tokens in joint)
        kept = _cut(joint[0][:start], room, self.tokenizer.bos_token_id)
        sums = []
        for tokens in joint:
            ids = torch.tensor([[*kept, *tokens[start:]]], device=self.module.device)
            with torch.no_grad():
                logprobs = self.module(input_ids=ids).logits[0].double().log_softmax(-1)
            logprobs = logprobs[-ids.shape[1] :]  # a soft prompt's positions stand before
            at = torch.arange(len(kept), ids.shape[1], device=ids.device)
            sums.append(float(logprobs[at - 1, ids[0, at]].sum()))
        return np.array(sums)

    def _written(self, prompt: str) -> str:
        import torch

        tokens = self._tokens(prompt) or [self._start]
        room = self._context - self.asking.max_tokens
        ids = torch.tensor([_cut(tokens, room, self.tokenizer.bos_token_id)])
        ids = ids.to(self.module.device)
        with torch.no_grad():
            made = self.module.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=self.asking.max_tokens,
                do_sample=False,
            )
        text = self.tokenizer.decode(
            made[0, ids.shape[1] :], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        for stop in self.asking.stops:
            text = text.split(stop)[0]
        return str(text).strip()

    def _tokens(self, text: str) -> list[int]:
        """A chat's template brings the special tokens that a text gets from the tokenizer."""
        special = not self.asking.is_chat
        return list(self.tokenizer(text, add_special_tokens=special)["input_ids"])

    @property
    def _start(self) -> int:
        known = (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id)
        return next((int(token) for token in known if token is not None), 0)

    @property
    def _context(self) -> int:
        text = self.module.config.get_text_config()
        soft = getattr(getattr(self.module, "active_peft_config", None), "num_virtual_tokens", 0)
        return int(getattr(text, "max_position_embeddings", None) or 2048) - int(soft or 0)


def _cut(tokens: Sequence[int], room: int, bos: int | None) -> list[int]:
    """The last `room` tokens of a prompt; its start token stays."""
    if len(tokens) <= room:
        return list(tokens)
    if tokens[0] == bos:
        return [tokens[0], *tokens[len(tokens) - room + 1 :]]
    return list(tokens[len(tokens) - room :])


def _shared(a: Sequence[int], b: Sequence[int]) -> int:
    differ = (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
    return next(differ, min(len(a), len(b)))


def read_asking(folder: Path, form: str) -> Asking:
    """What `write_asking` wrote; `InputError` where nothing was."""
    path = folder / FILE
    if not path.is_file():
        do = f"nshot export DIR --to {form} --out FOLDER"
        raise InputError(Fault(f"no {FILE}", do=do, where=str(folder)))
    return from_data(Asking, read_json(path), where=str(path))


# ------------------------------------------------------------------ written, not read


SEVERAL = {
    "rationale": "a rationale that is written before the answer, and a second prompt behind it",
    "sampled_vote": "answers that are drawn, by random numbers of nshot's own",
    "pattern_vote": "several prompts whose answers are averaged",
}
"""Kinds of predictors that ask a language model more than once, in words."""
TAKES = "takes a language model that is asked with a prompt, as lora delivers"


def why_not(saved: Saved, takes: str) -> str | None:
    """Why a folder is no language model that is asked with one prompt; None where it is.

    `takes` says what the form takes: the end of every reason.
    """
    from nshot.predictors.calibrated import unwrapped

    saved, _ = unwrapped(saved)
    if saved.kind != "prompted":
        kind = SEVERAL.get(saved.kind, f"a predictor of kind {saved.kind}")
        return f"{kind}: {takes}"
    if saved.settings.get("retrieval"):
        return f"demonstrations that an encoder looks up for each input: {takes}"
    if saved.settings["ref"]["engine"] != "hf":
        return f"a model of the engine {saved.settings['ref']['engine']}: {takes}"
    if saved.task.kind not in ("classify", "generate"):
        return f"a task of kind {saved.task.kind}: {takes}"
    if saved.settings.get("constrained"):
        return f"answers that keep to a format: {takes}"
    return None


def why_not_merged(saved: Saved, takes: str) -> str | None:
    """Why it is no such model whose adapters are sums and products of its weights."""
    from nshot.models.hf.merged import unmergeable

    if reason := why_not(saved, takes):
        return reason
    ref = model_of(saved)
    if ref.quant:
        return f"an adapter of a base in four bits, into which the sum does not fit: {takes}"
    fault = unmergeable(ref)
    return f"{fault.found}, unlike {fault.expected}: {takes}" if fault else None


def write_asking(saved: Saved, models: Models, into: Path, with_base: bool) -> ModelRef:
    """Write how the folder is asked, and of which base where it is not inside; the model."""
    from nshot.predictors.calibrated import unwrapped
    from nshot.predictors.prompted import Prompted
    from nshot.prompts.render import label_answers

    inner, calibrations = unwrapped(saved)
    predictor = Prompted.restore(inner, models)
    task, format = predictor.task, predictor.format
    names = [name for name, _ in task.field_names] or ["text"]
    marked = Input(fields=tuple((name, _MARK.format(i)) for i, name in enumerate(names)))
    (prompt,) = predictor.prompts([marked])
    whole = format == "chat" and len(names) == 1
    turns = [("", prompt)] if isinstance(prompt, str) else [(t.role, t.text) for t in prompt]
    asking = Asking(
        base=predictor.ref.name if with_base else "",
        revision=predictor.ref.revision if with_base else "",
        parts=tuple(Part(_pieces(text, names, whole), role) for role, text in turns),
        labels=tuple(task.label_names),
        answers=label_answers(task, format) if task.has_labels else (),
        offsets=predictor.offsets,
        calibration=tuple(Calibration(one.temperature, one.knots) for one in calibrations),
        stops=_stops(predictor),
        max_tokens=0 if task.has_labels else predictor.max_tokens,
    )
    write_atomic(into / FILE, dumps(to_data(asking)))
    return predictor.ref


def _pieces(text: str, names: Sequence[str], whole: bool) -> tuple[Piece, ...]:
    """A rendered text whose fields are marks, in pieces."""
    parts = _MARKED.split(text)
    return tuple(
        Piece(field=names[int(part)], whole=whole) if at % 2 else Piece(part)
        for at, part in enumerate(parts)
        if part
    )


def _stops(predictor: Prompted) -> tuple[str, ...]:
    """What ends a text that the model was not trained to end itself."""
    from nshot.prompts.render import field_name, stops

    task = predictor.task
    if task.has_labels or predictor.ref.deltas:
        return ()
    first = next(iter([name for name, _ in task.field_names] or ["text"]))
    invented = () if predictor.format == "chat" else (f"\n{field_name(task, first)}:",)
    return (*stops(task, predictor.format), *invented)


def model_of(saved: Saved) -> ModelRef:
    """The model that a folder asks."""
    from nshot.predictors.calibrated import unwrapped
    from nshot.predictors.folder import ref_from_json

    saved, _ = unwrapped(saved)
    return ref_from_json(saved.settings["ref"], saved.folder)
