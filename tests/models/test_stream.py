"""A stream is the text of `generate` in pieces, and stops when it is closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from endpoint import Endpoint, Reply, serving
from nshot.core.errors import CannotAdapt, EndpointFailed, EndpointRefused
from nshot.core.types import Grammar, ModelRef
from nshot.models import open_models
from nshot.models.base import Decoding, settled
from nshot.models.openai.chat_completions import RemoteLanguageModel
from nshot.models.openai.endpoint import Limits, parse

PROMPTS = ["review : very good\nsentiment :", "", "카드 수수료 é", "the quick brown fox"]


@pytest.fixture(scope="module")
def lm(tiny: Callable[[str], Path]) -> Any:
    return open_models().open(ModelRef("hf", str(tiny("llama"))))


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize(
    "how",
    [
        Decoding(24),
        Decoding(40, temperature=1.5, seed=3),
        Decoding(40, temperature=1.5, seed=4, stop=("e", "the dog", "")),
        Decoding(1),
        Decoding(0),
    ],
)
def test_joined_it_is_the_text(lm: Any, prompt: str, how: Decoding) -> None:
    pieces = list(lm.stream(prompt, how))
    assert "".join(pieces) == lm.generate([prompt], how)[0].text
    assert "" not in pieces[1:], "the first says that it has joined those that are written"
    assert pieces[:1] in ([], [""])


def test_under_a_grammar(lm: Any) -> None:
    pytest.importorskip("llguidance")
    how = Decoding(20, grammar=Grammar("regex", "[0-9]{3}-[a-z]+"))
    assert "".join(lm.stream("fox", how)) == lm.generate(["fox"], how)[0].text


def test_closed_early_it_reads_no_more(lm: Any) -> None:
    reads: list[int] = []
    hook = lm._base.module.register_forward_hook(lambda *_: reads.append(1))
    try:
        stream: Iterator[str] = lm.stream(PROMPTS[0], Decoding(40, temperature=1.5, seed=3))
        assert (next(stream), reads) == ("", []), "nothing is read until the others have joined"
        assert next(stream)
        read = len(reads)
        stream.close()  # type: ignore[attr-defined]
    finally:
        hook.remove()
    assert 0 < len(reads) == read < 10


def test_other_questions_between_two_pieces_change_nothing(lm: Any) -> None:
    how = Decoding(12, temperature=1.5, seed=3)
    pieces = []
    for piece in lm.stream(PROMPTS[3], how):
        lm.logprobs([PROMPTS[0]], [[" good", " bad"]])
        pieces.append(piece)
    assert "".join(pieces) == lm.generate([PROMPTS[3]], how)[0].text


def test_what_is_settled_is_never_taken_back() -> None:
    assert settled("a b", ()) == "a b"
    assert settled("text\n", ("\n\n",)) == "text"
    assert settled("text\n\nmore", ("\n\n",)) == "text"
    assert settled("aab", ("abc", "x")) == "a"
    assert settled("ab", ("b",)) == "a"


# ------------------------------------------------------------------ engines without weights here


def remote(endpoint: Endpoint) -> RemoteLanguageModel:
    limits = Limits(backoff=0.01, attempts=3, timeout=5)
    return RemoteLanguageModel(parse(endpoint.name.removeprefix("openai:")), limits)


@pytest.mark.parametrize("stop", [(), ("o",), ("zz", "wor"), ("!",), ("d!",), ("d!x",)])
def test_a_fake_one_and_an_endpoint(stop: tuple[str, ...]) -> None:
    how = Decoding(16, stop=stop)
    with serving(lambda messages: "héllo world!") as endpoint:
        lm = remote(endpoint)
        pieces = list(lm.stream("say", how))
        assert "".join(pieces) == lm.generate(["say"], how)[0].text
        assert "" not in pieces
        assert endpoint.bodies[0] == {**endpoint.bodies[1], "stream": True}
    fake = open_models().open(ModelRef("fake", "remote"))
    assert "".join(fake.stream("a b c\nX:", how)) == fake.generate(["a b c\nX:"], how)[0].text


def test_an_endpoint_s_stream_stops_when_it_is_closed() -> None:
    with serving(lambda messages: "word " * 100, Reply(pause=0.02)) as endpoint:
        stream: Iterator[str] = remote(endpoint).stream("say", Decoding(400))
        assert next(stream) == "w"
        stream.close()  # type: ignore[attr-defined]
    assert endpoint.pieces < 100, "the server was hung up on"


def test_what_passes_is_tried_again_until_the_first_word() -> None:
    slow, broken = Reply(status=503, body={"error": "busy"}), Reply(broken_after=0)
    with serving(lambda messages: "fine", slow, broken) as endpoint:
        assert "".join(remote(endpoint).stream("say", Decoding(4))) == "fine"
        assert len(endpoint.bodies) == 3


def test_a_stream_that_breaks_off_is_no_answer() -> None:
    with serving(lambda messages: "fine weather", Reply(broken_after=5)) as endpoint:
        stream = remote(endpoint).stream("say", Decoding(4))
        with pytest.raises(EndpointFailed, match="broke off"):
            list(stream)
    refusal = Reply(status=401, body={"error": {"message": "no such key"}})
    with serving(lambda messages: "", refusal) as endpoint:
        with pytest.raises(EndpointRefused, match="no such key"):
            list(remote(endpoint).stream("say", Decoding(4)))
        with pytest.raises(CannotAdapt, match="takes no grammar"):
            list(remote(endpoint).stream("say", Decoding(4, grammar=Grammar("regex", "a"))))
