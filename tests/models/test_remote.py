"""A model behind an endpoint, against a real server that misbehaves as it is told to."""

from __future__ import annotations

import re
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from endpoint import SECRET, Endpoint, Reply, completion, serving
from nshot.core.errors import (
    CannotAdapt,
    EndpointFailed,
    EndpointRefused,
    InputError,
    ModelNotFound,
)
from nshot.core.types import Image, ModelRef, Turn
from nshot.models import open_models
from nshot.models.base import Completion, Decoding
from nshot.models.catalog import resolve
from nshot.models.openai.chat_completions import RemoteLanguageModel
from nshot.models.openai.endpoint import Limits, parse
from spine import jsonl, rows_of, stay_here, tickets

QUICK = Limits(backoff=0.01, attempts=4, timeout=5)
GREEDY = Decoding(16)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("NSHOT_API_KEY", SECRET)


def echo(messages: list[dict[str, str]]) -> str:
    return messages[-1]["content"].upper()


def model(endpoint: Endpoint, limits: Limits = QUICK) -> RemoteLanguageModel:
    return RemoteLanguageModel(parse(endpoint.name.removeprefix("openai:")), limits)


# ------------------------------------------------------------------ the name


@pytest.mark.parametrize(
    ("name", "model", "url"),
    [
        ("gpt-x@https://api.example.org/v1", "gpt-x", "https://api.example.org/v1"),
        ("org/m@main@http://[::1]:8000/v1/", "org/m@main", "http://[::1]:8000/v1"),
    ],
)
def test_a_name_is_a_model_and_an_address(name: str, model: str, url: str) -> None:
    assert parse(name) == ModelRef("openai", f"{model}@{url}")


@pytest.mark.parametrize(
    "name",
    ["gpt-x", "@http://h/v1", "m@ftp://h/v1", "m@http://u:hush@h/v1", "m@http://h/v1?k=hush"],
)
def test_another_spelling_is_refused_and_no_secret_repeated(name: str) -> None:
    with pytest.raises(InputError) as refused:
        resolve(f"openai:{name}", "lm")
    assert "try:" in str(refused.value)
    assert "hush" not in str(refused.value)


def test_it_is_no_encoder() -> None:
    with pytest.raises(InputError, match="no sentence encoder"):
        resolve("openai:m@http://127.0.0.1:9/v1", "encoder")


def test_an_endpoint_that_is_not_there_is_told_soon() -> None:
    start = time.monotonic()
    with pytest.raises(ModelNotFound, match=r"no endpoint answers at http://127\.0\.0\.1:9/v1"):
        resolve("openai:m@http://127.0.0.1:9/v1", "lm")
    assert time.monotonic() - start < 5


def test_a_key_that_is_refused_is_told_at_once() -> None:
    with serving(echo, models_status=401) as endpoint, pytest.raises(EndpointRefused) as refused:
        resolve(endpoint.name, "lm")
    assert "set NSHOT_API_KEY" in str(refused.value)


# ------------------------------------------------------------------ what is sent and what comes


def test_what_is_asked_and_what_is_heard() -> None:
    turns = (Turn("system", "Be brief."), Turn("user", "hello there"))
    with serving(echo) as endpoint:
        lm = open_models().open(resolve(endpoint.name, "lm"))
        how = Decoding(9, temperature=0.5, seed=7, stop=("THERE", "b", "c", "d", "e"))
        heard = lm.generate([turns, "raw there and"], how)
    assert heard == [Completion("HELLO ", 4, 2, True), Completion("RAW ", 3, 3, True)]
    body = next(b for b in endpoint.bodies if len(b["messages"]) == 2)
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    settings = {key: body[key] for key in ("model", "max_tokens", "temperature", "seed", "stop")}
    assert settings == {
        "model": "tiny", "max_tokens": 9, "temperature": 0.5, "seed": 7,
        "stop": ["THERE", "b", "c", "d"],
    }  # fmt: skip
    assert set(endpoint.keys) == {f"Bearer {SECRET}"}


def test_the_other_variable_and_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NSHOT_API_KEY")
    with serving(echo) as endpoint:
        model(endpoint).generate(["a"], GREEDY)
        monkeypatch.setenv("OPENAI_API_KEY", "other\n")
        model(endpoint).generate(["a"], GREEDY)
    assert endpoint.keys == [None, "Bearer other"]


