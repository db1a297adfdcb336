"""Batch files of an endpoint: paid once whatever is killed, and what has no answer is said."""

from __future__ import annotations

import fcntl
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from batch_endpoint import Batches, batching
from endpoint import SECRET
from nshot.core.errors import EndpointFailed, EndpointRefused, InputError, Locked
from nshot.core.files import hold
from nshot.core.types import Turn
from nshot.models.base import Decoding
from nshot.models.openai import batch_files
from nshot.models.openai.batch_files import ANSWERS, BATCH, REQUESTS, BatchFiles
from nshot.models.openai.chat_completions import RemoteLanguageModel
from nshot.models.openai.endpoint import Limits, parse
from nshot.models.wrap.batched import BatchedModel, Used

GREEDY = Decoding(16)
TEXTS = ["where is my card?", "카드가 안 왔어요", "where is my card?", "refund it"]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NSHOT_API_KEY", SECRET)
    monkeypatch.setattr(batch_files, "FIRST_WAIT", 0.01)


def echo(messages: list[dict[str, str]]) -> str:
    return messages[-1]["content"].upper()


def model(service: Batches, folder: Path, told: list[str] | None = None) -> BatchedModel:
    ref = parse(service.name.removeprefix("openai:"))
    remote = RemoteLanguageModel(ref, Limits(backoff=0.01, attempts=3, timeout=5))
    tell = (told if told is not None else []).append
    return BatchedModel(remote, BatchFiles(remote.service, folder, tell), Used())


def test_one_batch_answers_all_and_equal_prompts_once(tmp_path: Path) -> None:
    told: list[str] = []
    with batching(echo, looks=3) as service:
        asked = model(service, tmp_path, told)
        made = asked.generate(TEXTS, GREEDY)
        assert asked.generate(TEXTS[1:2], GREEDY) == made[1:2]
    assert [one.text for one in made] == [text.upper() for text in TEXTS]
    assert len(service.batches) == 1
    assert len(service.paid) == 3
    assert service.paid[0]["max_tokens"] == 16
    words = sum(len(text.split()) for text in set(TEXTS))
    used = asked.used
    assert (used.requests, used.tokens_in, used.tokens_out) == (3, words, words)
    assert told == ["batch batch_0: in_progress, 0 of 3 answered"]
    assert SECRET not in "".join(p.read_text(encoding="utf-8") for p in tmp_path.iterdir())


@pytest.mark.parametrize("lost", [(ANSWERS,), (ANSWERS, BATCH), (ANSWERS, BATCH, REQUESTS)])
def test_killed_anywhere_nothing_is_paid_again(lost: tuple[str, ...], tmp_path: Path) -> None:
    """As a kill leaves it: before answers are kept, before the id is, before the requests are."""
    with batching(echo) as service:
        model(service, tmp_path).generate(TEXTS, GREEDY)
        for path in tmp_path.iterdir():
            if path.name.endswith(lost):
                path.unlink()
        again = model(service, tmp_path).generate(TEXTS, GREEDY)
    assert [one.text for one in again] == [text.upper() for text in TEXTS]
    assert (len(service.batches), len(service.paid)) == (1, 3)


def test_what_was_written_and_never_sent_is_not_paid_for_other_texts(tmp_path: Path) -> None:
    with batching(echo, takes=False) as service:
        with pytest.raises(InputError):
            model(service, tmp_path).generate(["wrong column"], GREEDY)
        assert list(tmp_path.glob(f"*{REQUESTS}"))
        service.takes = True
        model(service, tmp_path).generate(TEXTS, GREEDY)
    assert {body["messages"][0]["content"] for body in service.paid} == set(TEXTS)


def test_more_texts_ask_for_what_is_new_alone(tmp_path: Path) -> None:
    with batching(echo) as service:
        model(service, tmp_path).generate(TEXTS[:2], GREEDY)
        made = model(service, tmp_path).generate(TEXTS, GREEDY)
    assert made[3].text == "REFUND IT"
    assert [len(one["done"][0]) for one in service.batches.values()] == [2, 1]


