"""A request is read and checked whole; nothing is written before it is free of faults."""

from __future__ import annotations

import inspect
import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml

import nshot
from nshot.bench.jobs.job import Cut
from nshot.bench.prepare import prepare, request_yaml
from nshot.bench.request import Request, is_request, read_request
from nshot.bench.setting import cut_rows
from nshot.bench.task_rows import FOLDS
from nshot.cli.main import main
from nshot.core.errors import InputError
from nshot.core.serial import from_data
from nshot.methods import STANDARD, TABLE
from nshot.models.embedded.packages import EMBEDDED
from spine import jsonl, rows_of, tickets


@pytest.fixture
def train(tmp_path: Path) -> str:
    return jsonl(tmp_path / "train.jsonl", tickets(12))


def asked(train: str, **more: object) -> Request:
    base = Request(train, model="fake:scorer", encoder="fake:encoder", methods=("majority", "knn"))
    return replace(base, **{"out": str(Path(train).parent / "run"), **more})  # type: ignore[arg-type]


def refusal(request: Request) -> str:
    with pytest.raises(InputError) as caught:
        prepare(request)
    assert caught.value.exit_code == 2
    assert request.out is None or not Path(request.out).is_dir() or os.listdir(request.out)
    return str(caught.value)


def test_what_is_prepared_is_in_the_tables_order_and_writes_nothing(train: str) -> None:
    prepared = prepare(asked(train, methods=("knn", "majority", "knn")))
    assert [m.name for m in prepared.methods] == ["majority", "knn"]
    assert not prepared.out.exists()
    assert prepared.split.mode == "folds"


def test_a_rung_or_all_stands_for_its_methods(train: str) -> None:
    def names(*words: str) -> list[str]:
        return [m.name for m in prepare(asked(train, methods=words)).methods]

    tuned = ["full", "pattern_tuning", "in_context_tuning"]
    assert names("finetune", "trivial", "knn") == ["majority", "tfidf_lr", "knn", *tuned]
    assert set(names("standard")) == set(STANDARD["classify"])
    assert set(STANDARD["classify"]) <= set(names("all"))
    assert set(names("peft")) == {n for n in names("all") if TABLE[n].rung == "peft"}


def test_every_fault_in_one_message(train: str) -> None:
    said = refusal(
        asked(
            train,
            methods=("majorty", "knn"),
            settings={"knn": {"kk": 3, "k": "x"}, "lora": {}},
            model="fake:scorr",
            encoder="minilm",
            seeds=0,
            shots=(4, -1),
            minutes=float("nan"),
            test_limit=0,
        )
    )
    for fragment in (
        "did you mean 'majority'", "unknown setting 'kk'", "knn: k = 'x'", "a setting for 'lora'",
        "did you mean 'fake:scorer'", "no model 'minilm'", "--seeds 0", "--shots -1",
        "--minutes nan", "--test-limit 0",
    ):  # fmt: skip
        assert fragment in said


def test_faults_of_the_request_and_of_the_file_come_together(tmp_path: Path) -> None:
    said = refusal(Request(str(tmp_path / "no.csv"), methods=("knm",), out=str(tmp_path / "run")))
    assert "did you mean 'knn'" in said
    assert "no such file" in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"methods": ()}, "no method is named"),
        ({"shots": ()}, "no shots are named"),
        ({"shots": (13,)}, "fewer than"),
        ({"shots": (9,)}, "has 8 rows in a training fold, fewer than --shots 9"),
        ({"text": ("body",)}, "no column 'body'"),
    ],
)
def test_requests_that_cannot_be_met(train: str, more: dict[str, object], said: str) -> None:
    found = refusal(asked(train, **more))
    assert said in found or (said == "fewer than" and "13 are needed" in found)


def test_shots_that_every_fold_has_are_taken(train: str) -> None:
    assert prepare(asked(train, shots=(8, 4, None, 4))).sizes == (4, 8, None)


def test_a_free_text_draw_is_checked_against_the_folds(tmp_path: Path) -> None:
    rows = [{"input": f"say {i}", "output": f"word {i}"} for i in range(20)]
    task = jsonl(tmp_path / "gen.jsonl", rows)
    assert "the task has 13 rows in a training fold" in refusal(
        asked(task, methods=("zero_shot",), shots=(14,))
    )
    assert prepare(asked(task, methods=("zero_shot",), shots=(13,))).sizes == (13,)


