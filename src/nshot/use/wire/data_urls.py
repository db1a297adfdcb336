"""Pictures that come inside a request. No address and no path of a client's is ever opened."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from pathlib import Path

from nshot.core.errors import Fault, InputError
from nshot.core.types import Image

_DATA = re.compile(r"data:image/(\w{2,5});base64,([A-Za-z0-9+/=\s]*)\Z")


def write_picture(url: str, folder: Path, name: str) -> Image:
    """The picture that a ``data:`` address holds, as a file of that name in `folder`.

    Raises `InputError` for any other address. Whether it is a picture is seen when it is read.
    """
    match = _DATA.match(url)
    if match is None:
        raise InputError(Fault("no picture in the request", "data:image/png;base64,..."))
    try:
        content = base64.b64decode(match[2], validate=False)
    except (binascii.Error, ValueError):
        raise InputError(
            Fault("a picture that is not base64", "data:image/png;base64,...")
        ) from None
    path = folder / f"{name}.{match[1].lower()}"
    path.write_bytes(content)
    return Image(str(path), hashlib.sha256(content).hexdigest())
