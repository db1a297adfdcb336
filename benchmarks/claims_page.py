"""docs/results/peft.md from the cells that are there: plots, answers with figures, tables."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import result_page
from claims_cells import RANKS, UNTRAINED, VARIANTS_OF, Record, Records, rates
from claims_results import MEASURES, Labelled, Row, Written, difference, in_points
from nshot.core.files import write_atomic
from nshot.report import charts
from nshot.report.numbers import say
from plane import Family, Spot, Trace, log, plane
from table import ROOT, line

PAGE = ROOT / "docs" / "results" / "peft.md"
TITLES = {"banking10": "BANKING77 (ten intents)", "sst2": "SST-2", "e2e": "E2E"}
FAMILIES: dict[str, Family] = {
    "prompt_tuning": "soft prompt",
    "p_tuning": "soft prompt",
    "prefix": "soft prompt",
    "full": "own weights",
    "full-top4": "own weights",
}
DIFFERENCES = (
    "Differences are in points with their 95 % interval; **bold** where that leaves out zero. "
    "Two rows whose difference is not bold cannot be told apart here."
)
HEADING = "# The claims of parameter-efficient tuning, measured again\n"


def write(folder: Path, page: Path = PAGE) -> None:
    """The page and its pictures; what was written by hand around the generated part stays."""
    records = Records(folder).all()
    boards = [
        Labelled(name, tuple(r for r in records if r.cell.board == name))
        for name in ("banking10", "sst2")
    ]
    written = Written(tuple(r for r in records if r.cell.board == "e2e"))
    pictures: dict[str, list[str]] = {}
    for board in boards:
        for ending, (words, svg) in drawings(board).items():
            file = page.with_name(f"{page.stem}-{board.name}-{ending}.svg")
            write_atomic(file, svg)
            pictures.setdefault(ending, []).append(f"![{words}]({file.name})")
    old = page.read_text(encoding="utf-8") if page.exists() else HEADING
    write_atomic(page, result_page.put(old, block(boards, written, records, pictures, folder)))


def block(
    boards: Sequence[Labelled],
    written: Written,
    records: Sequence[Record],
    pictures: Mapping[str, Sequence[str]],
    folder: Path,
) -> str:
    """The generated part; `pictures` by what they show, side by side for the boards."""
    parts = [_side_by_side([TITLES[board.name] for board in boards if board.rows], pictures)]
    parts += ["## What was asked, and what was found", DIFFERENCES]
    parts += ["\n".join(answers(boards, written))]
    for board in boards:
        if board.rows:
            parts += [f"## {TITLES[board.name]}", labelled_table(board), rates_table(board)]
    if written.rows:
        parts += [f"## {TITLES['e2e']}: texts from tables", written_table(written)]
    return "\n\n".join([*filter(None, parts), *_how(records, folder)])


def _side_by_side(titles: Sequence[str], pictures: Mapping[str, Sequence[str]]) -> str:
    """One column for each board, one row for each kind of picture."""
    if not pictures:
        return ""
    rows = [line(*shown) for shown in pictures.values() if len(shown) == len(titles)]
    return "\n".join([line(*titles), line(*["---"] * len(titles)), *rows])


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
    return [
        f"{TITLES[board.name]}, one draw, score in % by rank: {scores}.",
        f"Rank 1 against rank 8: {gap}.",
    ]


def _against(
    boards: Sequence[Labelled], a: str, b: str, more: Callable[[Labelled, str, str], str]
) -> list[str]:
    """The variants' difference on each board that has both, and `more` of it."""
    return [
        f"{TITLES[board.name]}: `{a}` against `{b}` "
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
    told = [
        f"{measure} {_one(written.figure('prefix', measure)[0])} against "
        f"{_one(written.figure('full', measure)[0])}: "
        f"{in_points(written.difference('prefix', 'full', measure))}"
        for measure in MEASURES
    ]
    return [f"`prefix` against `full`: {'; '.join(told)}."]


def _stand(boards: Sequence[Labelled], variant: str) -> list[str]:
    return [
        f"{TITLES[board.name]}: {_one(board.rows[variant].score)} %; against "
        + ", ".join(
            f"`{other}` {in_points(difference(board.numbers, variant, other))}"
            for other in (UNTRAINED, "lora", "full")
            if other in board.rows
        )
        + "."
        for board in boards
        if variant in board.rows
    ]


def _orders(boards: Sequence[Labelled]) -> list[str]:
    """What the rate moves on the first draw, and whether choosing it changes the order."""
    found = []
    for board in boards:
        rows = [row for name, row in board.rows.items() if name != UNTRAINED]
        if len(rows) < 2:
            continue
        moved = {row.variant: _spread(row) for row in rows}
        most, least = max(moved, key=moved.__getitem__), min(moved, key=moved.__getitem__)
        before, after = (
            sorted(rows, key=lambda row, i=i: -_at(row)[i])  # type: ignore[misc]
            for i in (0, 1)
        )
        places = sum(a is not b for a, b in zip(before, after, strict=True))
        found.append(
            f"{TITLES[board.name]}: the rate moves `{most}` by {100 * moved[most]:.0f} points, "
            f"`{least}` by {100 * moved[least]:.0f}. At the default rates `{before[0].variant}` "
            f"leads and `{before[-1].variant}` is last, at the chosen ones `{after[0].variant}` "
            f"and `{after[-1].variant}`; {places} of {len(rows)} change their place."
        )
    return found


def _spread(row: Row) -> float:
    """The best rate's score on the first draw minus the worst one's."""
    scores = [record.score for record in row.tried]
    return max(scores) - min(scores)


def _at(row: Row) -> tuple[float, float]:
    """The first draw's score at the default rate (where that failed: 0) and at the chosen one."""
    default = rates(row.variant)[0]
    at_default = [record.score for record in row.tried if record.cell.rate == default]
    return max(at_default, default=0.0), row.first.score


def _forgotten(boards: Sequence[Labelled]) -> list[str]:
    found = []
    for board in boards:
        before = _general(board)
        rows = [board.rows.get(name) for name in ("full", "full-top4", "lora")]
        if before is None or not all(row and row.first.general for row in rows):
            continue
        said = ", ".join(
            f"`{row.variant}` {_one(row.first.general['score'])} % and "
            f"{row.first.general['nats']:.3f}"
            for row in rows
            if row
        )
        found.append(
            f"{TITLES[board.name]}: {_one(before['score'])} % of the general questions and "
            f"{before['nats']:.3f} nats a token before; after {said}."
        )
    return found


# ------------------------------------------------------------------------------------ the tables


TOOK = ("trained", "share", "build", "CPU", "peak memory", "adapter", "questions", "nats per token")


def labelled_table(board: Labelled) -> str:
    """Every variant with its score and what it took."""
    lines = [line("variant", "rate", "draws", "score", "gap", *TOOK), _rule(4 + len(TOOK))]
    for row in board.rows.values():
        low, high = board.interval(row.variant)
        rate, draws = ("–", "–") if row.variant == UNTRAINED else (
            f"{row.first.cell.rate:g}", str(len(row.draws))
        )  # fmt: skip
        score = f"{_one(row.score)} ({_one(low)}–{_one(high)})"
        lines.append(
            line(f"`{row.variant}`", rate, draws, score, say(row.gap, "points"), *_took(row))
        )
    return "\n".join(lines)


def _rule(numbers: int) -> str:
    """Under the heads of a table: words, then so many columns of numbers."""
    return line("---", *["--:"] * numbers)


def _took(row: Row) -> list[str]:
    """What training took, and what is still known of other things; see `TOOK`."""
    first, known = row.first, row.first.general
    knows = [_one(known["score"]), f"{known['nats']:.3f}"] if known else ["–", "–"]
    if row.variant == UNTRAINED:
        return [*["–"] * (len(TOOK) - len(knows)), *knows]
    return [
        say(first.trained, "count"),
        _part(100 * first.trained / first.of),
        say(_mean([record.build_seconds for record in row.draws]), "seconds"),
        say(_mean([record.build_work for record in row.draws]), "seconds"),
        say(first.peak_bytes, "bytes"),
        say(first.disk_bytes, "bytes"),
        *knows,
    ]


def _part(share: float) -> str:
    """Two digits, also of a share in the thousandths."""
    return f"{share:.0f} %" if share >= 10 else f"{share:.2g} %"


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
    lines = [line("variant", *MEASURES, "gap", *TOOK), _rule(len(MEASURES) + 1 + len(TOOK))]
    for row in written.rows.values():
        figures = [written.figure(row.variant, measure) for measure in MEASURES]
        told = [f"{_one(value)} ({_one(low)}–{_one(high)})" for value, low, high in figures]
        lines.append(line(f"`{row.variant}`", *told, say(row.gap, "points"), *_took(row)))
    rows = len(next(iter(written.rows.values())).first.answers)
    below = (
        f"{rows} test rows, in percent with 95 % intervals; the gap is that of token F1. People's "
        f"own texts cover {_one(written.people)} % of the slots in these very words."
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
        "## How it was measured",
        f"{len(fine)} cells, which read {tokens:,} tokens of text in training "
        f"({_of_boards(fine)}), took {say(work, 'seconds')} of one core to build. Scores are in "
        "percent with 95 % intervals over test rows and draws; build and CPU are means of the "
        "draws, the search for the rate not counted. The first draw was trained at three rates, of "
        "which 100 further training rows chose one: what each method can do at the rate it wants, "
        "not what a search on the shots alone would have found. Gap: train minus test, points. "
        "Questions and nats per token: what the model still knows of other things "
        "([forgetting](../forgetting.md)).",
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
