"""``nshot extend``: add classes to a delivered folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from nshot.cli import output
from nshot.core.errors import Fault, InputError

ABOUT = "add classes to a delivered folder; what it knew is left as it is"


def add(parser: argparse.ArgumentParser) -> None:
    """The folder, the new classes, and where to write."""
    from nshot.core.fields import ENCODING

    parser.add_argument("folder", metavar="DIR", help="a run folder, or its winner")
    parser.add_argument(
        "classes", metavar="NEW",
        help="a folder of examples, named like its label; a folder of such; or a data file",
    )  # fmt: skip
    parser.add_argument("--label", metavar="C", help="the label column of a data file")
    parser.add_argument("--encoding", metavar="NAME", help=ENCODING)
    parser.add_argument("--out", metavar="DIR2", help="folder to write (default: in place)")


def run(arguments: argparse.Namespace) -> int:
    """Add them, and count the answers that have changed by it."""
    from nshot.core.files import write_folder
    from nshot.data.loading import load_classes
    from nshot.models import open_models
    from nshot.predictors.calibrated import Calibrated
    from nshot.predictors.folder import read
    from nshot.use.extending import extend
    from nshot.use.ready import delivered

    place = delivered(Path(arguments.folder))
    examples = load_classes(
        arguments.classes, read(place).task, arguments.label, arguments.encoding
    )
    target = Path(arguments.out) if arguments.out else place
    if arguments.out and target.exists():
        raise InputError(Fault(f"--out {target} is there already", expected="a new folder"))
    model = extend(place, examples, open_models())
    if isinstance(model.predictor, Calibrated):
        output.note(["probabilities were calibrated without the new classes: docs/calibration.md"])
    changed, checks = model.changed()
    write_folder(target, model.save)
    added = ", ".join(f"{label} ({count})" for label, count in model.added.items())
    print(f"added: {added}; {len(model.predictor.task.labels)} labels now")
    print(f"{changed} of {checks} answers it was delivered with have changed")
    print(f"saved in {output.short(target)}: nshot predict {output.short(target)} INPUTS")
    return 0