def test_a_batch_whose_answer_was_lost_on_the_way_is_found_again(tmp_path: Path) -> None:
    with batching(echo, cut=True) as service:
        model(service, tmp_path).generate(TEXTS, GREEDY)
    assert (len(service.batches), len(service.paid)) == (1, 3)


def test_a_service_without_a_list_is_used_all_the_same(tmp_path: Path) -> None:
    with batching(echo, lists=False) as service:
        made = model(service, tmp_path).generate(TEXTS, GREEDY)
    assert made[0].text == "WHERE IS MY CARD?"


def test_requests_that_one_file_does_not_hold_go_into_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_files, "LINES", 2)
    with batching(echo) as service:
        made = model(service, tmp_path).generate(TEXTS, GREEDY)
    assert [one.text for one in made] == [text.upper() for text in TEXTS]
    assert len(service.batches) == 2
    assert len(service.paid) == 3


def refuses(body: dict[str, Any]) -> dict[str, Any] | None:
    if "refund" not in body["messages"][-1]["content"]:
        return None
    return {"status_code": 400, "body": {"error": {"message": "too long"}}}


def test_a_prompt_that_it_will_not_take_has_an_empty_answer_that_says_so(tmp_path: Path) -> None:
    with batching(echo, line=refuses) as service:
        *_, last = model(service, tmp_path).generate(TEXTS, GREEDY)
        assert last.served is not None
        assert (last.text, last.served.refusal, last.served.taken) == ("", "too long", False)
        model(service, tmp_path).generate(TEXTS, GREEDY)
    assert len(service.batches) == 1, "it is not asked again"


def test_where_every_prompt_is_refused_it_says_so_and_keeps_no_refusal(tmp_path: Path) -> None:
    wrong = {"status_code": 400, "body": {"error": {"message": f"no seed, {SECRET}"}}}
    with batching(echo, line=lambda body: wrong) as service:
        with pytest.raises(EndpointRefused, match=r"every request \(status 400\): no seed, \*"):
            model(service, tmp_path).generate(TEXTS, GREEDY)
        service.line = lambda body: None
        made = model(service, tmp_path).generate(TEXTS, GREEDY)
    assert made[0].text == "WHERE IS MY CARD?"


def test_what_an_expired_batch_answered_is_paid_once_though_a_kill_lost_its_id(
    tmp_path: Path,
) -> None:
    late = {"code": "batch_expired", "message": "not done within 24h"}
    with batching(echo, ends="expired") as service:
        service.line = lambda body: late if refuses(body) else None
        with pytest.raises(EndpointFailed):
            model(service, tmp_path).generate(TEXTS, GREEDY)
        for path in tmp_path.iterdir():
            if path.name.endswith((ANSWERS, BATCH)):
                path.unlink()
        service.line, service.ends = (lambda body: None), "completed"
        model(service, tmp_path).generate(TEXTS, GREEDY)
    assert len(service.paid) == 3


def test_a_batch_of_long_ago_is_not_taken_for_one_of_now(tmp_path: Path) -> None:
    with batching(echo) as service:
        for month in range(2):
            model(service, tmp_path / f"{month}").generate(TEXTS, GREEDY)
            for batch in service.batches.values():
                batch["created_at"] = time.time() - 31 * 86400
            service.files.clear()
    assert len(service.batches) == 2


def test_a_batch_that_the_service_has_no_more_is_told_with_what_to_do(tmp_path: Path) -> None:
    with batching(echo, takes=False) as service:
        asked = model(service, tmp_path)
        with pytest.raises(InputError, match="takes no batch files"):
            asked.generate(TEXTS, GREEDY)
        (requests,) = tmp_path.glob(f"*{REQUESTS}")
        record = tmp_path / requests.name.replace(REQUESTS, BATCH)
        record.write_text('{"id": "batch_9"}')
        with pytest.raises(InputError, match="does not know the batch batch_9") as error:
            model(service, tmp_path).generate(TEXTS, GREEDY)
        assert f"rm -r {tmp_path}" in error.value.faults[0].do
        assert record.exists(), "with the right key it can still be fetched"


