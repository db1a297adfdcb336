"""Instruction tuning on a tiny random model: what it learns, keeps out, cuts, and writes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from lent import Lent, resumed

import nshot
from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Input, ModelRef, Shots, Task, Turn
from nshot.methods import TABLE
from nshot.methods.finetune.instruct import Instruct
from nshot.methods.finetune.instruct_full import InstructFull
from nshot.models.hf.hf_engine import HFModels
from nshot.predictors import load
from nshot.predictors.prompted import Prompted
from nshot.training.data.chats import split
from spine import stay_here
from tiny import tiny_llama, tiny_tokenizer

TASK = Task("post", "generate", metric="exact_match", system="Be brief.")
SAID = {"card": "card arrival", "transfer": "late transfer"}
QUICK = {"learning_rate": 1e-2, "epochs": 15, "batch_size": 4}
BOTH = [Instruct(**QUICK, rank=8), InstructFull(**QUICK | {"learning_rate": 3e-3})]


def single(i: int) -> Example:
    word = ("card", "transfer")[i % 2]
    fields = (("instruction", "Name the topic."), ("input", f"my {word} is late {i}"))
    return Example(f"s{i}", Input(fields), (SAID[word],))


def several(i: int) -> Example:
    """Two exchanges; the earlier answer is about the other topic."""
    one, other = ("card", "transfer")[i % 2], ("transfer", "card")[i % 2]
    turns = (
        Turn("user", f"my {one} is late {i}"),
        Turn("assistant", SAID[one]),
        Turn("user", f"my {other} is late"),
    )
    return Example(f"m{i}", Input(turns=turns), (SAID[other],))


SHOTS = Shots(tuple(single(i) for i in range(8)) + tuple(several(i) for i in range(8)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("model") / "tiny", width=64, context=256)


@pytest.fixture
def bench(folder, tmp_path) -> Lent:
    return Lent(HFModels(), ModelRef("hf", str(folder)), tmp_path)


def answers(predictor: Prompted) -> list[str]:
    return [p.answer for p in predictor.predict([example.input for example in SHOTS.labelled])]


@pytest.mark.parametrize("method", BOTH, ids=lambda method: method.name)
def test_it_learns_to_answer_and_to_stop_and_the_base_is_as_it_was(method, bench, tmp_path):
    before = bench.models.fingerprint(bench.base)
    predictor = method.adapt(TASK, SHOTS, bench)
    assert isinstance(predictor, Prompted)
    said = answers(predictor)
    right = [example.targets[0] for example in SHOTS.labelled]
    assert sum(a == b for a, b in zip(said, right, strict=True)) >= 12
    assert bench.models.fingerprint(bench.base) == before
    assert bench.parameters > 0
    predictor.save(tmp_path / "saved")
    assert answers(load(tmp_path / "saved", HFModels())) == said


def test_an_earlier_answer_is_learned_too(bench):
    """The first answers of chats are never a row's target: asked alone, they were still taught."""
    method = Instruct(**QUICK | {"epochs": 25}, validation=0.0)
    predictor = method.adapt(TASK, Shots(tuple(several(i) for i in range(8))), bench)
    first = [Input(turns=several(i).input.turns[:1]) for i in range(8)]
    right = [several(i).input.turns[1].text for i in range(8)]
    said = [p.answer for p in predictor.predict(first)]
    assert sum(a == b for a, b in zip(said, right, strict=True)) >= 7


def test_the_curves_of_steps_and_of_validation_are_reported(bench):
    Instruct(**QUICK).adapt(TASK, SHOTS, bench)
    losses, validation = bench.curve
    assert len(losses) == 60
    assert losses[-1] < losses[0]
    assert [step for step, _ in validation] == list(range(0, 61, 4))
    assert validation[-1][1] < validation[0][1]
    assert any(note.startswith("2 of 16 shots were kept for validation") for note in bench.notes)


def test_validation_shots_are_not_learned_from(bench):
    with bench.models.lend(bench.base) as lent:
        lesson = Instruct(**QUICK).data(TASK, SHOTS, 0).lesson(lent, 256)
    learned = {row.id for row in lesson.rows}
    validation = {row.id for row in lesson.validation}
    assert len(validation) == 2
    assert not learned & validation
    assert len(learned | validation) == len(SHOTS.labelled)


def test_validation_takes_groups_whole_and_leaves_few_rows_alone():
    rows = [replace(single(i), group=f"g{i // 2}") for i in range(20)]
    learned, validation = split(rows, 0.1, 0)
    assert len(validation) == 2
    assert validation[0].group == validation[1].group
    assert {e.group for e in learned}.isdisjoint({e.group for e in validation})
    assert split(rows, 0.1, 0) == (learned, validation) != split(rows, 0.1, 1)
    assert split(rows[:9], 0.1, 0) == (tuple(rows[:9]), ())
    assert split(rows, 0.0, 0) == (tuple(rows), ())
    assert len(split([single(i) for i in range(10)], 0.01, 0)[1]) == 1