def test_a_label_of_one_row_cannot_be_folded(tmp_path: Path) -> None:
    lonely = [*tickets(6), {"text": "one of a kind", "label": "rare"}]
    said = refusal(asked(jsonl(tmp_path / "rows.jsonl", lonely)))
    assert "label 'rare' has one row" in said
    test = jsonl(tmp_path / "test.jsonl", tickets(3, "t"))
    assert prepare(asked(str(tmp_path / "rows.jsonl"), test=test)).split.mode == "file"


def test_a_label_of_one_group_cannot_be_folded(tmp_path: Path) -> None:
    rows = [{**row, "who": f"{row['label']}{i % 2 if row['label'] != 'parcel' else 0}"}
            for i, row in enumerate(tickets(6))]  # fmt: skip
    said = refusal(asked(jsonl(tmp_path / "rows.jsonl", rows), group="who"))
    assert "label 'parcel' has one row, or rows of one group" in said
    assert "refund" not in said


def test_labels_of_two_rows_keep_all_folds(tmp_path: Path) -> None:
    few = [row for row in tickets(15) if row["label"] != "parcel"] + tickets(2, "x")
    prepared = prepare(asked(jsonl(tmp_path / "rows.jsonl", few)))
    for index in range(FOLDS):
        learned, answered = cut_rows(prepared.setting, Cut(FOLDS, index), 1)
        assert {e.label for e in learned} == set(prepared.task.label_names)
        assert len(answered) >= 1
        assert len(learned) >= 0.75 * len(prepared.split.train)


def test_all_rows_are_learned_from_where_no_shots_are_named(tmp_path: Path) -> None:
    many = prepare(asked(jsonl(tmp_path / "many.jsonl", tickets(150))))
    assert (many.question, many.sizes, many.draws) == (1, (None,), 1)
    few = prepare(asked(jsonl(tmp_path / "few.jsonl", tickets(10))))
    assert (few.question, few.sizes, few.draws) == (1, (None,), 3), "repeats of the folds"
    named = prepare(asked(jsonl(tmp_path / "many.jsonl", tickets(60)), shots=(8, 4)))
    assert (named.question, named.sizes, named.draws) == (2, (4, 8), 3)


def test_a_limit_on_test_rows_without_any_is_told(train: str) -> None:
    notes = prepare(asked(train, test_limit=5)).split.notes
    assert any("--test-limit has no effect" in note for note in notes)


def test_flags_that_say_nothing_to_the_question_are_told(tmp_path: Path, train: str) -> None:
    many = jsonl(tmp_path / "many.jsonl", tickets(150))

    def notes(*words: object, **more: object) -> str:
        return "\n".join(prepare(asked(*words, **more)).split.notes)  # type: ignore[arg-type]

    assert "--seeds has no effect" in notes(many, seeds=5)
    assert "no effect" not in notes(many, seeds=5, shots=(4,))
    assert "no effect" not in notes(train, seeds=5), "repeats of the folds"
    assert "--refit-on-all has no effect" in notes(train, refit_on_all=True)
    assert "no effect" not in notes(many, refit_on_all=True)


def test_many_rows_are_held_out(tmp_path: Path) -> None:
    prepared = prepare(asked(jsonl(tmp_path / "many.jsonl", tickets(150))))
    assert prepared.split.mode == "holdout"
    assert len(prepared.split.test) == 180


# ---------------------------------------------------------------- the folder


def test_a_folder_that_is_a_file_or_no_run_is_refused(tmp_path: Path, train: str) -> None:
    assert "is a file" in refusal(asked(train, out=train))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    assert "not empty and is no nshot run" in refusal(asked(train, out=str(tmp_path / "mine")))
    assert os.listdir(tmp_path / "mine") == ["thesis.tex"]


def test_a_folder_of_other_rows_is_refused(tmp_path: Path, train: str) -> None:
    prepared = prepare(asked(train))
    prepared.setting.write(prepared.out)
    assert prepare(asked(train)).out == prepared.out
    other = jsonl(tmp_path / "other.jsonl", tickets(11))
    assert "holds a run on other rows" in refusal(asked(other))


