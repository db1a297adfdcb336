"""One transformers model in memory, and what is mounted on it.

A view is a `ModelRef`: the base with its deltas. What a view needs is mounted when it is asked; the
last few stay mounted side by side, and to ask another of them moves references, not weights. Rows
of several views can be asked at once (`nshot.models.hf.side_by_side`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from nshot.core import machine
from nshot.core.errors import CannotAdapt, NshotError
from nshot.core.types import Delta, ModelRef
from nshot.models import catalog

if TYPE_CHECKING:
    from nshot.models.hf.continuous import ContinuousBatch, Member
    from nshot.models.hf.from_files import Shape
    from nshot.models.hf.mount import State
    from nshot.models.hf.side_by_side import Effects

Kind: TypeAlias = tuple[str, ...]
View: TypeAlias = tuple[tuple[Delta, int], ...]
"""Deltas, and when each was last written."""

MOUNTED = 8
"""Views that stay mounted, the last ones asked. One that changes the base's own weights, of which
it may hold as many as the base, goes when another is asked."""
TAKEN_APART = 64
"""Views that are kept ready to be asked beside others, the last ones asked."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Live:
    """A base that is ready to answer for a view: `prefix` is the soft prompt before all else.

    `kind` names what of an answer's way may depend on: the architecture, and what is on it.
    """

    module: Any
    prefix: Any
    kind: Kind


class Mounted(NamedTuple):
    """A view that can be asked again at once."""

    state: State
    live: Live


