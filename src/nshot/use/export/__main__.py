"""``python -m nshot.use.export MODULE:CLASS FOLDER``: lines of JSON in, predictions out.

The last line out is how many seconds they took, with the loading of the runtime's model. What an
export answers is asked of a process that never saw the predictor it was made of.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from nshot.core.errors import NshotError
from nshot.core.serial import dumps, from_data, to_data
from nshot.core.types import Input
from nshot.use.export import export_at


def main(place: str, folder: str) -> int:
    """2 or 3 where the folder does not answer, with the reason on standard error."""
    inputs = [from_data(Input, json.loads(line)) for line in sys.stdin]
    begun = time.perf_counter()
    try:
        answers = export_at(place).answer(Path(folder), inputs)
    except NshotError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    seconds = time.perf_counter() - begun
    sys.stdout.writelines(dumps(to_data(one), canonical=False) + "\n" for one in answers)
    sys.stdout.write(f"{seconds}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