@pytest.mark.parametrize("method", BOTH, ids=lambda method: method.name)
def test_killed_and_started_again_it_ends_with_the_same_bytes(method, bench, folder, tmp_path):
    whole = method.adapt(TASK, SHOTS, bench).ref.deltas[0].sha256
    again = Lent(HFModels(), bench.base, tmp_path / "again")
    taken_up = resumed(method, TASK, SHOTS, again, at=55)
    assert taken_up.ref.deltas[0].sha256 == whole
    assert again.steps[0][0] == 51
    assert again.curve == bench.curve


def test_packing_changes_the_price_and_not_the_result(bench, folder, tmp_path):
    packed = Instruct(**QUICK).adapt(TASK, SHOTS, bench)
    other = Lent(HFModels(), bench.base, tmp_path / "padded")
    padded = Instruct(**QUICK, packing=False).adapt(TASK, SHOTS, other)
    assert bench.curve[0] == pytest.approx(other.curve[0], abs=1e-2)
    assert answers(packed) == answers(padded)


def test_what_is_too_long_is_cut_and_counted(bench):
    long = Example("long", Input((("instruction", "word " * 300),)), ("card arrival",))
    verbose = Example("verbose", Input((("instruction", "go"),)), ("word " * 300,))
    shots = Shots((*SHOTS.labelled[:7], long, verbose))
    predictor = Instruct(**QUICK, max_tokens=100).adapt(TASK, shots, bench)
    assert predictor.predict([long.input])
    told = " ".join(bench.notes)
    assert "1 conversations longer than 100 tokens lost the beginning of their question" in told
    assert "1 conversations longer than 100 tokens were left out" in told


def test_answers_may_get_as_long_as_those_that_were_taught(bench):
    rows = tuple(replace(single(i), targets=("word " * (20 + i),)) for i in range(4))
    predictor = Instruct(**QUICK | {"epochs": 3}).adapt(TASK, Shots(rows), bench)
    longest = len(tiny_tokenizer()("word " * 23)["input_ids"])
    assert predictor.max_tokens == longest + longest // 4


def test_a_model_without_a_chat_template_says_so(tmp_path):
    place = tiny_llama(tmp_path / "tiny")
    (place / "chat_template.jinja").unlink()
    bench = Lent(HFModels(), ModelRef("hf", str(place)), tmp_path)
    with pytest.raises(CannotAdapt, match="no chat template"):
        Instruct().adapt(TASK, SHOTS, bench)


def test_it_is_for_written_answers_and_each_kind_has_its_rates():
    for name, trains in (("instruct", "adapter"), ("instruct_full", "weights")):
        cls = TABLE[name]
        assert cls.kinds == {"generate"}
        assert (cls.rung, cls.trains) == ("finetune", trains)
        assert len(cls.space["learning_rate"]) == 3
        assert cls.space["learning_rate"][0] == cls().learning_rate
    assert set(Instruct.space["learning_rate"]) != set(InstructFull.space["learning_rate"])
    assert (Instruct().epochs, Instruct().format) == (3, "chat")


def test_on_the_board_it_stands_beside_the_others_with_its_curves(folder, tmp_path, monkeypatch):
    rows = [
        {"instruction": f"Name the topic of message {i}.", "input": "my card", "output": "card"}
        for i in range(40)
    ]
    for name, part in (("train", rows[:24]), ("test", rows[24:])):
        text = "".join(json.dumps(row) + "\n" for row in part)
        (tmp_path / f"{name}.jsonl").write_text(text, encoding="utf-8")
    pins = {"instruct": {"learning_rate": 1e-2, "epochs": 4}}
    stay_here(monkeypatch)
    result = nshot.compare(
        tmp_path / "train.jsonl", test=tmp_path / "test.jsonl", model=str(folder),
        encoder="fake:encoder", methods=("zero_shot", "instruct"), settings=pins, seeds=1,
        out=tmp_path / "run",
    )  # fmt: skip
    board = json.loads((Path(result.folder) / "leaderboard.json").read_text(encoding="utf-8"))
    zero, tuned = board["rows"][:2]
    assert zero["learning_curve"] is None
    assert (tuned["status"], tuned["reason"]) == ("ok", None)
    assert len(tuned["learning_curve"]["train"]) >= 4
    assert tuned["learning_curve"]["validation"][0][0] == 0
    assert any("kept for validation" in note for note in tuned["notes"])
    assert 'id="losses"' in (Path(result.folder) / "report.html").read_text(encoding="utf-8")
