"""Every form answers what every predictor that it takes answers, and refuses the others."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from export_cases import CASES, INPUTS, TEXTS, Place

from encoders import tiny_encoder
from endpoint import Endpoint, serving
from nshot.core.errors import InputError
from nshot.core.types import Input, Label, Task
from nshot.data.json_lines import read_rows, write_rows
from nshot.models import open_models
from nshot.predictors import KINDS, load
from nshot.predictors.checks import write_checks
from nshot.predictors.constant import Constant
from nshot.predictors.folder import read
from nshot.testing import check_export
from nshot.use.export import export_of
from nshot.use.export.standalone import PROGRAM
from nshot.use.exporting import export
from tiny import tiny_llama

FORMS = ("standalone", "onnx")
CLOSE = {"standalone": 1e-6, "onnx": 1e-4}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_encoder(tmp_path_factory.mktemp("encoder"), context=24))


@pytest.fixture(scope="module")
def language_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_llama(tmp_path_factory.mktemp("language_model"), context=192))


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    def answer(messages: list[dict[str, str]]) -> str:
        text = messages[-1]["content"].rpartition("Message:")[2]
        return (
            "It is a Parcel."
            if "parcel" in text
            else "로그인입니다"
            if "로그" in text
            else "no idea"
        )

    with serving(answer) as served:
        yield served


def test_every_kind_of_predictor_is_a_case() -> None:
    kinds = {name.removeprefix("calibrated ").split()[0].strip(",") for name in CASES}
    assert kinds | {"calibrated"} == set(KINDS)


def test_the_page_is_the_table_of_these_cases() -> None:
    page = Path(__file__).parents[2] / "docs" / "make_exports.py"
    made = runpy.run_path(str(page))
    assert (page.parent / "exports.md").read_text(encoding="utf-8") == made["page"]()


def cases() -> Iterator[Any]:
    """Each predictor in each form; of ONNX, which is traced for seconds, one in the short suite."""
    for name in CASES:
        for form in FORMS:
            long = form == "onnx" and "encoded" in name and name != "label_head on encoded"
            yield pytest.param(form, name, marks=[pytest.mark.full] if long else [])


@pytest.mark.parametrize(("form", "name"), cases())
def test_a_form_answers_alike_or_says_why_not(
    form: str, name: str, encoder: str, language_model: str, endpoint: Endpoint, tmp_path: Path
) -> None:
    address = endpoint.name.removeprefix("openai:")
    CASES[name](Place(tmp_path / "saved", encoder, address, language_model))
    reason = export_of(form).why_not(read(tmp_path / "saved"))
    if reason is not None:
        assert f": {form} takes " in reason
        return
    models, into = open_models(), tmp_path / "into"
    check_export(export_of(form), tmp_path / "saved", models, into, INPUTS, CLOSE[form])
    answers = {one.answer for one in export_of(form).answer(into, INPUTS)}
    assert len(answers) > 1 or "tfidf" not in name, "a head that answers one thing shows nothing"


def test_the_program_needs_nothing_of_nshot(tmp_path: Path) -> None:
    CASES["label_head on tfidf"](Place(tmp_path / "saved"))
    (tmp_path / "into").mkdir()
    export_of("standalone").write(read(tmp_path / "saved"), open_models(), tmp_path / "into")
    rows = "".join(json.dumps({"text": text, "no": 1}) + "\n" for text in TEXTS)
    watch = (
        "import runpy, sys\n"
        f"runpy.run_path({str(tmp_path / 'into' / PROGRAM)!r}, run_name='__main__')\n"
        "heavy = {'nshot', 'scipy', 'sklearn', 'torch'}\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", watch], input=rows, capture_output=True, text=True, check=True
    )
    *lines, loaded = done.stdout.splitlines()
    expected = load(tmp_path / "saved", open_models()).predict(
        [Input((("text", t),)) for t in TEXTS]
    )
    assert [json.loads(line)["answer"] for line in lines] == [one.answer for one in expected]
    assert loaded == "[]"


def test_the_program_reads_and_writes_utf_8_wherever_it_runs(tmp_path: Path) -> None:
    task = Task("t", "classify", (Label("환불"), Label("parcel")))
    Constant(task, (-0.1, -2.4)).save(tmp_path / "saved")
    (tmp_path / "into").mkdir()
    export_of("standalone").write(read(tmp_path / "saved"), open_models(), tmp_path / "into")
    done = subprocess.run(
        [sys.executable, tmp_path / "into" / PROGRAM],
        input='{"text": "돈을 돌려 주세요 😀"}\n'.encode(), capture_output=True, check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert json.loads(done.stdout.decode("utf-8"))["answer"] == "환불"


def test_the_answers_are_compared_in_a_new_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = tmp_path / "saved"
    CASES["label_head on tfidf"](Place(saved))
    predictor = load(saved, open_models())
    write_checks(saved, predictor.predict, INPUTS)
    for form in ("json-ngrams", "standalone"):
        monkeypatch.setattr(type(export_of(form)), "answer", None)  # this process is not asked
        exported = export(saved, form, tmp_path / form, open_models())
        assert (exported.checks, exported.differences) == (len(INPUTS), [])
    rows = read_rows(saved / "check.jsonl")
    other = "parcel" if rows[0]["answer"] == "refund" else "refund"
    write_rows(saved / "check.jsonl", [{**rows[0], "answer": other}, *rows[1:]])
    exported = export(saved, "standalone", tmp_path / "other", open_models())
    (line,) = exported.differences
    assert line.startswith(f"was '{other}', is '{rows[0]['answer']}'")


def test_what_is_missing_or_broken_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for form in FORMS:
        with pytest.raises(InputError, match=f"nshot export DIR --to {form}"):
            export_of(form).answer(tmp_path, INPUTS)
    CASES["constant"](Place(tmp_path / "saved"))
    (tmp_path / "into").mkdir()
    export_of("standalone").write(read(tmp_path / "saved"), open_models(), tmp_path / "into")
    (tmp_path / "into" / PROGRAM).write_text("print('something else')")
    with pytest.raises(InputError, match="not the program that nshot writes"):
        export_of("standalone").answer(tmp_path / "into", INPUTS)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for name in ("onnx", "onnxscript", "onnxruntime"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(InputError, match=r"onnxruntime.*\n.*pip install 'nshot\[onnx\]'"):
        export_of("onnx").answer(tmp_path, INPUTS)
