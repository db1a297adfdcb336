"""Exports: each form's own runtime answers what the delivered folder answers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from full_disk import room
from nshot.core.errors import DiskFull, InputError
from nshot.core.types import Example, Input, Label, Prediction, Shots, Task
from nshot.methods.trivial.tfidf_lr import TfIdfLR
from nshot.models import open_models
from nshot.models.base import Models
from nshot.predictors import load
from nshot.predictors.calibrated import calibrated
from nshot.predictors.calibration import Calibration
from nshot.predictors.constant import Constant
from nshot.predictors.folder import Saved, read
from nshot.testing import ContractBroken, check_export
from nshot.use.export import export_of
from nshot.use.export.base import Export
from nshot.use.export.ngrams import FILE, JsonNgrams
from nshot.use.exporting import export
from toys import Bench

TASK = Task("t", "classify", (Label("refund"), Label("parcel"), Label("로그인")))
TEXTS = {
    "refund": (
        "money back, please!",
        "Refund my MONEY... refund",
        "환불해 주세요",
        "환불이 안 돼요",
    ),
    "parcel": ("where is my parcel?", "the parcel is late_again", "택배가 늦어요", "택배는 어디"),
    "로그인": (
        "cannot sign in",
        "password? wrong 비밀번호",
        "로그인이 안 돼요",
        "비밀번호를 잊었어요",
    ),
}
INPUTS = [
    Input((("subject", text), ("text", more)))
    for text in ("", "?", "Refund", "환불을 refund a", "ＩＳ İ ß\u00a0x\u2003택배\x1cmy  \t parcel")
    for more in ("", "money", "로그인 로그인 로그인", "a b c")
]


def rows() -> tuple[Example, ...]:
    return tuple(
        Example(f"{label}{i}", Input((("text", text),)), (label,))
        for label, texts in TEXTS.items()
        for i, text in enumerate(texts)
    )


def ngrams(folder: Path) -> None:
    bench = Bench(folder.parent / "job", models=open_models())  # type: ignore[arg-type]
    TfIdfLR().adapt(TASK, Shots(rows()), bench).save(folder)


FOLDERS: Mapping[str, Callable[[Path], None]] = {"json-ngrams": ngrams}
"""Form -> what saves a predictor that has it."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "saved"
    ngrams(folder)
    return folder


@pytest.fixture(scope="module")
def exported(saved: Path) -> Path:
    into = saved.parent / "exported"
    into.mkdir()
    JsonNgrams().write(read(saved), open_models(), into)
    return into


@pytest.mark.parametrize("form", FOLDERS)
def test_every_form_keeps_the_contract(form: str, tmp_path: Path) -> None:
    FOLDERS[form](tmp_path / "saved")
    export = export_of(form)
    assert export.form == form
    check_export(export, tmp_path / "saved", open_models(), tmp_path / "into", INPUTS)


CHARACTERS = st.one_of(
    st.sampled_from("ab refund parcel 환불 택배 로그인이 ,.?!_-\n\t\u00a0\u200b\x1c\x85İßΣ"),
    st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3),
    st.characters(),
)
WORDS = st.sampled_from([word for texts in TEXTS.values() for one in texts for word in one.split()])
SHORT = st.one_of(st.text(CHARACTERS, max_size=30), st.lists(WORDS, max_size=8).map(" ".join))


STEPS = Calibration("isotonic", 400, 0.7, ((0.4, 0.35), (0.6, 0.5), (0.95, 0.9)))


@pytest.mark.parametrize(
    "calibrations", [(Calibration("temperature", 100, 1.7),), (STEPS,), (STEPS, STEPS)]
)
def test_a_calibrated_head_is_exported_with_its_probabilities(
    calibrations: Sequence[Calibration], saved: Path, tmp_path: Path
) -> None:
    predictor = load(saved, open_models())
    for one in calibrations:
        predictor = calibrated(predictor, one)
    predictor.save(tmp_path / "saved")
    check_export(JsonNgrams(), tmp_path / "saved", open_models(), tmp_path / "into", INPUTS)
    body = json.loads((tmp_path / "into" / FILE).read_text(encoding="utf-8"))
    assert [one["temperature"] for one in body["calibration"]] == [
        one.temperature for one in calibrations
    ]


@given(texts=st.lists(SHORT, min_size=1, max_size=4))
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_text_is_answered_the_same(texts: list[str], saved: Path, exported: Path) -> None:
    inputs = [Input((("text", text),)) for text in texts]
    expected = load(saved, open_models()).predict(inputs)
    answers = JsonNgrams().answer(exported, inputs)
    for then, now in zip(expected, answers, strict=True):
        assert now.scores == pytest.approx(then.scores, abs=1e-6)
        first, second = sorted(then.scores)[:-3:-1]
        assert now.answer == then.answer or first - second < 1e-9


def test_a_text_of_one_kind_of_term_only(tmp_path: Path) -> None:
    """No word of two letters is in these rows: the part of words has no term."""
    some = tuple(
        Example(f"{i}", Input((("text", "?!"[i % 2]),)), (("refund", "parcel")[i % 2],))
        for i in range(6)
    )
    bench = Bench(tmp_path / "job", models=open_models())  # type: ignore[arg-type]
    task = Task("t", "classify", TASK.labels[:2])
    TfIdfLR().adapt(task, Shots(some), bench).save(tmp_path / "saved")
    check_export(JsonNgrams(), tmp_path / "saved", open_models(), tmp_path / "into", INPUTS)


