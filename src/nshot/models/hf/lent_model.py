"""A base that is lent: adapters by name side by side, and questions in the middle of training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from nshot.core.errors import CannotAdapt, Fault, InputError, nearest
from nshot.core.machine import seeded
from nshot.core.types import Delta, ModelRef, Prompt
from nshot.models.base import Decoding, Lent, LentModel, Sample
from nshot.models.hf.cache import NOTHING
from nshot.models.hf.language_model import HFLanguageModel
from nshot.models.hf.mount import State, is_soft_prompt, load_adapter, matching, mount, soft_prefix
from nshot.models.hf.resident import Live, Resident

if TYPE_CHECKING:
    from nshot.models.hf.continuous import ContinuousBatch, Member


class HFLent(HFLanguageModel, LentModel):
    """See `LentModel`. Adapters that can stand side by side are those of one PEFT model."""

    def __init__(
        self,
        ref: ModelRef,
        base: Resident,
        free: Sequence[str],
        adapters: Mapping[str, Delta],
    ) -> None:
        HFLanguageModel.__init__(self, ref, base)
        module, freed = base.module, matching(base.module, free)
        parameters = dict(module.named_parameters())
        Lent.__init__(self, ref, module, base.tokenizer, str(module.device), freed)
        self._agreed = {}  # what a borrower puts on by hand is of no known kind
        mounted = mount(module, ref.deltas)
        self._peft = None if mounted is module else mounted
        self._own: tuple[str, ...] = () if self._peft is None else tuple(self._peft.peft_config)
        self._learning = set[str]()
        self._active: tuple[str, ...] = ()
        self._is_alone = False
        self._is_bare = False
        self._freed = [parameters[name] for name in freed]
        self._untrained = [parameter.data for parameter in self._freed]
        for parameter in self._freed:
            parameter.data = parameter.data.clone()
        self._switch(())
        for name, delta in adapters.items():
            self.load(name, delta)
        self._switch(())

    def add(self, name: str, config: Any, seed: int) -> Any:
        """A fresh adapter that learns; PEFT's model, with the adapter in use."""
        from peft import get_peft_model

        self._require_new(name)
        with seeded(seed):
            try:
                if self._peft is None:
                    self._peft = get_peft_model(self.module, config, adapter_name=name)
                else:
                    self._peft.add_adapter(name, config)
            except (ValueError, NotImplementedError, KeyError) as error:
                kind = self.module.config.model_type
                raise CannotAdapt(f"PEFT cannot put '{name}' on this {kind}: {error}") from error
        self._learning.add(name)
        self._switch((name,))
        return self._peft

    def load(self, name: str, delta: Delta, trainable: bool = False) -> Any:
        """The adapter of a folder, in use; PEFT's model."""
        self._require_new(name)
        if delta.kind != "peft":
            raise InputError(f"'{name}' is of kind {delta.kind}: by name stand PEFT's adapters")
        with _modes_kept(self._root):
            self._peft = load_adapter(
                self.module, self._peft, name, Path(delta.folder), trainable=trainable
            )
        if trainable:
            self._learning.add(name)
        self._switch((name,))
        return self._peft

    def sample(
        self, prompts: Sequence[Prompt], how: Decoding, count: int, states: bool = False
    ) -> list[list[Sample]]:
        """Texts with their tokens and log-probabilities; see `nshot.models.hf.generate.sample`."""
        from nshot.models.hf.generate import sample

        self._require_writing()
        if how.temperature <= 0 or how.grammar is not None:
            raise InputError("texts are sampled at a temperature above 0, and without a grammar")
        with self._answering() as live:
            tokens = self._fitting(prompts, how.max_tokens + live.prefix.length)
            return sample(live.module, self.tokenizer, tokens, live.prefix, how, count, states)

    def _joined(self, member: Member) -> ContinuousBatch:
        """A batch of its own: what is on the module is the borrower's to say."""
        from nshot.models.hf.continuous import ContinuousBatch

        batch = ContinuousBatch(lambda views: self._answering())
        batch.join(member)
        return batch

    def use(self, *names: str, alone: bool = False) -> AbstractContextManager[object]:
        """Switch to these adapters, stacked on the ref's own deltas; to these alone without one."""
        if alone and (other := [d.kind for d in self.ref.deltas if d.kind != "peft"]):
            raise CannotAdapt(f"{other[0]} of {self.ref.name} cannot be switched off")
        before, back = (self._active, self._is_alone), ExitStack()
        self._switch(names, alone)
        back.callback(self._switch, *before)
        return back

    @contextmanager
    def bare(self) -> Iterator[None]:
        """The base alone while the block runs."""
        now, self._is_bare = State(self.module), True
        self._base.show_bare()
        try:
            yield
        finally:
            now.restore()
            self._is_bare = False

    @contextmanager
    def as_lent(self) -> Iterator[None]:
        """Without what learns, while the block runs."""
        now = [parameter.data for parameter in self._freed]
        with self.use():
            for parameter, data in zip(self._freed, self._untrained, strict=True):
                parameter.data = data
            try:
                yield
            finally:
                for parameter, data in zip(self._freed, now, strict=True):
                    parameter.data = data

    def _switch(self, names: Sequence[str], alone: bool = False) -> None:
        """Make the ref's own adapters and `names` those in use, and say which parameters learn."""
        if self._is_bare:
            raise InputError("no adapter can be used while the base is bare")
        here = () if self._peft is None else tuple(self._peft.peft_config)
        if missing := [name for name in names if name not in here]:
            do = nearest(missing[0], [name for name in here if name not in self._own])
            raise InputError(Fault(f"no adapter '{missing[0]}' on {self.ref.name}", do=do))
        self._active, self._is_alone = tuple(names), alone
        if self._peft is not None:
            _activate(self._peft, [*(() if alone else self._own), *names])
        frozen = set(here) - (self._learning & set(names))
        for name, parameter in self._root.named_parameters():
            if frozen & set(name.split(".")):
                parameter.requires_grad_(False)
        for parameter in self._freed:
            parameter.requires_grad_(True)

    def _require_new(self, name: str) -> None:
        """PEFT finds an adapter's tensors by its name anywhere in theirs."""
        here = [] if self._peft is None else list(self._peft.peft_config)
        within = [one for one, _ in self._root.named_parameters() if name in one]
        if not name.isidentifier() or within or any(one in name for one in here):
            raise InputError(
                Fault(
                    f"'{name}' cannot name an adapter here",
                    expected="a word that is no part of a parameter's or another adapter's name",
                )
            )

    @property
    def _root(self) -> Any:
        return self.module if self._peft is None else self._peft

    @contextmanager
    def _answering(self) -> Iterator[Live]:
        """The module as it stands, in evaluation mode."""
        root = self._root
        under = type(getattr(root, "base_model", root)).__name__
        kind = (str(self.module.config.model_type), under)
        with _modes_kept(root), torch.no_grad():
            root.eval()
            own = () if self._is_alone else self._own
            on = not self._is_bare and (own or self._active) and is_soft_prompt(root)
            yield Live(self.module, soft_prefix(root) if on else NOTHING, kind)


def _activate(peft: Any, names: Sequence[str]) -> None:
    """Make `names` PEFT's active adapters; they learn, which the caller corrects."""
    if next(iter(peft.peft_config.values())).is_prompt_learning:
        if len(names) > 1:
            raise CannotAdapt(f"one soft prompt at a time: {' and '.join(names)} are two")
        for name in names:
            peft.set_adapter(name)
            peft.prompt_encoder[name].requires_grad_(True)
    elif names:
        peft.base_model.enable_adapter_layers()
        peft.base_model.set_adapter(list(names) if len(names) > 1 else names[0])
        peft.active_adapter = names[0]
    else:
        peft.base_model.disable_adapter_layers()


@contextmanager
def _modes_kept(root: torch.nn.Module) -> Iterator[None]:
    """Leave the train and evaluation flags of all modules as they were."""
    modes = [(module, module.training) for module in root.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
