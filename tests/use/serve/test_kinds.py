"""Every kind of predictor that a folder may hold answers on the server as it does to predict."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clients import Client, serving
from PIL import Image as Pillow

import nshot
from deciding import SECRET, Service, deciding
from glyphs import glyphs
from house import ENCODER, SCORER, fields
from nshot.core.spans import Span, written
from nshot.core.types import Example, Input, Label, Prediction, Scale, Shots, Task
from nshot.data.pictures import as_image
from nshot.data.same import exact
from nshot.methods import TABLE
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.predictors import KINDS, Predictor
from nshot.predictors.calibrated import calibrated
from nshot.predictors.calibration import Calibration
from nshot.predictors.cascade import Cascade
from nshot.predictors.decided import Decided
from nshot.predictors.folder import read
from nshot.predictors.implicit import Implicit
from nshot.predictors.pattern_vote import PatternVote
from nshot.predictors.prompted import Prompted
from nshot.predictors.replayed import Replayed
from nshot.predictors.rewarded import Rewarded
from nshot.predictors.to_a_person import ToAPerson
from nshot.prompts.patterns import Pattern
from toys import Bench

FILMS = Task("films", "classify", (Label("good"), Label("bad")))
TEXTS = {
    "good": ("warm and funny", "a delight", "great cast", "재미있고 따뜻하다"),
    "bad": ("dull and grey", "a waste", "poor script", "지루하고 길다"),
}
ROWS = tuple(
    Example(f"{label}{i}", fields(text=text), (label,))
    for label, texts in TEXTS.items()
    for i, text in enumerate(texts)
)
NUMBER = replace(FILMS, kind="number", labels=(), scale=Scale(3.0, 1.0))
SETS = replace(FILMS, kind="multilabel")
LEVELS = replace(FILMS, kind="score")
SPANS = replace(FILMS, kind="spans")
WRITES = replace(FILMS, kind="generate", labels=())
RANKS = Task("manners", "rank", metric="pair_accuracy", answer_name="Answer")
LETTERS = Task(
    "letters", "classify", (Label("a", "the first"), Label("b", "the second")), pictures=True
)
TARGETS: Mapping[Task, Callable[[int, Example], tuple[str, ...]]] = {
    NUMBER: lambda i, row: (str(i / 2),),
    SETS: lambda i, row: row.targets if i % 3 else ("good", "bad"),
    SPANS: lambda i, row: (written(row.input.text, [Span(0, 3, row.label)]),),
}
PLAIN: Mapping[str, tuple[str, Task]] = {
    "constant": ("majority", FILMS),
    "label_head": ("tfidf_lr", FILMS),
    "fixed_number": ("average", NUMBER),
    "number_head": ("ridge", NUMBER),
    "neighbour_mean": ("knn", NUMBER),
    "fixed_labels": ("majority", SETS),
    "label_set_head": ("tfidf_lr", SETS),
    "neighbour_shares": ("knn", SETS),
    "asked_labels": ("zero_shot", SETS),
    "phrases": ("dictionary", SPANS),
    "tagger": ("token_head", SPANS),
    "ordinal_head": ("ordinal", LEVELS),
    "nearest": ("nearest_mean", FILMS),
    "nearest_answer": ("nearest_answer", WRITES),
    "vote": ("knn", FILMS),
    "prompted": ("few_shot", FILMS),
    "rationale": ("rationale", FILMS),
    "sampled_vote": ("self_consistency", WRITES),
    "ranker": ("likelihood", RANKS),
    "by_length": ("longest", RANKS),
}
"""Kind -> the method that delivers it, and a task."""
TEXTS_ASKED = ("warm cast", "dull 지루하고", "", "? a delight")
ENDPOINT = "decided"
"""The kind that asks a scripted endpoint."""
PICTURES = ("discriminants", "described", "from_support")
BY_HAND: Mapping[str, Callable[[], Predictor]] = {
    "rewarded": lambda: Rewarded(RANKS, open_models(), SCORER, "plain", np.ones(64)),
    "implicit": lambda: Implicit(RANKS, open_models(), SCORER, "plain", 0.1),
    "replayed": lambda: Replayed(
        FILMS, "hosted", {exact(one): Prediction("good", (-0.1, -2.4)) for one in asked_texts()}
    ),
    "pattern_vote": lambda: PatternVote(
        FILMS,
        tuple(
            Prompted(view.task, open_models(), SCORER, view.format, ROWS[:2])
            for view in (
                Pattern().view(FILMS, "plain"),
                Pattern(answer="평").view(FILMS, "instruction"),
            )
        ),
    ),
    "stacked": lambda: TABLE.build({"method": "stacked", "of": {"method": "few_shot"}}).adapt(
        FILMS, Shots(ROWS), _bench(Path())
    ),
    "to_a_person": lambda: ToAPerson(FILMS, 30.0),
    "cascade": lambda: Cascade(
        FILMS, learned("tfidf_lr", FILMS, Path()), learned("few_shot", FILMS, Path()), 0.55
    ),
    "calibrated": lambda: calibrated(
        learned("nearest_mean", FILMS, Path()), Calibration("temperature", 100, 1.7)
    ),
}


def learned(name: str, task: Task, folder: Path, **settings: Any) -> Predictor:
    """What a method makes of the films, on models without weights."""
    target = TARGETS.get(task, lambda i, row: row.targets)
    rows = tuple(replace(row, targets=target(i, row)) for i, row in enumerate(ROWS))
    if task.pictures:
        return TABLE.build({"method": name, **settings}).adapt(
            task, letters(folder), _bench(folder)
        )
    return TABLE.build({"method": name}).adapt(task, Shots(rows), _bench(folder))


def _bench(folder: Path) -> Any:
    return Bench(folder / "job", models=open_models())  # type: ignore[arg-type]


def letters(folder: Path) -> Shots:
    """Pictures of two letters, and of four others in the background."""
    folder.mkdir(exist_ok=True)
    rows = []
    for i, picture in enumerate(glyphs(6, 4)):
        Pillow.fromarray(picture).save(folder / f"{i}.png")
        rows.append(
            Example(f"{i}", Input(images=(as_image(folder / f"{i}.png"),)), ("abcdef"[i // 4],))
        )
    others = tuple(replace(row, targets=(f"the letter {row.label}",)) for row in rows[8:])
    return Shots(labelled=tuple(rows[:8]), background=others)


def pictured(kind: str, folder: Path) -> Predictor:
    bench = _bench(folder)
    bench.encoder = resolve("fake:pictures", "features")
    settings: dict[str, dict[str, Any]] = {
        "discriminants": {"method": "picture_probe"},
        "described": {"method": "description_match", "sentence_encoder": "fake:encoder"},
        "from_support": {"method": "prototypical"},
    }
    method: Any = TABLE.build(settings[kind])
    if kind == "from_support":
        steps = [2] * len(method.phases((3, 16, 16)))
        method = TABLE.build({**settings[kind], "steps": steps})
    return method.adapt(LETTERS, letters(folder), bench)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with pytest.MonkeyPatch.context() as patch, deciding() as one:
        patch.setenv("NSHOT_API_KEY", SECRET)
        yield one


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, service: Service) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("kinds")
    made = {}
    for kind in KINDS:
        if kind == ENDPOINT:
            Decided(FILMS, open_models(), service.ref()).save(root / kind)
            made[kind] = root / kind
            continue
        if kind in PLAIN:
            predictor = learned(*PLAIN[kind], root / f"{kind}-work")
        elif kind in PICTURES:
            predictor = pictured(kind, root / f"{kind}-work")
        else:
            predictor = BY_HAND[kind]()
        predictor.save(root / kind)
        assert read(root / kind).kind == kind
        made[kind] = root / kind
    return made


@pytest.fixture(scope="module")
def client(folders: dict[str, Path]) -> Iterator[Client]:
    with serving(list(folders.values())) as one:
        yield one


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_of_every_kind_answers(
    kind: str, client: Client, folders: dict[str, Path]
) -> None:
    model = nshot.load(folders[kind])
    rows, inputs = asked(model.task, folders[kind])
    predictions = model.predict(inputs)
    lines = client.classify(kind, rows)
    assert [line["answer"] for line in lines] == [one.answer for one in predictions]
    for line, prediction in zip(lines, predictions, strict=True):
        if model.task.kind == "rank":
            assert line["scores"] == pytest.approx(list(prediction.scores))
        elif prediction.scores:
            shares = list(line["probabilities"].values())
            assert shares == pytest.approx(np.exp(prediction.scores).tolist(), abs=1e-4)
        if model.task.kind == "spans":
            assert all({"start", "end", "label", "text"} <= one.keys() for one in line["spans"])
        if model.task.kind == "score":
            assert 1 <= line["expected"] <= 2
        if model.task.kind == "number":
            assert line["number"] == float(prediction.answer)


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_of_every_kind_answers_a_chat(
    kind: str, client: Client, folders: dict[str, Path]
) -> None:
    """A label, a number, spans or a text: what was answered, as the assistant's turn."""
    task = nshot.load(folders[kind]).task
    (row, *_), (input, *_) = asked(task, folders[kind])
    content: Any = row
    if task.pictures:
        content = [{"type": "image_url", "image_url": {"url": row["image"]}}]
    elif task.kind == "rank":
        import json

        content = json.dumps(row)
    reply = client.post(
        "/v1/chat/completions", model=kind, messages=[{"role": "user", "content": content}]
    )
    assert reply.status == 200, reply.raw
    if kind == "implicit":  # a policy: to a conversation without answers it writes
        assert reply.body["choices"][0]["message"]["content"]
        return
    (prediction,) = nshot.load(folders[kind]).predict([input])
    assert reply.body["choices"][0]["message"]["content"] == prediction.answer


def asked(task: Task, folder: Path) -> tuple[list[Any], list[Input]]:
    """Rows as a client sends them, and the same as inputs."""
    if task.pictures:
        paths = sorted(folder.with_name(f"{folder.name}-work").glob("*.png"))[:3]
        urls = [f"data:image/png;base64,{base64.b64encode(p.read_bytes()).decode()}" for p in paths]
        return [{"image": url} for url in urls], [Input(images=(as_image(p),)) for p in paths]
    if task.kind == "rank":
        answers = [["please have it", "take it"], ["no", "yes, please do"]]
        rows = [{"prompt": "tea?", "answers": some} for some in answers]
        return rows, [Input((("prompt", "tea?"),), answers=tuple(some)) for some in answers]
    return list(TEXTS_ASKED), asked_texts()


def asked_texts() -> list[Input]:
    return [fields(text=text) for text in TEXTS_ASKED]


def test_every_kind_is_here() -> None:
    assert set(KINDS) == {*PLAIN, *PICTURES, *BY_HAND, ENDPOINT}
    assert ENCODER.name == "encoder"
