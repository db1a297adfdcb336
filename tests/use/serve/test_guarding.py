"""Who may ask, and how much: tokens, sizes, queues, times, hang-ups, and what the log shows."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from clients import ADMIN, OTHER, TOKEN, Client, head, prompt, serving, writer

from nshot.core.errors import InputError
from nshot.core.types import ModelRef
from nshot.models.fake.fake_engine import FakeEncoder, FakeModels
from nshot.use.serve.limits import Limits, read_tokens

SECRET = "the card 4111-1111 of Mrs. Kim"


def test_without_its_token_nothing_but_the_page_and_health(tmp_path: Path) -> None:
    with serving([head(tmp_path / "head")], tokens=[TOKEN, OTHER]) as client:
        for path in ("/", "/healthz"):
            assert Client(client.server).get(path).status == 200
        for token in (None, TOKEN[:-1], TOKEN + "x", ""):
            stranger = Client(client.server, token)
            for path in ("/v1/models", "/metrics", "/openapi.json"):
                assert stranger.get(path).status == 401
            reply = stranger.post("/v1/classify", model="head", input="a")
            assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
        for token in (TOKEN, OTHER):
            assert Client(client.server, token).get("/v1/models").status == 200
        body = {"model": "head", "state": "a", "questions": {}}
        reply = Client(client.server).post("/v1/systemone", **body)
        assert reply.body["detail"]["error_type"] == "authentication_error"


def test_token_files(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    for text, words in (("", "no token"), ("# a comment\n\n", "no token"), ("short\n", "short")):
        path.write_text(text)
        with pytest.raises(InputError, match=words):
            read_tokens(path)
    path.write_text(f"# of the shop\n{TOKEN}\n\n{OTHER}\n")
    assert len(read_tokens(path)) == 2
    with pytest.raises(InputError, match="No such file"):
        read_tokens(tmp_path / "nowhere")


def test_pages_of_other_sites_may_not_ask(tmp_path: Path) -> None:
    with serving([head(tmp_path / "head")]) as client:
        port = client.server.port
        for headers, status in (
            ({"Host": f"127.0.0.1:{port}"}, 200),
            ({"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}, 200),
            ({"Host": f"evil.example:{port}"}, 403),
            ({"Host": f"localhost:{port}", "Origin": "https://evil.example"}, 403),
            ({"Host": f"localhost:{port}", "Origin": "null"}, 403),
        ):
            assert client.ask("GET", "/v1/models", headers=headers).status == status, headers


def test_too_much_in_one_request(tmp_path: Path) -> None:
    limits = Limits(body_bytes=2000, rows=3)
    with serving([head(tmp_path / "head")], limits=limits) as client:
        assert client.post("/v1/classify", model="head", input=["a"] * 3).status == 200
        assert client.post("/v1/classify", model="head", input=["a"] * 4).status == 413
        assert client.post("/v1/classify", model="head", input="a" * 3000).status == 413
        raw = b"{" + b" " * 3000  # of a length that is not announced
        connection = http.client.HTTPConnection("127.0.0.1", client.server.port)
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/v1/classify", iter([raw[:1500], raw[1500:]]), headers)
        assert connection.getresponse().status == 413
        connection.close()


class Held(FakeEncoder):
    """Encodes when it is let; counts the batches."""

    gate = threading.Event()
    batches: list[int]

    def encode(self, texts: Sequence[str]) -> object:  # type: ignore[override]
        self.gate.wait(20)
        self.batches.append(len(texts))
        if "memory" in texts and len(texts) > 1:
            raise MemoryError
        if "broken" in texts:
            raise ValueError(SECRET)
        if "dead" in texts:
            raise SystemExit(9)
        return super().encode(texts)


class HeldModels(FakeModels):
    def __init__(self) -> None:
        self.held = Held(ModelRef("fake", "encoder"))
        self.held.batches = []

    def encoder(self, ref: ModelRef) -> Held:
        return self.held


@pytest.fixture
def models() -> HeldModels:
    one = HeldModels()
    one.held.gate = threading.Event()
    one.held.gate.set()
    return one


def test_a_full_queue_refuses_and_the_accepted_are_answered(
    tmp_path: Path, models: HeldModels
) -> None:
    with serving([head(tmp_path / "head")], models=models, limits=Limits(queue=4)) as client:
        models.held.gate.clear()
        with ThreadPoolExecutor(16) as threads:
            asks = [threads.submit(client.post, "/v1/classify", model="head", input=f"money {i}")
                    for i in range(16)]  # fmt: skip
            time.sleep(0.5)
            models.held.gate.set()
            replies = [ask.result() for ask in asks]
        statuses = sorted(reply.status for reply in replies)
        assert set(statuses) == {200, 429}
        assert 4 <= statuses.count(200) < 16
        refused = next(reply for reply in replies if reply.status == 429)
        assert refused.headers["retry-after"] == "1"
        assert client.classify("head", "money")[0]["label"] == "refund"


def test_a_request_beyond_its_time_is_answered_so_and_dropped(
    tmp_path: Path, models: HeldModels
) -> None:
    with serving([head(tmp_path / "head")], models=models, limits=Limits(seconds=0.4)) as client:
        models.held.gate.clear()
        threading.Timer(1.0, models.held.gate.set).start()
        with ThreadPoolExecutor(2) as threads:
            first = threads.submit(client.post, "/v1/classify", model="head", input="one")
            time.sleep(0.1)
            second = threads.submit(client.post, "/v1/classify", model="head", input=["two"] * 5)
            assert (first.result().status, second.result().status) == (504, 504)
        models.held.gate.wait(5)
        time.sleep(0.1)
        before = len(models.held.batches)
        assert client.classify("head", "money")[0]["label"] == "refund"
        assert models.held.batches[before:] == [1]
        assert 5 not in models.held.batches, "what nobody waits for is not computed"


def test_a_client_that_hangs_up_frees_its_place(tmp_path: Path, models: HeldModels) -> None:
    with serving([head(tmp_path / "head")], models=models) as client:
        models.held.gate.clear()
        body = json.dumps({"model": "head", "input": ["gone"] * 7}).encode()
        first = threading.Thread(target=client.post, args=("/v1/classify",),
                                 kwargs={"model": "head", "input": "a"})  # fmt: skip
        first.start()
        time.sleep(0.1)
        gone = socket.create_connection(("127.0.0.1", client.server.port))
        gone.sendall(
            b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        time.sleep(0.2)
        assert client.server.service.batcher.depth == 7
        gone.close()
        time.sleep(0.2)
        models.held.gate.set()
        first.join()
        assert client.classify("head", "money")[0]["label"] == "refund"
        assert 7 not in models.held.batches
        assert "nshot_hang_ups_total 1" in client.get("/metrics").raw.decode()


def test_a_model_that_fails_fails_one_request_and_the_server_goes_on(
    tmp_path: Path, models: HeldModels, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving([head(tmp_path / "head")], models=models) as client:
        for text in ("broken", "dead"):
            reply = client.post("/v1/classify", model="head", input=[text, "b"])
            assert (reply.status, reply.headers["retry-after"]) == (503, "2")
            assert client.classify("head", "money")[0]["label"] == "refund"
        models.held.gate.clear()
        with ThreadPoolExecutor(4) as threads:
            asks = [threads.submit(client.post, "/v1/classify", model="head", input=text)
                    for text in ("money", "broken", "memory", "parcel")]  # fmt: skip
            time.sleep(0.4)
            models.held.gate.set()
            assert [ask.result().status for ask in asks] == [200, 503, 200, 200]
        halves = client.classify("head", ["memory", "money", "parcel"])
        assert [line["label"] for line in halves][1:] == ["refund", "parcel"]
        assert "nshot_worker_errors_total" in client.get("/metrics").raw.decode()
    assert SECRET not in capfd.readouterr().err


def test_many_clients_are_answered_in_batches_none_crossed(
    tmp_path: Path, models: HeldModels
) -> None:
    words = {"refund": "money back", "parcel": "where parcel", "로그인": "비밀번호를 account"}
    with serving([head(tmp_path / "head")], models=models) as client:
        asked = [(label, f"{text} {i}") for i in range(40) for label, text in words.items()]
        before = len(models.held.batches)
        with ThreadPoolExecutor(24) as threads:
            lines = list(threads.map(lambda one: client.classify("head", one[1]), asked))
        assert [line[0]["label"] for line in lines] == [label for label, _ in asked]
        assert len(models.held.batches) - before < len(asked), "some were asked together"


def test_the_log_has_ids_and_no_inputs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with serving([head(tmp_path / "head")], tokens=[TOKEN]) as client:
        reply = client.ask("POST", "/v1/classify", {"model": "head", "input": SECRET},
                           {"X-Request-Id": "order-7"})  # fmt: skip
        assert reply.headers["x-request-id"] == "order-7"
        reply = client.ask("POST", "/v1/classify?q=" + "x", {"model": "head", "input": SECRET},
                           {"X-Request-Id": "no spaces or\ttabs"})  # fmt: skip
        assert len(reply.headers["x-request-id"]) == 32
        client.ask("POST", "/v1/classify", {"model": "head", "input": {"no": SECRET}})
        client.get(f"/{SECRET.replace(' ', '%20')}")
    log = capfd.readouterr().err
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    mine = next(line for line in lines if line["id"] == "order-7")
    assert (mine["route"], mine["status"], mine["model"]) == ("/v1/classify", 200, "head")
    assert SECRET not in log
    assert TOKEN not in log


def test_what_is_accepted_is_finished_when_it_stops(tmp_path: Path, models: HeldModels) -> None:
    with serving([head(tmp_path / "head")], models=models) as client, ThreadPoolExecutor(1) as one:
        models.held.gate.clear()
        ask = one.submit(client.post, "/v1/classify", model="head", input="money")
        time.sleep(0.2)
        client.server.stop()
        time.sleep(0.3)
        models.held.gate.set()
        assert ask.result().status == 200


def test_it_is_ready_when_every_folder_has_answered(tmp_path: Path, models: HeldModels) -> None:
    folder = head(tmp_path / "head")
    models.held.gate.clear()
    with serving([folder], models=models, ready=False) as client:
        assert client.get("/healthz").status == 503
        models.held.gate.set()
        client.wait()
        assert models.held.batches == [1]


def test_a_folder_that_cannot_answer_ends_the_server(tmp_path: Path) -> None:
    folder = writer(tmp_path / "writer", ModelRef("fake", "nobody"))
    from nshot.use.serve.limits import Settings
    from nshot.use.serve.server import Server

    with pytest.raises(InputError, match="no fake model 'nobody'"):
        Server([folder], Settings(port=0)).run()


def test_kept_answers_are_each_tokens_own_unless_shared(
    tmp_path: Path, models: HeldModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NSHOT_CACHE", str(tmp_path / "cache"))
    folder = head(tmp_path / "head")

    def asked(cache: str) -> list[int]:
        with serving([folder], models=models, tokens=[TOKEN, OTHER], cache=cache) as client:
            start = len(models.held.batches)
            lines = []
            for token in (TOKEN, TOKEN, OTHER):
                one = Client(client.server, token)
                lines.append(one.classify("head", ["money back", "new"]))
            assert lines[0] == lines[1] == lines[2]
            return models.held.batches[start:]

    assert asked("token") == [2, 2]
    assert asked("token") == [], "they are kept over a restart"
    assert asked("shared") == [2]


def test_folders_are_added_and_read_again_by_an_admin(tmp_path: Path) -> None:
    first, root = head(tmp_path / "first"), tmp_path / "root"
    root.mkdir()
    with serving([first], tokens=[TOKEN], admins=[ADMIN], root=root) as client:
        admin = Client(client.server, ADMIN)
        prompt(root / "later")
        assert client.ask("PUT", "/v1/models/later").status == 403
        assert Client(client.server).ask("PUT", "/v1/models/later").status == 401
        assert admin.ask("PUT", "/v1/models/later").body["nshot"]["kind"] == "classify"
        assert client.classify("later", "money back please")[0]["label"] == "refund"
        for name in ("../first", "%2e%2e/first", str(first), "nothing"):
            assert admin.ask("PUT", f"/v1/models/{name}").status == 404
        writer(root / "later")
        assert admin.ask("PUT", "/v1/models/later").body["nshot"]["kind"] == "generate"
        (root / "later" / "nshot.json").write_text("{}")
        assert admin.ask("PUT", "/v1/models/later").status == 400
        assert client.post("/v1/completions", model="later", prompt="the sky").status == 200
        assert admin.ask("DELETE", "/v1/models/later").status == 200
        assert client.post("/v1/completions", model="later", prompt="the sky").status == 404
        assert admin.ask("DELETE", "/v1/models/first").status == 400
