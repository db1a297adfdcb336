"""Texts on the server: they begin when they come, and each is what its folder writes alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from clients import Client, head, serving, writer

import nshot
from nshot.core.types import ModelRef
from nshot.use.serve import batcher
from tiny import tiny_llama

TEXTS = [
    f"{thing} {i}" for i, thing in enumerate(("the sky", "grass", "풀", "", "a frog", "x") * 3)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("writer")
    return writer(place / "replies", ModelRef("hf", str(tiny_llama(place / "llama", context=512))))


def written(client: Client, text: str, **manner: object) -> str:
    messages = [{"role": "user", "content": text}]
    reply = client.post("/v1/chat/completions", model="replies", messages=messages, **manner)
    assert reply.status == 200, reply.raw
    return str(reply.body["choices"][0]["message"]["content"])


def test_texts_of_many_clients_are_those_of_the_folder(folder: Path, tmp_path: Path) -> None:
    """Whole, streamed and in a manner of the client's, labels between them."""
    expected = [one.answer for one in nshot.load(folder).predict(TEXTS)]
    longer = {"max_tokens": 40, "temperature": 1.0, "seed": 3}
    with serving([folder, head(tmp_path / "head")]) as client, ThreadPoolExecutor(12) as threads:
        alone = [written(client, text, **longer) for text in TEXTS[:4]]
        whole = [threads.submit(written, client, text) for text in TEXTS]
        asked = [threads.submit(written, client, text, **longer) for text in TEXTS[:4]]
        labels = [threads.submit(client.classify, "head", "where is my parcel") for _ in range(6)]
        assert [one.result() for one in whole] == expected
        assert [one.result() for one in asked] == alone
        assert {one.result()[0]["label"] for one in labels} == {"parcel"}
        several = client.post("/v1/completions", model="replies", prompt=TEXTS)
        assert [one["text"] for one in several.body["choices"]] == expected
        assert "nshot_texts 0" in client.get("/metrics").raw.decode()


def test_a_short_text_does_not_wait_for_the_end_of_a_long_one(folder: Path) -> None:
    ended: list[str] = []

    def ask(client: Client, name: str, **manner: object) -> None:
        written(client, "the sky", **manner)
        ended.append(name)

    with serving([folder]) as client, ThreadPoolExecutor(2) as threads:
        long = threads.submit(ask, client, "long", max_tokens=300, temperature=1.5, seed=1)
        short = threads.submit(ask, client, "short", max_tokens=2)
        short.result()
        long.result()
    assert ended == ["short", "long"]


def test_more_texts_than_there_is_room_for_wait(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batcher, "TEXTS", 2)
    expected = [one.answer for one in nshot.load(folder).predict(TEXTS)]
    with serving([folder]) as client, ThreadPoolExecutor(12) as threads:
        assert list(threads.map(lambda text: written(client, text), TEXTS)) == expected
