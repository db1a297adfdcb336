"""What stands on a board: a method with the models it is put on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from nshot.bench.jobs.job import Cut, Job
from nshot.bench.search import open_settings, validates
from nshot.core.files import unique_ends
from nshot.core.types import Kind, ModelRef
from nshot.methods.contract import Method
from nshot.methods.spec import parts, spec
from nshot.models.engines import DECIDING, ENDPOINTS


@dataclass(frozen=True)
class Contender:
    """A method and its models: None for those that neither it nor a method in it needs.

    `name` is the method's, and where several models run ``lora @ smollm2-135m``.
    """

    method: Method
    base: ModelRef | None
    encoder: ModelRef | None
    name: str

    def is_open(self, kind: Kind) -> bool:
        """Has it something to search on a task of this kind, or folds to answer (`validates`)?"""
        return bool(open_settings(self.method, kind)) or validates(self.method, kind)

    def search(self, shots: int | None, draw: int, cut: Cut | None) -> Job:
        """The search behind a draw: on draw 0 for all draws, or inside each training fold.

        Its specification holds only what the user pinned: the rest is open.
        """
        method = self.method
        pinned = {name: value for name, value in spec(method).items()
                  if name in method.model_fields_set}  # fmt: skip
        job = self.job("search", method, shots, draw if cut else 0, cut)
        return replace(job, spec={"method": method.name, **pinned})

    def job(
        self, kind: str, method: Method, shots: int | None, draw: int, cut: Cut | None = None
    ) -> Job:
        """A job of this contender, `method` with its settings as they were chosen."""
        return Job.of(kind, method, shots, draw, cut, self.base, self.encoder)


def contenders(
    methods: Iterable[Method], bases: Sequence[ModelRef], encoders: Sequence[ModelRef]
) -> tuple[Contender, ...]:
    """Each method on each of the models that it needs, in the order of the methods.

    With one language model and one encoder a contender is named as its method is. An adapter
    trained elsewhere stands on the model it is of.
    """
    from nshot.methods.peft.adapter import GivenAdapter

    names = {**unique_names(bases), **unique_names(encoders)}
    rows = []
    for method in methods:
        inside = parts(method)
        on = _several(_suiting(inside, bases), any(part.needs for part in inside))
        by = _several(encoders, any(part.needs_encoder for part in inside))
        for base, encoder in product(on, by):
            if base and isinstance(method, GivenAdapter) and method.misfits(base):
                continue
            several = [(base, len(on)), (encoder, len(by))]
            models = " + ".join(names[ref] for ref, count in several if ref and count > 1)
            name = f"{method.called} @ {models}" if models else method.called
            rows.append(Contender(method, base, encoder, name))
    return tuple(rows)


def _suiting(inside: Sequence[Method], bases: Sequence[ModelRef]) -> Sequence[ModelRef]:
    """The models that decide for a method that needs one, the others for any other method.

    All of them where there is none of its kind: then its row says what it lacks.
    """
    decides = any("decide" in part.needs for part in inside)
    return [ref for ref in bases if (ref.engine in DECIDING) == decides] or bases


def _several(refs: Sequence[ModelRef], needed: bool) -> Sequence[ModelRef | None]:
    """The models to put a method on; (None,) where it needs none, or there is none."""
    return refs if needed and refs else (None,)


def unique_names(refs: Sequence[ModelRef]) -> dict[ModelRef, str]:
    """The shortest names by which the models differ: the last part, or more of it."""
    different = list(dict.fromkeys(refs))
    return dict(zip(different, unique_ends([_words(ref) for ref in different]), strict=True))


def _words(ref: ModelRef) -> tuple[str, ...]:
    """The parts of a path or an id; of an endpoint its host and its model."""
    if ref.engine in ENDPOINTS:
        model, _, address = ref.name.partition("@")
        return (ref.revision, address.split("//")[-1].split("/")[0], model)
    return (ref.revision, *Path(ref.form).parts)
