"""Bodies of requests that are compressed (RFC 9110, 8.4): gzip, and zstd (RFC 8878, RFC 9659).

What counts is the size that they unfold to: no more is ever unfolded than a body may have.
"""

from __future__ import annotations

import io
import zlib

from nshot.use.wire.refusal import Refusal

ENCODINGS = ("gzip", "zstd", "identity")
_WINDOW = 8 * 2**20
"""Bytes that a zstd frame may look back to: what RFC 9659 allows senders."""
_MISSING = "this server has no zstd (pip install 'nshot[serve]'): send gzip, or no Content-Encoding"


def unfolded(body: bytes, encoding: str, most: int) -> bytes:
    """The body as it was before its ``Content-Encoding``.

    Raises `Refusal`: 415 for encodings that are not known here, 400 for a body that is not what it
    is said to be, 413 where it has more than `most` bytes.
    """
    names = [name.strip().lower() for name in encoding.split(",") if name.strip()]
    for name in reversed(names):
        if name in ("gzip", "x-gzip"):
            body = _gzip(body, most)
        elif name == "zstd":
            body = _zstd(body, most)
        elif name != "identity":
            accepted = {"Accept-Encoding": ", ".join(ENCODINGS)}
            problem = f"a body in the encoding '{name[:40]}': send {', '.join(ENCODINGS[:-1])}"
            raise Refusal(415, f"{problem}, or no Content-Encoding", accepted)
    return body


def _gzip(body: bytes, most: int) -> bytes:
    parts: list[bytes] = []
    left = most
    while True:  # a file of gzip may have several members
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            parts.append(member.decompress(body, left + 1))
        except zlib.error:
            raise _broken("gzip") from None
        left -= len(parts[-1])
        if left < 0:
            raise _too_long(most)
        if not member.eof:
            raise _broken("gzip")
        body = member.unused_data
        if not body:
            return b"".join(parts)


def _zstd(body: bytes, most: int) -> bytes:
    try:
        import zstandard
    except ImportError:
        raise Refusal(415, _MISSING, {"Accept-Encoding": "gzip, identity"}) from None
    opener = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    try:
        with opener.stream_reader(io.BytesIO(body), read_across_frames=True) as stream:
            whole: bytes = stream.read(most + 1)
    except zstandard.ZstdError:
        raise _broken("zstd") from None
    if len(whole) > most:
        raise _too_long(most)
    return whole


def _broken(name: str) -> Refusal:
    return Refusal(400, f"the body is no whole {name}, as its Content-Encoding says it is")


def _too_long(most: int) -> Refusal:
    return Refusal(413, f"a body that unfolds to more than {most:,} bytes")
