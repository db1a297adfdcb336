"""The nearest example's answer, copied: by an encoder, or by counted terms."""

from __future__ import annotations

from pathlib import Path

import pytest

from nshot.core.errors import InputError
from nshot.core.types import Example, ModelRef, Shots, Task
from nshot.methods import STANDARD, TABLE
from nshot.methods.contract import Brief, Rates
from nshot.models.fake.fake_engine import FakeModels
from nshot.predictors import load
from nshot.testing.contracts import check_adapt
from toys import ENCODER, Bench, ask

TASK = Task("say", "generate", metric="rouge_l", field_names=(("text", "Text"),))
SAID = {
    "the eagle serves french food": ("The Eagle is French.", "A French place, the Eagle."),
    "the mill is a cheap pub": ("The Mill is cheap.",),
    "독수리 식당은 프랑스 음식": ("독수리는 프랑스 식당이다.",),
}
SHOTS = Shots(labelled=tuple(Example(text, ask(text), out) for text, out in SAID.items()))
METHOD = TABLE.build({"method": "nearest_answer"})


@pytest.mark.parametrize("encoder", [ENCODER, None])
def test_it_copies_the_first_answer_of_the_likest(encoder: ModelRef | None, tmp_path: Path) -> None:
    bench = Bench(tmp_path, encoder=encoder)
    asked = [ask(t) for t in ("a pub, cheap: the mill", "french food at the eagle", "프랑스 음식")]
    predictor = check_adapt(METHOD, TASK, SHOTS, bench, [*asked, ask("?"), ask("")])
    told = [prediction.answer for prediction in predictor.predict(asked)]
    assert told == ["The Mill is cheap.", "The Eagle is French.", "독수리는 프랑스 식당이다."]
    assert bool(bench.notes) == (encoder is None)
    assert all((p.tokens_in > 0) == (encoder is not None) for p in predictor.predict(asked))


def test_a_folder_without_its_vectors_is_refused(tmp_path: Path) -> None:
    METHOD.adapt(TASK, SHOTS, Bench(tmp_path)).save(tmp_path / "saved")
    (tmp_path / "saved" / "arrays.safetensors").unlink()
    with pytest.raises(InputError, match="no array 'features'"):
        load(tmp_path / "saved", FakeModels())


def brief(**changes: object) -> Brief:
    facts = {
        "task": TASK, "labelled": 8, "unlabelled": 0, "per_label": 8, "test": 100, "tokens": 20.0,
        "longest": 40, "base": None, "abilities": frozenset(), "context": 0, "layers": 0,
        "encoder": ENCODER, "rates": Rates(1.0, 1.0, 1000.0),
    }  # fmt: skip
    return Brief(**{**facts, **changes})  # type: ignore[arg-type]


def test_it_needs_an_example_and_no_model() -> None:
    assert METHOD.why_not(brief()) is None
    assert METHOD.why_not(brief(encoder=None)) is None
    assert METHOD.why_not(brief(labelled=0)) == "needs at least one labelled example"
    labels = brief(task=Task("t", "classify"))
    assert METHOD.why_not(labels) == "answers tasks of kind generate, not classify"
    assert METHOD.use_forecast(brief(encoder=None, rates=Rates(1.0, 1.0, 1.0))).seconds < 1
    assert METHOD.use_forecast(brief()).seconds == pytest.approx(2.01)


def test_what_is_compared_unasked_answers_the_kind_of_task() -> None:
    for kind, names in STANDARD.items():
        assert all(kind in TABLE[name].kinds for name in names)
        assert list(names) == sorted(names, key=list(TABLE).index)
