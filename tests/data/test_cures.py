"""What the message of a refused layout says to type works when it is typed."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from layouts import ENGLISH, LAYOUTS, PLAIN, Layout, joined, lines, quoted
from test_layouts import request

from nshot.bench.request import Request
from nshot.bench.task_rows import checked_rows
from nshot.cli.flags import read
from nshot.cli.main import parser
from nshot.core.errors import InputError
from nshot.data import load

SEVERAL = [(t, n, ("north", "south")[i // 2 % 2]) for i, (t, n) in enumerate(PLAIN)]
MORE = [
    Layout("two columns of labels", "", {"t.csv": joined([("note", "kind", "place"), *SEVERAL])}),
    Layout("a name with a comma", "", {"t.csv": quoted([("note", "a, b", "c, d"), *SEVERAL])}),
    Layout("a name with spaces", "", {"my data (1).csv": joined([("a b", "c", "d e"), *SEVERAL])}),
]
REFUSED = [*(layout for layout in LAYOUTS if not layout.kind), *MORE]
_COMMAND = re.compile(r"nshot (?:compare|check) .*?(?= , or |;|   |$)")


def commands(error: InputError) -> list[list[str]]:
    """The commands of all cures that name a file, word by word, without `nshot` and the verb."""
    typed = [match for fault in error.faults for match in _COMMAND.findall(fault.do)]
    return [shlex.split(one)[2:] for one in typed]


@pytest.mark.parametrize("layout", REFUSED, ids=lambda layout: layout.name)
def test_a_command_that_is_printed_reads_the_file(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        checked_rows(request(layout, tmp_path / "data"))
    for words in commands(error.value):
        assert "COLUMN" not in words
        task, rows = checked_rows(read(Request, parser(["check"]).parse_args(["check", *words])))
        assert len(rows.train) > 1, task


def test_there_are_commands_to_type(tmp_path: Path) -> None:
    typed = 0
    for number, layout in enumerate(REFUSED):
        with pytest.raises(InputError) as error:
            checked_rows(request(layout, tmp_path / str(number)))
        typed += len(commands(error.value))
    assert typed >= 8


BROKEN = joined([("text", "label"), *PLAIN]).encode()
TYPED: dict[str, tuple[str, bytes, int]] = {
    "two separators": (
        "t.csv",
        joined([("a", "b;c"), *((f"{i} x", f"{'pq'[i % 2]};{i % 2}") for i in range(9))]).encode(),
        9,
    ),
    "stray bytes": ("t.csv", BROKEN + "Grüße,refund\n".encode() * 3 + b"x \xff y,refund\n", 20),
    "a row of another format": (
        "t.jsonl",
        lines([*({"prompt": t, "completion": n} for t, n in ENGLISH),
               {"instruction": "a", "output": "b"}]).encode(),
        16,
    ),
}  # fmt: skip
"""Files whose cure is a command of the shell that writes another file, and the rows of that."""


@pytest.mark.parametrize("name", TYPED)
def test_a_command_of_the_shell_writes_a_file_that_is_read(name: str, tmp_path: Path) -> None:
    file, content, rows = TYPED[name]
    (tmp_path / file).write_bytes(content)
    with pytest.raises(InputError) as error:
        load(tmp_path / file)
    do = next(fault.do for fault in error.value.faults if ">" in fault.do)
    command = do.partition(" , or ")[0].partition("   ")[0]
    subprocess.run(["sh", "-c", command], check=True)
    (written,) = set(tmp_path.iterdir()) - {tmp_path / file}
    columns: Any = {"text": ["a"], "label": "b;c"} if name == "two separators" else {}
    assert len(load(written, **columns).train) == rows
