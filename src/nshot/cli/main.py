"""The verbs. Everything heavy is imported by the verb that needs it, so that --help is quick."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nshot import __version__
from nshot.core.errors import Fault, InputError, NshotError, nearest

if TYPE_CHECKING:
    from nshot.bench.request import Request
    from nshot.core.types import Prediction, Task
    from nshot.methods.fewshot.episodic import Episodic
    from nshot.synthesis.files import Asking, Done

_EPILOG = """\
examples:
  nshot compare tickets.csv                         guess the columns, try everything
  nshot compare tickets.csv --dry-run               what that would take on this machine
  nshot compare train.jsonl --test dev.jsonl --shots 4,8,16 --methods linear_probe,few_shot,lora
  nshot advise runs/tickets --prefer serving        decide again, where answers must be cheap
  nshot compare photos/                             a folder with a sub-folder per class
  nshot predict runs/tickets new.csv -o out.jsonl   the winner answers
  nshot predict runs/photos new/*.jpg -o out.jsonl
  nshot predict runs/tickets runs/films mixed.csv   several on one base: rows name theirs
exit codes: 0 done, 2 the request or its files have faults, 3 something broke while running
(the partial board is kept), 130 interrupted (the same command goes on)."""


def main(argv: Sequence[str] | None = None) -> None:
    """The command ``nshot``. Exits 0, 2 (the request), 3 (broke while running) or 130."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments, rest = _parser().parse_known_args(words)
    if rest:
        arguments.parser.error(f"unrecognized arguments: {' '.join(rest)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # asked to stop: as by Ctrl-C
    try:
        code = arguments.verb(arguments)
        sys.stdout.flush()
    except NshotError as error:
        sys.stderr.write(f"nshot: {error}\n")
        code = error.exit_code
    except BrokenPipeError:  # whoever reads has read enough, as in `nshot methods | head -3`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        sys.stderr.write(f"nshot: {error.strerror}: {error.filename or ''}\n")
        code = 3
    except KeyboardInterrupt:
        sys.stderr.write("nshot: interrupted\n")
        code = 130
    raise SystemExit(code)


# ------------------------------------------------------------------ the words of a command line


class _Parser(argparse.ArgumentParser):
    """A parser whose refusal of a flag names the nearest one."""

    def error(self, message: str) -> Any:
        """Exit code 2, with the cure."""
        if message.startswith("unrecognized arguments: "):
            wrong = message.split(": ", 1)[1].split()[0]
            known = [flag for action in self._actions for flag in action.option_strings]
            message += f" ({nearest(wrong.split('=')[0], known)})"
        self.exit(2, f"nshot: {message}\n  try:      {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="nshot",
        description="Which way of adapting a model is worth it on your task: measured on your own"
        " examples, with the cost beside it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"nshot {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB", parser_class=_Parser)
    _add_compare(verbs)
    _add_adapt(verbs)
    _add_predict(verbs)
    _add_extend(verbs)
    _add_advise(verbs)
    _add_episodes(verbs)
    _add(verbs, "methods", _methods, "the methods, cheapest first, with their settings")
    check = _add(verbs, "check", _check, "look at a task's data, or verify a delivered folder")
    check.add_argument("task", metavar="TASK|DIR", help="a task, or a folder with check.jsonl")
    _add_columns(check)
    check.add_argument("--test", metavar="FILE", help="test rows")
    _add(verbs, "models", _models, "the models at hand")
    _add_data(verbs)
    return parser


def _add(verbs: Any, name: str, verb: Callable[[Any], int], about: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=about, description=about, allow_abbrev=False
    )
    parser.set_defaults(verb=verb, parser=parser)
    return parser


def _add_compare(verbs: Any) -> None:
    parser = _add(verbs, "compare", _compare, "measure the ladder of methods on a task")
    _add_task(parser)
    parser.add_argument(
        "--methods", metavar="A,B",
        help="methods, rungs (trivial, prompt, fewshot, peft, finetune) or all "
        "(default: the marked of `nshot methods`)",
    )  # fmt: skip
    parser.add_argument(
        "--adapter", action="append", default=[], metavar="DIR", dest="adapters",
        help="a PEFT adapter trained elsewhere on the language model: a row of its own; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--shots",
        metavar="4,8,16|all",
        help="labelled rows per label (default: up to 16); several give a curve",
    )
    parser.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="draws of the shots (default 3)"
    )
    parser.add_argument("--test-limit", type=int, metavar="N", help="at most N test rows")
    parser.add_argument(
        "--minutes", type=float, metavar="M", help="time to spend; what would not fit is skipped"
    )
    parser.add_argument(
        "--judge", metavar="M",
        help="a language model that compares answers with those of zero_shot (docs/metrics.md)",
    )  # fmt: skip
    parser.add_argument(
        "--judge-pairs", metavar="FILE.jsonl",
        help="what people chose: prompt, chosen, rejected; a judge that disagrees is not heard",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="print the forecast and stop")
    parser.add_argument(
        "--set", action="append", default=[], metavar="METHOD.NAME=VALUE", dest="settings",
        help="pin a setting, as in full.top_layers=4; it is then not searched",
    )  # fmt: skip
    parser.add_argument("--out", metavar="DIR", help="run folder (default runs/TASK)")


def _add_adapt(verbs: Any) -> None:
    parser = _add(verbs, "adapt", _adapt, "adapt one method and save what answers")
    _add_task(parser)
    parser.add_argument("--method", required=True, metavar="NAME", help="see `nshot methods`")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="settings",
        help="pin a setting, as in rank=16; it is then not searched",
    )  # fmt: skip
    parser.add_argument("--shots", metavar="N|all", default="all", help="rows per label")
    parser.add_argument("--out", metavar="DIR", required=True, help="folder to write")


def _add_task(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "task", metavar="TASK",
        help="task.yaml, a .csv .tsv .jsonl .parquet file, a folder with a sub-folder per class,"
        " or the nshot.yaml of an earlier run",
    )  # fmt: skip
    parser.add_argument(
        "--test", metavar="FILE", help="test rows; without, compare cuts them from TASK or folds it"
    )
    _add_columns(parser)
    parser.add_argument("--model", metavar="M", help="language model: a folder or a Hub id")
    parser.add_argument(
        "--encoder", metavar="E", help="encoder of sentences, or of pictures: a folder or a Hub id"
    )
    parser.add_argument("--metric", metavar="NAME", help="what the score is (docs/metrics.md)")
    parser.add_argument("--also", metavar="A,B", help="further metrics, shown beside the score")


def _add_columns(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--text", metavar="A,B", help="the text column or columns")
    parser.add_argument("--label", metavar="C", help="the label column")
    parser.add_argument(
        "--group", metavar="C",
        help="rows of one group are never separated: a column, or of a folder a pattern of its"
        " files' names, such as '{group}_*.jpg'",
    )  # fmt: skip
    parser.add_argument(
        "--kind", choices=("classify", "generate"), help="labels to choose from, or free answers"
    )


def _add_predict(verbs: Any) -> None:
    parser = _add(verbs, "predict", _predict, "answer new inputs with delivered folders")
    parser.add_argument(
        "folders", metavar="DIR", nargs="+",
        help="a run folder, or its winner; of several, each row of INPUTS names its own in a column"
        " 'under', by the last part of its path",
    )  # fmt: skip
    parser.add_argument(
        "inputs", metavar="INPUTS",
        help=".jsonl, .csv, .tsv or .txt (one a line); or pictures, several .txt files, or a folder"
        " of them, each file an input",
    )  # fmt: skip
    parser.add_argument("-o", "--output", metavar="FILE", help="default: standard output")


def _add_extend(verbs: Any) -> None:
    about = "add classes to a delivered folder; what it knew is left as it is"
    parser = _add(verbs, "extend", _extend, about)
    parser.add_argument("folder", metavar="DIR", help="a run folder, or its winner")
    parser.add_argument(
        "classes", metavar="NEW",
        help="a folder of examples, named like its label; a folder of such; or a data file",
    )  # fmt: skip
    parser.add_argument("--label", metavar="C", help="the label column of a data file")
    parser.add_argument("--out", metavar="DIR2", help="folder to write (default: in place)")


def _add_advise(verbs: Any) -> None:
    parser = _add(verbs, "advise", _advise, "decide again under another wish; runs nothing")
    parser.add_argument("folder", metavar="DIR", help="a run folder")
    parser.add_argument(
        "--prefer", choices=("balanced", "accuracy", "serving", "building", "memory"),
        default="balanced", help="which cost weighs (default: building plus 10,000 answers)",
    )  # fmt: skip
    parser.add_argument("--no-training", action="store_true", help="pick nothing that trains")
    parser.add_argument(
        "--keep-base", action="store_true", help="pick nothing that changes the base model"
    )
    parser.add_argument(
        "--give-up", type=float, metavar="POINTS",
        help="points of score a cheaper method may measure below the top (default 2)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="the advice as JSON")


def _add_episodes(verbs: Any) -> None:
    about = "train methods on background classes and measure them on new ones, as papers do"
    parser = _add(verbs, "episodes", _episodes, about)
    parser.add_argument(
        "--data", required=True, metavar="FILE.npz|FOLDER",
        help="items of many classes (docs/episodes.md)",
    )  # fmt: skip
    parser.add_argument(
        "--methods", default="prototypical", metavar="A,B", help="default: prototypical"
    )
    for name, default, what in (
        ("way", "5", "classes of an episode"), ("shot", "1", "examples of each class"),
    ):  # fmt: skip
        parser.add_argument(
            f"--{name}", default=default, metavar="N,M",
            help=f"{what}; several are measured one after the other (default {default})",
        )  # fmt: skip
    parser.add_argument(
        "--queries", type=int, default=15, metavar="N",
        help="items to be told of each class (default 15)",
    )  # fmt: skip
    parser.add_argument(
        "--episodes", type=int, default=1000, metavar="N", help="how many (default 1000)"
    )
    parser.add_argument(
        "--train-minutes", type=float, metavar="M",
        help="training granted to each method: measured once, then a fixed number of steps",
    )  # fmt: skip
    parser.add_argument(
        "--background", type=int, metavar="N",
        help="classes to learn from, drawn at random and always the same (default: as FILE says)",
    )  # fmt: skip
    parser.add_argument(
        "--rotations", action="store_true", help="turned by 90, 180, 270 degrees: further classes"
    )
    parser.add_argument(
        "--side", type=int, default=84, metavar="N",
        help="pixels to which a folder's pictures are brought (default 84)",
    )  # fmt: skip
    parser.add_argument(
        "--across", action="append", default=[], metavar="FILE.npz|FOLDER",
        help="other data, to measure the trained methods on as well; repeatable",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is drawn")
    parser.add_argument(
        "--set", action="append", default=[], metavar="METHOD.NAME=VALUE", dest="settings",
        help="a method's setting, as in prototypical.steps=[1000]",
    )  # fmt: skip
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write")


def _add_data(verbs: Any) -> None:
    """The verbs over files of instructions: ``nshot data VERB``."""
    about = "work on files of instructions"
    parser = verbs.add_parser("data", help=about, description=about, allow_abbrev=False)
    parser.set_defaults(parser=parser)
    verbs = parser.add_subparsers(required=True, metavar="VERB", parser_class=_Parser)
    _add_show(verbs)
    _add_generate(verbs)
    _add_translate(verbs)


def _add_show(verbs: Any) -> None:
    parser = _add(verbs, "show", _show, "how the rows of a file are understood, and what is taught")
    parser.add_argument("file", metavar="FILE", help=".jsonl, .json, .csv, .tsv or .parquet")
    parser.add_argument("--test", metavar="FILE", help="test rows: what both say is counted")
    parser.add_argument("--model", metavar="M", help="whose chat template and tokens are shown")
    parser.add_argument(
        "--rows", type=int, default=3, metavar="N", help="rows to show whole (default 3)"
    )
    parser.add_argument(
        "--format", metavar="NAME", help="read the rows as this format (docs/formats.md)"
    )
    _add_columns(parser)
    parser.add_argument(
        "--as", metavar="FORMAT", dest="written_as", help="write the rows as this format into -o"
    )
    parser.add_argument("-o", "--output", metavar="OUT.jsonl", help="where --as writes")


def _add_generate(verbs: Any) -> None:
    about = "have a model write new tasks after the pattern of a few"
    parser = _add(verbs, "generate", _generate, about)
    parser.add_argument(
        "seeds", metavar="SEEDS",
        help="tasks of your own: instruction, input, output; or instruction, instances,"
        " is_classification",
    )  # fmt: skip
    parser.add_argument(
        "--target", type=int, required=True, metavar="N", help="how many new tasks to make"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is drawn")
    parser.add_argument(
        "--temperature", type=float, default=0.7, metavar="T", help="of new instructions"
    )
    parser.add_argument("--model", metavar="M", help="the writer: see docs/models.md")
    _add_asking(parser)


def _add_translate(verbs: Any) -> None:
    parser = _add(verbs, "translate", _translate, "have a model translate rows of instructions")
    parser.add_argument("rows", metavar="IN", help="rows with instruction, input and output")
    parser.add_argument("--to", required=True, metavar="LANG", help="a language's code, as in ko")
    parser.add_argument(
        "--outputs", choices=("regenerate", "translate", "keep"), default="regenerate",
        help="have the outputs written anew from the translated instruction (default), translated,"
        " or left as they are",
    )  # fmt: skip
    parser.add_argument("--system", default="", metavar="TEXT", help="a system prompt for each row")
    parser.add_argument(
        "--batch", type=int, default=1, metavar="N", help="texts in one request (default 1)"
    )
    parser.add_argument(
        "--model", required=True, metavar="M", help="the translator: see docs/models.md"
    )
    _add_asking(parser)


def _add_asking(parser: argparse.ArgumentParser) -> None:
    """Where rows go, and how an endpoint is asked."""
    parser.add_argument(
        "-o", "--output", metavar="OUT.jsonl", required=True,
        help="rows to write; its ledger and report stand beside it",
    )  # fmt: skip
    parser.add_argument(
        "--concurrency", type=int, default=4, metavar="N",
        help="requests to an endpoint at once (default 4)",
    )  # fmt: skip
    parser.add_argument("--rpm", type=float, metavar="N", help="requests a minute, at most")
    for name, what in (("in", "read"), ("out", "written")):
        parser.add_argument(
            f"--price-{name}", type=float, default=0.0, metavar="P",
            help=f"what a million tokens {what} cost: the report sums it",
        )  # fmt: skip


# ------------------------------------------------------------------ the verbs


def _compare(arguments: argparse.Namespace) -> int:
    from nshot.bench.prepare import prepare
    from nshot.bench.run import carry_out, plan
    from nshot.report.terminal import Bars, advice_lines, board_table, display, forecast_table

    prepared = prepare(_request(arguments))
    for note in prepared.split.notes:
        sys.stderr.write(f"note: {note}\n")
    shown = display()
    try:
        if arguments.dry_run:
            rows = plan(prepared, shown)
            result = None
        else:
            result = carry_out(prepared, shown, shlex.join(["nshot", *sys.argv[1:]]))
    finally:
        if isinstance(shown, Bars):
            shown.close()
    if result is None:
        print(forecast_table(rows))
        return 0
    print(board_table(result.board))
    print()
    print(advice_lines(result.board.advice))
    print(f"\nreport: {_short(result.folder / 'report.html')}")
    if (result.folder / "winner").exists():
        print(f"winner: {_short(result.folder / 'winner')}")
    return result.exit_code


def _request(arguments: argparse.Namespace) -> Request:
    from dataclasses import replace

    from nshot.bench.request import Request, is_request, read_request

    asked = Request(
        task=arguments.task,
        test=arguments.test,
        text=_names(arguments.text) or (),
        label=arguments.label,
        group=arguments.group,
        kind=arguments.kind,
        metric=arguments.metric,
        also=_names(arguments.also) or (),
        model=arguments.model or (),
        encoder=arguments.encoder or (),
        methods=_names(arguments.methods),
        adapters=tuple(arguments.adapters),
        settings=_settings(arguments.settings),
        shots=_shots(arguments.shots),
        seeds=arguments.seeds,
        test_limit=arguments.test_limit,
        minutes=arguments.minutes,
        out=arguments.out,
        judge=arguments.judge,
        judge_pairs=arguments.judge_pairs,
    )
    path = Path(arguments.task)
    if not is_request(path):
        return asked
    if replace(asked, out=None) != Request(arguments.task):
        expected = "no flags but --out and --dry-run"
        raise InputError(Fault("flags beside an nshot.yaml", expected, f"edit {path}"))
    return replace(read_request(path), out=arguments.out)


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def _shots(text: str | None) -> tuple[int | None, ...] | None:
    if text is None:
        return None
    sizes: list[int | None] = []
    for part in text.split(","):
        if part.strip() == "all":
            sizes.append(None)
        elif part.strip().lstrip("-").isdigit():
            sizes.append(int(part))
        else:
            raise InputError(
                Fault(f"--shots {text}", expected="numbers or 'all'", do="--shots 4,8,16")
            )
    return tuple(sizes)


def _settings(pairs: Sequence[str]) -> dict[str, dict[str, Any]]:
    """``full.top_layers=4`` -> {"full": {"top_layers": 4}}; values are read as YAML."""
    import yaml

    found: dict[str, dict[str, Any]] = {}
    faults = []
    for pair in pairs:
        name, equals, value = pair.partition("=")
        method, dot, setting = name.partition(".")
        try:
            read = yaml.safe_load(value)
        except yaml.YAMLError:
            equals = ""
        if equals and dot and setting:
            found.setdefault(method, {})[setting] = read
        else:
            faults.append(
                Fault(f"--set {pair}", expected="METHOD.NAME=VALUE", do="--set lora.rank=16")
            )
    if faults:
        raise InputError(faults)
    return found


def _adapt(arguments: argparse.Namespace) -> int:
    from nshot.bench.prepare import prepare
    from nshot.bench.request import Request
    from nshot.bench.run import adapt_one
    from nshot.report.terminal import Bars, display

    shots = _shots(arguments.shots)
    if shots is None or len(shots) != 1:
        found = f"--shots {arguments.shots}"
        raise InputError(Fault(found, "one number, or 'all'", "nshot compare measures several"))
    prefix = f"{arguments.method}."
    request = Request(
        task=arguments.task,
        test=arguments.test,
        text=_names(arguments.text) or (),
        label=arguments.label,
        group=arguments.group,
        kind=arguments.kind,
        metric=arguments.metric,
        also=_names(arguments.also) or (),
        model=arguments.model or (),
        encoder=arguments.encoder or (),
        methods=(arguments.method,),
        settings=_settings([prefix + pair for pair in arguments.settings]),
        shots=shots,
        seeds=1,
        out=arguments.out,
    )
    prepared = prepare(request, hold_out=False)
    for note in prepared.split.notes:
        sys.stderr.write(f"note: {note}\n")
    shown = display()
    try:
        row = adapt_one(prepared, shown)
    finally:
        if isinstance(shown, Bars):
            shown.close()
    settings = ", ".join(f"{key}={value}" for key, value in row.settings.items())
    print(f"{row.name} ({settings or 'no settings'}), built in {row.build_seconds or 0:.1f} s")
    if row.score is not None:
        print(f"{100 * row.score:.1f} % on {len(prepared.split.test)} test rows, as saved")
    print(f"saved in {_short(prepared.out)}: nshot predict {_short(prepared.out)} INPUTS")
    return 0


def _predict(arguments: argparse.Namespace) -> int:
    from nshot.core.files import write_atomic

    if arguments.output and Path(arguments.output).is_dir():
        raise InputError(Fault(f"-o {arguments.output} is a folder", expected="a file to write"))
    folders, inputs = _parted([*arguments.folders, arguments.inputs])
    if len(folders) > 1 and len(inputs) > 1:
        raise InputError(Fault(f"{len(folders)} folders, {len(inputs)} files", "one or the other"))
    lines = _alone(folders[0], inputs) if len(folders) == 1 else _mixed(folders, inputs[0])
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    if arguments.output:
        write_atomic(Path(arguments.output), text)
        sys.stderr.write(f"{len(lines)} answers in {arguments.output}\n")
    else:
        sys.stdout.write(text)
    return 0


def _parted(words: list[str]) -> tuple[list[str], list[Path]]:
    """Delivered folders, and what they are to answer: from the first file on, else the last."""
    from nshot.data.pictures import FOREIGN, SUFFIXES
    from nshot.data.tables import READ

    ends = {*SUFFIXES, *FOREIGN, *READ, ".txt"}
    files = [
        i
        for i, word in enumerate(words)
        if i and Path(word).suffix.lower() in ends and not Path(word).is_dir()
    ]
    first = min([*files, len(words) - 1])
    return words[:first], [Path(word) for word in words[first:]]


def _alone(folder: str, inputs: list[Path]) -> list[dict[str, Any]]:
    """The answers of one folder to a file, or to files that are an input each."""
    from nshot.data import read_inputs
    from nshot.use.many import load

    model = load(folder)
    rows = read_inputs(inputs, model.task)
    predictions = model.predict([said for _, said in rows])
    return [
        {"id": key, **_answer(model.task, prediction)}
        for (key, _), prediction in zip(rows, predictions, strict=True)
    ]


def _mixed(folders: list[str], inputs: Path) -> list[dict[str, Any]]:
    """The answers of several folders to a file whose rows name them."""
    from nshot.data import read_mixed
    from nshot.use.many import load

    models = load(folders)
    rows = read_mixed(inputs, models.tasks)
    predictions = models.predict([said for *_, said in rows], [name for _, name, _ in rows])
    return [
        {"id": key, "under": name, **_answer(models.tasks[name], prediction)}
        for (key, name, _), prediction in zip(rows, predictions, strict=True)
    ]


def _answer(task: Task, prediction: Prediction) -> dict[str, Any]:
    line: dict[str, Any] = {"answer": prediction.answer}
    if len(prediction.scores) == len(task.labels) > 0:
        line["scores"] = dict(zip(task.label_names, prediction.scores, strict=True))
    return line


def _extend(arguments: argparse.Namespace) -> int:
    from nshot.core.files import write_folder
    from nshot.data.loading import load_classes
    from nshot.models import open_models
    from nshot.predictors.folder import read
    from nshot.use.extending import extend
    from nshot.use.ready import delivered

    place = delivered(Path(arguments.folder))
    examples = load_classes(arguments.classes, read(place).task, arguments.label)
    target = Path(arguments.out) if arguments.out else place
    if arguments.out and target.exists():
        raise InputError(Fault(f"--out {target} is there already", expected="a new folder"))
    model = extend(place, examples, open_models())
    changed, checks = model.changed()
    write_folder(target, model.save)
    added = ", ".join(f"{label} ({count})" for label, count in model.added.items())
    print(f"added: {added}; {len(model.predictor.task.labels)} labels now")
    print(f"{changed} of {checks} answers it was delivered with have changed")
    print(f"saved in {_short(target)}: nshot predict {_short(target)} INPUTS")
    return 0


def _advise(arguments: argparse.Namespace) -> int:
    from nshot.board.schema import Board, Wish
    from nshot.report.terminal import advice_lines

    if arguments.give_up is not None and not arguments.give_up >= 0:
        raise InputError(Fault(f"--give-up {arguments.give_up}", expected="points, 0 or more"))
    wish = Wish(
        prefer=arguments.prefer,
        give_up=None if arguments.give_up is None else arguments.give_up / 100,
        training=not arguments.no_training,
        change_base=not arguments.keep_base,
    )
    advice = Board.read(Path(arguments.folder)).decide(wish)
    print(advice.dumps() if arguments.json else advice_lines(advice))
    return 0


def _methods(arguments: argparse.Namespace) -> int:
    from nshot.core.types import Kind
    from nshot.methods import PICTURES, STANDARD, TABLE

    marks: dict[Kind, str] = {"classify": "*", "generate": "+"}
    for name in TABLE:
        method = TABLE[name]
        star = "".join(mark for kind, mark in marks.items() if name in STANDARD[kind])
        star += "°" * (name in PICTURES)
        print(f"{name:18} {method.rung:9} {method.about} {star}".rstrip())
        settings = []
        for setting, info in method.model_fields.items():
            tried = method.space.get(setting)
            note = f" (tried: {', '.join(map(str, tried))})" if tried else ""
            default = "(needed)" if info.is_required() else info.default
            settings.append(f"{setting}={default}{note}")
        if settings:
            print(f"{'':28} {'; '.join(settings)}")
    told = "* to choose labels, + to write answers, ° on pictures"
    print(f"\ncompared where --methods is not given: {told}")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from nshot.data import load
    from nshot.data.formats import converted, named
    from nshot.data.rows import write_rows
    from nshot.report.rows_shown import reader, understood

    if bool(arguments.written_as) != bool(arguments.output):
        raise InputError(Fault("--as and -o go together", do="--as messages -o out.jsonl"))
    form = named(arguments.written_as) if arguments.written_as else None
    loaded = load(
        arguments.file,
        test=arguments.test,
        text=_names(arguments.text) or (),
        label=arguments.label,
        group=arguments.group,
        kind=arguments.kind,
        format=arguments.format,
    )
    if loaded.task.pictures:
        raise InputError(
            Fault("a task of pictures", "rows of texts", f"nshot check {arguments.file}")
        )
    rows = converted(loaded.train, form) if form else []
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    print(understood(loaded, reader(arguments.model), max(0, arguments.rows), colour))
    if form:
        write_rows(arguments.output, rows)
        sys.stderr.write(f"{len(rows)} rows as {form.name} in {arguments.output}\n")
    return 0


def _generate(arguments: argparse.Namespace) -> int:
    from nshot.synthesis.files import generate_file

    with _display() as shown:
        made, done = generate_file(
            Path(arguments.seeds),
            Path(arguments.output),
            arguments.target,
            _asking(arguments),
            shown,
            arguments.seed,
            arguments.temperature,
        )
    print(f"{len(made.tasks)} new tasks of {arguments.target} wanted, {made.proposed} proposed")
    return _told(done)


def _translate(arguments: argparse.Namespace) -> int:
    from nshot.synthesis.files import translate_file

    with _display() as shown:
        made, done = translate_file(
            Path(arguments.rows),
            Path(arguments.output),
            _asking(arguments),
            shown,
            arguments.to,
            arguments.outputs,
            arguments.system,
            arguments.batch,
        )
    print(f"{len(made.dropped)} rows dropped")
    for reason, count in made.reasons.most_common():
        print(f"  {count:6} {reason}")
    return _told(done)


def _asking(arguments: argparse.Namespace) -> Asking:
    from nshot.models.openai.endpoint import Limits
    from nshot.synthesis.files import Asking
    from nshot.synthesis.generator import Prices

    limits = Limits(concurrency=arguments.concurrency, per_minute=arguments.rpm)
    return Asking(arguments.model, limits, Prices(arguments.price_in, arguments.price_out))


@contextmanager
def _display() -> Iterator[Any]:
    """Bars or lines, taken off the screen at the end."""
    from nshot.report.terminal import Bars, display

    shown = display()
    try:
        yield shown
    finally:
        if isinstance(shown, Bars):
            shown.close()


def _told(done: Done) -> int:
    """Say what was made, what it took, and why it is not all."""
    for line in done.lines():
        print(line)
    if done.stopped:
        sys.stderr.write(f"nshot: stopped: {done.stopped}\n")
    return 3 if done.stopped else 0


def _episodes(arguments: argparse.Namespace) -> int:
    from nshot.bench.episodes import Request, carry_out, prepare
    from nshot.data.episodes import EpisodeShape
    from nshot.report import episodes

    ways, shots = _whole("way", arguments.way), _whole("shot", arguments.shot)
    _whole("queries", str(arguments.queries))
    _whole("episodes", str(arguments.episodes))
    prepared = prepare(
        Request(
            data=Path(arguments.data),
            shapes=tuple(EpisodeShape(w, s, arguments.queries) for w in ways for s in shots),
            methods=_episodic(_names(arguments.methods) or (), _settings(arguments.settings)),
            out=Path(arguments.out),
            episodes=arguments.episodes,
            minutes=arguments.train_minutes,
            seed=arguments.seed,
            background=arguments.background,
            rotations=arguments.rotations,
            side=arguments.side,
            across=tuple(map(Path, arguments.across)),
        )
    )
    for note in prepared.cut.notes:
        sys.stderr.write(f"note: {note}\n")
    with _display() as shown:
        result = carry_out(prepared, shown, shlex.join(["nshot", *sys.argv[1:]]))
    print(episodes.table(result))
    print("\n% of queries, ± half of the 95 % interval over episodes (untrained)")
    if drawing := episodes.write(result, prepared.request.out):
        print(f"how the learning went: {_short(drawing)}")
    print(f"all figures: {_short(prepared.request.out / 'episodes.json')}")
    return 0 if any(row["status"] == "ok" for row in result["methods"]) else 3


def _whole(name: str, text: str) -> tuple[int, ...]:
    """``5,20`` -> (5, 20), each 1 at least."""
    parts = _names(text) or ()
    if not parts or not all(part.isdecimal() and int(part) for part in parts):
        raise InputError(Fault(f"--{name} {text}", "whole numbers from 1 up", f"--{name} 5"))
    return tuple(int(part) for part in parts)


def _episodic(names: Sequence[str], settings: dict[str, dict[str, Any]]) -> tuple[Episodic, ...]:
    """The methods, each of which must take part in episodes."""
    from nshot.methods import TABLE
    from nshot.methods.fewshot.episodic import Episodic

    faults: list[Fault] = []
    built: list[Episodic] = []
    for name in names:
        try:
            method = TABLE.build({"method": name, **settings.get(name, {})})
        except InputError as error:
            faults += error.faults
            continue
        if isinstance(method, Episodic):
            built.append(method)
        else:
            known = ", ".join(n for n in TABLE if issubclass(TABLE[n], Episodic))
            faults.append(Fault(f"{name} takes no part in episodes", do=f"one of: {known}"))
    for name in settings.keys() - set(names):
        faults.append(Fault(f"--set {name}: not among the methods", ", ".join(names)))
    if faults or not built:
        raise InputError(faults or Fault("no methods", do="--methods prototypical"))
    return tuple(built)


def _check(arguments: argparse.Namespace) -> int:
    folder = Path(arguments.task)
    if (folder / "check.jsonl").exists() or (folder / "winner" / "check.jsonl").exists():
        return _check_delivered(folder)
    from nshot.data import load, split
    from nshot.data.same import shown

    loaded = load(
        arguments.task,
        test=arguments.test,
        text=_names(arguments.text) or (),
        label=arguments.label,
        group=arguments.group,
        kind=arguments.kind,
    )
    rows = split(loaded.task, loaded.train, loaded.test)
    for note in (*loaded.notes, *rows.notes):
        print(f"note: {note}")
    print(f"task {loaded.task.name}: {loaded.task.kind}, metric {loaded.task.metric}")
    print(f"{len(rows.train)} rows to learn from, {len(rows.test)} to test on ({rows.mode})")
    for label in loaded.task.label_names:
        counts = [sum(e.label == label for e in part) for part in (rows.train, rows.test)]
        print(f"  {label:30} {counts[0]:6} {counts[1]:6}")
    for example in rows.train[:3]:
        print(f"  e.g. {shown(example, 90)} -> {' / '.join(example.targets)[:60]}")
    return 0


def _check_delivered(folder: Path) -> int:
    """Does this copy still give the answers it was delivered with?"""
    from nshot.use.ready import ready

    model = ready(folder)
    wrong = model.check()
    for line in wrong:
        print(line)
    print(f"{model.checks - len(wrong)} of {model.checks} answers as delivered")
    return 3 if wrong else 0


def _models(arguments: argparse.Namespace) -> int:
    from nshot.models.catalog import listing

    for row in listing():
        state = "ready" if row.ready else f"to install: {row.install}"
        print(f"{row.name:26} {row.role:9} {row.bytes / 1e6:6.0f} MB  {state}  {row.where}")
    return 0


def _short(path: Path) -> str:
    """A path as one would type it from here."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)


if __name__ == "__main__":
    main()
