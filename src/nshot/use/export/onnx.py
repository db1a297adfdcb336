"""A sentence encoder, its pooling and the head on it as one ONNX graph, answered by onnxruntime.

The tokenizer lies beside it. The graph reads ``input_ids`` and ``attention_mask`` (rows, tokens)
and gives ``scores`` (rows, labels): log-probabilities. Language models: `onnx_lm`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nshot.core import machine
from nshot.core.errors import Fault, InputError
from nshot.core.files import write_atomic
from nshot.core.serial import dumps, from_data, read_json
from nshot.core.types import Input, Prediction
from nshot.use.export import onnx_lm
from nshot.use.export.asking import SEVERAL, why_not_merged
from nshot.use.export.ngrams import Calibration

if TYPE_CHECKING:
    from nshot.models.base import Models
    from nshot.predictors.folder import Saved

GRAPH, TOKENIZER, HEAD = "model.onnx", "tokenizer.json", "head.json"
_NEEDS = {"onnx": "write", "onnxscript": "write", "onnxruntime": "answer", "tokenizers": "answer"}
_TAKES = (
    "takes heads of labels, and prototypes, on a sentence encoder, "
    "and language models that are asked with a prompt"
)
_BATCH = 32
"""Texts of one length that are answered at once."""

_Kind = Literal["label_head", "nearest", "ordinal_head", "label_set_head"]
_KINDS = frozenset({"label_head", "nearest", "ordinal_head", "label_set_head"})


@dataclass(frozen=True)
class Head:
    """What answers become of scores. `limit` are the tokens that are read of a text, behind
    `prompt`; of several labels each applies from its threshold on."""

    form: Literal["onnx"]
    kind: _Kind
    labels: tuple[str, ...]
    prompt: str
    limit: int
    thresholds: tuple[float, ...] = ()
    calibration: tuple[Calibration, ...] = ()

    def answer(self, scores: NDArray[np.float64]) -> Prediction:
        """From the (outputs,) scores of one text."""
        if self.kind == "label_set_head":
            shares = zip(self.labels, np.exp(scores), self.thresholds, strict=True)
            names = [name for name, share, least in shares if share >= least]
            return Prediction(" | ".join(names), tuple(scores.tolist()))
        if self.kind == "ordinal_head":
            expected = float(np.exp(scores) @ np.arange(len(scores)))
            best = min(round(expected), len(scores) - 1)
        else:
            best = int(scores.argmax())
        if self.calibration and best == int(scores.argmax()) and len(scores) > 1:
            for step in self.calibration:
                scores = step.applied(scores)
        return Prediction(self.labels[best], tuple(scores.tolist()))


class Onnx:
    """The form ``onnx``: what stands on a sentence encoder, and language models that are asked."""

    form = "onnx"
    programs = frozenset({onnx_lm.PROGRAM})

    def why_not(self, saved: Saved) -> str | None:
        """One pass through an encoder and one linear map, or one prompt: no neighbours."""
        from nshot.predictors.calibrated import unwrapped

        saved, _ = unwrapped(saved)
        takes = f"{self.form} {_TAKES}"
        if saved.kind == "prompted" or saved.kind in SEVERAL:
            return why_not_merged(saved, takes)
        if saved.kind == "number_head":
            return f"numbers, whose last digits another runtime rounds otherwise: {takes}"
        if saved.kind not in _KINDS:
            return f"a predictor of kind {saved.kind}: {takes}"
        if saved.task.pictures:
            return f"pictures: {takes}"
        source = saved.settings["source"]["source"]
        return None if source == "encoded" else f"features of another kind ({source}): {takes}"

    def write(self, saved: Saved, models: Models, into: Path) -> None:
        """Trace the encoder with the head behind it; the weights are in the graph's file."""
        from nshot.predictors.calibrated import unwrapped
        from nshot.use.export.onnx_graph import write_graph

        inner, calibrations = unwrapped(saved)
        require("write")
        if inner.kind == "prompted":
            onnx_lm.write(saved, models, into)
            return
        saved = inner
        prompt, limit = write_graph(saved, models, into / GRAPH, into / TOKENIZER)
        thresholds = saved.arrays.get("thresholds", ())
        body = {
            "form": self.form,
            "kind": saved.kind,
            "labels": saved.task.label_names,
            "prompt": prompt,
            "limit": limit,
            "thresholds": _clipped(thresholds) if saved.kind == "label_set_head" else (),
            "calibration": [
                Calibration(one.temperature, one.knots)
                for one in calibrations
                if one.kind != "none"
            ],
        }
        write_atomic(into / HEAD, dumps(body))

    def answer(self, folder: Path, inputs: Sequence[Input]) -> list[Prediction]:
        """By onnxruntime on this machine's processor; texts of one length at once, unpadded."""
        require("answer")
        if onnx_lm.is_language_model(folder):
            return onnx_lm.answer(folder, inputs)
        import onnxruntime
        import tokenizers

        if missing := [name for name in (GRAPH, TOKENIZER, HEAD) if not (folder / name).is_file()]:
            do = f"nshot export DIR --to {self.form} --out FOLDER"
            raise InputError(Fault(f"no {missing[0]}", do=do, where=str(folder)))
        head = from_data(Head, read_json(folder / HEAD), where=str(folder / HEAD))
        tokenizer = tokenizers.Tokenizer.from_file(str(folder / TOKENIZER))
        tokenizer.no_padding()
        tokenizer.enable_truncation(head.limit)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = machine.threads()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            str(folder / GRAPH), options, providers=["CPUExecutionProvider"]
        )
        coded = [tokenizer.encode(head.prompt + one.text).ids for one in inputs]
        answers: dict[int, Prediction] = {}
        for places in _of_one_length(coded):
            ids = np.array([coded[place] for place in places], dtype=np.int64)
            feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
            for place, scores in zip(places, session.run(["scores"], feed)[0], strict=True):
                answers[place] = head.answer(np.asarray(scores, dtype=np.float64))
        return [answers[place] for place in range(len(inputs))]


def _clipped(thresholds: Any) -> list[float]:
    """Probabilities are kept between a thousandth and its complement, and so are these."""
    return [float(one) for one in np.clip(thresholds, 1e-3, 1 - 1e-3)]


def _of_one_length(coded: Sequence[Sequence[int]]) -> list[list[int]]:
    """Places of texts with the same number of tokens, `_BATCH` at most."""
    lengths: dict[int, list[int]] = {}
    for place, ids in enumerate(coded):
        lengths.setdefault(len(ids), []).append(place)
    return [
        places[at : at + _BATCH]
        for places in lengths.values()
        for at in range(0, len(places), _BATCH)
    ]


def require(what: Literal["write", "answer"]) -> None:
    """Raise `InputError` where packages are missing that ONNX files need."""
    from importlib.util import find_spec

    missing = [
        name
        for name, use in _NEEDS.items()
        if (what == "write" or use == what) and name not in sys.modules and find_spec(name) is None
    ]
    if missing:
        problem = f"ONNX files need {', '.join(missing)}, which is not installed"
        raise InputError(Fault(problem, do="pip install 'nshot[onnx]'"))
