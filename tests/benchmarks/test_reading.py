"""What a reader reads, counted on a small package whose answer is known, and on nshot."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import reading
from table import END, mark

PACKAGE = {
    "core/types.py": "class Cost: ...\n",
    "methods/contract.py": "class Method: ...\n",
    "methods/__init__.py": "from nshot.methods.contract import Method\n",
    "methods/trained.py": "from nshot.methods import Method\nfrom nshot.models.base import open\n"
    "class Trained(Method):\n    model = open()\n",
    "methods/prompts.py": "def words(): ...\n",
    "models/base.py": "class Lent: ...\ndef open(): ...\n",
    "methods/lora.py": "from nshot.core.types import Cost\n"
    "from nshot.methods.prompts import words\n"
    "from nshot.methods.trained import Trained\n"
    "from nshot.models.base import Lent\n"
    "class LoRA(Trained):\n"
    "    lent: Lent\n"
    "    def run(self, lent: Lent) -> Lent:\n"
    "        return words(Cost())\n",
}


@pytest.fixture
def package(tmp_path: Path) -> reading.Package:
    for name, text in PACKAGE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return reading.Package(tmp_path)


def test_bases_count_through_packages_and_helpers_one_step_and_annotations_not(
    package: reading.Package,
) -> None:
    kind = reading.Kind("a method", "methods", ("LoRA",))
    assert [m.name for m in reading.files(package, kind)] == [
        "methods.contract",
        "methods.lora",
        "methods.prompts",
        "methods.trained",
    ]


def test_a_thing_that_is_gone_is_named(package: reading.Package) -> None:
    kind = reading.Kind("a method", "methods", ("IA3",))
    with pytest.raises(SystemExit, match="nothing in methods defines IA3"):
        reading.files(package, kind)


def test_the_size_counts_lines_and_the_word(package: reading.Package) -> None:
    text = "from typing import Any\n" + "def long(a: Any) -> AnyStr:\n" + "    a\n" * 40
    (package.folder / "models" / "base.py").write_text(text, encoding="utf-8")
    (package.folder / "report.css").write_text("a\nb\n", encoding="utf-8")
    counts = reading.size(reading.Package(package.folder))
    assert counts["lines"] == counts["lines of Python"] + 2
    assert (counts["the word `Any`"], counts["functions over 40 lines"]) == (2, 1)
    assert counts["files over 400 lines"] == 0


def test_it_runs_on_nshot_and_the_page_has_its_block(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["reading.py", "--at", "HEAD"])
    reading.main()
    printed = capsys.readouterr().out
    for kind in reading.KINDS:
        assert f"\n| {kind.adds} | " in printed
    assert "now: a metric (accuracy): metrics " in printed
    page = reading.PAGE.read_text(encoding="utf-8")
    assert page.count(mark("reading.py")) == 1
    assert END in page.partition(mark("reading.py"))[2]
