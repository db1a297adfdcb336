"""A model behind an endpoint on the board: its bill, its limit, what is known of its answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import nshot
from endpoint import SECRET, Endpoint, Reply, completion, serving
from nshot.board.schema import Board, Row
from spine import command, jsonl, stay_here, tickets

PINNED: dict[str, Any] = {"pins": {"calibration": "none"}, "shots": 4, "seeds": 1}
"""Nothing is left to search or to try: the first requests are of test rows."""
PRICE = "currency: USD\nmodels:\n  tiny: {input: 1000, output: 5000, date: 2026-11-01}\n"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NSHOT_API_KEY", SECRET)
    stay_here(monkeypatch)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    prices = tmp_path / "prices.yaml"
    prices.write_text(PRICE)
    return {
        "task": jsonl(tmp_path / "train.jsonl", tickets(12)),
        "test": jsonl(tmp_path / "test.jsonl", tickets(10, "t")),
        "prices": str(prices),
    }


def guess(messages: list[dict[str, str]]) -> str:
    text = re.split(r"\n\n", messages[-1]["content"])[-1]
    return "refund" if re.search("refund|money|card|pay|back", text) else "parcel"


def compare(files: dict[str, str], endpoint: Endpoint, out: Path, **more: Any) -> nshot.Result:
    pins = {"zero_shot": {"format": "plain", **more.pop("pins", {})}}
    names = more.pop("methods", ["majority", "zero_shot"])
    return nshot.compare(
        **files, methods=names, model=endpoint.name, out=out, thorough=True,
        settings=pins, **more,
    )  # fmt: skip


def row(board: Board) -> Row:
    return board.row("zero_shot")


def test_the_bill_is_on_the_row_in_the_plan_and_on_the_page(
    files: dict[str, str], tmp_path: Path
) -> None:
    told: list[str] = []
    with serving(guess) as endpoint:
        made = compare(files, endpoint, tmp_path / "r", on=lambda one: told.append(str(one))).board
        asked = len(endpoint.bodies)
        read = sum(len(m["content"].split()) for body in endpoint.bodies for m in body["messages"])
        bill = (read * 1000 + asked * 5000) / 1e6
        again = compare(files, endpoint, tmp_path / "r").board
        assert len(endpoint.bodies) == asked, "a finished run asks nothing"
    one, cell = row(made), made.money
    assert cell is not None
    assert (cell.spent, cell.requests, cell.currency) == (pytest.approx(bill), asked, "USD")
    assert cell.prices[0].origin == "your price of 2026-11-01"
    assert one.spent_money == pytest.approx(bill)
    assert one.money_per_1000 is not None
    assert one.tokens_per_request is not None
    written = 1  # word of an answer
    per_row = ((one.tokens_per_request - written) * 1000 + written * 5000) / 1e6
    assert one.money_per_1000 == pytest.approx(1000 * per_row)
    assert one.latency is not None
    assert one.latency.median > 0
    assert row(again).money_per_1000 == one.money_per_1000
    assert cell.forecast > 0
    line = next(line for line in told if "will cost" in line)
    assert "USD at most" in line
    page = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    assert "What was paid" in page
    assert "your price of 2026-11-01" in page


def test_money_stops_before_it_is_passed_and_more_goes_on(
    files: dict[str, str], tmp_path: Path
) -> None:
    with serving(guess) as endpoint:
        whole = compare(files, endpoint, tmp_path / "whole").board.money
        assert whole is not None
        before = len(endpoint.bodies)
        first = compare(files, endpoint, tmp_path / "r", money=whole.spent * 0.7)
        some = len(endpoint.bodies) - before
        assert first.exit_code == 3
        assert "the money ends" in str(row(first.board).reason)
        assert first.board.money is not None
        assert 0 < first.board.money.spent <= whole.spent * 0.7
        second = compare(files, endpoint, tmp_path / "r", money=whole.spent * 3)
        assert second.exit_code == 0
        assert second.board.money is not None
        assert second.board.money.spent == pytest.approx(whole.spent)
        assert len(endpoint.bodies) - before == before, "each is paid once"
        assert 0 < some < before


def test_money_without_a_price_is_refused_with_the_line_to_write(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(guess) as endpoint:
        words = ["compare", files["task"], "--model", endpoint.name, "--methods", "zero_shot",
                 "--money", "5", "--out", str(tmp_path / "r")]  # fmt: skip
        assert command(words) == 2
        told = capsys.readouterr().err
        assert "has no price" in told
        assert "models: {tiny: {input: 0.40, output: 1.60}}" in told
        assert command([*words, "--prices", files["prices"], "--dry-run"]) == 0
        assert "zero_shot" in capsys.readouterr().out.split("in money about")[1]
        assert not endpoint.bodies


def test_without_a_price_a_row_has_its_tokens_and_says_so(
    files: dict[str, str], tmp_path: Path
) -> None:
    with serving(guess, usage=False) as endpoint:
        files = {name: file for name, file in files.items() if name != "prices"}
        made = compare(files, endpoint, tmp_path / "r").board
    one, told = row(made), " ".join(row(made).notes)
    assert made.money is None
    assert one.money_per_1000 is None
    assert one.tokens_per_request
    assert "no price is known of tiny: its tokens are counted, its money is not" in told
    assert "the endpoint counted no tokens for" in told


def test_what_went_wrong_stands_on_the_row_of_a_run_taken_up_too(
    files: dict[str, str], tmp_path: Path
) -> None:
    renamed = completion("refund", [])
    renamed["model"] = "tiny-2"
    cut = completion("refund and so on", [], finish_reason="length")
    refusal = completion(None, [])
    refusal["choices"][0]["message"]["refusal"] = "I cannot help with that"
    script = [Reply(429, headers=(("Retry-After", "0"),)), Reply(body=b"{broken"), Reply(503),
              Reply(cut=True), Reply(body=renamed), Reply(body=cut), Reply(body=refusal),
              Reply(413, {"error": {"message": "too long"}})]  # fmt: skip
    with serving(guess, *script) as endpoint:
        first = compare(files, endpoint, tmp_path / "r", **PINNED).board
        asked = len(endpoint.bodies)
        for file in (tmp_path / "r").glob("store.sqlite*"):
            file.unlink()
        again = compare(files, endpoint, tmp_path / "r", **PINNED).board
    cell = row(first).writing
    assert cell is not None
    assert dict(cell.retries) == {
        "rate limit": 1, "no valid answer": 1, "server error": 1, "cut connection": 1,
    }  # fmt: skip
    assert (cell.refused, cell.cut, cell.answers) == (2, 1, 30)
    assert dict(cell.models) == {"tiny-2": 1}
    told = " ".join(row(first).notes)
    assert "asked again after 4 failures" in told
    assert "2 of 30 answers were refused by the endpoint" in told
    assert "1 of 30 answers were cut off" in told
    assert "1 of 30 answers came from a model that the endpoint calls 'tiny-2'" in told
    assert len(endpoint.bodies) == asked, "what was not read was asked again for the delivered one"
    other = row(again).writing
    assert other is not None
    assert (other.retries, other.cut, other.refused) == (cell.retries, 1, 1)


def test_a_small_model_of_ones_own_against_the_endpoint_with_both_lines(
    files: dict[str, str], tmp_path: Path
) -> None:
    Path(files["prices"]).write_text(PRICE + "hour: 0.36\n")
    with serving(guess, delay=0.02) as endpoint:
        made = compare(
            files, endpoint, tmp_path / "r", methods=["tfidf_lr", "zero_shot"], prefer="money",
            give_up=100, **PINNED,
        ).board  # fmt: skip
    ((pair),) = made.break_even
    own, other = made.row("tfidf_lr"), made.row("zero_shot")
    assert (pair.own, pair.other, pair.hour) == ("tfidf_lr", "zero_shot", 0.36)
    assert (pair.own_score, pair.other_score) == (own.score, other.score)
    assert pair.seconds.own.once == pytest.approx(own.build_seconds)
    assert pair.seconds.other.each >= 0.02
    money = pair.money
    assert money is not None
    assert 1000 * money.other.each == pytest.approx(other.money_per_1000)
    assert money.own.once == pytest.approx(pair.seconds.own.once * 0.36 / 3600)
    assert money.requests is not None
    assert money.requests < 1, "an answer of the endpoint costs more than the whole building"
    assert made.hour == 0.36
    assert made.advice is not None
    assert made.advice == made.decide(made.advice.wish), "the price of an hour is known to both"
    assert made.advice.pick == "tfidf_lr"
    assert own.build_seconds is not None
    assert own.use_seconds_per_1000 is not None
    cost = 0.36 / 3600 * (own.build_seconds + 10 * own.use_seconds_per_1000)
    assert f"By the prices it is {cost:.2g} in money" in " ".join(made.advice.reasons)
    page = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    assert "chart-break-even" in page
    assert "Score against money for 1,000 answers" in page
    assert "tfidf_lr (" in page
    assert Board.read(tmp_path / "r").break_even == made.break_even


def test_what_a_search_asks_is_paid_once_and_stands_in_the_break_even(
    files: dict[str, str], tmp_path: Path
) -> None:
    """All that was paid is the search and the test rows: it is not the pick, and no more asked."""
    with serving(lambda messages: "parcel") as endpoint:
        made = nshot.compare(
            **files, methods=["tfidf_lr", "few_shot"], model=endpoint.name, out=tmp_path / "r",
            thorough=True, settings={"few_shot": {"format": "plain"}},
        ).board  # fmt: skip
        asked = len(endpoint.bodies)
    one = made.row("few_shot")
    assert one.build_money is not None
    assert one.money_per_1000 is not None
    assert one.test_rows == 30
    tests = one.money_per_1000 * 30 / 1000
    assert one.spent_money == pytest.approx(one.build_money + tests)
    assert {trial.settings["calibration"] for trial in one.trials} == {"batch"}
    assert len({trial.settings["n"] for trial in one.trials}) == 3
    assert asked == 3 * 36 + 30, "of each number of examples every row once"
    ((pair),) = made.break_even
    assert pair.money is not None
    assert pair.money.other.once == pytest.approx(one.build_money)
    assert pair.money.own.once == 0
