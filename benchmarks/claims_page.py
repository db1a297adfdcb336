"""docs/results/peft.md from the cells that are there: plots, answers with figures, tables."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import result_page
from claims_cells import RANKS, UNTRAINED, VARIANTS_OF, Record, Records, rates
from claims_results import MEASURES, Labelled, Row, Written, difference, in_points
from nshot.report import charts
from nshot.report.numbers import say
from nshot.store import write_atomic
from plane import Family, Spot, Trace, log, plane
from table import ROOT, line

PAGE = ROOT / "docs" / "results" / "peft.md"
TITLES = {"banking10": "BANKING77, ten intents", "sst2": "SST-2", "e2e": "E2E"}
FAMILIES: dict[str, Family] = {
    "prompt_tuning": "soft prompt",
    "p_tuning": "soft prompt",
    "prefix": "soft prompt",
    "full": "own weights",
    "full-top4": "own weights",
}
HEADING = "# The claims of parameter-efficient tuning, measured again\n"


def write(folder: Path, page: Path = PAGE) -> None:
    """The page and its pictures; what was written by hand around the generated part stays."""
    records = Records(folder).all()
    boards = [
        Labelled(name, tuple(r for r in records if r.cell.board == name))
        for name in ("banking10", "sst2")
    ]
    written = Written(tuple(r for r in records if r.cell.board == "e2e"))
    pictures = {}
    for board in boards:
        for ending, (words, svg) in drawings(board).items():
            file = page.with_name(f"{page.stem}-{board.name}-{ending}.svg")
            write_atomic(file, svg)
            pictures[words] = file.name
    old = page.read_text(encoding="utf-8") if page.exists() else HEADING
    write_atomic(page, result_page.put(old, block(boards, written, records, pictures, folder)))


def block(
    boards: Sequence[Labelled],
    written: Written,
    records: Sequence[Record],
    pictures: dict[str, str],
    folder: Path,
) -> str:
    """The generated part."""
    parts = [f"![{words}]({file})" for words, file in pictures.items()]
    parts += ["### What was asked, and what was found", "\n".join(answers(boards, written))]
    for board in boards:
        if board.rows:
            parts += [f"### {TITLES[board.name]}", labelled_table(board), rates_table(board)]
    if written.rows:
        parts += [f"### {TITLES['e2e']}: texts from tables", written_table(written)]
    return "\n\n".join([*parts, *_how(records, folder)])


# ---------------------------------------------------------------------------------- the drawings


def drawings(board: Labelled) -> dict[str, tuple[str, str]]:
    """(what it shows, SVG) by the ending of the file's name."""
    rows = [row for name, row in board.rows.items() if name != UNTRAINED]
    if not rows:
        return {}
    title = TITLES[board.name]
    drawn = {
        "parameters": (f"{title}: score against trained parameters", _parameters(board, rows)),
        "rates": (f"{title}: score of the first draw by learning rate", _rates(rows)),
    }
    if forgetting := [trace for row in rows if (trace := _forgetting_trace(board, row))]:
        words = f"{title}: what is forgotten against what is learned"
        drawn["forgetting"] = (words, _forgetting(forgetting))
    return {ending: (words, svg) for ending, (words, svg) in drawn.items()}


def _parameters(board: Labelled, rows: Sequence[Row]) -> str:
    traces = [
        Trace(
            row.variant,
            _family(row),
            (Spot(row.first.trained, row.score, *board.interval(row.variant)),),
        )
        for row in rows
    ]
    across = "trained parameters, log scale"
    return _drawing(traces, TITLES[board.name], across, lambda value: say(value, "count"))


def _rates(rows: Sequence[Row]) -> str:
    traces = [
        Trace(
            row.variant,
            _family(row),
            tuple(Spot(record.cell.rate or 0.0, record.score) for record in row.tried),
            row.tried.index(row.first),
        )
        for row in rows
    ]
    across = "learning rate, log scale; large: the one chosen"
    return _drawing(traces, "Score by learning rate", across, lambda value: f"{value:g}")


def _drawing(traces: Sequence[Trace], title: str, across: str, tick: Callable[[float], str]) -> str:
    spots = [spot for trace in traces for spot in trace.spots]
    heights = [v for spot in spots for v in (spot.y, spot.low, spot.high) if v is not None]
    scale = log([spot.x for spot in spots])
    return plane(traces, title, (across, scale, tick), ("score, %", charts.axis(heights), _percent))


