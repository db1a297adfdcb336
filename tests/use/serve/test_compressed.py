"""Compressed bodies: unfolded as far as a body may go, and refused with a status below 500."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest
import zstandard
from clients import head, serving
from hypothesis import given
from hypothesis import strategies as st

from nshot.use.serve.compressed import unfolded
from nshot.use.serve.limits import Limits
from nshot.use.wire.refusal import Refusal

MOST = 2000
JSON = {"Content-Type": "application/json"}


def zstd(body: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(body)


FOLD = {"gzip": gzip.compress, "zstd": zstd}


@pytest.mark.parametrize("name", FOLD)
@given(body=st.binary(max_size=MOST))
def test_a_body_comes_back_as_it_was(name: str, body: bytes) -> None:
    assert unfolded(FOLD[name](body), name, MOST) == body


@pytest.mark.parametrize("name", FOLD)
def test_several_parts_are_one_body_and_encodings_are_taken_off_in_turn(name: str) -> None:
    assert unfolded(FOLD[name](b"a") + FOLD[name](b"b"), name, MOST) == b"ab"
    twice = zstd(gzip.compress(b"text"))
    assert unfolded(twice, "GZIP, zstd", MOST) == b"text"


@pytest.mark.parametrize("name", FOLD)
def test_no_more_is_unfolded_than_a_body_may_have(name: str) -> None:
    assert len(unfolded(FOLD[name](b"0" * MOST), name, MOST)) == MOST
    for size in (MOST + 1, 10**8):
        with pytest.raises(Refusal) as refused:
            unfolded(FOLD[name](b"0" * size), name, MOST)
        assert refused.value.status == 413


@given(st.sampled_from(sorted(FOLD)), st.binary(max_size=80), st.integers(0, 200), st.data())
def test_what_is_broken_is_refused_and_never_raises(
    name: str, body: bytes, at: int, draw: st.DataObject
) -> None:
    """Cut short, changed, or something else altogether."""
    whole = bytearray(FOLD[name](body))
    if draw.draw(st.booleans()):
        whole[at % len(whole)] ^= draw.draw(st.integers(1, 255))
    else:
        del whole[at % len(whole) :]
    status = 400
    try:
        unfolded(bytes(whole), name, MOST)
    except Refusal as refused:
        status = refused.status
    assert status in (400, 413)


def test_a_window_that_needs_much_memory_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, compression_level=1)
    wide = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    frame = wide.compress(b"x" * 100) + wide.flush()
    with pytest.raises(Refusal, match="no whole zstd"):
        unfolded(frame, "zstd", MOST)


def test_without_its_package_zstd_is_refused_with_what_to_send(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(Refusal, match=r"pip install 'nshot\[serve\]'.*send gzip") as refused:
        unfolded(zstd(b"x"), "zstd", MOST)
    assert (refused.value.status, refused.value.headers["Accept-Encoding"]) == (
        415, "gzip, identity",
    )  # fmt: skip


def test_the_server_reads_compressed_questions(tmp_path: Path) -> None:
    body = json.dumps({"model": "head", "input": "where is my parcel"}).encode()
    bomb = json.dumps({"model": "head", "input": "a" * 10**6}).encode()
    with serving([head(tmp_path / "head")], limits=Limits(body_bytes=MOST)) as client:
        plain = client.ask("POST", "/v1/classify", body, JSON)
        for name, fold in FOLD.items():
            headers = {**JSON, "Content-Encoding": name}
            reply = client.ask("POST", "/v1/classify", fold(body), headers)
            assert (reply.status, reply.body["data"]) == (200, plain.body["data"])
            assert client.ask("POST", "/v1/classify", fold(bomb), headers).status == 413
            assert client.ask("POST", "/v1/classify", body, headers).status == 400
        unknown = client.ask("POST", "/v1/classify", body, {**JSON, "Content-Encoding": "br"})
        assert unknown.status == 415
        assert "gzip, zstd" in unknown.body["error"]["message"]
