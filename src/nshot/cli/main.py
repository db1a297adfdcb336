"""The command ``nshot``: reads the line, runs the verb, says what broke."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from nshot.cli.parser import parser
from nshot.core.errors import NshotError, in_words


def main(argv: Sequence[str] | None = None) -> None:
    """The command ``nshot``. Exits 0, 2 (the request), 3 (broke while running) or 130."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments, rest = parser(words).parse_known_args(words)
    if rest:
        arguments.parser.error(f"unrecognized arguments: {' '.join(rest)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a request to stop is a Ctrl-C
    try:
        code = arguments.run(arguments)
        sys.stdout.flush()
    except NshotError as error:
        sys.stderr.write(f"nshot: {error}\n")
        code = error.exit_code
    except BrokenPipeError:  # whoever reads has read enough, as in `nshot methods | head -3`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        sys.stderr.write(f"nshot: {in_words(error)}\n")
        code = 3
    except KeyboardInterrupt:
        sys.stderr.write("nshot: interrupted\n")
        code = 130
    raise SystemExit(code)
