"""What is asked for. The flags, the keys of nshot.yaml and `nshot.compare` are these fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from nshot.board.schema import Preference, Wish
from nshot.core.errors import Fault, InputError
from nshot.core.fields import ENCODING, Flag, Names, Number, Place, Places, Settings, Whole
from nshot.core.serial import read_json, read_yaml


def _size(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return None if value.strip() == "all" else int(value)
    except ValueError:
        raise ValueError(f"'{value}' is no number of rows, nor 'all'") from None


def _sizes(value: Any) -> Any:
    """A number alone is one size."""
    return (value,) if isinstance(value, int | str) else value


Size: TypeAlias = Annotated[Whole | None, BeforeValidator(_size)]
"""Rows per label; None (typed ``all``) is all there are."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Request:
    """A comparison as it was asked for: types are checked here, all the rest by `prepare`."""

    task: Annotated[
        Place,
        Flag(
            "task.yaml, a .csv .tsv .jsonl .parquet file, a folder with a sub-folder per class,"
            " or the nshot.yaml of an earlier run",
            "TASK",
            name="task",
        ),
    ]
    test: Annotated[
        Place | None,
        Flag("test rows; without, compare cuts them from TASK or folds it", "FILE"),
    ] = None
    unlabelled: Annotated[
        Place | None,
        Flag(
            "texts without labels, for methods that learn from them (docs/distillation.md)", "FILE"
        ),
    ] = None
    text: Annotated[Names, Flag("the text column or columns", "A,B", several=",")] = ()
    label: Annotated[str | None, Flag("the label column", "C")] = None
    group: Annotated[
        str | None,
        Flag(
            "rows of one group are never separated: a column, or of a folder a pattern of its"
            " files' names, such as '{group}_*.jpg'",
            "C",
        ),
    ] = None
    kind: Annotated[
        Literal["classify", "score", "multilabel", "number", "spans", "generate"] | None,
        Flag(
            "one label of a few, levels in order, several labels, a number, pieces of the text, or"
            " free answers"
        ),
    ] = None
    pictures: Annotated[
        Place | None,
        Flag("the folder of the pictures that a column names (default: the file's own)", "FOLDER"),
    ] = None
    positive: Annotated[
        str | None, Flag("of two labels the one that is looked for (default: by its name)", "LABEL")
    ] = None
    encoding: Annotated[str | None, Flag(ENCODING, "NAME")] = None
    model: Annotated[
        Names,
        Flag("language model: a folder or a Hub id; repeatable", "M", several="again"),
    ] = ()
    encoder: Annotated[
        Names,
        Flag(
            "encoder of sentences, or of pictures: a folder or a Hub id; repeatable"
            " (default: by the texts' language)",
            "E",
            several="again",
        ),
    ] = ()
    metric: Annotated[str | None, Flag("what the score is (docs/metrics.md)", "NAME")] = None
    also: Annotated[Names, Flag("further metrics, shown beside the score", "A,B", several=",")] = ()
    methods: Annotated[
        Names | None,
        Flag(
            "methods, rungs (trivial, prompt, fewshot, peft, finetune) or all "
            "(default: the marked of `nshot methods`)",
            "A,B",
            several=",",
        ),
    ] = None
    adapters: Annotated[
        Names,
        Flag(
            "a PEFT adapter trained elsewhere on the language model: a row of its own; repeatable",
            "DIR",
            name="--adapter",
            several="again",
        ),
    ] = ()
    answers: Annotated[
        Places,
        Flag(
            "answers that another system gave, as a row of their own: id or text, answer, and"
            " perhaps probabilities, cost, seconds (docs/recorded-answers.md); repeatable",
            "NAME=FILE",
            several="again",
        ),
    ] = Field(default_factory=dict)
    shots: Annotated[
        tuple[Size, ...] | None,
        BeforeValidator(_sizes),
        Flag(
            "how does it go with so many rows per label? (default: all rows, as delivered)",
            "4,8,16|all",
            several=",",
        ),
    ] = None
    seeds: Annotated[
        Whole | None,
        Flag(
            "draws of the shots (default 3, of fast methods 20), or repeats of the folds (3)", "N"
        ),
    ] = None
    test_limit: Annotated[Whole | None, Flag("at most N test rows", "N")] = None
    more_test: Annotated[
        Names,
        Flag(
            "further test rows of the same source for the run folder TASK: what was measured"
            " answers them, and it is decided again; repeatable",
            "FILE",
            several="again",
        ),
    ] = ()
    thorough: Annotated[
        bool, Flag("measure every method on all test rows; nothing is put aside early")
    ] = False
    refit_on_all: Annotated[
        bool, Flag("deliver the pick adapted anew on all rows, the held-out ones too")
    ] = False
    minutes: Annotated[Number | None, Flag("time to spend; what would not fit is skipped", "M")] = (
        None
    )
    money: Annotated[
        Number | None,
        Flag(
            "what models behind endpoints may cost, by their prices: a request that might pass it"
            " is not made, and the same command with more goes on",
            "M",
        ),
    ] = None
    prices: Annotated[
        Place | None,
        Flag(
            "what models behind endpoints cost, and an hour of this machine: a table"
            " (docs/endpoints.md)",
            "FILE.yaml",
        ),
    ] = None
    workers: Annotated[
        Whole | None,
        Flag("processes that work side by side (default: what cores and memory allow)", "N"),
    ] = None
    prefer: Annotated[
        Preference,
        Flag(
            "which cost weighs; balanced: building plus 10,000 answers; money: the same by prices"
            " (docs/endpoints.md)"
        ),
    ] = "balanced"
    give_up: Annotated[
        Number | None,
        Flag("points of score a cheaper method may measure below the top (default 2)", "POINTS"),
    ] = None
    margin: Annotated[
        Number | None,
        Flag(
            "points that a model of your own may be worse than what stands already (--answers, a"
            " model that decides): says from how many labelled rows on it is not"
            " (docs/decision-models.md)",
            "POINTS",
        ),
    ] = None
    judge: Annotated[
        Place | None,
        Flag(
            "a language model, or the folder of a reward model, that compares answers with those of"
            " zero_shot (docs/metrics.md)",
            "M",
        ),
    ] = None
    judge_pairs: Annotated[
        Place | None,
        Flag(
            "what people chose: prompt, chosen, rejected; a judge that disagrees is not heard",
            "FILE.jsonl",
        ),
    ] = None
    settings: Annotated[
        Settings,
        Flag(
            "pin a setting, as in full.top_layers=4; it is then not searched",
            "METHOD.NAME=VALUE",
            name="--set",
            several="again",
        ),
    ] = Field(default_factory=dict)
    audit: Annotated[bool, Flag("audit the winner once it is delivered (docs/responsible.md)")] = (
        False
    )
    out: Annotated[Place | None, Flag("run folder (default runs/TASK)", "DIR")] = None

    @property
    def wish(self) -> Wish:
        """What is wanted of the decision."""
        return Wish(
            prefer=self.prefer, give_up=None if self.give_up is None else self.give_up / 100
        )


