"""Engines that answer typed questions, against a real server that misbehaves as it is told to."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from deciding import SECRET, Mind, Service, deciding
from nshot.core.errors import CannotAdapt, EndpointFailed, EndpointRefused, InputError, MoneyEnds
from nshot.core.types import Delta, ModelRef
from nshot.models import open_models
from nshot.models.base import Question, Reply, TypedRequest
from nshot.models.catalog import resolve
from nshot.models.decisions.decider import Decider
from nshot.models.decisions.decisions_engine import Decisions
from nshot.models.openai.endpoint import Limits
from nshot.models.prices import Price
from nshot.models.systemone.systemone_engine import SystemOne
from nshot.models.wrap.kept_answers import KeptAnswers
from nshot.models.wrap.kept_replies import Replies
from nshot.models.wrap.purse import Purse
from nshot.testing.engine import check_engine

QUICK = Limits(backoff=0.01, attempts=3, timeout=5)
COLOURS = Question("choice", "Which colour?", (("red", "as blood"), ("green", ""), ("blue", "")))
RED = TypedRequest("a red bus", (COLOURS,))
ENGINES = ("systemone", "decisions")
FORMATS = {"systemone": SystemOne(), "decisions": Decisions()}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "TYPESAFE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NSHOT_API_KEY", SECRET)


def model(service: Service, engine: str = "systemone", limits: Limits = QUICK) -> Decider:
    return Decider(service.ref(engine), FORMATS[engine], limits)


@pytest.mark.parametrize("engine", ENGINES)
def test_it_keeps_the_contract_of_an_engine(engine: str) -> None:
    with deciding(Mind(noise=0.5)) as service:
        check_engine(open_models(), resolve(service.name(engine), "lm"))


def test_what_is_sent_in_the_format_of_system_one() -> None:
    questions = (
        COLOURS,
        Question("yes_no", "Is it 'red'?", (("yes", "red: as blood"), ("no", "green"))),
        Question("levels", "How red?", (("pale", ""), ("deep", "as blood"))),
    )
    with deciding() as service:
        (reply,) = model(service).decide([TypedRequest("a red bus", questions)])
    (body,) = service.bodies
    assert body == {
        "model": "scripted",
        "state": "a red bus",
        "questions": {
            "q0": {"type": "choice", "instructions": "Which colour?",
                   "criteria": {"red": "as blood", "green": None, "blue": None}},
            "q1": {"type": "noul", "instructions": "Is it 'red'?",
                   "criteria": {"true": "red: as blood", "false": "green"}},
            "q2": {"type": "score", "instructions": "How red?",
                   "criteria": ["pale", "deep: as blood"]},
        },
    }  # fmt: skip
    assert service.keys == [f"Bearer {SECRET}"]
    assert [len(row) for row in reply.probabilities] == [3, 2, 2]
    assert reply.probabilities[0][0] > 0.5 < reply.probabilities[1][0]
    assert reply.tokens_in == service.tokens
    assert reply.seconds > 0


def test_what_is_sent_in_the_format_of_decisions() -> None:
    questions = (
        COLOURS,
        Question("yes_no", "Is it 'red'?", (("yes", "red: as blood"), ("no", ""))),
        Question("levels", "How red?", (("pale", ""), ("deep", "as blood"))),
    )
    with deciding() as service:
        model(service, "decisions").decide([TypedRequest("a red bus", questions)])
    (body,) = service.bodies
    assert body["input"] == "a red bus"
    assert body["questions"] == [
        {"type": "choice", "instructions": "Which colour?", "name": "q0",
         "choices": [{"value": "red", "description": "as blood"}, {"value": "green"},
                     {"value": "blue"}]},
        {"type": "predicate", "name": "q1", "instructions": "Is it 'red'? Yes: red: as blood."},
        {"type": "score", "instructions": "How red?", "name": "q2",
         "levels": [{"label": "pale"}, {"label": "deep", "description": "as blood"}]},
    ]  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
def test_what_passes_is_asked_again_and_a_wait_is_kept(engine: str) -> None:
    # The wait is longer than a busy machine takes for an answer.
    script = [(503, {}), (429, {"Retry-After": "1"})]
    with deciding(script=script) as service:
        start = time.monotonic()
        (reply,) = model(service, engine).decide([RED])
    assert time.monotonic() - start > 1
    assert np.argmax(reply.probabilities[0]) == 0
    assert reply.seconds < 1, "the attempts before are not its latency"


def test_a_service_that_stays_away_and_one_that_answers_no_numbers() -> None:
    away = pytest.raises(EndpointFailed, match="planted 500, 3 times in a row")
    with deciding(script=[(500, {})] * 3) as service, away:
        model(service).decide([RED])
    with deciding(Mind(breaks="bus")) as service:
        for engine in ENGINES:
            with pytest.raises(EndpointFailed, match="no numbers from 0 to 1"):
                model(service, engine).decide([RED])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_refusal_is_an_answer(engine: str) -> None:
    with deciding(Mind(refuses="bus")) as service:
        refused, other = model(service, engine).decide([RED, TypedRequest("green", (COLOURS,))])
    assert refused.probabilities == ((),)
    assert refused.refusal
    assert np.argmax(other.probabilities[0]) == 1


def test_what_is_wrong_with_a_question_is_told_in_the_services_words() -> None:
    wrong = pytest.raises(EndpointRefused, match="planted")
    with deciding(script=[(422, {})]) as service, wrong:
        model(service).decide([RED])
    with deciding(script=[(413, {})]) as service:
        (reply,) = model(service).decide([RED])
    assert reply.probabilities == ((),)
    assert "413" in reply.refusal


@pytest.mark.parametrize("engine", ENGINES)
def test_what_no_service_should_answer_is_told_with_what_to_do(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with deciding(Mind(strays="bus")) as service:
        with pytest.raises(EndpointFailed, match="an answer outside the options: 'else'"):
            model(service, engine).decide([RED])
        assert len(service.bodies) == 3, "asked again: it may have been a slip"
    other = {"systemone": "decisions", "decisions": "systemone"}[engine]
    for status in (404, 405):
        lacks = pytest.raises(EndpointRefused, match=f"--model {other}:MODEL@ADDRESS")
        with deciding(script=[(status, {})]) as service, lacks as error:
            model(service, engine).decide([RED])
        assert not error.value.of_one_prompt, "nothing more is asked"
    monkeypatch.delenv("NSHOT_API_KEY")
    missing = pytest.raises(EndpointRefused, match="set NSHOT_API_KEY to a key of this endpoint")
    with deciding(key="needed") as service:
        with missing:
            resolve(service.name(engine), "lm")
        assert service.bodies == []


def test_a_wrong_key_is_told_at_once_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = pytest.raises(EndpointRefused, match="set NSHOT_API_KEY")
    with deciding(key="another") as service, refused as error:
        resolve(service.name(), "lm")
    assert SECRET not in str(error.value)
    monkeypatch.delenv("NSHOT_API_KEY")
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    with deciding() as service:
        model(service).decide([RED])
        model(service, "decisions").decide([RED])
    assert service.keys == [None, f"Bearer {SECRET}"], "a vendor's key goes to no other vendor"


def test_names_and_roles_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="systemone:MODEL@ADDRESS"):
        resolve("systemone:jev", "lm")
    with pytest.raises(InputError, match="is no sentence encoder"):
        resolve("decisions:m@http://127.0.0.1:9/v1", "encoder")
    changed = ModelRef("systemone", "m@http://127.0.0.1:9/v1", deltas=(Delta("peft", "x"),))
    with pytest.raises(CannotAdapt):
        open_models().open(changed)


def test_requests_run_beside_each_other_and_no_more_than_are_allowed() -> None:
    requests = [TypedRequest(f"a red bus {i}", (COLOURS,)) for i in range(12)]
    with deciding(delay=0.02) as service:
        model(service, limits=Limits(concurrency=3)).decide(requests)
    assert 2 <= service.busiest <= 3


def test_what_was_answered_is_paid_once_whatever_comes_between(tmp_path: Path) -> None:
    requests = [TypedRequest(f"a red bus {i % 5}", (COLOURS,)) for i in range(8)]

    def kept() -> KeptAnswers:
        return KeptAnswers(open_models(), tmp_path / "replies.sqlite")

    with deciding() as service:
        stream = kept().open(service.ref()).replies(requests)
        first = dict(next(stream) for _ in range(2))
        stream.close()
        asked = len(service.bodies)
        whole = kept().open(service.ref()).decide(requests)
        assert len(service.bodies) <= 5 + 4, "at most what was under way is asked again"
        assert asked < 8
        assert all(whole[i].probabilities == reply.probabilities for i, reply in first.items())
        before = len(service.bodies)
        again = kept().open(service.ref()).decide(requests)
        assert len(service.bodies) == before
        assert again == whole, "seconds too: a resumed run costs what the first did"
        kept().open(service.ref()).decide(requests[:1], again=1)
        assert len(service.bodies) == before + 1


def test_failures_are_not_kept(tmp_path: Path) -> None:
    mind = Mind(breaks="bus")
    with deciding(mind) as service:
        lm = KeptAnswers(open_models(), tmp_path / "r.sqlite").open(service.ref())
        with pytest.raises(EndpointFailed):
            Decider(service.ref(), SystemOne(), QUICK).decide([RED])
        mind.breaks = ""
        assert isinstance(lm.decide([RED])[0], Reply)


def purse(service: Service, money: float) -> Purse:
    return Purse({service.ref().name: Price(100.0, 0.0)}, money)


def test_a_purse_asks_for_nothing_that_might_cost_more_than_is_left(tmp_path: Path) -> None:
    requests = [RED._replace(text=f"{RED.text} {i}") for i in range(30)]
    with deciding() as service:
        each = []
        for money in (1e-9, 0.02, 1.0):
            kept = KeptAnswers(open_models(), tmp_path / "r.sqlite", purse(service, money))
            kept.askers[-1] = "decide"
            model = kept.open(service.ref())
            if money < 1:
                with pytest.raises(MoneyEnds, match="the same command with more --money goes on"):
                    model.decide(requests)
            else:
                assert len(model.decide(requests)) == 30
            each.append(service.tokens)
        assert each[0] == 0, "one token a byte is thought of at first"
        assert 0 < each[1] * 100 / 1e6 <= 0.02
        assert len(service.bodies) == 30, "what was paid is not paid again"
        ((who, bill),) = Replies(tmp_path / "r.sqlite").bills().items()
        assert who == ("decide", service.ref().name)
        assert (bill.requests, bill.tokens_in) == (30, service.tokens)
