"""The page: every figure is the board's, no text becomes code, nothing half-finished breaks it."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import sample_board
from hypothesis import given, settings
from hypothesis import strategies as st

from nshot.board.schema import Board, Details
from nshot.core.errors import InputError
from nshot.core.types import RUNGS
from nshot.report import page, write
from nshot.report.numbers import at, say

HOSTILE = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;"


def render(board: dict[str, Any], details: dict[str, Any]) -> str:
    """The page of a board and details as JSON has them."""
    return page.render(Board.model_validate(board), Details.model_validate(details))


class Reader(HTMLParser):
    """Tags, figures (pointer, exact value, text) and all text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.figures: list[list[str]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._open = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags[tag] += 1
        self._open = "figure" if "data-path" in found else tag
        if "data-path" in found:
            self.figures.append([found["data-path"] or "", found.get("data-value") or "null", ""])
        assert not any(name.startswith("on") for name in found), found

    def handle_data(self, data: str) -> None:
        if self._open == "figure":
            self.figures[-1][2] = data
        if self._open == "script":
            self.scripts.append(data)
        elif self._open != "style":
            self.text += data
        self._open = ""


def test_every_figure_is_the_boards() -> None:
    board = sample_board.board()
    figures = Reader(render(board, sample_board.details())).figures
    assert len(figures) > 150
    typed = Board.model_validate(board)
    for path, value, _ in figures:
        assert json.loads(value) == at(typed, path), path
    shown = {path: text for path, _, text in figures}
    for i, row in enumerate(board["rows"]):
        if row["status"] == "ok":
            assert shown[f"/rows/{i}/score"] == say(row["score"], "score")
            assert shown[f"/rows/{i}/use_seconds_per_1000"] == say(
                row["use_seconds_per_1000"], "seconds"
            )
    assert shown["/advice/corrected_score"] == "76.1"
    lora = next(i for i, row in enumerate(board["rows"]) if row["name"] == "lora")
    assert shown[f"/rows/{lora}/trained_params"] == "1.84 M"
    assert shown[f"/rows/{lora}/trained_share"] == "1.37 %"


def test_a_share_is_shown_only_of_the_language_model() -> None:
    board = sample_board.board()
    figures = Reader(render(board, {})).figures
    shown = {path.split("/")[2] for path, *_ in figures if path.endswith("/trained_share")}
    names = {board["rows"][int(i)]["name"] for i in shown}
    assert names == {"lora", "full"}


def test_says_what_one_must_know() -> None:
    board, details = sample_board.board(), sample_board.details()
    text = Reader(render(board, details)).text
    said = [*board["advice"]["reasons"], board["fingerprint"], details["command"], "2.13.0"]
    said += [row["reason"] for row in board["rows"] if row["reason"]]
    said += [details["fold_plan"], "2025-06-02 09:12:04 UTC", *board["task"]["notes"], "배송_문의"]
    said += [one["text"] for one in details["mistakes"]]
    assert [words for words in said if words not in text] == []


def test_of_yes_or_no_the_page_shows_both_curves_and_every_rows_areas() -> None:
    board, details = sample_board.board(), sample_board.details()
    assert "chart-detection" not in render(board, details), "no positive label, no curves"
    cell = {
        "label": "spam",
        "rows": 30,
        "of": 100,
        "roc": [[0, 0], [0.1, 0.8], [1, 1]],
        "roc_area": 0.874,
        "precision_recall": [[0.5, 0.9], [1, 0.3]],
        "average_precision": 0.713,
    }
    pick = next(i for i, row in enumerate(board["rows"]) if row["name"] == board["advice"]["pick"])
    board["rows"][pick]["positive"] = cell
    page = render(board, details)
    assert "ROC curve of " in page
    assert "Precision over recall of " in page
    assert "30 of 100 rows are spam" in Reader(page).text
    shown = {path: words for path, _, words in Reader(page).figures}
    assert shown[f"/rows/{pick}/positive/roc_area"] == "87.4"
    assert shown[f"/rows/{pick}/positive/average_precision"] == "71.3"


def test_calibration_shows_the_picks_thresholds_and_every_rows_error() -> None:
    board, details = sample_board.board(), sample_board.details()
    page = render(board, details)
    text = Reader(page).text
    shown = {path: words for path, _, words in Reader(page).figures}
    pick = next(i for i, row in enumerate(board["rows"]) if row["name"] == board["advice"]["pick"])
    path = f"/rows/{pick}/calibration"
    assert shown[f"{path}/thresholds/1/threshold"] == "0.71"
    assert shown[f"{path}/thresholds/1/answered/value"] == "62.0"
    assert "none answered" in text, "over .993 there is no test row"
    assert "chart-reliability" in page
    measured = [i for i, row in enumerate(board["rows"]) if row.get("calibration")]
    assert len(measured) >= 12
    assert all(f"/rows/{i}/calibration/brier/value" in shown for i in measured)
    assert "at least 30 validation rows are needed, and it has 12" in text
    for row in board["rows"]:
        row["calibration"] = None
    assert "chart-reliability" not in render(board, details)


def test_what_moves_answers_is_a_section_where_a_model_is_asked_elsewhere() -> None:
    board, details = sample_board.board(), sample_board.details()
    assert "Can its answers be relied on?" not in render(board, details)
    doubt = {"value": 0.95, "low": 0.75, "high": 0.999, "rows": 20}
    board["rows"][0]["reliance"] = {"order": None, "injection": doubt, "repeat": doubt}
    board["rows"][1]["reliance"] = {"order": None, "injection": doubt, "repeat": None}
    for row in board["rows"][:2]:
        share = {"value": 0.2, "low": 0.1, "high": 0.3}
        row["calibration"] = {**row["calibration"], "kind": "temperature",
                              "bare": {"error": share, "brier": share}}  # fmt: skip
    page = render(board, details)
    assert "Can its answers be relied on?" in page
    shown = {path: words for path, _, words in Reader(page).figures}
    for row in (0, 1):
        assert shown[f"/rows/{row}/reliance/injection/value"] == "95.0"
        assert shown[f"/rows/{row}/calibration/bare/error/value"] == "20.0"
    assert shown["/rows/0/reliance/repeat/low"] == "75.0"
    assert "/rows/0/reliance/order/value" not in shown


KEPT = {"ok", "skipped", "failed", "trained", "leaning", "classify", "deployed", "balanced",
        "holdout", "none", "temperature", *RUNGS}  # fmt: skip
"""Words of which there are only these: another is no board."""


def _poisoned(value: Any, poison: str) -> Any:
    """The same structure with `poison` in every text a user, a file or a method can put there."""
    if isinstance(value, str):
        return value if value in KEPT else value + poison
    if isinstance(value, list):
        return [_poisoned(one, poison) for one in value]
    if isinstance(value, dict):
        return {
            (key + poison if parent_of_free_keys(key) else key): _poisoned(one, poison)
            for key, one in value.items()
        }
    return value


def parent_of_free_keys(key: str) -> bool:
    return key in ("rate", "style", "k-NN vote of the same demonstrations", "torch", "lora")


def test_no_text_becomes_code() -> None:
    board, details = sample_board.board(), sample_board.details()
    plain = Reader(render(board, details))
    hostile = Reader(render(_poisoned(board, HOSTILE), _poisoned(details, HOSTILE)))
    assert hostile.tags["script"] == 1
    assert hostile.tags["img"] == 0
    assert hostile.scripts == plain.scripts
    assert HOSTILE in hostile.text


@settings(max_examples=12, deadline=None)
@given(st.text(min_size=1, max_size=30))
def test_any_text_leaves_the_elements_as_they_are(words: str) -> None:
    board = sample_board.board()
    board["rows"], board["advice"]["reasons"] = board["rows"][:1], [words]
    board["rows"][0]["name"] = board["advice"]["pick"] = "x" + words
    board["task"]["labels"][0]["name"] = words
    tags = Reader(render(board, {"command": words})).tags
    board["advice"]["reasons"] = ["plain"]
    board["rows"][0]["name"] = board["advice"]["pick"] = "x"
    plain = Reader(render(board, {"command": "plain"})).tags
    for seen in (tags, plain):
        seen.pop("wbr", None)  # a name may break after its underscores
    assert tags == plain


def test_unwritable_characters_are_replaced(tmp_path: Path) -> None:
    board = sample_board.board()
    board["task"]["name"] = "a\x00b\ud800c"
    page = render(board, {})
    page.encode("utf-8")
    assert "a\ufffdb\ufffdc" in page


def test_asks_no_network_and_runs_only_its_script() -> None:
    page = render(sample_board.board(), sample_board.details())
    reader = Reader(page)
    assert "http" not in page.replace("http-equiv", "")
    assert "url(" not in page
    assert "@import" not in page
    digest = base64.b64encode(hashlib.sha256("".join(reader.scripts).encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;" in page
    assert "default-src &#39;none&#39;" in page


def test_same_input_same_bytes() -> None:
    board, details = sample_board.board(), sample_board.details()
    assert render(board, details) == render(copy.deepcopy(board), copy.deepcopy(details))


def test_empty_board() -> None:
    board = {**sample_board.board(), "rows": [], "advice": None}
    assert "Nothing was measured" in Reader(render(board, {})).text


def test_one_method() -> None:
    board = sample_board.board()
    board["rows"] = board["rows"][4:5]
    text = Reader(render(board, sample_board.details())).text
    assert "linear_probe" in text
    assert "Use" in text


def test_all_failed() -> None:
    board = sample_board.board()
    board["rows"] = [
        sample_board.method(name, "peft", None, status="failed", reason=f"{name}: out of memory")
        for name in ("lora", "full")
    ]
    board["advice"] = None
    text = Reader(render(board, {})).text
    assert "Nothing was measured" in text
    assert "lora: out of memory" in text


def test_missing_numbers_are_dashes_never_zeros() -> None:
    board = sample_board.board()
    keys = ("score", "low", "high", "train_score", "build_seconds", "use_seconds_per_1000",
            "tokens_per_request", "disk_bytes", "trained_params", "build_peak_bytes")  # fmt: skip
    board["rows"][10].update(dict.fromkeys(keys))
    board["rows"][9]["score"] = None
    figures = Reader(render(board, {})).figures
    empty = {path: text for path, value, text in figures if value == "null"}
    for key in ("score", "build_seconds", "disk_bytes"):
        assert empty[f"/rows/10/{key}"] == "–"
    assert empty["/rows/9/score"] == "–"


@pytest.mark.parametrize("labels", [2, 77])
def test_confusion_of_few_and_many_labels(labels: int) -> None:
    names = [f"intent_{i}" for i in range(labels)]
    details = sample_board.details(names, rows=6 * labels)
    counts = details["confusion"]["counts"]
    page = render(sample_board.board(), details)
    cells = sum(count > 0 for line in counts for count in line)
    assert page.count('<rect class="c-right"') + page.count('<rect class="c-wrong"') == cells
    i, j = max(
        ((i, j) for i in range(labels) for j in range(labels) if i != j),
        key=lambda cell: counts[cell[0]][cell[1]],
    )
    assert f"{names[i]} answered as {names[j]}: {counts[i][j]} of {sum(counts[i])}" in page


def test_confusion_with_answers_that_are_no_label() -> None:
    counts = [[3, 1, 0], [0, 2, 2]]
    details = {"confusion": {"labels": ["a", "b"], "answers": ["a", "b", "?"], "counts": counts}}
    text = Reader(render(sample_board.board(), details)).text
    assert "b answered as ?: 2 of 4" in text
    assert "a answered as b: 1 of 4" in text


def test_length_of_given_answers_is_told_where_it_was_measured() -> None:
    told = {"correlation": 0.42, "chosen": 0.61, "preferred": 0.55}
    text = Reader(render(sample_board.board(), {"lengths": told})).text
    assert "takes the longest answer of an input in 61 % of the inputs" in text
    assert "people preferred it in 55 %" in text
    assert "a correlation of +0.42" in text
    silent = {"correlation": None, "chosen": None, "preferred": None}
    for details in ({}, {"lengths": silent}):
        assert "Length of the answers" not in Reader(render(sample_board.board(), details)).text


def test_shows_all_mistakes_those_with_the_highest_score_first() -> None:
    details = sample_board.details(rows=300)
    for one in details["mistakes"]:
        one["score"] -= 0.6  # log-likelihoods are negative
    page = render(sample_board.board(), details)
    ids = [one["id"] for one in sorted(details["mistakes"], key=lambda one: -one["score"])]
    places = [page.index(f">{key}<") for key in ids]
    assert len(places) > 40
    assert places == sorted(places)
    details["mistakes"][0]["score"] = None
    page = render(sample_board.board(), details)
    assert page.index(f">{details['mistakes'][0]['id']}<") > page.index(f">{ids[-1]}<")


def test_what_was_written_is_shown_worst_first() -> None:
    details = sample_board.details(rows=100)
    for place, one in enumerate(details["mistakes"]):
        one |= {"score": None, "point": (place * 7 % 10) / 10}
    page = render(sample_board.board(), details)
    ids = [one["id"] for one in sorted(details["mistakes"], key=lambda one: one["point"])]
    places = [page.index(f">{key}<") for key in ids]
    assert places == sorted(places)
    assert "What the pick wrote" in page
    assert "What the pick gets wrong" not in page


def test_curve_is_shown_only_for_several_sizes() -> None:
    board = sample_board.board()
    assert 'id="shots"' in render(board, {})
    for row in board["rows"]:
        row["curve"] = row["curve"][-1:]
    assert 'id="shots"' not in render(board, {})


def test_how_the_loss_fell_is_shown_of_what_was_trained() -> None:
    board = sample_board.board()
    page = render(board, {})
    shown = [row for row in board["rows"] if row["learning_curve"]]
    part = page[page.index('id="losses"') :]
    assert part[: part.index("</section>")].count("<svg") == len(shown) > 1
    for row in board["rows"]:
        row["learning_curve"] = None
    assert 'id="losses"' not in render(board, {})


def test_how_a_policy_went_is_shown_of_what_sampled_answers() -> None:
    board = sample_board.board()
    assert 'id="rounds"' not in render(board, {})
    rounds = {"reward": [-0.5, 0.25, 0.5], "kl": [0.0, 1.5, 3.0], "length": [9.0, 8.0, 7.5]}
    board["rows"][0]["learning_curve"] = {"train": [[1, 0.5]], "validation": [], "rounds": rounds}
    page = render(board, {})
    part = page[page.index('id="rounds"') :]
    part = part[: part.index("</section>")]
    assert part.count("<svg") == 3
    assert "after 1 updates: 1.5 nats an answer" in part


def test_deployed_row_is_not_in_the_contest() -> None:
    page = render(sample_board.board(), {})
    board_part = page[page.index('id="board"') : page.index('id="delivered"')]
    assert board_part.count("<tr") == 1 + len(sample_board.METHODS)
    assert "refitted on all 239 labelled rows" in page


def all_rows(**more: Any) -> str:
    """The page of question 1, with how the race went and where the best differ."""
    folder = {"anew": False, "files": {"nshot.json": 363, "head.safetensors": 2_000_000}}
    details = sample_board.details() | {
        "race": sample_board.race(),
        "disagreements": sample_board.contested(),
        "delivered": folder,
        **more,
    }
    return render(sample_board.board_of_all_rows(), details)


def part(page: str, name: str) -> str:
    """The text of a part of the page."""
    body = page[page.index(f'<section id="{name}"') :]
    return Reader(body[: body.index("</section>")]).text


def test_the_head_says_the_question_and_the_pick_comes_first() -> None:
    page = all_rows()
    text = Reader(page).text
    assert "all 239 labelled rows, one fit a method, as delivered" in text
    sentence = sample_board.board_of_all_rows()["advice"]["reasons"][0]
    assert text.count(sentence) == 1
    assert text.index(sentence) < text.index(sample_board.REASONS[1])


def test_nothing_is_said_of_draws_and_shots_where_there_are_none() -> None:
    page = all_rows(command="nshot compare tickets.csv", fold_plan="")
    text = Reader(page).text
    for name in ("few_", "shots", "retrieved_"):  # names break at underscores
        assert name in text
    for name in ("few_shot", "retrieved_shots", "few_shots"):
        text = text.replace(name, "")
    words = re.findall(r"[^.]*\b(?:shots?|draws?)\b[^.]*", text)
    assert words == []


def test_put_aside_stands_with_the_race_and_is_not_called_ruled_out() -> None:
    page = all_rows()
    board, race = part(page, "board"), part(page, "race")
    rows = {row["name"]: row for row in sample_board.board_of_all_rows()["rows"]}
    for name in ("full", "lora"):
        assert rows[name]["reason"] in race
        assert rows[name]["reason"] not in part(page, "missing")
    assert f"30 of {80}" in race
    assert "30 of 80" not in board
    assert "ruled out" not in race.replace("which is not ruled out", "")
    figures = {path: text for path, _, text in Reader(page).figures}
    index = list(rows).index("full")
    assert figures[f"/rows/{index}/chance"] == "3.1 %"


def test_the_race_is_drawn_lane_by_lane_until_the_verdict_stays() -> None:
    page = all_rows()
    drawn = page[page.index('<section id="race"') :]
    drawn = drawn[: drawn.index("<h3>")]
    assert drawn.count('class="c-work c-trial"') == 2, "one wide, one narrow"
    assert "leaning from here" in drawn
    assert "60 s · 30 of 80 rows" in drawn
    assert "20 s · no test row" in drawn
    assert 'id="race"' not in render(sample_board.board(), sample_board.details())


def test_what_was_measured_is_said_to_be_delivered() -> None:
    words = part(all_rows(), "delivered")
    assert "the very folder that answered the test rows" in words
    assert "1.91 MiB" in words
    anew = part(all_rows(delivered={"anew": True, "files": {}}), "delivered")
    assert "fitted anew" in anew


def test_where_the_best_differ_stands_with_who_answered_what() -> None:
    words = part(all_rows(), "disagree")
    assert "differ on 2 of 80 test inputs" in words
    assert "disagreements.jsonl" in words
    assert words.count("refund") == 2
    assert "label login" in words
    none = {**sample_board.contested(), "total": 0, "shown": []}
    assert '<section id="disagree"' not in all_rows(disagreements=none)


def test_write_replaces_the_page_and_leaves_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "leaderboard.json").write_text(json.dumps(sample_board.board()))
    (tmp_path / "report.html").write_text("old")
    assert write(tmp_path) == tmp_path / "report.html"
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert {file.name for file in tmp_path.iterdir()} == {"leaderboard.json", "report.html"}


@pytest.mark.parametrize("content", [None, b"{", b"[]", b"\xff", b'{"schema": 1, "methods": []}'])
def test_write_without_a_board_says_what_is_missing(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "leaderboard.json").write_bytes(content)
    with pytest.raises(InputError, match=r"leaderboard\.json"):
        write(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_import_loads_no_heavy_package() -> None:
    code = "import sys, nshot.report; print({'torch', 'scipy', 'rich'} & set(sys.modules) or '')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