def _forgetting_trace(board: Labelled, row: Row) -> Trace | None:
    """The first draw at every rate: nats that texts of another kind cost more than before."""
    before = _general(board)
    if before is None or not all(record.general for record in row.tried):
        return None
    spots = tuple(Spot(r.general["nats"] - before["nats"], r.score) for r in row.tried)
    return Trace(row.variant, _family(row), spots, row.tried.index(row.first))


def _forgetting(traces: Sequence[Trace]) -> str:
    spots = [spot for trace in traces for spot in trace.spots]
    across = "nats per token that general text costs more than before; 0: nothing is forgotten"
    return plane(
        traces,
        "Forgetting and score",
        (across, charts.axis([0.0, *(spot.x for spot in spots)]), lambda value: f"{value:g}"),
        ("score, %", charts.axis([spot.y for spot in spots]), _percent),
    )


def _family(row: Row) -> Family:
    return FAMILIES.get(row.variant, "adapter")


def _percent(value: float) -> str:
    return f"{100 * value:.0f}"


def _general(board: Labelled) -> dict[str, float] | None:
    """What the untrained model knew."""
    untrained = board.rows.get(UNTRAINED)
    return dict(untrained.first.general) if untrained and untrained.first.general else None


# ----------------------------------------------------------------------------------- the answers


def answers(boards: Sequence[Labelled], written: Written) -> Iterator[str]:
    """One line for each question, with the figures, or what is missing for it."""
    banking = boards[0]
    yield _line("Does LoRA hold at rank 1?", _ranks(banking))
    yield _line("Does QLoRA reproduce LoRA?", _against(boards, "qlora", "lora", _alike))
    yield _line("Does IA3 do as well with a tenth of the parameters?",
                _against(boards, "ia3", "lora", _share))  # fmt: skip
    yield _line("Does prefix tuning match full fine-tuning on table-to-text?", _texts(written))
    for variant in ("prompt_tuning", "p_tuning"):
        yield _line(f"Where does `{variant}` stand at this size?", _stand(boards, variant))
    yield _line("Which rate does each want?", _orders(boards))
    yield _line("Does partial freezing forget less?", _forgotten(boards))


def _line(question: str, found: Sequence[str]) -> str:
    return f"- **{question}** {' '.join(found) if found else 'Not measured yet.'}"


def _ranks(board: Labelled) -> list[str]:
    if "lora" not in board.rows or "lora-rank1" not in board.ranks.names:
        return []
    numbers = board.ranks
    names = {f"lora-rank{rank}": rank for rank in RANKS} | {"lora": 8}
    scores = ", ".join(
        f"{rank}: {say(float(numbers.p[numbers.names.index(name)]), 'score')}"
        for name, rank in sorted(names.items(), key=lambda pair: pair[1])
        if name in numbers.names
    )
    gap = in_points(difference(numbers, "lora-rank1", "lora"))
    return [f"Score by rank on {TITLES[board.name]}, %, one draw: {scores}.",
            f"Rank 1 minus rank 8: {gap}."]  # fmt: skip


def _against(
    boards: Sequence[Labelled], a: str, b: str, more: Callable[[Labelled, str, str], str]
) -> list[str]:
    """The variants' difference on each board that has both, and `more` of it."""
    return [
        f"{TITLES[board.name]}: `{a}` minus `{b}` "
        f"{in_points(difference(board.numbers, a, b))}; {more(board, a, b)}."
        for board in boards
        if a in board.rows and b in board.rows
    ]


def _alike(board: Labelled, a: str, b: str) -> str:
    """Share of test rows that both answer alike after the same draw, and what both took."""
    rows = board.rows[a], board.rows[b]
    pairs = zip(*(row.draws for row in rows), strict=False)
    alike = [x == y for one, two in pairs for x, y in zip(one.answers, two.answers, strict=True)]
    took = [say(row.first.peak_bytes, "bytes") for row in rows]
    slower = rows[0].first.build_work / rows[1].first.build_work
    return (
        f"they answer {say(sum(alike) / len(alike), 'score')} % of the test rows alike; "
        f"peak memory {took[0]} against {took[1]}, {slower:.2f} times the processor's time"
    )