def test_the_order_of_the_rows_does_not_matter(tmp_path: Path, train: str) -> None:
    prepare(asked(train)).setting.write(tmp_path / "run")
    turned = jsonl(tmp_path / "turned.jsonl", tickets(12)[::-1])
    there = tmp_path / "train.jsonl"
    there.write_text(Path(turned).read_text(encoding="utf-8"), encoding="utf-8")
    prepare(asked(train))


def test_a_row_of_a_board_with_several_models_is_no_method(train: str) -> None:
    said = refusal(
        asked(train, methods=("zero_shot @ scorer",), settings={"knn @ encoder": {"k": 1}})
    )
    for fragment in (
        "--methods names a row, 'zero_shot @ scorer'", "--methods zero_shot\n",
        "--set names a row, 'knn @ encoder'", "--set knn.NAME=VALUE",
    ):  # fmt: skip
        assert fragment in f"{said}\n"


def test_an_address_alone_is_told_how_an_endpoint_is_named(train: str) -> None:
    said = refusal(asked(train, model="http://localhost:8000/v1", seeds=0))
    assert "openai:MODEL@http://localhost:8000/v1" in said
    assert "--seeds 0" in said


# ---------------------------------------------------------------- nshot.yaml


def test_a_request_goes_through_its_yaml(tmp_path: Path, train: str) -> None:
    request = asked(
        train, settings={"knn": {"k": 3}}, shots=(2, None), seeds=2, minutes=1.5, test_limit=9
    )
    prepared = prepare(request)
    path = tmp_path / "elsewhere" / "nshot.yaml"
    path.parent.mkdir()
    path.write_text(request_yaml(replace(prepared, out=path.parent)), encoding="utf-8")
    assert is_request(path)
    assert replace(read_request(path), out=request.out) == request
    assert yaml.safe_load(path.read_text())["compare"]["task"] == "../train.jsonl"


def test_a_model_folder_is_found_from_anywhere(
    tmp_path: Path, train: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = Path("model")
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").write_bytes(b"")
    prepared = prepare(asked(train, model="model", out="run"))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "nshot.yaml").write_text(request_yaml(prepared))
    monkeypatch.chdir("/")
    again = read_request(tmp_path / "run" / "nshot.yaml")
    assert again.model == (str(tmp_path / "model"),)
    assert again.encoder == ("fake:encoder",)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("compare:\n", "is not a mapping"),
        ("task: a.csv\nmethods: [knn]\n", "line 1: a request without the key `compare`"),
        ("methods: [knn]\n", "write `compare:` above its keys"),
        ("compare: {task: a.csv, seeds: true}\n", "line 1: seeds: True"),
        ("compare: {task: a.csv, minutes: no}\n", "line 1: minutes: False"),
        ("compare: {task: a.csv, shots: [yes]}\n", "line 1: shots.0: True"),
        ("compare: [1]\n", "is not a mapping"),
        ("compare:\n  seeds: 2\n", "nshot.yaml, line 1: task is missing"),
        ("compare:\n  task: [\n", "not YAML"),
        ("compare:\n  task: a.csv\n  shoots: [4]\n  seed: 1\n", "did you mean 'seeds'"),
        (
            "compare:\n  task: a.csv\n  seeds: many\n  shots: [q]\n",
            "nshot.yaml, line 3: seeds: 'many'",
        ),
    ],
)
def test_a_yaml_with_faults_is_refused_in_words(tmp_path: Path, body: str, said: str) -> None:
    path = tmp_path / "nshot.yaml"
    path.write_text(body)
    with pytest.raises(InputError) as caught:
        read_request(path)
    assert said in str(caught.value)
    if "shoots" in body:
        assert "did you mean 'shots'" in str(caught.value)


@pytest.mark.parametrize("before", ["# again, with more seeds\n", "---\n", "\ufeff", "\n\n# a\n"])
def test_a_yaml_may_begin_with_a_comment(tmp_path: Path, before: str) -> None:
    path = tmp_path / "nshot.yaml"
    path.write_text(
        f"{before}compare:  # this\n  task: a.csv\n  shots: [4, all]\n", encoding="utf-8"
    )
    assert is_request(path)
    assert read_request(path) == Request("a.csv", shots=(4, None))


