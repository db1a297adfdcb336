"""A task's answer format: read, kept on disk, measured of every method, and held to where asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nshot.bench.prepare import prepare, request_yaml
from nshot.bench.request import Request, read_request
from nshot.core.errors import InputError
from nshot.core.serial import from_data, to_data
from nshot.core.types import Example, Grammar, Input, Label, ModelRef, Prediction, Task
from nshot.data.task_file import read_task
from nshot.methods import TABLE
from nshot.methods.spec import spec
from nshot.metrics import METRICS, metric_of, misfits
from nshot.models import open_models
from nshot.models.base import Decoding
from nshot.predictors.prompted import Prompted
from tiny import tiny_llama
from toys import REMOTE, SCORER

SCHEMA = {
    "type": "object",
    "properties": {"감정": {"enum": ["긍정", "부정"]}, "n": {"type": "integer"}},
    "required": ["감정"],
    "additionalProperties": False,
}


def task_of(kind: str, text: str) -> Task:
    grammar = Grammar(kind, text)  # type: ignore[arg-type]
    return Task("t", "generate", answer_format=grammar, metric="exact_match")


def written(folder: Path, answer_format: str, kind: str = "generate") -> Path:
    rows = [{"text": f"what is {i} ?", "answer": str(i)} for i in range(40)]
    lines = "\n".join(json.dumps(row) for row in rows)
    (folder / "train.jsonl").write_text(lines, encoding="utf-8")
    (folder / "schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    file = folder / "task.yaml"
    data = "data: {train: train.jsonl, text: text, label: answer}\n"
    file.write_text(f"name: sums\nkind: {kind}\n{data}{answer_format}", encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("answer_format: {regex: '[0-9]+'}", Grammar("regex", "[0-9]+")),
        ("answer_format: {choices: [긍정, 부정]}", Grammar("choices", '["긍정", "부정"]')),
        ("answer_format: {json_schema: schema.json}",
         Grammar("json_schema", json.dumps(SCHEMA, ensure_ascii=False))),
        ("answer_format: {json_schema: {type: integer}}",
         Grammar("json_schema", '{"type": "integer"}')),
        ("", None),
    ],
)  # fmt: skip
def test_a_format_is_read_and_kept(said: str, expected: Grammar | None, tmp_path: Path) -> None:
    found = read_task(written(tmp_path, said)).answer_format
    assert found == expected
    task = Task("t", "generate", answer_format=found)
    assert from_data(Task, to_data(task)).answer_format == found


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("answer_format: {regex: '[0-9'}", "not a regular expression"),
        ("answer_format: {regex: a, choices: [b]}", "2 keys"),
        ("answer_format: {regx: a}", "unknown key 'regx'"),
        ("answer_format: {choices: []}", "empty answer"),
        ("answer_format: {json_schema: task.yaml}", "no JSON"),
        ("answer_format: {json_schema: nowhere.json}", "no such file"),
        ("answer_format: '[0-9]+'", "not a mapping"),
    ],
)
def test_a_broken_format_is_a_fault_with_its_line(said: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        read_task(written(tmp_path, said))


def test_labels_are_a_format_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="answers with its labels"):
        read_task(written(tmp_path, "answer_format: {regex: a}", "classify"))


@pytest.mark.parametrize(
    ("task", "kept", "left"),
    [
        (task_of("regex", "-?[0-9]+"), ["18", "-3"], ["18.", " 18", "", "a18"]),
        (task_of("choices", '["긍정", "부정"]'), ["부정"], ["부정적", "", "긍정 부정"]),
        (task_of("json_schema", json.dumps(SCHEMA)),
         ['{"n": 1,\n "감정": "긍정"}', '{"감정":"부정"}'],
         ['{"감정": "중립"}', '{"n": 1}', "긍정", '{"감정": "부정", "n": NaN}', ""]),
    ],
)  # fmt: skip
def test_what_keeps_the_format_counts_one(task: Task, kept: list[str], left: list[str]) -> None:
    metric = metric_of(task, "keeps_format")
    row = Example("1", Input(fields=(("text", "?"),)), ("18",))
    for answers, expected in ((kept, 1.0), (left, 0.0)):
        for answer in answers:
            assert metric.statistics(row, Prediction(answer)) == (expected,), answer


def test_the_metric_needs_a_format() -> None:
    (fault,) = misfits(Task("t", "generate", metric="exact_match"), ["keeps_format"], [])
    assert "answer_format" in fault.found
    (fault,) = misfits(task_of("json_schema", '{"type": "objct"}'), ["keeps_format"], [])
    assert "not a JSON schema" in fault.found
    assert "keeps_format" in METRICS


def test_a_schema_is_fetched_from_nowhere() -> None:
    for reference in ("http://127.0.0.1:1/schema.json", "#/$defs/missing"):
        task = task_of("json_schema", json.dumps({"items": {"$ref": reference}}))
        (fault,) = misfits(task, ["keeps_format"], [])
        assert reference in fault.found
    within = {"$ref": "#/$defs/one", "$defs": {"one": {"type": "integer"}}}
    assert misfits(task_of("json_schema", json.dumps(within)), ["keeps_format"], []) == []


# ------------------------------------------------------------------ what a run makes of it


def test_a_run_holds_a_method_with_and_without(tmp_path: Path) -> None:
    file = written(tmp_path, "answer_format: {regex: '[0-9]+'}")
    asked = Request(
        str(file), model="fake:scorer", methods=("zero_shot", "zero_shot:constrained"),
        out=str(tmp_path / "out"),
    )  # fmt: skip
    prepared = prepare(asked)
    assert [m.called for m in prepared.methods] == ["zero_shot", "zero_shot:constrained"]
    assert prepared.also == ("keeps_format",)
    (tmp_path / "out").mkdir()
    again = tmp_path / "out" / "nshot.yaml"
    again.write_text(request_yaml(prepared), encoding="utf-8")
    assert read_request(again).methods == asked.methods


def test_what_is_not_constrained_is_the_job_that_it_was() -> None:
    assert "constrained" not in spec(TABLE.build({"method": "zero_shot"}))
    kept = TABLE.build({"method": "zero_shot", "constrained": True})
    assert TABLE.build(spec(kept)) == kept


def test_a_format_that_cannot_be_kept_is_a_fault_before_anything_runs(tmp_path: Path) -> None:
    pytest.importorskip("llguidance")
    file = written(tmp_path, "answer_format: {regex: '(?=1)[0-9]+'}")
    free = Request(str(file), model="fake:scorer", methods=("zero_shot",), out=str(tmp_path / "o"))
    prepare(free)
    with pytest.raises(InputError, match="look-ahead"):
        prepare(Request(str(file), model="fake:scorer", methods=("zero_shot:constrained",)))


# ------------------------------------------------------------------ what asks for it


class Writer:
    """The tiny model as one that can write and keep a format, and cannot score."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.asked: list[Decoding] = []
        self.facts = inner.facts._replace(can=frozenset({"generate", "constrain"}))

    def generate(self, prompts: Any, how: Decoding) -> Any:
        self.asked.append(how)
        return self._inner.generate(prompts, how)

    def count(self, prompts: Any) -> Any:
        return self._inner.count(prompts)

    def open(self, ref: ModelRef) -> Any:
        return self


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Writer:
    pytest.importorskip("llguidance")
    folder = tiny_llama(tmp_path_factory.mktemp("lm"), context=512)
    return Writer(open_models().open(ModelRef("hf", str(folder))))


