"""Typed questions: by the folder that fits, else by a prompt; confidences by one formula."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from clients import TEXTS, TICKETS, Client, examples, head, prompt, serving
from hypothesis import given
from hypothesis import strategies as st

import nshot
from house import SCORER, fields
from nshot.core.types import Example, Label, ModelRef, Task
from nshot.models import open_models
from nshot.models.base import Question, TypedRequest
from nshot.predictors.prompted import Prompted
from nshot.use.serve.deciding import Decision

STARS = ("1 star", "2 stars", "3 stars")


def stars(folder: Path) -> Path:
    task = Task("stars", "score", tuple(map(Label, STARS)))
    demos = tuple(
        Example(name, fields(text=text), (name,))
        for name, text in zip(STARS, ("awful film", "a film", "lovely film"), strict=True)
    )
    Prompted(task, open_models(), SCORER, demos=demos).save(folder)
    return folder


def spam(folder: Path) -> Path:
    task = Task("spam", "classify", (Label("spam"), Label("fine")), positive="spam")
    demos = (Example("a", fields(text="win money"), ("spam",)),
             Example("b", fields(text="see you at noon"), ("fine",)))  # fmt: skip
    Prompted(task, open_models(), SCORER, demos=demos).save(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("asked")
    return [head(root / "head"), stars(root / "stars"), spam(root / "spam")]


@pytest.fixture(scope="module")
def client(folders: list[Path]) -> Iterator[Client]:
    with serving(folders) as one:
        yield one


def asked(client: Client, state: object, model: str = "head", **questions: object) -> dict:
    reply = client.post("/v1/systemone", model=model, state=state, questions=questions)
    assert reply.status == 200, reply.raw
    return reply.body


def test_a_choice_is_answered_by_the_folder_of_these_labels(
    client: Client, folders: list[Path]
) -> None:
    (prediction,) = nshot.load(folders[0]).predict(["money back"])
    criteria = dict.fromkeys(reversed(TEXTS))
    for model in ("head", "spam"):
        body = asked(client, "money back", model, what={"type": "choice", "criteria": criteria})
        answer = body["answers"]["what"]
        assert (answer["type"], answer["choice"]) == ("choice", prediction.answer)
        shares = answer["probabilities"]
        assert list(shares) == list(criteria), "in the order of the question"
        expected = dict(zip(TICKETS.label_names, map(math.exp, prediction.scores), strict=True))
        assert shares == pytest.approx(expected)
        assert answer["confidence"] == pytest.approx((max(shares.values()) - 1 / 3) / (2 / 3))


def test_a_score_is_answered_by_the_folder_of_these_levels(
    client: Client, folders: list[Path]
) -> None:
    (prediction,) = nshot.load(folders[1]).predict(["lovely"])
    answer = asked(client, "lovely", mood={"type": "score", "criteria": list(STARS)})["answers"]
    shares = [math.exp(score) for score in prediction.scores]
    mood = answer["mood"]
    assert mood["legend"] == {str(i): name for i, name in enumerate(STARS)}
    assert list(mood["probabilities"].values()) == pytest.approx(shares)
    assert mood["score"] == pytest.approx(shares[1] + 2 * shares[2])
    assert 0 <= mood["confidence"] <= 1


def test_yes_or_no_is_answered_by_the_named_folder_of_two_labels(
    client: Client, folders: list[Path]
) -> None:
    (prediction,) = nshot.load(folders[2]).predict(["win money now"])
    answer = asked(client, "win money now", "spam", spam={"type": "noul"})["answers"]["spam"]
    assert answer == {"type": "noul", "noul": pytest.approx(math.exp(prediction.scores[0]))}


def test_a_request_that_names_no_model_goes_to_the_first_folder_unless_one_has_the_name(
    tmp_path: Path, folders: list[Path], client: Client
) -> None:
    criteria = dict.fromkeys(TEXTS)
    question = {"type": "choice", "criteria": criteria}
    assert asked(client, "money back", "jev-latest", q=question)["model"] == "head"
    with serving([folders[0], prompt(tmp_path / "jev-latest")]) as other:
        assert asked(other, "money back", "jev-latest", q=question)["model"] == "jev-latest"


def test_what_no_folder_answers_a_prompt_does(client: Client) -> None:
    body = asked(
        client, {"subject": "the bill", "text": "apples and pears"}, "spam",
        fruit={"type": "choice", "instructions": "Which fruit?",
               "criteria": {"apples": "a fruit", "nails": None, "pens": ["to write"]}},
        sure={"type": "noul", "instructions": {"ask": "is it fruit?"},
              "criteria": {"true": "fruit", "false": "no fruit"}},
        how={"type": "score", "criteria": ["no apples", "some", "many pears"]},
    )  # fmt: skip
    answers = body["answers"]
    assert list(answers) == ["fruit", "sure", "how"]
    assert answers["fruit"]["choice"] == "apples"
    assert sum(answers["fruit"]["probabilities"].values()) == pytest.approx(1)
    assert 0 <= answers["sure"]["noul"] <= 1
    assert sum(answers["how"]["probabilities"].values()) == pytest.approx(1)
    assert body["usage"]["input_tokens"] > 0


def test_decisions_are_the_same_in_openais_form(client: Client) -> None:
    criteria = dict.fromkeys(TEXTS)
    one = asked(client, "money back", q={"type": "choice", "criteria": criteria})["answers"]["q"]
    reply = client.post(
        "/v1/decisions", model="head", input=[{"role": "user", "content": "money back"}],
        questions=[
            {"type": "choice", "name": "q", "instructions": "",
             "choices": [{"value": name} for name in TEXTS]},
            {"type": "choice", "instructions": "is it so?",
             "choices": [{"value": True}, {"value": "true"}, {"value": "false"}]},
            {"type": "predicate", "instructions": "is it money?"},
            {"type": "score", "instructions": "", "levels": [{"label": s} for s in STARS]},
        ],
    )  # fmt: skip
    first, second, third, fourth = reply.body["answers"]
    assert (first["name"], first["choice"]) == ("q", one["choice"])
    assert {p["value"]: p["probability"] for p in first["probabilities"]} == one["probabilities"]
    assert [p["value"] for p in second["probabilities"]] == [True, "true", "false"]
    assert 0 <= third["probability"] <= 1
    assert [p["label"] for p in fourth["probabilities"]] == list(STARS)
    assert reply.body["usage"].keys() == {"input_tokens", "output_tokens", "total_tokens"}


def test_questions_that_are_none(client: Client) -> None:
    def status(**body: object) -> tuple[int, str]:
        reply = client.post("/v1/systemone", **{"model": "head", "state": "a", **body})
        return reply.status, json.dumps(reply.body)

    choice = {"type": "choice", "criteria": {"a": None}}
    code, text = status(questions={"q": choice})
    assert (code, '"loc"' in text, "questions" in text) == (422, True, True)
    assert status(questions={})[0] == 422
    assert status(questions={"q": {"type": "noul"}}, assets={"x": {}})[0] == 422
    assert status(questions={"q": {"type": "score", "criteria": ["a", "a"]}})[0] == 422
    code, text = status(model="nobody", questions={"q": {"type": "noul"}})
    assert (code, json.loads(text)["detail"]["error_type"]) == (404, "not_found")


def test_without_a_language_model_what_no_folder_answers_is_refused(folders: list[Path]) -> None:
    with serving(folders[:1]) as client:
        reply = client.post(
            "/v1/systemone", model="head", state="a", questions={"q": {"type": "noul"}}
        )
        assert reply.status == 422
        assert "none is a prompt" in reply.body["detail"][0]["msg"]


@given(st.lists(st.floats(0.001, 1), min_size=2, max_size=10))
def test_confidences_lie_between_nothing_and_all(weights: list[float]) -> None:
    import numpy as np

    shares = np.array(weights) / sum(weights)
    decision = Decision(shares, 0, 0)
    assert -1e-9 <= decision.choice_confidence <= 1
    assert 0 <= decision.score_confidence <= 1
    assert 0 <= decision.expected <= len(weights) - 1
    even = Decision(np.full(len(weights), 1 / len(weights)), 0, 0)
    assert even.choice_confidence == pytest.approx(0)
    certain = Decision(np.eye(len(weights))[0], 0, 0)
    assert certain.choice_confidence == certain.score_confidence == pytest.approx(1)


def test_the_prompt_helper_is_a_classifier(tmp_path: Path) -> None:
    assert len(examples()) == 6
    with serving([prompt(tmp_path / "prompt")]) as client:
        criteria = dict.fromkeys(TEXTS)
        body = asked(client, "money back", "prompt", q={"type": "choice", "criteria": criteria})
        assert body["answers"]["q"]["choice"] == "refund"


@pytest.mark.parametrize("engine", ["systemone", "decisions"])
def test_our_own_clients_of_decision_models_ask_it(
    engine: str, client: Client, folders: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `nshot compare --model systemone:NAME@ADDRESS` asks of a service, asked of ours."""
    monkeypatch.setenv("NSHOT_API_KEY", "none-is-needed-here")
    model = open_models().open(ModelRef(engine, f"head@{client.url}/v1"))
    topic = Question("choice", "Which topic?", tuple((name, "") for name in TEXTS))
    sure = Question("yes_no", "Is it about money?", (("yes", "money"), ("no", "")))
    (reply,) = model.decide([TypedRequest("money back", (topic, sure))])
    (prediction,) = nshot.load(folders[0]).predict(["money back"])
    assert reply.probabilities[0] == pytest.approx([math.exp(one) for one in prediction.scores])
    assert sum(reply.probabilities[1]) == pytest.approx(1)
    assert reply.tokens_in > 0