def test_wrong_types_do_not_hide_wrong_numbers_nor_wrong_rows(
    train: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fragments = ("seeds: 'many'", "--workers -1", "did you mean 'knn'", "no column 'body'")
    with pytest.raises(InputError) as caught:
        nshot.compare(train, seeds="many", workers=-1, methods="knnn", text="body")  # type: ignore[arg-type]
    assert all(fragment in str(caught.value) for fragment in fragments)
    path = tmp_path / "nshot.yaml"
    path.write_text(
        "compare: {task: train.jsonl, seeds: many, workers: -1, methods: knnn, text: body}\n"
    )
    typed = ["--seeds", "many", "--workers", "-1", "--methods", "knnn", "--text", "body"]
    for words in ([str(path)], [train, *typed]):
        with pytest.raises(SystemExit) as ended:
            main(["compare", *words])
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert all(fragment in said for fragment in fragments[1:]), said
        assert "seeds: 'many'" in said


def test_a_number_of_shots_alone_is_one_size(train: str) -> None:
    prepared = prepare(from_data(Request, {**asdict(asked(train)), "shots": 4}))
    assert prepared.sizes == (4,)
    with pytest.raises(InputError, match="--shots 0"):
        nshot.compare(train, methods="majority", shots=0)


def test_compare_from_python_has_the_fields_of_the_request_and_their_defaults() -> None:
    given = dict(inspect.signature(nshot.compare).parameters)
    del given["on"]  # who hears of it; no part of what is asked for
    fields = Request.__dataclass_fields__
    assert list(given) == list(fields)
    for name, field in fields.items():
        default = given[name].default
        if name == "task":
            assert default is inspect.Parameter.empty
        elif name in ("settings", "answers"):
            assert default is None
        else:
            assert default == field.default, name


def test_values_of_wrong_types_are_refused_in_words_all_at_once() -> None:
    with pytest.raises(InputError) as caught:
        nshot.compare("a.csv", seeds="many", kind="clasify", shots=("4", "x"))  # type: ignore[arg-type]
    for fragment in ("seeds: 'many'", "did you mean 'classify'?", "shots.1: 'x'"):
        assert fragment in str(caught.value)


def test_a_task_file_is_no_request(tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text("name: x\ndata: {train: a.csv}\n")
    assert not is_request(tmp_path / "task.yaml")
    (tmp_path / "other.yaml").write_text("task: a.csv\n")
    assert is_request(tmp_path / "other.yaml")
    assert not is_request(tmp_path / "no.yaml")
    assert not is_request(tmp_path)


# ---------------------------------------------------------------- models


def test_a_folder_with_pickled_weights_is_refused(tmp_path: Path, train: str) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({}))
    (model / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    said = refusal(asked(train, model=str(model), methods=("zero_shot", "knnn")))
    assert "is pickled" in said
    assert "did you mean 'knn'" in said


def test_without_a_model_at_hand_only_the_methods_that_need_one_are_left_out(
    train: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NSHOT_CACHE", str(tmp_path / "cache"))
    for embedded in EMBEDDED.values():
        monkeypatch.setitem(sys.modules, embedded.package, None)
    free = asked(train, model=(), encoder=(), methods=("majority", "knn", "zero_shot"), seeds=1)
    assert (prepare(free).setting.base, prepare(free).setting.encoder) == (None, None)
    rows = rows_of(nshot.compare(**{**asdict(free), "shots": (4,)}).board)
    assert rows["majority"]["status"] == "ok"
    assert rows["knn"]["reason"] == "needs an encoder, and there is none: see `nshot models`"
    assert "needs a language model" in rows["zero_shot"]["reason"]
    assert "is not installed" in refusal(replace(free, model="smollm2-135m-instruct"))


def test_models_nobody_asks_for_are_not_looked_for(
    train: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*asked: object) -> None:
        raise AssertionError("no method needs a model")

    monkeypatch.setattr("nshot.bench.prepare.resolve", never)
    prepared = prepare(asked(train, model=(), encoder=(), methods=("majority", "tfidf_lr")))
    assert (prepared.setting.base, prepared.setting.encoder) == (None, None)
