"""`nshot quantise`: a row of a finished run in fewer bits, measured on the same rows.

It is a comparison of two on the run's rows, in a folder of its own: the row as it lies there, and
the same model as a quantised GGUF file, answered by llama.cpp in a new process. Whoever asks for it
wants the small one: unless it lost too much it is delivered in ``quantised/``, whichever of the two
is the pick (the larger one may answer faster).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from typing import Annotated, Any

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked

from nshot.bench.execute.crew import model_bytes
from nshot.bench.from_run import (
    ModelsOf,
    as_measured,
    measured_row,
    parent_request,
    pins,
    require_same_rows,
)
from nshot.bench.prepare import Prepared, prepare
from nshot.bench.request import Request
from nshot.bench.run import Result, carry_out
from nshot.bench.setting import Setting
from nshot.board.events import Subscriber, ignore
from nshot.board.schema import Board, Row
from nshot.board.shrinking import Shrinking, shrinking
from nshot.board.words import give_up_of
from nshot.core.errors import Fault, InputError
from nshot.core.fields import Flag, Number, Place
from nshot.core.files import folder_bytes, link, write_atomic, write_folder
from nshot.core.serial import from_data
from nshot.methods import TABLE
from nshot.methods.compress.quantise import FORMS, Quantise
from nshot.methods.contract import Method
from nshot.methods.spec import parts, spec
from nshot.models.hf.quantised import PACKINGS
from nshot.models.llamacpp.llama_api import missing_runtime

FILE = "quantised.json"
DELIVERED = "quantised"
"""The folder of the quantised model, beside ``winner/``."""


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class Quantisation:
    """What is asked for; the flags of `nshot quantise` are these fields."""

    folder: Annotated[Place, Flag("a finished run folder", "DIR", name="folder")]
    bits: Annotated[
        str,
        Flag(
            "how weights are kept: 16 bits, or blocks of 8, 5, 4; mixed: each matrix in what the"
            " folds ask for, no more than --megabytes in all; int8, nf4: packed by bitsandbytes;"
            " int8 of a head: its numbers alone",
            "BITS",
        ),
    ] = "Q8_0"
    megabytes: Annotated[
        Number | None, Flag("the most that a file of mixed bits may have", "MB")
    ] = None
    row: Annotated[
        str | None,
        Flag(
            "the row of the run's board whose model becomes smaller (default: its pick)",
            "ROW",
        ),
    ] = None
    give_up: Annotated[
        Number | None, Flag("points that it may lose and be delivered (default 2)", "POINTS")
    ] = None
    out: Annotated[Place | None, Flag("folder to write (default DIR/quantise-BITS)", "DIR2")] = None


@dataclass(frozen=True)
class Quantised:
    """What came out: the board of the two, its folder, and what was lost.

    `delivered` is the folder of the quantised model; None where it is refused.
    """

    result: Result
    shrinking: Shrinking
    delivered: Path | None


@dataclass(frozen=True)
class Shrinkable:
    """A quantisation that was found free of faults: the comparison, and who is who in it."""

    prepared: Prepared
    before: str
    after: str
    bits: str
    bytes_before: int


def quantise(
    folder: str | Path,
    bits: str = "Q8_0",
    *,
    megabytes: float | None = None,
    row: str | None = None,
    give_up: float | None = None,
    out: str | Path | None = None,
    on: Subscriber = ignore,
) -> Quantised:
    """What ``nshot quantise`` does, from Python.

    `Quantisation` says what each argument is. Raises `InputError` with the faults of the request.
    """
    arguments = dict(locals())
    del arguments["on"]
    return shrink(prepare_shrinking(from_data(Quantisation, arguments)), on, "nshot.quantise(...)")


def shrink(one: Shrinkable, on: Subscriber, command: str = "") -> Quantised:
    """Measure the row and its quantised form; write ``quantised.json`` and ``quantised/``."""
    result = carry_out(one.prepared, on, command)
    wish = one.prepared.request.wish
    give_up = give_up_of(wish.prefer) if wish.give_up is None else wish.give_up
    board = Board.read(result.folder)
    out = shrinking(board, one.before, one.after, one.bits, one.bytes_before, give_up)
    write_atomic(result.folder / FILE, out.dumps())
    return Quantised(result, out, _delivered(result.folder, board.row(one.after), out.refused))


def _delivered(folder: Path, row: Row, refused: bool) -> Path | None:
    """``quantised/`` with the files that answered the test rows; nothing there where refused."""
    place = folder / DELIVERED
    if refused or row.saved is None:
        rmtree(place, ignore_errors=True)  # of an earlier tolerance
        return None
    measured = folder / row.saved

    def fill(into: Path) -> None:
        for path in sorted(measured.rglob("*")):
            copy = into / path.relative_to(measured)
            copy.mkdir() if path.is_dir() else link(path, copy)

    write_folder(place, fill)
    return place


def prepare_shrinking(request: Quantisation) -> Shrinkable:
    """Read the run and check everything the request names. Raises `InputError` with the faults."""
    folder = Path(request.folder).expanduser()
    parent = parent_request(folder, "nshot quantise runs/TASK --bits Q8_0")
    board, setting = Board.read(folder), Setting.read(folder)
    faults = _faults(request)
    if request.bits not in PACKINGS and (missing := missing_runtime()) is not None:
        faults.append(missing)
    row = measured_row(board, request.row, "--row", faults)
    if row is None or faults:
        raise InputError(faults)
    has_model = row.method not in TABLE or _has_model(row)
    if request.bits != "int8" and not has_model:
        problem = f"{row.name} answers without a language model or an encoder"
        expected = "a row that has one, such as lora, few_shot or linear_probe"
        raise InputError(Fault(problem, expected, "--row ROW, or --bits int8 for a head"))
    before = as_measured(folder, setting, row)
    after = TABLE.build(
        {
            "method": "quantise",
            "of": spec(before),
            "bits": request.bits,
            "megabytes": request.megabytes,
        }
    )
    if not isinstance(after, Quantise):
        raise InputError(Fault(f"quantise is {type(after).__name__}", "nshot's own"))
    models = ModelsOf.of(after, parent, setting, row)
    out = request.out or str(folder / f"quantise-{after.form}")
    prepared = prepare(_comparison(request.give_up, out, parent, models, (before, after)))
    require_same_rows(setting, prepared, folder)
    size = _bytes_before(folder, setting, row, request.bits)
    return Shrinkable(prepared, before.called, after.called, after.form, size)


def _has_model(row: Row) -> bool:
    """Whether its method, or one in it, stands on a language model or an encoder."""
    return any(part.needs or part.needs_encoder for part in parts(_method(row)))


def _method(row: Row) -> Method:
    return TABLE.build({"method": row.method, **row.settings})


def _faults(request: Quantisation) -> list[Fault]:
    """Of the bits, and of a limit without mixed ones."""
    bits, limit = request.bits, request.megabytes
    if bits not in FORMS:
        return [Fault(f"--bits {bits}", f"one of: {', '.join(FORMS)}", "--bits Q8_0")]
    if bits == "mixed" and limit is None:
        do = "--bits mixed --megabytes 100"
        return [Fault("--bits mixed", "the most megabytes that the file may have", do)]
    if bits != "mixed" and limit is not None:
        do = f"--bits mixed --megabytes {limit:g}"
        return [Fault(f"--megabytes {limit:g} with --bits {bits}", "mixed bits, which fill it", do)]
    if limit is not None and limit <= 0:
        return [Fault(f"--megabytes {limit:g}", "more than 0")]
    return []


def _bytes_before(folder: Path, setting: Setting, row: Row, bits: str) -> int:
    """Of the model that becomes smaller, in float32, and of what was learned beside it.

    Of a head that is rounded alone the encoder stays: it is counted neither before nor after.
    """
    saved = folder / row.saved if row.saved else None
    learned = folder_bytes(saved) if saved and saved.is_dir() else 0
    inside = parts(_method(row))
    if any(part.needs for part in inside):
        name, refs = row.base, setting.bases
    elif bits != "int8" and any(part.needs_encoder for part in inside):
        name, refs = row.encoder, setting.encoders
    else:
        return learned
    return learned + next((model_bytes(ref) for ref in refs if name in (None, ref.name)), 0)


def _comparison(
    give_up: float | None,
    out: str,
    parent: Request,
    models: ModelsOf,
    methods: tuple[Method, ...],
) -> Request:
    """The comparison of the two on the rows of the run."""
    settings: Mapping[str, Mapping[str, Any]] = {one.name: pins(one) for one in methods}
    return replace(
        parent,
        model=models.model,
        encoder=models.encoder,
        methods=tuple(method.name for method in methods),
        adapters=(),
        shots=None,
        seeds=None,
        thorough=True,
        refit_on_all=False,
        minutes=None,
        workers=1,
        prefer="serving",
        give_up=give_up,
        margin=None,
        judge=None,
        judge_pairs=None,
        settings=settings,
        out=out,
    )