class Resident:
    """One model in memory. Threads may ask views on it side by side: each waits for its turn."""

    def __init__(self, ref: ModelRef) -> None:
        from nshot.models.hf import quantised

        self.ref = ref
        self.lock = threading.RLock()
        self.agreed: dict[Kind, bool] = {}
        self._batches: list[ContinuousBatch] = []
        self._lent = False
        self._load()
        self.shapes = {name: tuple(p.shape) for name, p in self.module.named_parameters()}
        self.parameters: int = sum(quantised.weights(p) for p in self.module.parameters())

    def _load(self) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        from nshot.models.hf import quantised
        from nshot.models.hf.cache import NOTHING
        from nshot.models.hf.mount import Bare

        logging.disable_progress_bar()  # a display of our own shows what runs
        quantised.quiet()
        folder = catalog.locate(self.ref)
        dtype, device, quant = getattr(torch, machine.dtype()), machine.device(), self.ref.quant
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        packed: dict[str, Any] = {}
        if quant is not None:
            packed = quantised.options(quant, dtype, device)
            if quantised.is_packed(folder):  # its own configuration says how
                del packed["quantization_config"]
        try:
            module = AutoModelForCausalLM.from_pretrained(
                folder, dtype=dtype, use_safetensors=True, **options, **packed
            )
            self.tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        except (OSError, ValueError, KeyError) as error:
            raise catalog.unreadable(folder, error) from error
        quantised.keep_layout(module)
        self.module = module.to(device).eval().requires_grad_(False)
        self._bare = Bare(self.module)
        self._mounts: dict[View, Mounted] = {}
        self._mounts[()] = Mounted(self._bare, Live(self.module, NOTHING, (self._architecture,)))
        self._apart: dict[View, Effects | None] = {}
        self._known_shapes: dict[Shape, Literal["read", "mount"]] = {}
        self._on: View = ()
        self._spoilt = False

    @contextmanager
    def answering(self, deltas: tuple[Delta, ...]) -> Iterator[Live]:
        """The base with `deltas` on, for as long as the block runs."""
        with self.lock:
            self._require_here()
            view = _view(deltas)
            if view != self._on:
                self._turn_to(view, deltas)
            yield self._mounts[view].live

    @contextmanager
    def side_by_side(self, views: Sequence[tuple[Delta, ...]]) -> Iterator[Live]:
        """The bare base, of which each row can be asked under one of `views`, as long as the block
        runs: all must be such that `mixes`.

        Its prefixes are by view, and so are the ``slots`` that a pass takes.
        """
        from nshot.models.hf.cache import ViewPrefixes
        from nshot.models.hf.side_by_side import side_by_side

        with self.lock:
            self._require_here()
            effects = [one for deltas in views if (one := self._effects(deltas))]
            if len(effects) < len(views):
                raise CannotAdapt("a view among these cannot be asked beside others")
            self._turn_to((), ())
            try:
                with side_by_side(self.module, effects):
                    prefixes = ViewPrefixes(tuple(one.prefix for one in effects))
                    yield Live(self.module, prefixes, (self._architecture, "side by side"))
            finally:
                self._bare.restore()

    def joined(self, member: Member) -> ContinuousBatch:
        """The batch in which a text is written from now on: with others, where they can be.

        Texts of one view are written together, those of several where all of them `mixes`.
        """
        from nshot.models.hf.cache import kinds
        from nshot.models.hf.continuous import ContinuousBatch

        with self.lock:
            self._require_here()
            self._batches = [one for one in self._batches if one.views]
            for batch in self._batches:
                views, own = batch.views, member.deltas
                alike = views == [own] or all(self.mixes(one) for one in (own, *views))
                if alike and kinds(self.module.config) == {"full_attention"}:
                    break
            else:
                batch = ContinuousBatch(self._answering_views)
                self._batches.append(batch)
            batch.join(member)
            return batch

    def _answering_views(self, views: Sequence[tuple[Delta, ...]]) -> AbstractContextManager[Live]:
        return self.answering(views[0]) if len(views) == 1 else self.side_by_side(views)

    def mixes(self, deltas: tuple[Delta, ...]) -> bool:
        """Whether rows of this view can be asked in one pass with rows of others.

        The first of its shape is mounted, asked by itself, taken apart and asked again, beside
        another; of a later one that is plain LoRA the files are read, and nothing is mounted.
        """
        with self.lock:
            self._require_here()
            return self._effects(deltas) is not None

    def _effects(self, deltas: tuple[Delta, ...]) -> Effects | None:
        view = _view(deltas)
        effects = self._apart.pop(view) if view in self._apart else self._taken_apart(view)
        self._apart[view] = effects  # the last in order
        for old in list(self._apart)[:-TAKEN_APART]:
            del self._apart[old]
        return effects

    def _taken_apart(self, view: View) -> Effects | None:
        """What a view does to the base, if it then answers as when it is mounted.

        That is asked once of each shape of adapters: others of it differ in numbers alone.
        """
        from nshot.models.hf.cache import kinds
        from nshot.models.hf.from_files import are_same, read_low_rank, shape_of
        from nshot.models.hf.side_by_side import agrees, by_itself, taken_apart

        deltas = tuple(delta for delta, _ in view)
        if any(delta.kind not in ("peft", "bottleneck") for delta in deltas):
            return None
        if kinds(self.module.config) != {"full_attention"}:
            return None
        shape = shape_of(deltas)
        if self._known_shapes.get(shape) == "read":
            return read_low_rank(deltas, self.module.device)
        with self.answering(deltas) as live:
            if self._spoilt:
                return None
            try:
                effects = taken_apart(self.module, live.prefix, self._bare.parameters)
            except CannotAdapt as reason:
                log.info("%s is asked by itself: %s", deltas, reason)
                return None
            if shape in self._known_shapes:
                return effects
            alone = by_itself(self.module, live.prefix)
        self._turn_to((), ())
        if not agrees(self.module, effects, alone):
            return None
        read = read_low_rank(deltas, self.module.device)
        is_read = read is not None and are_same(effects, read)
        self._known_shapes[shape] = "read" if is_read else "mount"
        return effects

    def _turn_to(self, view: View, deltas: tuple[Delta, ...]) -> None:
        """Make the module that of another view, mounted anew unless it is among the last ones."""
        from nshot.models.hf.mount import State, mount

        if self._spoilt:
            self.strip()
        self._leave()
        mounted = self._mounts.pop(view, None)
        if mounted is None:
            self._bare.restore()
            try:
                live = self._live(mount(self.module, deltas))
            except BaseException:
                self.strip()
                raise
            mounted = Mounted(State(self.module), live)
            self._spoilt = not self._bare.intact()  # OLoRA begins by changing the base
        else:
            mounted.state.restore()
        self._mounts[view] = mounted  # the last in order
        self._on = view
        for old in [one for one in self._mounts if one][:-MOUNTED]:
            del self._mounts[old]

    def _leave(self) -> None:
        if any(delta.kind == "weights" for delta, _ in self._on):
            del self._mounts[self._on]
        self._on = ()

    def _live(self, mounted: Any) -> Live:
        """`mounted` is the module itself, or PEFT's wrapper of it."""
        from nshot.models.hf.mount import soft_prefix

        under = type(getattr(mounted, "base_model", mounted)).__name__
        return Live(self.module, soft_prefix(mounted), (self._architecture, under))

    @property
    def _architecture(self) -> str:
        return str(self.module.config.model_type)

    def strip(self) -> None:
        """Take off what is on: the base as it was loaded, which its checksums confirm."""
        with self.lock:
            self._leave()
            if not self._bare.put_back():
                self._load()

    @contextmanager
    def away(self) -> Iterator[None]:
        """The bare module is somebody else's while the block runs; it is taken back as it was,
        whatever happened to it.

        Nobody waits for it meanwhile: to ask a view, or to borrow it again, is refused.
        """
        with self.lock:
            self._require_here()
            self.strip()
            self._lent = True
        try:
            yield
        finally:
            with self.lock:
                self._lent = False
                self.strip()

    def show_bare(self) -> None:
        """Make the module that of the base alone, by reference and unchecked."""
        self._bare.restore()

    def _require_here(self) -> None:
        if self._lent:
            raise NshotError(f"{self.ref.name} is lent for training: ask it when it is back")

    def fingerprint(self) -> str:
        """SHA-256 over the parameters as they are in memory."""
        from nshot.models.hf.mount import fingerprint

        with self.lock:
            if not self._lent:
                self.strip()
            return fingerprint(self.module)

    @property
    def context(self) -> int:
        """Longest sequence in tokens."""
        text = self.module.config.get_text_config()
        return int(getattr(text, "max_position_embeddings", None) or 2048)

    @property
    def bytes(self) -> int:
        """Bytes of its weights."""
        from nshot.models.hf import quantised

        with self.lock:
            parts = [t for p in self._bare.parameters for t in quantised.tensors(p)]
            return sum(t.numel() * t.element_size() for t in parts)


def _view(deltas: tuple[Delta, ...]) -> View:
    return tuple((delta, last_written(delta)) for delta in deltas)


def last_written(delta: Delta) -> int:
    """When a delta's files were last written: a folder written anew is another delta."""
    files = Path(delta.folder).glob("*.safetensors")
    return max((file.stat().st_mtime_ns for file in files), default=0)
