"""A folder of pictures, from `nshot compare` to new answers and a class added later."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import nshot
from nshot.bench.prepare import prepare
from nshot.bench.request import Request
from nshot.board.details import pictures
from nshot.board.schema import AnswerPicture, Board, Details, Picture, Pictures
from nshot.cli.main import main
from nshot.core.errors import InputError
from nshot.core.types import Cost, Example, Image, Input, Measurement, Prediction
from nshot.data import read_inputs
from nshot.report import render
from scenes import scene, shelf
from spine import stay_here

COLOURS = {"red": 6, "green": 6, "blue": 6}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    train, test = shelf(folder / "photos", COLOURS), shelf(folder / "later", COLOURS, 50)
    with pytest.MonkeyPatch.context() as patch:
        stay_here(patch)
        result = nshot.compare(
            train, test=test, encoder="fake:pictures", shots=(4,), seeds=2, out=folder / "run",
            methods=("majority", "nearest_mean", "knn", "linear_probe", "tfidf_lr", "lora"),
        )  # fmt: skip
    assert result.exit_code == 0
    return Path(result.folder)


def answers(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    with pytest.raises(SystemExit) as end:
        main(["predict", *words])
    told = capsys.readouterr()
    assert end.value.code == 0, told.err
    return [json.loads(line) for line in told.out.splitlines()]


def test_methods_that_read_pictures_are_measured_and_others_say_why_not(run: Path) -> None:
    board = json.loads((run / "leaderboard.json").read_text())
    rows = {row["name"]: row for row in board["rows"] if row["form"] == "trained"}
    assert min(rows[n]["score"] for n in ("nearest_mean", "knn", "linear_probe")) > 0.8
    assert 0 <= rows["majority"]["score"] < 0.5
    for name in ("tfidf_lr", "lora"):
        assert rows[name]["reason"] == "reads texts, not pictures"
    assert board["advice"]["pick"] in ("nearest_mean", "knn", "linear_probe")
    assert board["task"]["test"] == 18


def test_what_is_compared_on_pictures_when_no_method_is_named(tmp_path: Path) -> None:
    photos = str(shelf(tmp_path / "photos", {"red": 3, "blue": 3}))
    ready = prepare(Request(photos, encoder="fake:pictures", out=str(tmp_path / "run")))
    assert [m.name for m in ready.methods][:4] == [
        "majority",
        "nearest_mean",
        "knn",
        "linear_probe",
    ]
    every = prepare(
        Request(photos, encoder="fake:pictures", out=str(tmp_path / "run"), methods=("trivial",))
    )
    assert [m.name for m in every.methods] == ["majority"]
    with pytest.raises(InputError, match="'fake:encoder'"):
        prepare(Request(photos, encoder="fake:encoder", out=str(tmp_path / "run")))
    (tmp_path / "photos" / "red" / "empty.png").write_bytes(b"")
    with pytest.raises(InputError) as caught:
        prepare(Request(photos, encoder="fake:pictures", out=str(tmp_path / "run")))
    assert "file red/empty.png: the file is empty" in str(caught.value)
    assert "fake:pictures" not in str(caught.value)


def test_pictures_a_folder_and_a_table_are_answered(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = shelf(tmp_path / "new", {"red": 1, "blue": 1}, 90)
    files = [str(new / "red" / "90.png"), str(new / "blue" / "90.png")]
    told = answers([str(run), *files], capsys)
    assert [row["id"] for row in told] == files
    assert [row["answer"] for row in told] == ["red", "blue"]
    assert answers([str(run), files[0]], capsys) == told[:1]
    assert answers([str(run), str(new)], capsys) == told[::-1], "by name: blue, red"
    (tmp_path / "rows.csv").write_text("file,id\nnew/red/90.png,x\nnew/blue/90.png,y\n")
    rows = answers([str(run), str(tmp_path / "rows.csv")], capsys)
    assert [(row["id"], row["answer"]) for row in rows] == [("x", "red"), ("y", "blue")]
    model = nshot.load(run)
    assert [p.answer for p in model.predict([Path(files[0]), files[1]])] == ["red", "blue"]


def test_every_unreadable_input_is_told_at_once(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "words.jpg").write_text("words")
    (tmp_path / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    words = [str(tmp_path / n) for n in ("empty.png", "words.jpg", "IMG_1.HEIC", "gone.png")]
    with pytest.raises(SystemExit) as end:
        main(["predict", str(run), *words])
    assert end.value.code == 2
    told = capsys.readouterr().err
    for said in ("empty.png: the file is empty", "words.jpg: no picture", "gone.png: no such file",
                 "a HEIC or AVIF picture"):  # fmt: skip
        assert said in told
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "notes.md").write_text("no picture")
    with pytest.raises(InputError, match="none: no pictures"):
        read_inputs(tmp_path / "none", nshot.load(run).task)
    with pytest.raises(InputError, match="a dict\n  expected: a picture's path"):
        nshot.load(run).predict([{"text": "red"}])


def test_a_delivered_folder_needs_no_picture_of_its_owner(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "winner", tmp_path / "copy")
    moved = run.parent / "moved"
    for name in ("photos", "later"):
        (run.parent / name).rename(moved.with_name(f"moved-{name}"))
    try:
        model = nshot.load(tmp_path / "copy")
        assert model.checks == 18
        assert model.check() == []
    finally:
        for name in ("photos", "later"):
            moved.with_name(f"moved-{name}").rename(run.parent / name)


def extended(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as end:
        main(["extend", *words])
    told = capsys.readouterr()
    assert end.value.code == 0, told.err
    return told.out


@pytest.mark.parametrize("method", ["nearest_mean", "knn"])
def test_a_class_is_added_and_what_was_known_is_the_same_bytes(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    with pytest.raises(SystemExit) as end:
        main(
            ["adapt", str(run.parent / "photos"), "--method", method, "--encoder", "fake:pictures",
             "--out", str(tmp_path / "run")]
        )  # fmt: skip
    assert end.value.code == 0, capsys.readouterr().err
    shutil.copytree(tmp_path / "run" / "winner", old)
    white = tmp_path / "white"
    white.mkdir()
    for i in range(3):
        scene(i, (32, 24)).point(lambda value: 200 + value // 5).save(white / f"{i}.png")
    told = extended([str(tmp_path / "run"), str(white), "--out", str(new)], capsys)
    assert "added: white (3); 4 labels now" in told
    assert "0 of 18 answers it was delivered with have changed" in told
    name = {"nearest_mean": "prototypes", "knn": "vectors"}[method]
    before, after = (load_file(folder / "arrays.safetensors")[name] for folder in (old, new))
    assert before.tobytes() == after[: len(before)].tobytes()
    assert len(after) == len(before) + {"nearest_mean": 1, "knn": 3}[method]
    assert np.isfinite(after).all()
    model = nshot.load(new)
    assert model.task.label_names == ("blue", "green", "red", "white")
    assert [p.answer for p in model.predict([white / "1.png"])] == ["white"]
    assert model.checks == 21
    assert model.check() == []
    assert json.loads((new / "method.json").read_text())["extended"] == [{"white": 3}]
    for folder in (old, new):
        assert (
            nshot.load(folder).predict([run.parent / "photos" / "red" / "0.png"])[0].answer == "red"
        )


def test_what_cannot_be_extended_says_so(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf(tmp_path / "more", {"Red": 1, "white": 1}, 70)
    scene(1).save(tmp_path / "more" / "white" / "extra.png")
    (tmp_path / "more" / "white" / "broken.png").write_bytes(b"x")
    with pytest.raises(SystemExit) as end:
        main(["extend", str(run), str(tmp_path / "more")])
    told = capsys.readouterr().err
    assert end.value.code == 2
    assert "the label 'red' is known already" in told
    assert "broken.png: no picture" in told
    shutil.rmtree(tmp_path / "more" / "Red")
    (tmp_path / "more" / "white" / "broken.png").unlink()
    probe = tmp_path / "probe"
    with pytest.raises(SystemExit) as end:
        main(["adapt", str(run.parent / "photos"), "--method", "majority", "--out", str(probe)])
    assert end.value.code == 0
    with pytest.raises(SystemExit) as end:
        main(["extend", str(probe), str(tmp_path / "more")])
    assert end.value.code == 2
    assert "keeps each class by itself: nearest_mean, knn" in capsys.readouterr().err


def test_the_report_shows_what_was_learned_from_and_what_went_wrong(run: Path) -> None:
    details = json.loads((run / "details.json").read_text())
    found = details["pictures"]
    assert sorted(one["label"] for one in found["shots"]) == sorted([*COLOURS] * 4)
    assert len(found["wrong"]) == len(details["mistakes"])
    assert found["right"]
    assert {one["near"]["label"] for one in found["right"]} <= set(COLOURS)
    every = [*found["shots"], *found["wrong"], *found["right"]]
    assert all(one["src"].startswith("data:image/jpeg;base64,") for one in every)
    page = (run / "report.html").read_text()
    assert page.count("<img") == len(every) + len(found["wrong"]) + len(found["right"])
    assert 'id="pictures"' in page
    assert len(page) < 1_000_000


def test_the_report_shows_only_pictures_that_stand_in_it(run: Path) -> None:
    shown = Pictures(shots=(Picture(label="a", src="https://x.test/1.jpg"),))
    page = render(Board.read(run), Details(pictures=shown))
    assert "x.test" not in page
    assert "not there" in page
    assert 'id="pictures"' not in render(Board.read(run), Details(pictures=Pictures()))


def test_what_is_of_texts_alone_says_so(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = run.parent / "photos"
    with pytest.raises(SystemExit) as end:
        main(["data", "show", str(photos)])
    assert end.value.code == 2
    assert f"try:      nshot check {photos}" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        main(["check", str(photos)])
    assert end.value.code == 0
    assert "e.g. 'blue/0.png' -> blue" in capsys.readouterr().out


def test_a_picture_that_is_gone_is_shown_as_such() -> None:
    known = Example("1", Input(images=(Image("/gone.png", "x"),)), ("red",))
    shown = pictures({"1": known}, answered_by(Prediction("blue", (-0.1,))))
    assert shown.wrong == (AnswerPicture(expected="red", answer="blue", src=""),)
    assert shown.shots == shown.right == ()


def answered_by(prediction: Prediction) -> Measurement:
    return Measurement(
        job="j", method="knn", spec={}, rung="fewshot", form="trained", parent=None,
        fingerprint="f", shots=1, draw=0, ids=("1",), predictions=(prediction,),
        statistics=((0.0,),), build=Cost(), use=Cost(),
    )  # fmt: skip


def test_folds_are_shown_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stay_here(monkeypatch)
    photos = shelf(tmp_path / "photos", {"red": 4, "blue": 4})
    result = nshot.compare(
        photos, encoder="fake:pictures", shots=(2,), seeds=1, out=tmp_path / "run",
        methods=("nearest_mean", "linear_probe"),
    )  # fmt: skip
    shown = json.loads((Path(result.folder) / "details.json").read_text())["pictures"]
    assert len(shown["shots"]) == 4
    answered = [*shown["wrong"], *shown["right"]]
    assert len(answered) == len(shown["wrong"]) + min(6, 8 - len(shown["wrong"]))
    assert all(one["near"] for one in answered)
    rows = {row.name: row for row in result.board.contest}
    assert (rows["nearest_mean"].use_seconds_per_1000 or 0) > 0