def test_the_runtime_loads_no_predictor_and_no_scikit_learn(exported: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom nshot.core.types import Input\n"
        "from nshot.use.export import export_of\n"
        "text = Input((('text', '환불해 주세요 money'),))\n"
        f"print(export_of('json-ngrams').answer(Path({str(exported)!r}), [text])[0].answer)\n"
        "heavy = ('sklearn', 'scipy', 'torch', 'nshot.predictors', 'nshot.models')\n"
        "print([m for m in sys.modules if m.startswith(heavy)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["refund", "[]"]


def test_what_has_no_such_form_is_refused_with_the_reason(saved: Path, tmp_path: Path) -> None:
    Constant(TASK, (-1.0, -1.1, -1.2)).save(tmp_path)
    reason = JsonNgrams().why_not(read(tmp_path)) or ""
    assert reason.startswith("a predictor of kind constant: json-ngrams takes a linear head over")
    record = json.loads((saved / "nshot.json").read_text(encoding="utf-8"))
    record["settings"]["source"] = {"source": "encoded", "ref": {}}
    (tmp_path / "nshot.json").write_text(json.dumps(record))
    reason = JsonNgrams().why_not(read(tmp_path)) or ""
    assert reason.startswith("features that need a model (encoded): ")
    with pytest.raises(InputError, match="unknown form 'json-ngram'"):
        export_of("json-ngram")


def test_a_disk_that_fills_leaves_the_old_export_or_nothing(saved: Path, tmp_path: Path) -> None:
    """Wherever it fills: the form of one file is some kilobytes long."""
    models, into = open_models(), tmp_path / "into"
    for size in (1, 500, 1500):
        with pytest.raises(DiskFull, match="no room to write it"), room(size):
            export(saved, "json-ngrams", into, models, [])
        assert not list(tmp_path.iterdir())
    JsonNgrams().write(read(saved), models, into)
    whole = {path.name: path.read_bytes() for path in into.iterdir()}
    with pytest.raises(DiskFull), room(500):
        export(saved, "json-ngrams", into, models, [])
    assert {path.name: path.read_bytes() for path in into.iterdir()} == whole
    assert [path.name for path in tmp_path.iterdir()] == ["into"]


def test_a_broken_folder_is_refused(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=FILE):
        JsonNgrams().answer(tmp_path, INPUTS)
    body = json.loads((exported / FILE).read_text(encoding="utf-8"))
    for key, value, message in (
        ("bias", [0.0], "lists differ in length"),
        ("labels", ["refund"], "lists differ in length"),
        ("form", "other", "form"),
        ("parts", [{**body["parts"][0], "cut": "line"}], "cut"),
        ("parts", [{**body["parts"][0], "idf": []}], "lists differ in length"),
    ):
        (tmp_path / FILE).write_text(json.dumps({**body, key: value}))
        with pytest.raises(InputError, match=message):
            JsonNgrams().answer(tmp_path, INPUTS)


class FirstOnly(JsonNgrams):
    def answer(self, folder: Path, inputs: Sequence[Input]) -> list[Prediction]:
        return super().answer(folder, inputs[:1])


class Unweighted(JsonNgrams):
    def write(self, saved: Saved, models: Models, into: Path) -> None:
        arrays = {**saved.arrays, "source.idf.word": 1 + 0 * saved.arrays["source.idf.word"]}
        super().write(replace(saved, arrays=arrays), models, into)


class Executable(JsonNgrams):
    def write(self, saved: Saved, models: Models, into: Path) -> None:
        super().write(saved, models, into)
        (into / "weights.npy").touch()


class Leaning(JsonNgrams):
    """Leaves the file in the place it was first written to."""

    def write(self, saved: Saved, models: Models, into: Path) -> None:
        (into / "deep").mkdir()
        super().write(saved, models, into / "deep")
        (into / "place.json").write_text(json.dumps(str(into / "deep")))

    def answer(self, folder: Path, inputs: Sequence[Input]) -> list[Prediction]:
        place = folder / "place.json"
        if not place.exists() or folder.name == "moved":
            raise InputError("not where it was written")
        return super().answer(Path(json.loads(place.read_text())), inputs)


@pytest.mark.parametrize(
    ("export", "sentence"),
    [
        (FirstOnly(), "one prediction per input"),
        (Unweighted(), "the predictor's scores"),
        (Executable(), "safetensors and JSON only"),
        (Leaning(), "a copy of its folder answers too"),
    ],
)
def test_a_broken_promise_is_named(
    export: Export, sentence: str, saved: Path, tmp_path: Path
) -> None:
    with pytest.raises(ContractBroken, match=sentence):
        check_export(export, saved, open_models(), tmp_path / "into", INPUTS)


def test_a_folder_that_it_does_not_take_breaks_the_contract(tmp_path: Path) -> None:
    Constant(TASK, (-1.0, -1.1, -1.2)).save(tmp_path / "constant")
    with pytest.raises(ContractBroken, match="it takes this folder"):
        check_export(JsonNgrams(), tmp_path / "constant", open_models(), tmp_path / "b", INPUTS)