PLACES = ("task", "test", "unlabelled", "pictures", "judge", "judge_pairs", "prices")
"""Fields that hold a path, or a name that may be one; those in `PLACE_LISTS` hold several."""
PLACE_LISTS = ("model", "encoder", "more_test")


def is_request(path: Path) -> bool:
    """Is this the nshot.yaml of a run? By its name, or a key that no task file has."""
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        return False
    text = path.read_text(encoding="utf-8", errors="replace")
    key = re.search(r"^\ufeff?(['\"]?)(compare|task)\1\s*:", text, re.MULTILINE)
    return path.name == "nshot.yaml" or key is not None


def read_request(path: Path, faults: list[Fault] | None = None) -> Request:
    """The request in an ``nshot.yaml``; its paths are read from that file's folder.

    Raises `InputError` with every unknown key and wrong value, each with its line, or puts them to
    `faults`.
    """
    content = read_yaml(path, "compare: {task: FILE}")
    if not isinstance(content.data, dict) or "compare" not in content.data:
        problem = "a request without the key `compare`"
        do = "write `compare:` above its keys, and those two spaces further in"
        raise InputError(Fault(problem, "compare: {task: FILE}", do, content.where()))
    request, wrong = content.read(Request, content.data["compare"], ("compare",))
    own = _own_methods(path)
    wrong += [_own_fault(path, name, own[name]) for name in request.methods or () if name in own]
    if wrong and faults is None:
        raise InputError(wrong)
    if faults is not None:
        faults += wrong
    places: dict[str, Any] = {key: _placed(path, getattr(request, key)) for key in PLACES}
    for key in PLACE_LISTS:
        places[key] = tuple(_placed(path, name) for name in getattr(request, key))
    places["adapters"] = tuple(str((path.parent / name).resolve()) for name in request.adapters)
    places["answers"] = {name: _placed(path, file) for name, file in request.answers.items()}
    if request.methods is not None:
        places["methods"] = tuple(name for name in request.methods if name not in own)
    return replace(request, **places)


def _own_methods(path: Path) -> Mapping[str, str]:
    """The methods of a run that nshot does not bring, and where they are."""
    setting = path.parent / "data" / "setting.json"
    own: Mapping[str, str] = read_json(setting).get("methods", {}) if setting.exists() else {}
    return own


def _own_fault(path: Path, name: str, place: str) -> Fault:
    """A file does not decide what is imported."""
    cls = place.rpartition(":")[2]
    return Fault(
        f"method '{name}' is not one of nshot's: {place}",
        "methods that nshot or an installed package brings",
        f"from Python: nshot.compare(TASK, methods=[{cls}(), ...], out='{path.parent}')",
        str(path),
    )


def _placed(path: Path, name: str | None) -> str | None:
    """A path of the request file, read from that file's folder; what is no path as it is."""
    place = path.parent / name if name else path
    return str(place.resolve()) if name and place.exists() else name
