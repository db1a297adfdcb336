"""A request for an alignment, read and checked whole before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nshot.bench.align_request import AlignRequest, is_chat_file, read_chat
from nshot.bench.align_rows import Rows, read_rows
from nshot.core.errors import Fault, InputError, collected, nearest
from nshot.core.files import RECORD, content_hash
from nshot.core.serial import from_data
from nshot.core.types import Delta, ModelRef
from nshot.methods import TABLE
from nshot.methods.align.exploring import Exploring
from nshot.methods.contract import Method
from nshot.models import open_models
from nshot.models.base import Models
from nshot.models.catalog import resolve
from nshot.models.hf import peft_folder
from nshot.predictors import load
from nshot.predictors.implicit import Implicit
from nshot.predictors.prompted import Prompted

_ADAPTER = "adapter_config.json"


@dataclass(frozen=True)
class Prepared:
    """A request, read and checked whole. `start` are the deltas to begin from."""

    request: AlignRequest
    rows: Rows
    base: ModelRef
    start: tuple[Delta, ...]
    methods: Mapping[str, Method]
    """By the step: instruct where it is wanted, reward, policy."""

    @property
    def root(self) -> Path:
        """The run folder."""
        return self.request.folder


def request_of(source: str | Path, typed: Mapping[str, Any], faults: list[Fault]) -> AlignRequest:
    """The request of a ``chat.yaml``, or of a file of preferences, with what was typed."""
    path = Path(source)
    if is_chat_file(path):
        return read_chat(path, typed, faults)
    return from_data(AlignRequest, {**typed, "source": str(source)}, faults=faults)


def prepare(request: AlignRequest, faults: Sequence[Fault] = ()) -> Prepared:
    """Read files and models. Raises `InputError` with every fault there is."""
    wrong = list(faults)
    models = open_models()
    base = collected(wrong, partial(_base, request, models))
    methods = _methods(request, wrong)
    rows = read_rows(request, wrong)
    if wrong or base is None or rows is None:
        raise InputError(wrong)
    ref, start = base
    if missing := {"score", "generate", "hidden", "train"} - models.open(ref).facts.can:
        problem = f"{ref.name} cannot {' or '.join(sorted(missing))}"
        raise InputError(Fault(problem, "a language model whose weights are here", "nshot models"))
    return Prepared(request, rows, ref, start, methods)


def _base(request: AlignRequest, models: Models) -> tuple[ModelRef, tuple[Delta, ...]]:
    """The language model, and what of it the first step is replaced by."""
    if request.start is None:
        return resolve(request.model, "lm"), ()
    model = resolve(request.model, "lm") if request.model else None
    folder = Path(request.start).expanduser()
    if folder.is_file():
        problem = f"--from {request.start} is a file"
        raise InputError(Fault(problem, "a folder: of nshot, of a PEFT adapter, or of a model"))
    if (folder / _ADAPTER).is_file():
        peft = peft_folder.read(folder)
        base = model or resolve(None, "lm")
        if faults := peft.misfits(base):
            raise InputError(faults)
        return base, (Delta("peft", str(folder.resolve()), content_hash(folder)),)
    places = [folder, folder / "winner", folder / "policy"]
    place = next((one for one in places if (one / RECORD).is_file()), None)
    if place is None:
        if model is not None:
            problem = "--from names a whole model, and --model another"
            raise InputError(Fault(problem, "one of the two"))
        return resolve(request.start, "lm"), ()
    predictor = load(place, models)
    if isinstance(predictor, Implicit):
        predictor = predictor.writer
    if not isinstance(predictor, Prompted) or predictor.demos or predictor.retrieval:
        problem = f"--from {request.start}: no model that was tuned to write"
        raise InputError(
            Fault(problem, "a folder of instruct, dpo, kto, ppo or grpo, or a PEFT one")
        )
    if model is not None and model != predictor.ref.base:
        problem = f"--from {request.start} stands on another model: {predictor.ref.name}"
        raise InputError(Fault(problem, do="leave --model out"))
    return predictor.ref.base, predictor.ref.deltas


def _methods(request: AlignRequest, faults: list[Fault]) -> Mapping[str, Method]:
    """The method of each step, with its settings."""
    names = {"instruct": "instruct", "reward": "reward", "policy": request.policy}
    if request.start is not None:
        del names["instruct"]
    known_steps = set(names.values())
    known = ", ".join(names.values())
    faults += [
        Fault(f"settings of '{name}': no step of this alignment", known, nearest(name, known_steps))
        for name in request.settings
        if name not in known_steps
    ]
    built = {}
    for step, name in names.items():
        own = {"method": name, **request.settings.get(name, {})}
        method = collected(faults, partial(TABLE.build, own))
        if method is not None:
            built[step] = method
    policy = built.get("policy")
    if isinstance(policy, Exploring) and policy.start is not None:
        problem = f"--set {request.policy}.start: it begins from the first step"
        faults.append(Fault(problem, do="--from FOLDER begins from elsewhere"))
    return built
