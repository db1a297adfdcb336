"""Methods on several models: what rows are called, one board for models here and elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import nshot
from endpoint import serving
from nshot.bench.adapt_one import adapt_one
from nshot.bench.contenders import contenders, unique_names
from nshot.bench.dry_run import plan
from nshot.bench.prepare import prepare
from nshot.bench.request import Request
from nshot.bench.run import carry_out
from nshot.board.events import ignore
from nshot.board.schema import Board
from nshot.core.errors import InputError
from nshot.core.types import ModelRef
from nshot.methods import TABLE
from spine import jsonl, points_of, rows_of, stay_here, tickets

A, B = ModelRef("hf", "/models/a/smollm2-135m"), ModelRef("hf", "org/gemma")
E, F = ModelRef("hf", "minilm"), ModelRef("hf", "e5")


def names(method: str, bases: list[ModelRef], encoders: list[ModelRef]) -> list[str]:
    return [c.name for c in contenders([TABLE.build({"method": method})], bases, encoders)]


def test_with_one_model_a_contender_is_named_as_its_method() -> None:
    assert names("zero_shot", [A], [E]) == ["zero_shot"]
    assert names("zero_shot", [], []) == ["zero_shot"], "and says that it lacks a model"


def test_with_several_models_each_method_stands_on_those_it_needs() -> None:
    assert names("majority", [A, B], [E, F]) == ["majority"]
    assert names("zero_shot", [A, B], [E]) == ["zero_shot @ smollm2-135m", "zero_shot @ gemma"]
    assert names("knn", [A, B], [E, F]) == ["knn @ minilm", "knn @ e5"]
    assert names("retrieved_shots", [A, B], [E, F]) == [
        f"retrieved_shots @ {base} + {encoder}"
        for base in ("smollm2-135m", "gemma")
        for encoder in ("minilm", "e5")
    ]
    assert names("retrieved_shots", [A, B], [E])[0] == "retrieved_shots @ smollm2-135m"


def test_names_are_as_short_as_they_can_be() -> None:
    one, other = ModelRef("hf", "/x/one/model"), ModelRef("hf", "/x/other/model")
    far = ModelRef("openai", "gpt-x@https://api.host/v1")
    near = ModelRef("openai", "gpt-x@http://localhost:8000/v1")
    assert list(unique_names([one, B, far]).values()) == ["model", "gemma", "gpt-x"]
    assert list(unique_names([one, other]).values()) == ["one/model", "other/model"]
    assert list(unique_names([far, near]).values()) == ["api.host/gpt-x", "localhost:8000/gpt-x"]
    old, new = ModelRef("hf", "a/b", "1" * 8), ModelRef("hf", "a/b", "2" * 8)
    assert len(set(unique_names([old, new]).values())) == 2


def test_a_model_here_and_an_endpoint_on_one_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def guess(messages: list[dict[str, str]]) -> str:
        text = re.split(r"\n\n", messages[-1]["content"])[-1]
        return "refund" if re.search("refund|money|card|pay|back", text) else "parcel"

    stay_here(monkeypatch)
    monkeypatch.setenv("NSHOT_API_KEY", "secret")
    train = jsonl(tmp_path / "t.jsonl", tickets(6))
    test = jsonl(tmp_path / "u.jsonl", tickets(5, "u"))
    with serving(guess) as endpoint:
        request = Request(
            train, test=test, model=("fake:scorer", endpoint.name), encoder=("fake:encoder",),
            methods=("majority", "nearest_mean", "zero_shot", "lm_probe"), shots=(2,), seeds=2,
            settings={"zero_shot": {"format": "plain"}}, out=str(tmp_path / "run"),
        )  # fmt: skip
        prepared = prepare(request)
        forecast = {row["name"]: row for row in plan(prepared, ignore)}
        result = carry_out(prepared, ignore)
        assert result.exit_code == 0
    (far,) = {name for name in forecast if name.startswith("zero_shot @")} - {"zero_shot @ scorer"}
    rows = rows_of(result.board)
    assert list(rows) == list(forecast)
    here = "zero_shot @ scorer"
    assert {here, "lm_probe @ scorer", "majority", "nearest_mean"} <= set(rows)
    assert rows[here]["status"] == "ok"
    assert rows[here]["base"] == "scorer"
    assert rows["majority"]["base"] is None
    assert far != here
    assert "cannot show hidden states" in rows[far.replace("zero_shot", "lm_probe")]["reason"]
    assert nshot.load(tmp_path / "run").check() == []
    again = Board.read(tmp_path / "run").decide(prepared.request.wish)
    assert again.pick == result.pick
    scored = {name for name, row in rows.items() if row["score"] is not None}
    assert set(points_of(tmp_path / "run")) == scored


def test_a_model_that_is_not_there_any_more_costs_its_rows_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stay_here(monkeypatch)
    train = jsonl(tmp_path / "t.jsonl", tickets(6))
    with serving(lambda messages: "refund") as endpoint:
        request = Request(
            train, model=("fake:scorer", endpoint.name), methods=("majority", "zero_shot"),
            seeds=1, settings={"zero_shot": {"format": "plain"}}, out=str(tmp_path / "run"),
        )  # fmt: skip
        prepared = prepare(request)
    result = carry_out(prepared, ignore)
    rows = rows_of(result.board)
    assert rows["zero_shot @ scorer"]["status"] == "ok"
    (gone,) = (row for name, row in rows.items() if name not in ("majority", "zero_shot @ scorer"))
    assert gone["status"] in ("skipped", "failed")
    assert result.exit_code == 3


def test_one_method_is_adapted_on_one_model(tmp_path: Path) -> None:
    train = jsonl(tmp_path / "t.jsonl", tickets(6))
    request = Request(
        train, model=("fake:scorer", "fake:remote"), methods=("zero_shot",),
        out=str(tmp_path / "run"),
    )  # fmt: skip
    with pytest.raises(InputError, match="zero_shot @ scorer, zero_shot @ remote"):
        adapt_one(prepare(request, hold_out=False), ignore)