def _share(board: Labelled, a: str, b: str) -> str:
    few, many = (board.rows[name].first.trained for name in (a, b))
    return f"{say(few, 'count')} parameters against {say(many, 'count')}, one in {many / few:.0f}"


def _texts(written: Written) -> list[str]:
    if not {"prefix", "full"} <= set(written.rows):
        return []
    return [
        f"{measure}: {in_points(written.difference('prefix', 'full', measure))}."
        for measure in MEASURES
    ]


def _stand(boards: Sequence[Labelled], variant: str) -> list[str]:
    return [
        f"{TITLES[board.name]}: {say(board.rows[variant].score, 'score')} %, "
        + ", ".join(
            f"minus `{other}` {in_points(difference(board.numbers, variant, other))}"
            for other in (UNTRAINED, "lora", "full")
            if other in board.rows
        )
        + "."
        for board in boards
        if variant in board.rows
    ]


def _orders(boards: Sequence[Labelled]) -> list[str]:
    """The order of the first draw at the default rate, and at the chosen one."""
    found = []
    for board in boards:
        rows = [row for name, row in board.rows.items() if name != UNTRAINED]
        default = {row.variant: _at_default(row) for row in rows}
        if len(rows) < 2 or None in default.values():
            continue
        before = sorted(rows, key=lambda row: -(default[row.variant] or 0.0))
        after = sorted(rows, key=lambda row: -row.first.score)
        found.append(
            f"{TITLES[board.name]}, first draw: at the default rates {_order(before)}; "
            f"at the chosen ones {_order(after)}."
        )
    return found


def _at_default(row: Row) -> float | None:
    default = rates(row.variant)[0]
    return next((r.score for r in row.tried if r.cell.rate == default), None)


def _order(rows: Sequence[Row]) -> str:
    return " > ".join(f"`{row.variant}`" for row in rows)


def _forgotten(boards: Sequence[Labelled]) -> list[str]:
    found = []
    for board in boards:
        before = _general(board)
        rows = [board.rows.get(name) for name in ("full", "full-top4", "lora")]
        if before is None or not all(row and row.first.general for row in rows):
            continue
        said = ", ".join(
            f"`{row.variant}` {say(row.first.general['score'], 'score')} % and "
            f"{row.first.general['nats']:.3f} nats"
            for row in rows
            if row
        )
        found.append(
            f"{TITLES[board.name]}: general questions right and nats per token of general text "
            f"were {say(before['score'], 'score')} % and {before['nats']:.3f}; after {said}."
        )
    return found


# ------------------------------------------------------------------------------------ the tables


def labelled_table(board: Labelled) -> str:
    """Every variant with its score and what it took."""
    heads = ["variant", "rate", "draws", "score", "gap", "trained", "share", "build", "CPU",
             "peak memory", "adapter", "questions", "nats per token"]  # fmt: skip
    lines = [line(*heads), line(*["---"] * 1, *["--:"] * (len(heads) - 1))]
    return "\n".join([*lines, *(_labelled_line(board, row) for row in board.rows.values())])


def _labelled_line(board: Labelled, row: Row) -> str:
    first, (low, high) = row.first, board.interval(row.variant)
    score = f"{say(row.score, 'score')} ({say(low, 'score')}–{say(high, 'score')})"
    general = (
        [say(first.general["score"], "score"), f"{first.general['nats']:.3f}"]
        if first.general
        else ["–", "–"]
    )
    if row.variant == UNTRAINED:
        return line(f"`{row.variant}`", "–", "–", score, *["–"] * 7, *general)
    return line(
        f"`{row.variant}`",
        f"{first.cell.rate:g}",
        str(len(row.draws)),
        score,
        say(row.gap, "points"),
        say(first.trained, "count"),
        f"{100 * first.trained / first.of:.2g} %",
        say(_mean([record.build_seconds for record in row.draws]), "seconds"),
        say(_mean([record.build_work for record in row.draws]), "seconds"),
        say(first.peak_bytes, "bytes"),
        say(first.disk_bytes, "bytes"),
        *general,
    )