def test_a_key_that_cannot_be_one_is_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NSHOT_API_KEY", f"{SECRET}\nX-Other: 1")
    with serving(echo) as endpoint, pytest.raises(InputError) as refused:
        model(endpoint).generate(["a"], GREEDY)
    assert SECRET not in str(refused.value)
    assert endpoint.bodies == []


def test_tokens_are_guessed_where_the_endpoint_counts_none() -> None:
    with serving(lambda _: "eight by", usage=False) as endpoint:
        (heard,) = model(endpoint).generate(["four"], GREEDY)
    assert (heard.tokens_in, heard.tokens_out) == (1, 2)


def test_a_text_that_was_cut_off_says_so() -> None:
    with serving(echo, Reply(body=completion("on and", finish_reason="length"))) as endpoint:
        assert not model(endpoint).generate(["a"], GREEDY)[0].finished


def test_a_text_that_a_filter_kept_back_is_empty() -> None:
    kept_back = completion(None, finish_reason="content_filter")
    with serving(echo, Reply(body=kept_back)) as endpoint:
        assert model(endpoint).generate(["a"], GREEDY)[0].text == ""


def test_it_can_only_write() -> None:
    lm = RemoteLanguageModel(parse("m@http://127.0.0.1:9/v1"))
    assert lm.facts.can == {"generate"}
    with pytest.raises(CannotAdapt):
        lm.logprobs(["a"], [["b"]])
    with pytest.raises(CannotAdapt):
        lm.hidden(["a"], [1])
    with pytest.raises(CannotAdapt, match="pictures"):
        lm.generate([(Turn("user", "a", (Image("a.png", "0"),)),)], GREEDY)


# ------------------------------------------------------------------ what passes, and what does not

NOISE = {
    "busy": Reply(429, {"error": {"message": "slow down"}}),
    "broken": Reply(500, b"<html>oh</html>"),
    "malformed": Reply(body=b'{"choices": [{"mess'),
    "cut": Reply(cut=True),
    "another schema": Reply(body={"result": "hello"}),
    "no choices": Reply(body={"choices": []}),
    "a list": Reply(body=[1, 2]),
    "a number for a text": Reply(body={"choices": [{"message": {"content": 7}}]}),
    "late": Reply(delay=1.0),
}


@pytest.mark.parametrize("what", NOISE)
def test_what_passes_is_asked_again(what: str) -> None:
    limits = Limits(backoff=0.01, attempts=3, timeout=0.4)
    with serving(echo, NOISE[what], NOISE[what]) as endpoint:
        assert model(endpoint, limits).generate(["a"], GREEDY)[0].text == "A"
    assert len(endpoint.bodies) == 3


def test_what_does_not_pass_is_told_with_the_endpoints_words() -> None:
    with serving(echo, *[NOISE["busy"]] * 9) as endpoint, pytest.raises(EndpointFailed) as failed:
        model(endpoint).generate(["a"], GREEDY)
    assert "status 429, slow down, 4 times in a row" in str(failed.value)
    assert len(endpoint.bodies) == 4


def test_waits_grow_and_have_chance_in_them() -> None:
    limits = Limits(backoff=0.08, attempts=4)
    with serving(echo, *[NOISE["broken"]] * 3) as endpoint:
        model(endpoint, limits).generate(["a"], GREEDY)
    waits = [b - a for a, b in zip(endpoint.times, endpoint.times[1:], strict=False)]
    for wait, least in zip(waits, (0.04, 0.08, 0.16), strict=True):
        assert wait >= least
    assert len({round(w, 6) for w in waits}) == 3


@pytest.mark.parametrize("date", [False, True])
def test_as_long_as_the_endpoint_says_nobody_asks(date: bool) -> None:
    until = int(time.time()) + 2
    after = formatdate(until, usegmt=True) if date else "0.4"
    busy = Reply(429, {}, headers=(("Retry-After", after),))
    with serving(echo, busy) as endpoint:
        lm = model(endpoint, Limits(concurrency=1, backoff=0.01))
        lm.generate(["a", "b"], GREEDY)
    assert endpoint.times[1] - endpoint.times[0] >= (0.0 if date else 0.39)
    assert not date or time.time() >= until - 0.01


