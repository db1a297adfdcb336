"""A saved predictor of every kind, over each source of features: what exports are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nshot.core.types import Example, Input, Label, ModelRef, Task
from nshot.models import open_models
from nshot.predictors.calibrated import calibrated
from nshot.predictors.calibration import Calibration
from nshot.predictors.constant import Constant
from nshot.predictors.features import Encoded, Source, TfIdf
from nshot.predictors.folder import write
from nshot.predictors.label_head import LabelHead
from nshot.predictors.label_sets import FixedLabels, LabelSetHead
from nshot.predictors.nearest import Nearest
from nshot.predictors.numbers import FixedNumber, NumberHead
from nshot.predictors.ordinal_head import OrdinalHead
from nshot.predictors.prompted import Prompted

LABELS = (Label("refund"), Label("parcel", "where it is"), Label("로그인"))
TASK = Task("t", "classify", LABELS, field_names=(("text", "Message"),))
LEVELS = Task("t", "score", LABELS)
SETS = Task("t", "multilabel", LABELS)
NUMBER = Task("t", "number")
TEXTS = (
    "money back, please!",
    "환불해 주세요",
    "where is my parcel?",
    "택배가 늦어요",
    "cannot sign in",
    "로그인이 안 돼요",
)
INPUTS = [
    Input((("text", text),))
    for text in (*TEXTS[1:4], "ＩＳ İ ß\u00a0x\u2003택배\x1cmy  \t parcel", "money " * 40)
]
STEPS = Calibration("isotonic", 400, 0.7, ((0.4, 0.35), (0.6, 0.5), (0.95, 0.9)))


@dataclass(frozen=True)
class Place:
    """Where a case is saved, its encoder, the endpoint that it asks, its language model."""

    folder: Path
    encoder: str = "no-encoder"
    endpoint: str = "tiny@http://127.0.0.1:9/v1"
    language_model: str = "no-model"

    def source(self, name: str) -> Source:
        if name == "tfidf":
            return TfIdf.fit(TEXTS)
        return Encoded(open_models(), ModelRef("hf", self.encoder))

    def width(self, name: str) -> int:
        return 32 if name == "encoded" else sum(map(len, TfIdf.fit(TEXTS).terms.values()))


Save = Callable[[Place], None]


def heads(name: str) -> Mapping[str, Save]:
    """Heads on one source, with weights that make answers differ."""

    def drawn(place: Place, *shape: int) -> Any:
        return 3 * np.random.default_rng(0).normal(size=(place.width(name), *shape))

    def label_head(place: Place) -> None:
        bias = np.array([0.1, 0.0, -0.1])
        LabelHead(TASK, place.source(name), drawn(place, 3), bias).save(place.folder)

    def number_head(place: Place) -> None:
        NumberHead(NUMBER, place.source(name), drawn(place), 2.5, -3.0, 9.0).save(place.folder)

    def label_set_head(place: Place) -> None:
        bias, least = np.array([0.1, 0.0, -0.1]), np.array([0.4, 0.5, 0.6])
        LabelSetHead(SETS, place.source(name), drawn(place, 3), bias, least).save(place.folder)

    def ordinal_head(place: Place) -> None:
        steps, known = np.array([-0.5, 0.5]), np.array([0, 1, 2])
        OrdinalHead(LEVELS, place.source(name), drawn(place), steps, known).save(place.folder)

    saves = (label_head, number_head, label_set_head, ordinal_head)
    return {f"{save.__name__} on {name}": save for save in saves}


def nearest(place: Place) -> None:
    prototypes = np.random.default_rng(0).normal(size=(3, 32))
    prototypes[2] = 0
    Nearest(TASK, place.source("encoded"), prototypes).save(place.folder)


def prompted(format: Any, **more: Any) -> Save:
    demo = Example("1", Input((("text", "pay me back"),)), ("refund",))

    def save(place: Place) -> None:
        ref = ModelRef("openai", place.endpoint)
        Prompted(TASK, open_models(), ref, format, (demo,), **more).save(place.folder)

    return save


def prompted_here(place: Place) -> None:
    ref = ModelRef("hf", place.language_model)
    Prompted(TASK, open_models(), ref, offsets=(0.2, 0.0, -0.4)).save(place.folder)


def in_calibration(place: Place) -> None:
    weights = np.random.default_rng(0).normal(size=(place.width("tfidf"), 3))
    head = LabelHead(TASK, place.source("tfidf"), weights, np.zeros(3))
    calibrated(head, STEPS).save(place.folder)


def in_calibration_on_encoder(place: Place) -> None:
    weights = np.random.default_rng(1).normal(size=(32, 3))
    calibrated(LabelHead(TASK, place.source("encoded"), weights, np.zeros(3)), STEPS).save(
        place.folder
    )


def record(kind: str, task: Task = TASK, **settings: Any) -> Save:
    """Only the record: no form takes it, so nothing else is read."""
    return lambda place: write(place.folder, kind, task, settings)


ENCODED = {"source": "encoded", "ref": {"engine": "hf", "name": "e", "deltas": []}}
LOCAL = {"engine": "hf", "name": "m", "revision": "", "quant": None, "deltas": []}
REMOTE = {**LOCAL, "engine": "openai"}
CASES: Mapping[str, Save] = {
    "constant": lambda place: Constant(TASK, (-1.0, -0.9, -1.4)).save(place.folder),
    "fixed_number": lambda place: FixedNumber(NUMBER, 1.5).save(place.folder),
    "fixed_labels": lambda place: FixedLabels(SETS, "refund", (0.6, 0.3, 0.1)).save(place.folder),
    **heads("tfidf"),
    "calibrated label_head on tfidf": in_calibration,
    **heads("encoded"),
    "calibrated label_head on encoded": in_calibration_on_encoder,
    "nearest on encoded": nearest,
    "label_head on hidden": record("label_head", source={"source": "hidden"}),
    "vote on encoded": record("vote", source=ENCODED, k=3),
    "neighbour_mean on encoded": record("neighbour_mean", NUMBER, source=ENCODED, k=3),
    "neighbour_shares on encoded": record("neighbour_shares", SETS, source=ENCODED, k=3),
    "nearest_answer on encoded": record("nearest_answer", source=ENCODED),
    "prompted, an endpoint, plain": prompted("plain"),
    "prompted, an endpoint, chat": prompted("chat"),
    "prompted, an endpoint, retrieval": record(
        "prompted", ref=REMOTE, retrieval={"k": 1}, constrained=False
    ),
    "prompted, a local model": prompted_here,
    **{
        kind: record(kind)
        for kind in ("asked_labels", "phrases", "tagger", "discriminants", "described",
                     "from_support", "pattern_vote", "rationale", "sampled_vote", "decided",
                     "ranker", "by_length", "rewarded", "implicit", "replayed", "stacked",
                     "to_a_person", "cascade")
    },
}  # fmt: skip
"""What it is called in the table -> what saves one."""
