"""Models that decide, on the board: planted faults are seen and told, and none on a clean one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import nshot
from deciding import SECRET, Mind, Service, deciding
from nshot.bench.contenders import contenders
from nshot.bench.prepare import prepare
from nshot.bench.request import Request
from nshot.board.schema import Board, Row
from nshot.core.errors import InputError
from spine import WORDS, command, jsonl, stay_here, tickets

MONEY = {"decide": {"price_in": 100.0}}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NSHOT_API_KEY", SECRET)
    stay_here(monkeypatch)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    return {
        "task": jsonl(tmp_path / "train.jsonl", tickets(24)),
        "test": jsonl(tmp_path / "test.jsonl", tickets(24, "t")),
    }


def board(
    files: dict[str, str],
    service: Service,
    out: Path,
    methods: Sequence[Any] = ("majority", "decide"),
    **more: Any,
) -> Board:
    result = nshot.compare(
        **files, methods=methods, model=service.name(more.pop("engine", "systemone")), out=out,
        thorough=True, **more,
    )  # fmt: skip
    return result.board


def row(files: dict[str, str], mind: Mind, out: Path, **more: Any) -> Row:
    with deciding(mind) as service:
        return board(files, service, out, **more).row("decide")


@pytest.mark.parametrize("engine", ["systemone", "decisions"])
def test_a_clean_one_is_measured_with_its_bill_and_nothing_is_held_against_it(
    files: dict[str, str], tmp_path: Path, engine: str
) -> None:
    with deciding(Mind(WORDS, noise=0.3)) as service:
        one = board(files, service, tmp_path / "r", engine=engine, settings=MONEY).row("decide")
        asked = service.bodies[-1]
    assert one.status == "ok", one.reason
    assert one.score is not None
    assert one.score > 0.9
    assert one.rung == "prompt"
    assert one.reliance is not None
    for doubt in (
        one.reliance.order, one.reliance.wording, one.reliance.injection, one.reliance.repeat,
    ):  # fmt: skip
        assert doubt is not None
        assert doubt.value == 0
    assert not [note for note in one.notes if "change" in note or "obey" in note]
    assert one.calibration is not None
    assert one.calibration.rows >= 30, "calibrated on labelled rows"
    assert one.latency is not None
    assert 0 < one.latency.median <= one.latency.p95
    assert one.money_per_1000 == pytest.approx(one.tokens_per_request * 100 / 1000, rel=0.1)
    assert asked["model"] == "scripted"


def test_answers_that_hang_on_how_the_question_is_worded_are_told(
    files: dict[str, str], tmp_path: Path
) -> None:
    one = row(files, Mind(WORDS, worded=2.0), tmp_path / "r").reliance
    assert one is not None
    assert one.wording is not None
    assert one.wording.low > 0.05
    assert one.repeat is not None
    assert one.repeat.value == 0, "the same words, the same answer"


def test_the_order_of_options_and_a_planted_request_and_drift_are_told(
    files: dict[str, str], tmp_path: Path
) -> None:
    mind = Mind(WORDS, noise=0.3, first=6.0, obeys=True, drifts=0.5)
    notes = " ".join(row(files, mind, tmp_path / "r").notes)
    assert "of 50 answers change when the options come the other way round" in notes
    assert "20 of 20 answers obey a text that asks for another label (83 to 100 %)" in notes
    assert "of 20 answers change when the same is asked again" in notes


def test_a_cascade_is_tried_as_a_whole_and_a_head_by_a_planted_request(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = {"cheap": {"method": "tfidf_lr"}, "dear": {"method": "decide"}}
    with deciding(Mind(WORDS, obeys=True, first=6.0)) as service:
        made = board(
            files, service, tmp_path / "r", methods=["tfidf_lr", "decide", "cascade"],
            settings={"cascade": parts},
        )  # fmt: skip
    by_name = {row.name: row.reliance for row in made.contest}
    cascade, head = by_name["cascade:tfidf_lr+decide"], by_name["tfidf_lr"]
    assert cascade is not None
    assert cascade.order is not None
    assert cascade.wording is not None
    assert cascade.repeat is not None
    assert cascade.repeat.value == 0
    assert head is not None
    assert head.injection is not None
    assert head.repeat is None
    page = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    assert "Can its answers be relied on?" in page


def test_one_that_is_too_sure_is_told_by_its_temperature(
    files: dict[str, str], tmp_path: Path
) -> None:
    sure = row(files, Mind(WORDS, noise=2.0, overconfidence=6), tmp_path / "sure").calibration
    clean = row(files, Mind(WORDS, noise=2.0, sharpness=1.0), tmp_path / "clean").calibration
    assert sure is not None
    assert clean is not None
    assert sure.temperature > 2 * clean.temperature


def test_refusals_count_as_wrong_and_are_told(files: dict[str, str], tmp_path: Path) -> None:
    one = row(files, Mind(WORDS, refuses="card"), tmp_path / "r")
    assert any("rows without an answer count as wrong" in note for note in one.notes)
    assert one.score is not None
    assert one.score < 0.95


def test_what_the_service_rejects_fails_the_row_alone_and_the_same_command_pays_for_the_rest(
    files: dict[str, str], tmp_path: Path
) -> None:
    def run(service: Service) -> nshot.Result:
        return nshot.compare(
            **files, methods=["majority", "decide"], model=service.name(), out=tmp_path / "r"
        )

    with deciding(Mind(WORDS)) as service:
        service.mind.rejects = "t7"
        first = run(service)
        assert first.exit_code == 3
        failed = first.board.row("decide")
        assert failed.status == "failed"
        assert "planted" in str(failed.reason)
        paid = {body["state"] for body in service.bodies}
        before = len(service.bodies)
        service.mind.rejects = ""
        again = run(service)
        assert again.exit_code == 0
        assert again.board.row("decide").status == "ok"
        whole = again.board.row("decide").test_rows
        later = [body["state"] for body in service.bodies[before:]]
        assert len([text for text in later if text in paid]) <= 8 + 20 + 50 + 50
        assert len({*paid, *later}) >= (whole or 0)
        done = len(service.bodies)
        assert run(service).board.row("decide").score == again.board.row("decide").score
        assert len(service.bodies) == done, "a finished run asks nothing"


def test_a_run_keeps_to_its_money_goes_on_with_more_and_costs_what_was_forecast(
    files: dict[str, str], tmp_path: Path
) -> None:
    told: list[str] = []

    def run(service: Service, money: float) -> nshot.Result:
        return nshot.compare(
            **files, methods=["majority", "decide"], model=service.name(), out=tmp_path / "r",
            settings=MONEY, money=money, thorough=True, on=lambda event: told.append(str(event)),
        )  # fmt: skip

    with deciding(Mind(WORDS, noise=0.3)) as service:
        first = run(service, 0.3)
        spent = service.tokens * 100 / 1e6
        assert 0.1 < spent <= 0.3
        assert first.exit_code == 3
        assert "the money ends" in str(first.board.row("decide").reason)
        assert first.board.money is not None
        assert first.board.money.spent == pytest.approx(spent)
        again = run(service, 50.0)
        assert again.exit_code == 0
        bill = service.tokens * 100 / 1e6
        asked = [json.dumps(body) for body in service.bodies]
        assert len(asked) - len({*asked}) <= 20, "twice only what is asked again on purpose"
    cell, one = again.board.money, again.board.row("decide")
    assert cell is not None
    assert cell.spent == pytest.approx(bill)
    assert one.spent_money == pytest.approx(bill)
    assert cell.forecast == pytest.approx(bill, rel=0.05)
    forecast = next(line for line in told if "will cost" in line)
    assert "in money at most, of 0.3 that it may cost" in forecast
    assert float(forecast.split("will cost ")[1].split()[0]) == pytest.approx(bill, rel=0.05)


def test_examples_in_the_state_are_in_the_bill_and_in_its_forecast(
    files: dict[str, str], tmp_path: Path
) -> None:
    prices = {"decide": {"price_in": 100.0}, "decide_shots": {"price_in": 100.0}}
    with deciding(Mind(WORDS, noise=0.3)) as service:
        made = board(
            files, service, tmp_path / "r", methods=["decide", "decide_shots"], settings=prices
        )
        bill = service.tokens * 100 / 1e6
    bare, shown = made.row("decide"), made.row("decide_shots")
    assert shown.status == "ok", shown.reason
    assert shown.money_per_1000 is not None
    assert bare.money_per_1000 is not None
    assert shown.money_per_1000 > 2 * bare.money_per_1000
    assert shown.reliance is not None
    assert made.money is not None
    assert made.money.spent == pytest.approx(bill)
    assert made.money.forecast == pytest.approx(bill, rel=0.05)


def test_a_table_of_prices_is_on_the_row_too(files: dict[str, str], tmp_path: Path) -> None:
    table = tmp_path / "prices.yaml"
    table.write_text("currency: EUR\nmodels:\n  scripted: {input: 100, output: 0}\n")
    with deciding(Mind(WORDS, noise=0.3)) as service:
        made = board(files, service, tmp_path / "r", prices=str(table))
        bill = service.tokens * 100 / 1e6
    one = made.row("decide")
    assert made.money is not None
    assert (made.money.currency, made.money.spent) == ("EUR", pytest.approx(bill))
    assert one.money_per_1000 == pytest.approx(one.tokens_per_request * 100 / 1000, rel=0.1)
    free = tmp_path / "free"
    with deciding(Mind(WORDS, noise=0.3)) as service:
        made = board(files, service, free, settings=MONEY, prices=str(table))
    assert made.row("decide").money_per_1000 == pytest.approx(one.money_per_1000), "the same price"


def test_each_draw_of_examples_is_in_the_forecast(files: dict[str, str], tmp_path: Path) -> None:
    with deciding(Mind(WORDS, noise=0.3)) as service:
        made = board(
            files, service, tmp_path / "r", methods=["majority", "decide_shots"], shots=[2, 4],
            seeds=2, settings={"decide_shots": {"price_in": 100.0}},
        )  # fmt: skip
        bill = service.tokens * 100 / 1e6
    assert made.row("decide_shots").status == "ok"
    assert made.money is not None
    assert made.money.forecast >= 0.95 * bill, "at most, and not several times too little"


def test_a_price_for_one_way_to_ask_alone_is_refused(files: dict[str, str], tmp_path: Path) -> None:
    with deciding(Mind(WORDS)) as service, pytest.raises(InputError) as refused:
        board(files, service, tmp_path / "r", methods=["decide", "decide_shots"], settings=MONEY)
    assert "decide_shots has no price, and decide has one" in str(refused.value)
    assert "--set decide_shots.price_in=100" in str(refused.value)


def test_a_student_of_an_endpoint_has_its_bill_and_is_told_apart_from_its_teacher(
    files: dict[str, str], tmp_path: Path
) -> None:
    unlabelled = jsonl(tmp_path / "u.jsonl", [{"text": r["text"]} for r in tickets(12, "n")])
    teacher = {"method": "decide", **MONEY["decide"]}
    with deciding(Mind(WORDS, noise=2.0)) as service:
        made = nshot.compare(
            **files, unlabelled=unlabelled, model=service.name(), out=tmp_path / "r",
            methods=["distil"], thorough=True,
            settings={"distil": {"teacher": teacher, "student": {"method": "tfidf_lr"}}},
        ).board  # fmt: skip
        asked = sum("questions" in body for body in service.bodies)
        bill = service.tokens * 100 / 1e6
    one = made.row("distil:tfidf_lr")
    assert one.status == "ok", one.reason
    assert one.taught is not None
    cell = one.taught
    assert cell.teacher.rows == min(100, one.test_rows or 0)
    assert 0.3 < cell.agreement.value < 1
    assert cell.mistakes is not None
    assert any("answers as its teacher does on" in note for note in one.notes)
    assert one.spent_money == pytest.approx(bill)
    assert one.build_money is not None
    share = (asked - cell.teacher.rows) / asked
    assert one.build_money == pytest.approx(bill * share, rel=0.05), "all but the test rows"
    assert one.money_per_1000 is None, "its own answers cost nothing"


def test_money_needs_a_price_and_a_dry_run_asks_nothing(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with deciding(Mind(WORDS)) as service:
        words = ["compare", files["task"], "--test", files["test"], "--methods", "decide",
                 "--model", service.name(), "--out", str(tmp_path / "r"),
                 "--money", "5"]  # fmt: skip
        assert command(words) == 2
        assert "--set decide.price_in=0.042" in capsys.readouterr().err
        words += ["--set", "decide.price_in=100", "--dry-run"]
        assert command(words) == 0
        assert "in money about" in capsys.readouterr().out
        assert service.bodies == []


def test_levels_are_a_scale_yes_or_no_a_predicate_and_several_labels_one_request(
    tmp_path: Path,
) -> None:
    levels = [{"text": f"{word} {i}", "label": word} for i in range(20) for word in
              ("low", "medium", "high")]  # fmt: skip
    spam = [{"text": f"{word} {i}", "label": label} for i in range(25)
            for word, label in (("win prize", "spam"), ("see you", "ham"))]  # fmt: skip
    moods = ("joy", "fear", "anger")
    tags = [{"text": f"{a} {b} {i}", "label": [a] if a == b else [a, b]} for i in range(7)
            for a in moods for b in moods if a <= b]  # fmt: skip
    kinds = {}
    for name, rows, mind, more in (
        ("levels", levels, Mind(), {"kind": "score"}),
        ("spam", spam, Mind({"spam": "win prize", "ham": "see you"}), {}),
        ("tags", tags, Mind({"joy": "joy", "fear": "fear", "anger": "anger", "nothing": ""}),
         {"kind": "multilabel"}),
    ):  # fmt: skip
        with deciding(mind) as service:
            result = nshot.compare(
                jsonl(tmp_path / f"{name}.jsonl", rows[: len(rows) // 2]),
                test=jsonl(tmp_path / f"{name}-t.jsonl",
                           [{**row, "text": f"now {row['text']}"} for row in rows]),
                methods=["decide"], model=service.name(), out=tmp_path / name, **more,
            )  # fmt: skip
            kinds[name] = [q["type"] for q in service.bodies[0]["questions"].values()]
        one = result.board.row("decide")
        assert one.score is not None, one.reason
        assert one.score > 0.8, name
    assert kinds == {"levels": ["score"], "spam": ["noul"], "tags": ["noul"] * 3}


def test_more_labels_than_one_question_takes_are_asked_in_two_stages(tmp_path: Path) -> None:
    names = [f"label{i}" for i in range(260)]
    rows = [{"text": f"it is {name} {i}", "label": name} for i in range(2) for name in names]
    test = [{"text": f"now {name}", "label": name} for name in names[::13]]
    with deciding() as service:
        result = nshot.compare(
            jsonl(tmp_path / "t.jsonl", rows), test=jsonl(tmp_path / "u.jsonl", test),
            methods=["majority", "decide"], model=service.name(), out=tmp_path / "r",
        )  # fmt: skip
    one = result.board.row("decide")
    assert one.score == 1
    assert (
        "260 labels are more than the 255 that one question takes: asked in two stages" in one.notes
    )
    sizes = {
        tuple(len(q["criteria"]) for q in body["questions"].values()) for body in service.bodies
    }
    assert sizes == {(130, 130), (10,)}


def test_a_model_that_decides_takes_no_language_models_place(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with deciding(Mind(WORDS)) as service:
        words = ["compare", files["task"], "--test", files["test"], "--model", service.name(),
                 "--model", "fake:scorer", "--methods", "majority,zero_shot,decide",
                 "--out", str(tmp_path / "r")]  # fmt: skip
        assert command(words) == 0
        names = {row.name for row in Board.read(tmp_path / "r").contest}
        assert names == {"majority", "zero_shot", "decide"}
        capsys.readouterr()
        assert command([*words[:-2], "--out", str(tmp_path / "dry"), "--dry-run"]) == 0
        assert "decide" in capsys.readouterr().out
        assert (
            command(
                ["predict", str(tmp_path / "r"), files["test"], "-o", str(tmp_path / "a.jsonl")]
            )
            == 0
        )
        assert command(["check", str(tmp_path / "r")]) == 0
    lone = nshot.compare(
        **files, methods=["majority", "decide"], model="fake:scorer", out=tmp_path / "none"
    )
    assert "--model systemone:MODEL@ADDRESS" in str(lone.board.row("decide").reason)


@pytest.mark.embedded
def test_it_is_compared_where_its_address_is_named_beside_ones_own_models(
    files: dict[str, str], tmp_path: Path
) -> None:
    with deciding(Mind(WORDS)) as service:
        made = prepare(Request(**files, model=(service.name(),), out=str(tmp_path / "r")))
    names = [method.name for method in made.methods]
    assert {"decide", "lora", "tfidf_lr"} <= {*names}
    assert [ref.engine for ref in made.setting.bases] == ["hf", "systemone"]
    rows = contenders(made.methods, made.setting.bases, made.setting.encoders)
    assert {one.name for one in rows if one.base and one.base.engine == "systemone"} == {"decide"}


def test_a_wrong_key_and_an_address_without_a_server_are_told_before_anything_is_written(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compare", files["task"], "--test", files["test"], "--methods", "decide",
             "--out", str(tmp_path / "r"), "--model"]  # fmt: skip
    with deciding(key="another") as service:
        assert command([*words, service.name()]) == 2
    told = capsys.readouterr().err
    assert "refuses the key" in told
    assert SECRET not in told
    assert command([*words, "systemone:m@http://127.0.0.1:9/v1"]) == 2
    assert "no endpoint answers" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_the_key_stands_in_no_file_of_the_run(files: dict[str, str], tmp_path: Path) -> None:
    with deciding(Mind(WORDS), key=SECRET) as service:
        board(files, service, tmp_path / "r")
    for path in (tmp_path / "r").rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
