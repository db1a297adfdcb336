"""A delivered folder in Python: texts, mappings and inputs, and its own check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import nshot
from nshot.core.errors import InputError
from nshot.core.types import Input
from spine import jsonl, stay_here, tickets


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ready")
    train = jsonl(folder / "train.jsonl", tickets(12))
    test = jsonl(folder / "test.jsonl", tickets(20, "t"))
    with pytest.MonkeyPatch.context() as patch:
        stay_here(patch)
        result = nshot.compare(
            train, test=test, encoder="fake:encoder", methods=("majority", "nearest_mean"),
            shots=(4,), seeds=2, out=folder / "run",
        )  # fmt: skip
    assert result.pick == "nearest_mean"
    return Path(result.folder)


def test_texts_mappings_and_inputs_get_the_same_answer(run: Path) -> None:
    model = nshot.load(run)
    asked = ["refund money please", {"text": "refund money please", "other": "x"},
             Input(fields=(("text", "refund money please"),))]  # fmt: skip
    told = model.predict(asked)
    assert [p.answer for p in told] == ["refund"] * 3
    assert told[0] == told[1] == told[2]
    assert model.predict(["비밀번호 계정"])[0].answer == "로그인"
    assert model.predict([]) == []


def test_a_run_folder_and_its_winner_are_the_same(run: Path) -> None:
    asked = ["late parcel", "", "?"]
    assert nshot.load(run).predict(asked) == nshot.load(str(run / "winner")).predict(asked)
    assert nshot.load(run).task.label_names == ("parcel", "refund", "로그인")


def test_a_mapping_without_the_column_is_refused(run: Path) -> None:
    with pytest.raises(InputError, match=r"no text in \['body'\]"):
        nshot.load(run).predict([{"body": "x"}])


def test_it_was_delivered_with_50_answers_and_still_gives_them(run: Path) -> None:
    model = nshot.load(run)
    assert model.checks == 50
    assert model.check() == []
    rows = [json.loads(line) for line in (run / "winner" / "check.jsonl").read_text().splitlines()]
    assert len(rows) == 50
    assert {"input", "answer", "scores"} <= set(rows[0])


def test_an_answer_that_changed_is_told(run: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(run / "winner", copy)
    lines = (copy / "check.jsonl").read_text(encoding="utf-8").splitlines()
    first = json.loads(lines[0])
    first["answer"] = "parcel" if first["answer"] != "parcel" else "refund"
    (copy / "check.jsonl").write_text("\n".join([json.dumps(first), *lines[1:]]) + "\n")
    (wrong,) = nshot.load(copy).check()
    assert wrong.startswith(f"was {first['answer']!r}, is ")


def test_a_run_that_was_interrupted_is_told_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "nshot.yaml").write_text("compare: {task: a.csv}\n")
    with pytest.raises(InputError, match="no winner yet") as caught:
        nshot.load(tmp_path)
    assert caught.value.faults[0].do == f"nshot compare {tmp_path / 'nshot.yaml'}"


def test_what_is_no_folder_of_ours_is_refused(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match=r"nshot\.json"):
            nshot.load(place)


def test_the_package_has_few_names_and_says_so_for_others() -> None:
    assert nshot.__all__ == ["align", "compare", "distil", "load", "quantise", "serve"]
    with pytest.raises(AttributeError, match="no attribute 'fit'"):
        nshot.fit  # noqa: B018