def test_a_wait_of_an_hour_is_not_waited_for() -> None:
    busy = Reply(429, {"error": "come back"}, headers=(("Retry-After", "3600"),))
    with serving(echo, busy) as endpoint, pytest.raises(EndpointFailed, match="wait 3600 s"):
        model(endpoint).generate(["a"], GREEDY)


@pytest.mark.parametrize(
    ("status", "do"),
    [(400, ""), (401, "set NSHOT_API_KEY"), (404, "check the model's name"), (302, "")],
)
def test_a_refusal_is_told_at_once_with_what_to_do(status: int, do: str) -> None:
    said = Reply(status, {"error": {"message": f"no: {SECRET} is odd"}})
    with serving(echo, said) as endpoint, pytest.raises(EndpointRefused) as refused:
        model(endpoint).generate(["a"], GREEDY)
    assert len(endpoint.bodies) == 1
    assert f"status {status}): no: *** is odd" in str(refused.value)
    assert do in str(refused.value)
    assert refused.value.exit_code == 2


def test_after_a_refusal_nothing_more_is_asked_and_what_is_under_way_is_given() -> None:
    script = (Reply(delay=0.3), Reply(401, {}))
    with serving(echo, *script) as endpoint:
        outcomes = dict(model(endpoint, Limits(concurrency=2)).each(["a"] * 20, GREEDY))
    assert len(endpoint.bodies) == 2
    assert sorted(type(outcome).__name__ for outcome in outcomes.values()) == [
        "Completion", "EndpointRefused",
    ]  # fmt: skip


def test_a_prompt_that_is_refused_does_not_stop_the_others() -> None:
    with serving(echo, Reply(400, {})) as endpoint:
        outcomes = dict(model(endpoint, Limits(concurrency=1)).each(["a", "b", "c"], GREEDY))
    assert isinstance(outcomes[0], EndpointRefused)
    assert [outcomes[i].text for i in (1, 2)] == ["B", "C"]  # type: ignore[union-attr]


# ------------------------------------------------------------------ how many, how fast


def test_no_more_at_once_than_allowed_and_answers_in_order() -> None:
    prompts = [f"p{i}" for i in range(12)]
    with serving(echo, delay=0.03) as endpoint:
        heard = model(endpoint, Limits(concurrency=3)).generate(prompts, GREEDY)
    assert [one.text for one in heard] == [p.upper() for p in prompts]
    assert 1 < endpoint.busiest <= 3


def test_no_more_a_minute_than_allowed() -> None:
    with serving(echo) as endpoint:
        start = time.monotonic()
        model(endpoint, Limits(concurrency=4, per_minute=600)).generate(["a"] * 6, GREEDY)
    assert endpoint.times[-1] - start >= 0.5, "five gaps of a tenth"


# ------------------------------------------------------------------ on the board


def test_prompts_on_the_board_and_the_key_nowhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import json

    from nshot.cli.main import main

    def guess(messages: list[dict[str, str]]) -> str:
        asked = re.split(r"\n\n", messages[-1]["content"])[-1]
        return "refund" if re.search("refund|money|card|pay|back", asked) else "parcel"

    stay_here(monkeypatch)
    monkeypatch.chdir(tmp_path)
    train, test = jsonl(Path("t.jsonl"), tickets(6)), jsonl(Path("u.jsonl"), tickets(5, "u"))
    with serving(guess, NOISE["busy"]) as endpoint:
        words = ["compare", train, "--test", test, "--methods", "majority,zero_shot,few_shot"]
        words += ["--shots", "2", "--seeds", "1", "--model", endpoint.name, "--out", "run"]
        words += ["--thorough"]
        words += ["--set", "zero_shot.format=plain", "--set", "few_shot.format=plain"]
        with pytest.raises(SystemExit) as ended:
            main(words)
    told = capfd.readouterr()
    assert ended.value.code == 0, told.err
    board = json.loads(Path("run/leaderboard.json").read_text())
    rows = rows_of(board)
    assert rows["majority"]["score"] < rows["zero_shot"]["score"]
    assert rows["few_shot"]["status"] == "ok"
    assert endpoint.name.removeprefix("openai:") in Path("run/nshot.yaml").read_text()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
    assert SECRET not in told.out + told.err
