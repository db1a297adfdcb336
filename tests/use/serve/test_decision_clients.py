"""What decision models are asked with, pointed at ours: clients, and a suite for such servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from clients import TEXTS, TOKEN, Client, head, prompt, serving
from jevcompat import runner, spec
from langchain_openai import decisions as langchain
from openai import OpenAI
from typesafe_sdk import Choice, Noul, Score, TypeSafeClient, TypeSafeNotFoundError

import nshot

PAGE = Path(__file__).parents[3] / "docs" / "decision-models.md"
LONG = "money back please, the parcel never came. " * 200
"""More than the 1,024 bytes from which on the client compresses what it sends."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("asked")
    return [head(root / "head"), prompt(root / "prompt")]


@pytest.fixture(scope="module")
def open_door(folders: list[Path]) -> Iterator[Client]:
    with serving(folders) as one:
        yield one


@pytest.fixture(scope="module")
def locked(folders: list[Path]) -> Iterator[Client]:
    with serving(folders, tokens=[TOKEN]) as one:
        yield one


@pytest.fixture(scope="module")
def reports(open_door: Client, locked: Client) -> list[Any]:
    """Of the suite without a token and the name of a folder, and with one and the clients' name."""
    asked = ((open_door, "head"), (locked, "jev-latest"))
    return [runner.run(one.url, key=one.token, model=name, timeout=60) for one, name in asked]


def test_the_suite_for_such_servers_passes_with_and_without_a_token(reports: list[Any]) -> None:
    assert [one.verdict for one in reports] == ["conformant"] * 2
    assert not [result.id for one in reports for result in one.results if result.status == "fail"]
    skipped = [{r.id for r in one.results if r.status == "skip"} for one in reports]
    assert skipped == [{"auth.bearer", "auth.missing", "auth.invalid"}, {"auth.ignored-when-off"}]


def test_the_table_of_the_page_is_what_the_suite_says(reports: list[Any]) -> None:
    passed = {one.id for report in reports for one in report.results if one.status == "pass"}
    counts: dict[str, dict[str, list[bool]]] = {}
    for one in reports[0].results:
        by_level = counts.setdefault(one.section, {"MUST": [], "SHOULD": []})
        by_level[one.level].append(one.id in passed)
    page = PAGE.read_text(encoding="utf-8")
    for section, levels in counts.items():
        cells = [f"{sum(met)} of {len(met)}" if met else "-" for met in levels.values()]
        assert f"| {spec.SECTIONS[section]} | {' | '.join(cells)} |" in page


def test_the_sdk_asks_it_without_naming_a_model(locked: Client, folders: list[Path]) -> None:
    encodings: list[str | None] = []
    hooks = {"request": [lambda one: encodings.append(one.headers.get("Content-Encoding"))]}
    with TypeSafeClient(
        base_url=locked.url,
        api_key=TOKEN,
        compression="zstd",
        http_client=httpx2.Client(event_hooks=hooks),
    ) as client:
        answered = client.system_one(
            state=LONG,
            questions={
                "topic": Choice(instructions="What is it about?", criteria=dict.fromkeys(TEXTS)),
                "money": Noul(instructions="Is it about money?"),
                "mood": Score(instructions="How angry?", criteria=["calm", "cross", "furious"]),
            },
        )
        assert answered.model == "head"
        (prediction,) = nshot.load(folders[0]).predict([LONG])
        assert answered.answers["topic"].choice == prediction.answer
        assert 0 <= answered.answers["money"].noul <= 1
        assert 0 <= answered.answers["mood"].score <= 2
        assert [one.name for one in client.models.list().models] == ["head", "prompt"]
        with pytest.raises(TypeSafeNotFoundError):
            client.system_one("a", {"q": Noul(instructions="b")}, model="nobody")
    assert encodings[0] == "zstd"


def test_openais_and_langchains_clients_ask_for_decisions(
    locked: Client, folders: list[Path]
) -> None:
    (prediction,) = nshot.load(folders[0]).predict(["money back"])
    address = f"{locked.url}/v1"
    reply = OpenAI(base_url=address, api_key=TOKEN).decisions.create(
        model="head", input="money back",
        questions=[{"type": "choice", "name": "topic", "instructions": "Which?",
                    "choices": [{"value": name} for name in TEXTS]}],
    )  # fmt: skip
    assert reply.answers[0].choice == prediction.answer
    model = langchain.OpenAIDecisions(model="head", base_url=address, api_key=TOKEN)
    made = model.invoke({
        "input": "money back",
        "questions": {
            "topic": langchain.Choice(instructions="Which?", choices=dict.fromkeys(TEXTS, "")),
            "money": langchain.Predicate(instructions="Is it about money?"),
            "mood": langchain.Score(instructions="How angry?", levels=["calm", "cross"]),
        },
    })  # fmt: skip
    assert made.choices["topic"].choice == prediction.answer
    assert 0 <= made.predicates["money"].probability <= 1
    assert 0 <= made.scores["mood"].score <= 1
