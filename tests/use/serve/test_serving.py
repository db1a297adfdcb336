"""The thin path: delivered folders answer over HTTP what they answer to `nshot predict`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from clients import TEXTS, Client, head, prompt, serving, writer

import nshot
from nshot.core.errors import InputError
from nshot.use.serve.limits import Settings
from nshot.use.serve.server import Server

ASKED = ["money back", "late parcel", "비밀번호", "", "?", "a long " + "word " * 200]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("served")
    return [head(root / "head"), prompt(root / "prompt"), writer(root / "writer")]


@pytest.fixture(scope="module")
def client(folders: list[Path]) -> Iterator[Client]:
    with serving(folders) as one:
        yield one


def test_classify_gives_what_predict_gives(client: Client, folders: list[Path]) -> None:
    for folder in folders[:2]:
        predictions = nshot.load(folder).predict(ASKED)
        lines = client.classify(folder.name, ASKED)
        assert [line["index"] for line in lines] == list(range(len(ASKED)))
        for line, prediction in zip(lines, predictions, strict=True):
            assert line["label"] == line["answer"] == prediction.answer
            shares = list(line["probabilities"].values())
            assert shares == pytest.approx([math.exp(score) for score in prediction.scores])
            assert line["probability"] == pytest.approx(max(shares))
            assert line["abstained"] is False


def test_one_input_a_mapping_and_a_list_are_answered_alike(client: Client) -> None:
    (one,) = client.classify("head", "money back")
    (mapping,) = client.classify("head", {"text": "money back"})
    assert one == mapping == client.classify("head", ["money back", "x"])[0]


def test_a_classifier_answers_a_chat_with_its_label(client: Client, folders: list[Path]) -> None:
    (prediction,) = nshot.load(folders[0]).predict(["비밀번호 account"])
    reply = client.post(
        "/v1/chat/completions", model="head",
        messages=[{"role": "system", "content": "be kind"},
                  {"role": "user", "content": "first"},
                  {"role": "assistant", "content": "refund"},
                  {"role": "user", "content": [{"type": "text", "text": "비밀번호 account"}]}],
    )  # fmt: skip
    assert reply.status == 200
    (choice,) = reply.body["choices"]
    assert choice["message"]["content"] == prediction.answer == "로그인"
    assert choice["finish_reason"] == "stop"
    assert choice["nshot"]["probabilities"].keys() == TEXTS.keys()


def test_a_writer_writes(client: Client, folders: list[Path]) -> None:
    (prediction,) = nshot.load(folders[2]).predict(["how is the sky"])
    reply = client.post(
        "/v1/chat/completions", model="writer",
        messages=[{"role": "user", "content": "how is the sky"}],
    )  # fmt: skip
    assert reply.body["choices"][0]["message"]["content"] == prediction.answer
    took = reply.body["usage"]
    assert took["prompt_tokens"] == prediction.tokens_in > 0
    assert took["completion_tokens"] == prediction.tokens_out > 0
    assert took["total_tokens"] == prediction.tokens_in + prediction.tokens_out


def test_completions_answer_each_prompt(client: Client, folders: list[Path]) -> None:
    asked = ["how is the sky", "how is the grass"]
    predictions = nshot.load(folders[2]).predict(asked)
    reply = client.post("/v1/completions", model="writer", prompt=asked)
    assert [one["text"] for one in reply.body["choices"]] == [p.answer for p in predictions]


def test_a_client_may_want_it_shorter_and_stopped(client: Client) -> None:
    messages = [{"role": "user", "content": "how is the sky"}]
    ask = {"model": "writer", "messages": messages}
    short = client.post("/v1/chat/completions", **ask, max_tokens=2).body["choices"][0]
    assert short["message"]["content"] == "blue as"
    assert short["finish_reason"] == "length"
    ended = client.post("/v1/chat/completions", **ask, stop=["sea"]).body["choices"][0]
    assert ended["message"]["content"] == "blue as the"


def test_what_is_served_is_listed(client: Client) -> None:
    body = client.get("/v1/models").body
    assert [one["id"] for one in body["data"]] == ["head", "prompt", "writer"]
    assert [one["name"] for one in body["models"]] == ["head", "prompt", "writer"]
    about = {one["id"]: one["nshot"] for one in body["data"]}
    assert about["head"]["labels"] == list(TEXTS)
    assert [about[name]["embeds"] for name in about] == [True, False, False]
    assert [about[name]["writes"] for name in about] == [False, False, True]


def test_vectors_are_the_encoders(client: Client) -> None:
    from clients import ENCODER

    from nshot.models import open_models

    vectors = open_models().encoder(ENCODER).encode(["a", "b c"])
    data = client.post("/v1/embeddings", model="head", input=["a", "b c"]).body["data"]
    assert [one["embedding"] for one in data] == vectors.tolist()
    reply = client.post("/v1/embeddings", model="writer", input="a")
    assert (reply.status, "no sentence encoder" in reply.body["error"]["message"]) == (400, True)
    reply = client.post("/v1/embeddings", model="head", input="a", dimensions=3)
    assert reply.status == 400


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/v1/classify", {"model": "heads", "input": "a"}, 404, "did you mean 'head'?"),
        ("/v1/classify", {"model": "head"}, 422, "body.input: Field required"),
        ("/v1/classify", {"model": "head", "input": []}, 422, "at least 1"),
        ("/v1/classify", {"model": "head", "input": {"body": "a"}}, 400, "no text"),
        ("/v1/classify", {"model": "head", "input": {"text": 3}}, 400, "of another kind"),
        ("/v1/classify", {"model": "head", "input": "a", "explain": True}, 403, "--show-examples"),
        ("/v1/chat/completions", {"model": "head", "messages": []}, 422, "messages"),
        ("/v1/chat/completions",
         {"model": "head", "messages": [{"role": "assistant", "content": "a"}]}, 400, "user"),
        ("/v1/chat/completions",
         {"model": "writer", "messages": [{"role": "user", "content": "a"}], "n": 2}, 400, "'n'"),
        ("/v1/chat/completions",
         {"model": "writer", "messages": [{"role": "user", "content": "a"}],
          "max_tokens": 5000}, 400, "1024 at most"),
        ("/v1/chat/completions",
         {"model": "writer", "messages": [{"role": "user", "content": "a"}],
          "response_format": {"type": "json_object"}}, 400, "cannot be kept to a format"),
        ("/v1/chat/completions",
         {"model": "head", "messages": [{"role": "user", "content": [
             {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}]},
         400, "no picture in the request"),
        ("/v1/nothing", {}, 404, "Not Found"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_in_words(
    client: Client, path: str, body: dict[str, object], status: int, words: str
) -> None:
    reply = client.ask("POST", path, body)
    assert (reply.status, words in reply.body["error"]["message"]) == (status, True), reply.raw
    assert str(Path.cwd()) not in reply.raw.decode()


def test_no_json_and_no_methods(client: Client) -> None:
    for raw in (b"{", b"[" * 100_000, b'{"model": "\\ud800", "input": "a"}', b"\xff\xfe", b"null"):
        assert client.ask("POST", "/v1/classify", raw).status == 422
    assert client.ask("POST", "/v1/classify", b"{}", {"Content-Type": "text/plain"}).status == 415
    assert client.ask("DELETE", "/v1/classify").status == 405
    assert client.ask("GET", "/v1/chat/completions").body["error"]["type"]


def test_every_fault_of_the_start_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        Server([tmp_path], Settings(host="0.0.0.0", port=99999))
    assert [fault.found[:12] for fault in caught.value.faults] == ["--host 0.0.0", "--port 99999"]
    with pytest.raises(InputError, match=r"nshot\.json"):
        Server([tmp_path], Settings(port=0))


def test_python_refuses_what_the_command_refuses(folders: list[Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without a token"):
        nshot.serve(folders[0], host="0.0.0.0")
    with pytest.raises(InputError, match="no tokens"):
        nshot.serve([folders[0]], token_file=tmp_path / "nowhere")


def test_the_description_knows_every_route(client: Client) -> None:
    paths = client.get("/openapi.json").body["paths"]
    assert {"/v1/classify", "/v1/systemone", "/v1/models", "/v1/embeddings"} <= set(paths)
    json.dumps(paths)
