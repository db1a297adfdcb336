"""Batch files in OpenAI's form: a line for each line, whatever is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nshot.core.errors import InputError
from nshot.core.types import Example, Input, Label, ModelRef, Shots, Task
from nshot.methods.trivial.tfidf_lr import TfIdfLR
from nshot.models import open_models
from nshot.predictors.prompted import Prompted
from nshot.use.offline import Run, answer_file, batch
from nshot.use.offline.batch import BatchLines, of_batch, refused_in
from nshot.use.wire.answerer import Answerer
from toys import Bench

TASK = Task("t", "classify", (Label("refund"), Label("parcel")), field_names=(("text", "Text"),))
WORDS = {"refund": "refund my money", "parcel": "where is the parcel"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answerer]:
    """A head on n-grams, and a fake language model that writes."""
    place, models = tmp_path_factory.mktemp("served"), open_models()
    rows = [
        Example(f"{label}{i}", Input((("text", f"{text} {i}"),)), (label,))
        for label, text in WORDS.items()
        for i in range(4)
    ]
    bench = Bench(place / "job", models=models)  # type: ignore[arg-type]
    TfIdfLR().adapt(TASK, Shots(tuple(rows)), bench).save(place / "tickets")
    writes = Task("w", "generate")
    Prompted(writes, models, ModelRef("fake", "scorer"), "chat").save(place / "writer")
    return {name: Answerer.open(name, place / name, models) for name in ("tickets", "writer")}


def line(custom_id: str, url: str, method: str = "POST", **body: Any) -> str:
    return json.dumps({"custom_id": custom_id, "method": method, "url": url, "body": body})


def classified(custom_id: str, text: str, model: str = "tickets") -> str:
    return line(custom_id, "/v1/classify", model=model, input=text)


def answered(path: Path, served: dict[str, Answerer], *lines: str) -> list[dict[str, Any]]:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogateescape")
    asked, output = BatchLines(path), path.with_name("out.jsonl")
    answer_file(asked, Run(output, of_batch(asked, served), {}))
    return [json.loads(one) for one in output.read_text(encoding="utf-8").split("\n")[:-1]]


def test_each_url_is_answered_in_openais_form(served: dict[str, Answerer], tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "say hello"}]
    lines = answered(
        tmp_path / "in.jsonl",
        served,
        classified("a", "my money, please"),
        line("b", "/v1/chat/completions", model="writer", messages=chat, max_tokens=5),
        line("c", "/v1/completions", model="writer", prompt="say hello"),
        line(
            "d",
            "/v1/chat/completions",
            model="tickets",
            messages=[{"role": "user", "content": "parcel"}],
        ),
    )
    assert [one["custom_id"] for one in lines] == ["a", "b", "c", "d"]
    assert all(set(one) == {"id", "custom_id", "response", "error"} for one in lines)
    assert all(one["id"].startswith("batch_req_") for one in lines)
    assert [one["response"]["status_code"] for one in lines] == [200] * 4
    bodies = [one["response"]["body"] for one in lines]
    assert bodies[0]["data"][0]["label"] == "refund"
    assert bodies[1]["object"] == "chat.completion"
    assert bodies[1]["choices"][0]["message"]["content"]
    assert bodies[2]["object"] == "text_completion"
    assert bodies[3]["choices"][0]["message"]["content"] == "parcel"
    assert refused_in(tmp_path / "out.jsonl") == 0


def test_what_is_wrong_with_a_line_stands_in_its_place(
    served: dict[str, Answerer], tmp_path: Path
) -> None:
    lines = answered(
        tmp_path / "in.jsonl",
        served,
        classified("a", "money"),
        '{"custom_id": "b"',
        "[1]",
        '"\udcff"',
        line("", "/v1/classify"),
        line("g", "/v1/classify", method="GET", model="tickets", input="x"),
        json.dumps({"custom_id": "n", "method": "POST", "url": "/v1/classify", "body": []}),
        classified("a", "parcel"),
        classified("m", "parcel", model="ticket"),
        line("u", "/v1/images", model="tickets"),
        line("f", "/v1/classify", model="tickets"),
        classified("z", "parcel"),
    )
    codes = [one["error"] and one["error"]["code"] for one in lines]
    assert codes == [
        None, "invalid_json_line", "invalid_json_line", "invalid_json_line",
        "missing_required_parameter", "invalid_method", "missing_required_parameter",
        "duplicate_custom_id", None, None, None, None,
    ]  # fmt: skip
    status = [one["response"] and one["response"]["status_code"] for one in lines]
    assert status[8:] == [404, 404, status[10], 200]
    assert status[10] in (400, 422)
    assert "tickets" in lines[8]["response"]["body"]["error"]["message"]
    assert "line 1 has the same custom_id" in lines[7]["error"]["message"]
    assert refused_in(tmp_path / "out.jsonl") == 10


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    texts=st.lists(
        st.text(st.characters(exclude_characters="\n\r"), max_size=40), min_size=1, max_size=6
    )
)
def test_no_line_is_lost_whatever_it_holds(
    texts: list[str], served: dict[str, Answerer], tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(
        "\n".join([*texts, classified("last", "money")]).encode("utf-8", "surrogatepass")
    )
    asked, output = BatchLines(path), tmp_path / "out.jsonl"
    answer_file(asked, Run(output, of_batch(asked, served), {}))
    lines = output.read_text(encoding="utf-8").split("\n")[:-1]
    assert len(lines) == sum(bool(text.strip()) for text in texts) + 1
    assert json.loads(lines[-1])["response"]["status_code"] == 200


def test_a_file_beyond_the_limits_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "in.jsonl"
    with pytest.raises(InputError, match="no such file"):
        BatchLines(path)
    path.write_text("\n\n")
    with pytest.raises(InputError, match="empty"):
        BatchLines(path)
    path.write_text("x\n" * (batch.LINES + 1))
    with pytest.raises(
        InputError, match=r"50,001 lines.*\n.*at most 50,000 lines and 200 MB\n.*split -l"
    ):
        BatchLines(path)
    monkeypatch.setattr(batch, "BYTES", 1000)
    path.write_text("x" * 2000)
    with pytest.raises(InputError, match="1 lines, 0 MB"):
        BatchLines(path)
