"""Every method of the table, and what it returns, run through the contracts that ship."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import preferences as rankings
import pytest
from lent import Lent
from PIL import Image

from deciding import deciding
from encoders import tiny_encoder
from foreign import foreign
from glyphs import glyphs
from nshot.core.errors import DidNotLearn
from nshot.core.spans import Span, written
from nshot.core.types import Check, Example, Input, Label, ModelRef, Prediction, Scale, Shots, Task
from nshot.data.pictures import as_image
from nshot.data.same import exact
from nshot.methods import TABLE, WHERE
from nshot.methods.align.exploring import Exploring
from nshot.methods.contract import Brief, Method, Rates
from nshot.methods.fewshot.episodic import Episodic
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.predictors.replayed import Replayed
from nshot.testing.contracts import ContractBroken, check_adapt, check_predictor, check_value
from tiny import tiny_llama

ROOT = Path(__file__).parents[2]
TASK = Task(
    "films", "classify", (Label("good"), Label("bad")),
    field_names=(("text", "Review"),), answer_name="Sentiment",
)  # fmt: skip
RANKED = rankings.TASK
TEXTS = {
    "good": ["warm and funny", "재미있고 따뜻하다", "a delight", "great cast"],
    "bad": ["dull and grey", "지루하고 길다", "a waste", "poor script"],
}
SHOTS = Shots(
    labelled=tuple(
        Example(f"{label}{i}", Input(fields=(("text", text),)), (label,))
        for label, texts in TEXTS.items()
        for i, text in enumerate(texts)
    ),
    unlabelled=tuple(
        Example(f"u{i}", Input(fields=(("text", text),))) for i, text in enumerate("abcd")
    ),
    background=tuple(
        Example(f"b{i}", Input(fields=(("text", text),)), (label,), group="task mails")
        for i, (text, label) in enumerate(
            [("free money", "spam"), ("dear Ann", "mail"), ("공짜", "spam"), ("안녕", "mail")]
        )
    ),
)
ASKED = [Input(fields=(("text", t),)) for t in ("funny", "정말 지루하다", "", "warm " * 30, "?")]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    return resolve(str(tiny_llama(tmp_path_factory.mktemp("tiny") / "llama", context=512)), "lm")


LETTERS = Task(
    "letters", "classify", (Label("a", "the first"), Label("b", "the second")), pictures=True
)


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Shots:
    """Pictures of two letters, and of four others in the background."""
    folder, examples = tmp_path_factory.mktemp("letters"), []
    for i, picture in enumerate(glyphs(6, 4)):
        Image.fromarray(picture).save(folder / f"{i}.png")
        inputs = Input(images=(as_image(folder / f"{i}.png"),))
        examples.append(Example(f"{i}", inputs, ("abcdef"[i // 4],)))
    return Shots(labelled=tuple(examples[:8]), background=tuple(examples[8:]))


def reads_texts(name: str) -> bool:
    return "text" in TABLE[name].takes


def build(name: str, base: ModelRef, folder: Path, **settings: Any) -> Method:
    """The method, with what it cannot be without; what learns from background, in two steps."""
    if issubclass(TABLE[name], Episodic) and not reads_texts(name):
        whole: Any = TABLE.build({"method": name, **settings})
        return TABLE.build(
            {"method": name, **settings, "steps": [2] * len(whole.phases((3, 16, 16)))}
        )
    if name == "description_match":
        return TABLE.build({"method": name, "sentence_encoder": "fake:encoder"})
    if name == "cascade":
        return TABLE.build(
            {"method": name, "cheap": {"method": "tfidf_lr"}, "dear": {"method": "knn"}}
        )
    if name == "stacked":
        return TABLE.build({"method": name, "of": {"method": "tfidf_lr"}})
    if name == "person":
        return TABLE.build({"method": name, "seconds": 30})
    if name == "distil":
        return TABLE.build(
            {"method": name, "teacher": {"method": "knn"}, "student": {"method": "tfidf_lr"}}
        )
    if name == "quantise":
        return TABLE.build({"method": name, "of": {"method": "zero_shot"}, **settings})
    if name == "from_folder":
        knowing = TABLE.build({"method": "tfidf_lr"}).adapt(
            TASK, SHOTS, Lent(open_models(), None, folder)
        )
        knowing.save(folder / "adapted")
        return TABLE.build({"method": name, "folder": str(folder / "adapted")})
    if name == "replay":
        replies = {exact(one): Prediction("good", seconds=0.1) for one in ASKED}
        given = Replayed(TASK, "today", replies)
        given.save(folder / "answers")
        return TABLE.build(
            {"method": name, "folder": str(folder / "answers"), "sha256": given.sha256,
             "title": "today", "seconds": 0.1}
        )  # fmt: skip
    if name in TABLE.ready:
        return TABLE.build({"method": name, **settings})
    return TABLE.build({"method": name, "folder": foreign(Path(base.name), folder), **settings})


@pytest.mark.parametrize("name", WHERE)
def test_a_method_is_a_value(name: str, base: ModelRef, tmp_path: Path) -> None:
    check_value(build(name, base, tmp_path), TABLE)


@pytest.mark.parametrize("name", WHERE)
def test_a_method_adapts_and_its_predictor_answers(
    name: str, base: ModelRef, letters: Shots, tmp_path: Path
) -> None:
    rates = dict.fromkeys(("bottleneck", "lora", "lora_head", "full", "instruct"), 5e-3)
    rates |= dict.fromkeys(("instruct_full", "reward", "dpo", "kto", "fewer_layers"), 5e-3)
    rates |= {"qat": 1e-2, "pattern_tuning": 5e-3, "in_context_tuning": 5e-3}
    rates["llama_adapter"] = 5e-2
    encoder = resolve("fake:encoder", "encoder")
    if name == "setfit":  # the one that trains an encoder: it needs weights
        encoder = resolve(str(tiny_encoder(tmp_path / "encoder")), "encoder")
    fast = {"learning_rate": rates[name], "epochs": 12} if name in rates else {}
    if issubclass(TABLE[name], Exploring):
        fast = {"learning_rate": 0.01, "updates": 8, "prompts": 4, "answers": 8, "max_tokens": 4}
    method = build(name, base, tmp_path / "given", **fast)
    bench = Lent(open_models(), base, tmp_path, encoder=encoder)
    if "decide" in method.needs:
        with deciding() as service:
            bench = Lent(open_models(), service.ref(), tmp_path, encoder=encoder)
            check_adapt(method, TASK, SHOTS, bench, ASKED)
    elif reads_texts(name):
        task = of_kind(method)
        asked = [rankings.pair(i).input for i in range(20, 24)] if task == RANKED else ASKED
        check_adapt(method, task, of_task(task, SHOTS), bench, asked)
    else:
        bench.encoder = resolve("fake:pictures", "features")
        asked = [example.input for example in (*letters.labelled[::3], *letters.background[:2])]
        check_adapt(method, LETTERS, letters, bench, asked)
    assert (bench.parameters > 0) == (method.trains != "nothing")


def of_kind(method: Method) -> Task:
    """The films as a task of the first kind that the method takes."""
    if "generate" in method.kinds and "classify" not in method.kinds:
        short = (Check("length", "characters", 0, 3),) if isinstance(method, Exploring) else ()
        return replace(TASK, kind="generate", labels=(), reward=short)
    if "rank" in method.kinds and "classify" not in method.kinds:
        return RANKED
    if "number" in method.kinds and "classify" not in method.kinds:
        return replace(TASK, kind="number", labels=(), scale=Scale(3.0, 1.0))
    if "spans" in method.kinds and "classify" not in method.kinds:
        return replace(TASK, kind="spans")
    return TASK if "classify" in method.kinds else replace(TASK, kind="score")


def of_task(task: Task, shots: Shots) -> Shots:
    """The films with a number each, where the task asks for numbers; ranked answers, spans."""
    if task.kind == "spans":
        spans = [written(e.input.text, [Span(0, 3, e.label)]) for e in shots.labelled]
        marked = [replace(e, targets=(s,)) for e, s in zip(shots.labelled, spans, strict=True)]
        return replace(shots, labelled=tuple(marked))
    if task.kind == "rank":
        return Shots(tuple(map(rankings.pair, range(12))))
    if task.kind != "number":
        return shots
    numbered = [replace(e, targets=(str(i / 2),)) for i, e in enumerate(shots.labelled)]
    return replace(shots, labelled=tuple(numbered))


@pytest.mark.parametrize("name", WHERE)
def test_a_method_says_why_not_and_what_it_would_take(
    name: str, base: ModelRef, tmp_path: Path
) -> None:
    method = build(name, base, tmp_path)
    task = of_kind(method)
    if not reads_texts(name):
        task = LETTERS
    brief = Brief(
        task=task, labelled=8, unlabelled=4, per_label=4, test=50, tokens=8, longest=40, base=base,
        abilities=frozenset({"score", "generate", "hidden", "train", "decide"}), context=512,
        layers=2, encoder=ModelRef("fake", "encoder"), rates=Rates(300, 100, 3000), background=8,
    )  # fmt: skip
    assert method.why_not(brief) is None
    assert 0 < method.forecast(brief).seconds < 3600
    assert 0 < method.use_forecast(brief).seconds < 3600
    for kind in {"classify", "score", "multilabel", "number", "spans", "generate", "rank"} - (
        method.kinds
    ):
        other = replace(brief, task=Task("other", kind))
        assert f"not {kind}" in str(method.why_not(other))
    if isinstance(method, Episodic) and not reads_texts(name):
        assert "background classes" in str(method.why_not(replace(brief, background=0)))
    if method.needs:
        assert "language model" in str(method.why_not(replace(brief, base=None)))


@pytest.mark.parametrize("name", WHERE)
def test_a_method_has_a_page_with_its_paper(name: str) -> None:
    page = (ROOT / "docs" / "methods" / f"{name}.md").read_text(encoding="utf-8")
    assert len(page.split()) > 80
    assert "nshot adapt" in page, "the page shows the command"
    trained = TABLE[name].trains != "nothing" and name != "nearest_mean"
    assert (ROOT / "examples" / "plain" / f"{name}.py").exists() == trained


class _Forgetful:
    """Answers by position in the batch: what the contract must catch."""

    task = TASK

    def predict(self, inputs: list[Input]) -> list[Prediction]:
        return [Prediction(("good", "bad")[i % 2]) for i, _ in enumerate(inputs)]

    def save(self, folder: Path) -> None:
        folder.mkdir()


def test_the_contract_can_be_broken(tmp_path: Path) -> None:
    with pytest.raises(ContractBroken, match=r"order|batch"):
        check_predictor(_Forgetful(), TASK, open_models(), tmp_path / "x", ASKED[:4])


def test_no_learning_is_a_failed_method(base: ModelRef, tmp_path: Path) -> None:
    with pytest.raises(DidNotLearn):
        TABLE.build({"method": "lora", "learning_rate": 0.0}).adapt(
            TASK, SHOTS, Lent(open_models(), base, tmp_path)
        )
