"""The docs cannot rot: links lead somewhere, commands run, lists are those of the code."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nshot.methods import TABLE, WHERE
from nshot.metrics import METRICS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    [ROOT / "README.md", *DOCS.rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
)  # fmt: skip
MADE_BY_RUNS = {
    "docs/report.png": "benchmarks/screenshot.py",
    "docs/results/sst2.md": "benchmarks/result_page.py",
    "docs/results/banking10.md": "benchmarks/result_page.py",
    "docs/results/nsmc.md": "benchmarks/result_page.py",
    "docs/results/peft.md": "benchmarks/claims_peft.py",
}
FAKES = ("--model", "fake:scorer", "--encoder", "fake:encoder")
FAKED = """\
import functools, nshot
nshot.compare = functools.partial(nshot.compare, model="fake:scorer", encoder="fake:encoder")
"""


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def links() -> Iterator[tuple[str, str]]:
    """(page, target) of every link and picture that stays in the repository."""
    for page in PAGES:
        text = re.sub(r"```.*?```", "", read(page), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^()\s]+(?:\([^()\s]*\))?[^()\s]*)\)", text):
            if not re.match(r"[a-z]+:", target):
                yield str(page.relative_to(ROOT)), target


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", read(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-") for words in found}


@pytest.mark.parametrize(("page", "target"), sorted(set(links())))
def test_a_link_leads_somewhere(page: str, target: str) -> None:
    name, _, anchor = target.partition("#")
    path = (ROOT / page).parent / name if name else ROOT / page
    made = os.path.relpath(path, ROOT)
    if made in MADE_BY_RUNS and not path.exists():
        pytest.skip(f"{made} is made by {MADE_BY_RUNS[made]} from a run, and not there yet")
    assert path.exists()
    assert not anchor or anchor in headings(path)


def test_the_index_leads_to_every_page() -> None:
    index = DOCS / "index.md"
    linked = {(DOCS / target.partition("#")[0]).resolve() for p, target in links()
              if ROOT / p == index}  # fmt: skip
    results = set((DOCS / "results").glob("*.md")) - {DOCS / "results" / "README.md"}
    assert set(DOCS.rglob("*.md")) - {index} - results - linked == set()


def test_the_results_page_leads_to_every_result() -> None:
    page = read(DOCS / "results" / "README.md")
    for result in (DOCS / "results").glob("*.md"):
        assert result.name == "README.md" or f"]({result.name})" in page


# ------------------------------------------------------------------ lists that the code has too


def test_the_ladder_is_the_table_of_methods() -> None:
    rows = re.findall(r"^\| ([\w-]+) \| \[(\w+)\]\(docs/methods/(\w+)\.md\) \| ([^|]+) \|",
                      read(ROOT / "README.md"), re.MULTILINE)  # fmt: skip
    assert [name for _, name, _, _ in rows] == list(WHERE)
    words = {"few-shot": "fewshot", "fine-tuning": "finetune"}
    for rung, name, page, trained in rows:
        assert page == name
        assert words.get(rung, rung) == TABLE[name].rung
        assert (trained == "nothing") == (TABLE[name].trains == "nothing"), name


def test_the_page_of_metrics_has_all_of_them_and_the_kinds_they_suit() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\w, ]+) \|", read(DOCS / "metrics.md"), re.MULTILINE)
    said = {name: frozenset(kinds.split(", ")) for name, kinds in rows}
    assert said == {name: metric.kinds for name, metric in METRICS.items()}


def layers() -> list[str]:
    """The house, top first, as import-linter holds it."""
    tool = tomllib.loads(read(ROOT / "pyproject.toml"))["tool"]
    (contract,) = (c for c in tool["importlinter"]["contracts"] if c["type"] == "layers")
    return [name.removeprefix("nshot.") for name in contract["layers"]]


def test_the_house_is_the_one_that_is_checked() -> None:
    text = read(DOCS / "design.md")
    house = text.partition("<!-- the house, top first -->")[2].partition("<!-- end")[0]
    assert re.findall(r"^(\w+)  ", house, re.MULTILINE) == layers()
    readme = re.findall(r"^\| `(\w+)(?:\.py|/)` \|", read(ROOT / "README.md"), re.MULTILINE)
    assert readme == layers()[::-1]
    there = {
        p.stem for p in (ROOT / "src" / "nshot").iterdir() if not p.name.startswith(("_", "."))
    }
    assert there - {"py"} == set(layers())


def test_every_file_that_is_named_is_there() -> None:
    for page in (DOCS / "design.md", DOCS / "python.md", ROOT / "README.md"):
        for name in re.findall(r"`((?:\w+/)*\w+\.py|(?:\w+/)+)`", read(page)):
            places = (ROOT / name, ROOT / "src" / "nshot" / name)
            later = name == "deploy/" or "runs/" in name or name.startswith("winner")
            assert later or any(p.exists() for p in places) or name == "predictors.py", name


def test_what_is_promised_is_shown_by_a_test() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", read(DOCS / "reliability.md"))
    assert len(named) > 25
    for path, name in named:
        assert re.search(rf"^def {name}\(", read(ROOT / path), re.MULTILINE), f"{path}::{name}"


def test_the_page_of_the_command_line_is_the_parsers() -> None:
    made: dict[str, Any] = runpy.run_path(str(DOCS / "make_cli.py"))
    assert read(DOCS / "cli.md") == made["page"](made["kept_part"]()), "python docs/make_cli.py"


# ------------------------------------------------------------------ blocks that are run


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", read(DOCS / page), re.DOTALL | re.MULTILINE)


def place(folder: Path) -> dict[str, str]:
    """A folder as the reader has it, and the environment of its shell."""
    (folder / "examples").symlink_to(ROOT / "examples")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "NSHOT_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def run(words: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def faked(command: str) -> str:
    """The command as it stands, on models without weights: the words are tested, not the scores."""
    return re.sub(r"^(nshot (?:compare|adapt) .*)$", rf"\1 {' '.join(FAKES)}", command, flags=re.M)


def test_every_command_of_the_tutorial_runs(tmp_path: Path) -> None:
    environment = place(tmp_path)
    said = [
        run(["bash", "-euo", "pipefail", "-c", faked(block)], tmp_path, environment)
        for block in blocks("tutorial.md", "sh")
    ]
    told = "\n".join(said)
    for words in (
        "text column 'message', label column 'topic' (guessed",
        "240 rows to learn from, 400 to test on (file)",
        "from this machine's measured rates",
        "Pick: ", "test rows:", "which your wish leaves out", "2 answers in answers.jsonl",
        "50 of 50 answers as delivered", "report: runs/all/report.html", "saved in runs/probe",
    ):  # fmt: skip
        assert words in told, words
    assert len((tmp_path / "answers.jsonl").read_text().splitlines()) == 2
    assert (tmp_path / "runs" / "tickets" / "report.html").exists()
    program = FAKED + "\n".join(blocks("tutorial.md", "python"))
    assert len(run([sys.executable, "-c", program], tmp_path, environment).splitlines()) == 2


def test_every_command_of_the_tutorial_of_prompts_runs(tmp_path: Path) -> None:
    environment = place(tmp_path)
    told = "\n".join(
        run(
            ["bash", "-euo", "pipefail", "-c",
             re.sub(r"^(nshot prompt .*)$", r"\1 --model fake:scorer", faked(block), flags=re.M)],
            tmp_path, environment,
        )
        for block in blocks("tutorial-prompts.md", "sh")
    )  # fmt: skip
    for words in (
        "demonstrations (6)", "0 findings in 48 examples", "few_shot", "zero_shot", "Pick: ",
        "2 answers in answers.jsonl",
    ):  # fmt: skip
        assert words in told, words
    for block in blocks("tutorial-prompts.md", "text"):
        assert block in told, "what the page shows is what is printed"
    (own,) = blocks("tutorial-prompts.md", "yaml")
    assert own in (tmp_path / "film-talk" / "task.yaml").read_text(encoding="utf-8")
    assert (tmp_path / "shots.svg").exists()
    program = FAKED + "\n".join(blocks("tutorial-prompts.md", "python"))
    assert len(run([sys.executable, "-c", program], tmp_path, environment).splitlines()) == 2


def test_python_as_written_runs_and_the_method_keeps_its_contract(tmp_path: Path) -> None:
    environment = place(tmp_path)
    for name, copy in (("train", "tickets"), ("test", "later")):
        text = read(ROOT / "examples" / "support-tickets" / f"{name}.csv")
        (tmp_path / f"{copy}.csv").write_text(text, encoding="utf-8")
    program = [FAKED]
    for block in blocks("python.md", "python"):
        if named := re.match(r"# (\w+\.py)\n", block):
            (tmp_path / named[1]).write_text(block, encoding="utf-8")
        else:
            program.append(block)
    said = run([sys.executable, "-c", "\n".join(program)], tmp_path, environment).split()
    assert (tmp_path / "naive_bayes.py").exists()
    assert said[0] in ("majority", "tfidf_lr", "nearest_mean")
    assert 0.2 < float(said[-1]) <= 1, "better than one of eight topics"


def test_pages_of_methods_show_commands_that_are_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from nshot.cli.parser import parser as whole_parser

    for name in WHERE:
        for block in blocks(f"methods/{name}.md", "sh"):
            for line in block.splitlines():
                whole_parser().parse_args(line.split()[1:])
    assert not capsys.readouterr().err
