"""The page at `/`: one file, and a policy that lets it load nothing and ask only this server."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

from starlette.responses import HTMLResponse, Response

from nshot.use.serve.exchange import Exchange


@cache
def _page() -> tuple[str, str]:
    """The page, and its content security policy, in which its script and style are by hash."""
    text = (files("nshot.use.serve") / "page.html").read_text(encoding="utf-8")
    hashes = {
        tag: " ".join(map(_hash, re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)))
        for tag in ("script", "style")
    }
    policy = (
        f"default-src 'none'; script-src {hashes['script']}; style-src {hashes['style']}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return text, policy


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


async def page(exchange: Exchange) -> Response:
    """Try the models side by side."""
    text, policy = _page()
    return HTMLResponse(text, headers={"Content-Security-Policy": policy})