INPUTS = [Input(fields=(("text", text),)) for text in ("what is 3 ?", "몇 개 ?", "")]


@pytest.mark.parametrize("format", ["plain", "instruction", "chat"])
def test_a_model_that_cannot_score_writes_one_of_the_labels(writer: Writer, format: Any) -> None:
    labels = (Label("긍정"), Label("card"), Label("card_arrival"))
    predictor = Prompted(Task("t", "classify", labels), writer, SCORER, format)  # type: ignore[arg-type]
    told = predictor.predict(INPUTS)
    assert {one.answer for one in told} <= {"긍정", "card", "card_arrival"}


@pytest.mark.parametrize("format", ["plain", "chat"])
def test_a_constrained_answer_keeps_the_format(writer: Writer, format: Any, tmp_path: Path) -> None:
    task = task_of("regex", "[0-9]{2,4}")
    keeps = metric_of(task, "keeps_format")
    row = Example("1", INPUTS[0], ("18",))
    free = Prompted(task, writer, SCORER, format)  # type: ignore[arg-type]
    kept = Prompted(task, writer, SCORER, format, constrained=True)  # type: ignore[arg-type]
    assert {keeps.statistics(row, one) for one in free.predict(INPUTS)} == {(0.0,)}
    assert {keeps.statistics(row, one) for one in kept.predict(INPUTS)} == {(1.0,)}
    assert writer.asked[-1].grammar == Grammar(
        "regex", "[0-9]{2,4}", "" if format == "chat" else " "
    )


def test_a_model_that_can_keep_no_format_is_asked_as_before() -> None:
    from nshot.models.fake.fake_engine import FakeModels

    labels = (Label("yes"), Label("no"))
    told = Prompted(Task("t", "classify", labels), FakeModels(), REMOTE).predict(INPUTS[:1])
    assert len(told) == 1


def test_what_to_type_is_shown_in_the_terminal_with_its_brackets(tmp_path: Path) -> None:
    from nshot.board.schema import Board
    from nshot.cli.main import main
    from nshot.report.board_text import board_table

    file = written(tmp_path, "answer_format: {regex: '[0-9]+'}")
    words = f"compare {file} --methods nearest_answer,zero_shot:constrained --seeds 1"
    models = ["--model", "fake:scorer", "--encoder", "fake:encoder"]
    with pytest.raises(SystemExit) as ended:
        main([*words.split(), *models, "--out", str(tmp_path / "out")])
    assert ended.value.code == 0
    board = json.loads((tmp_path / "out" / "leaderboard.json").read_text(encoding="utf-8"))
    rows = {row["name"]: row for row in board["rows"] if row["form"] == "trained"}
    assert rows["nearest_answer"]["also"]["keeps_format"]["score"] == 1
    assert "pip install 'nshot[constrain]'" in rows["zero_shot:constrained"]["reason"]
    assert "'nshot[constrain]'" in board_table(Board.read(tmp_path / "out"), width=400)