def test_one_process_at_a_time_asks_out_of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_files, "hold", partial(hold, seconds=0.0))
    with batching(echo) as service, (tmp_path / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Locked, match="another process waits"):
            model(service, tmp_path).generate(TEXTS, GREEDY)
        assert not service.batches
        fcntl.flock(lock, fcntl.LOCK_UN)
        model(service, tmp_path).generate(TEXTS, GREEDY)
    assert len(service.batches) == 1


def test_lines_without_an_answer_are_asked_again_and_the_others_not(tmp_path: Path) -> None:
    late = {"code": "batch_expired", "message": "not done within 24h"}
    with batching(echo, ends="expired") as service:
        service.line = lambda body: late if refuses(body) else None
        with pytest.raises(EndpointFailed, match=r"1 of 3 requests .* \(not done within 24h\)"):
            model(service, tmp_path).generate(TEXTS, GREEDY)
        service.line, service.ends = (lambda body: None), "completed"
        made = model(service, tmp_path).generate(TEXTS, GREEDY)
    assert made[3].text == "REFUND IT"
    assert [len(one["done"][0]) for one in service.batches.values()] == [2, 1]


def test_a_text_that_ended_before_its_first_word_is_one_and_no_choice_is_none(
    tmp_path: Path,
) -> None:
    cut = {"finish_reason": "length", "message": {"role": "assistant"}}
    choices: dict[str, list[Any]] = {"refund it": [cut], TEXTS[1]: []}

    def line(body: dict[str, Any]) -> dict[str, Any] | None:
        of = choices.get(body["messages"][-1]["content"])
        return None if of is None else {"status_code": 200, "body": {"choices": of}}

    with batching(echo, line=line) as service:
        with pytest.raises(EndpointFailed, match="1 of 3 requests"):
            model(service, tmp_path).generate(TEXTS, GREEDY)
        del choices[TEXTS[1]]
        made = model(service, tmp_path).generate(TEXTS, GREEDY)
    assert made[1].text == TEXTS[1]
    assert (made[3].text, made[3].finished) == ("", False)


def test_a_batch_that_ended_without_any_answer_is_begun_anew(tmp_path: Path) -> None:
    busy = {"status_code": 500, "body": {"error": {"message": "busy"}}}
    with batching(echo, line=lambda body: busy) as service:
        with pytest.raises(EndpointFailed, match=r"3 of 3 .* \(status 500: busy\)"):
            model(service, tmp_path).generate(TEXTS, GREEDY)
        service.line = lambda body: None
        made = model(service, tmp_path).generate(TEXTS, GREEDY)
    assert made[0].text == "WHERE IS MY CARD?"
    assert len(service.paid) == 3


def test_a_file_that_it_refuses_and_a_service_without_batches_are_told(tmp_path: Path) -> None:
    with batching(echo, fails="the model has no batch price") as service:
        with pytest.raises(InputError, match="refuses the batch file: the model has no batch"):
            model(service, tmp_path).generate(TEXTS, GREEDY)
        service.fails = ""
        assert model(service, tmp_path).generate(TEXTS[:1], GREEDY)[0].text
    with batching(echo, takes=False) as service:
        with pytest.raises(InputError, match=r"takes no batch files \(status 404\)") as error:
            model(service, tmp_path / "other").generate(TEXTS, GREEDY)
        assert error.value.faults[0].do == "leave --batch out"


def test_chats_and_a_stream_come_out_of_files_too(tmp_path: Path) -> None:
    with batching(echo) as service:
        asked = model(service, tmp_path)
        chat = (Turn("system", "be short"), Turn("user", "네?"))
        assert "".join(asked.stream(chat, GREEDY)) == "네?"
        assert dict(asked.completions(["a"], GREEDY))[0].text == "A"
    assert [m["role"] for m in service.paid[0]["messages"]] == ["system", "user"]