def rates_table(board: Labelled) -> str:
    """The first draw's score at every rate: it decides the ranking."""
    lines = [
        line("variant", "rates tried: score on test (and on the further rows), %"),
        "|---|---|",
    ]
    for row in board.rows.values():
        if row.variant == UNTRAINED:
            continue
        cells = [
            f"{'**' * (r is row.first)}{r.cell.rate:g}: {say(r.score, 'score')}"
            f"{'**' * (r is row.first)} ({say(r.dev[0] if r.dev else None, 'score')})"
            for r in row.tried
        ]
        lines.append(line(f"`{row.variant}`", ", ".join(cells)))
    return "\n".join(lines)


def written_table(written: Written) -> str:
    """Every variant with the three measures."""
    lines = [line("variant", *MEASURES, "trained", "build", "CPU", "adapter"),
             "|---|--:|--:|--:|--:|--:|--:|--:|"]  # fmt: skip
    for row in written.rows.values():
        figures = [written.figure(row.variant, measure) for measure in MEASURES]
        took = (
            ["–"] * 4
            if row.variant == UNTRAINED
            else [
                say(row.first.trained, "count"),
                say(row.first.build_seconds, "seconds"),
                say(row.first.build_work, "seconds"),
                say(row.first.disk_bytes, "bytes"),
            ]
        )
        told = [f"{_one(value)} ({_one(low)}–{_one(high)})" for value, low, high in figures]
        lines.append(line(f"`{row.variant}`", *told, *took))
    rows = len(next(iter(written.rows.values())).first.answers)
    below = (
        f"{rows} test rows, in percent with 95 % intervals; people's own texts cover "
        f"{_one(written.people)} % of the slots in these very words."
    )
    return "\n".join([*lines, "", below])


def _one(value: float) -> str:
    return say(value, "score")


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


# ------------------------------------------------------------------------------ how and how much


def _how(records: Sequence[Record], folder: Path) -> list[str]:
    """What was trained in all, what failed, what is missing, and on which machine."""
    fine = [record for record in records if not record.failed]
    tokens = sum(record.tokens for record in fine)
    work = sum(record.build_work for record in fine)
    parts = [
        "### How it was measured",
        f"{len(fine)} trainings and untrained rows read {tokens:,} tokens of text in training "
        f"({_of_boards(fine)}) and took {say(work, 'seconds')} of one core to build. Scores are "
        "in percent with 95 % intervals over test rows and draws; gap: train minus test, points; "
        "build and CPU: the mean of the draws, searching for the rate not counted; questions and "
        "nats per token: what is still known of other things, see the first line of the table "
        "for what was known before.",
    ]
    if failed := [f"- `{r.cell.name}`: {r.failed}" for r in records if r.failed]:
        parts += ["Came to nothing:", "\n".join(failed)]
    if missing := _missing(records):
        parts += ["**Not measured yet**: " + ", ".join(f"`{name}`" for name in missing) + "."]
    return [*parts, *_machine(folder)]


def _of_boards(records: Sequence[Record]) -> str:
    parts = []
    for name, title in TITLES.items():
        tokens = [r.tokens for r in records if r.cell.board == name and r.tokens]
        if tokens:
            parts.append(f"{title}: {_mean(tokens):,.0f} each")
    return "; ".join(parts)


def _missing(records: Sequence[Record]) -> list[str]:
    """Groups of cells that are not there whole."""
    there = Counter((record.cell.board, record.cell.variant) for record in records)
    wanted = {
        (board, variant): _cells(board, variant)
        for board, variants in VARIANTS_OF.items()
        for variant in variants
    }
    wanted |= {("banking10", f"lora-rank{rank}"): 1 for rank in RANKS}
    return [
        f"{'.'.join(group)} ({there[group]} of {count})"
        for group, count in wanted.items()
        if there[group] < count
    ]


def _cells(board: str, variant: str) -> int:
    """Three rates and two more draws; one training where texts are written."""
    return 1 if variant == UNTRAINED or board == "e2e" else 5


def _machine(folder: Path) -> list[str]:
    path = folder / "machine.json"
    if not path.exists():
        return []
    machine = json.loads(path.read_text(encoding="utf-8"))
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return [
        f"`python benchmarks/claims_peft.py` on {machine['processor']}, one thread a process, "
        f"{machine['device']} {machine['dtype']}, Python {machine['python']}, {versions}."
    ]
