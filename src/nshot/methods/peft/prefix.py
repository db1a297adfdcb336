"""Prefix tuning: keys and values before every input, in every layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Prompt, Shots, Task
from nshot.methods.contract import Brief
from nshot.methods.trained import Trained
from nshot.models.base import Lent
from nshot.prompts.demonstrations import in_turn
from nshot.prompts.render import Format, render
from nshot.training.data.answers import Answers
from nshot.training.parts.soft_prompt import SoftPrompt, why_no_soft_prompt
from nshot.training.recipe import Lesson
from nshot.training.rows import Row


@dataclass(frozen=True)
class Shown:
    """What a prefix begins as: tokens of the in-context prompt, and the examples in it."""

    tokens: tuple[int, ...] = ()
    demos: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Opening:
    """The examples that a prefix begins as, in their order: as many as `length` tokens hold."""

    task: Task
    format: Format
    order: tuple[Example, ...]
    length: int

    def shown(self, tokenizer: Any) -> Shown:
        """The first that fit; the end of one at least."""
        from nshot.models.hf.tokens import cut_left

        if not self.order:
            raise CannotAdapt("needs at least one labelled example")
        fitting = self._first(1, tokenizer)
        for count in range(2, len(self.order) + 1):
            more = self._first(count, tokenizer)
            if len(more.tokens) > self.length:
                break
            fitting = more
        cut, _ = cut_left(fitting.tokens, self.length, tokenizer.bos_token_id)
        return replace(fitting, tokens=cut)

    def positions(self, tokenizer: Any) -> int:
        """Tokens of those that are shown."""
        return len(self.shown(tokenizer).tokens)

    def begin(self, module: Any, lent: Lent, seed: int) -> None:
        """Write into the prefix what the base remembers of them."""
        _write(module, lent, self.shown(lent.tokenizer).tokens)

    def _first(self, count: int, tokenizer: Any) -> Shown:
        demos = self.order[:count]
        return Shown(_opening(tokenizer, self.task, self.format, demos), demos)


@dataclass(frozen=True)
class Unshown(Answers):
    """The examples that do not stand in the prefix, unless their label has no others.

    The answer of a shown example is in sight, and would be learned by looking it up.
    """

    opening: Opening

    def lesson(self, lent: Lent, room: int) -> Lesson[Row]:
        """A row an example; how many were left out is noted."""
        kept = self.kept(lent.tokenizer)
        lesson = Answers(self.task, self.format, kept).lesson(lent, room)
        if count := len(self.examples) - len(kept):
            note = f"{count} examples stand in the prefix and were not trained on"
            return replace(lesson, notes=(note, *lesson.notes))
        return lesson

    def kept(self, tokenizer: Any) -> tuple[Example, ...]:
        """The examples to train on."""
        shown = {e.id for e in self.opening.shown(tokenizer).demos}
        others = {_stratum(self.task, e) for e in self.examples if e.id not in shown}
        return tuple(
            e for e in self.examples if e.id not in shown or _stratum(self.task, e) not in others
        )


class PrefixTuning(Trained):
    """Prefix tuning.

    Xiang Lisa Li, Percy Liang. "Prefix-Tuning: Optimizing Continuous Prompts for Generation",
    2021. https://arxiv.org/abs/2101.00190

    Every layer's keys and values at `length` positions before the input are trained, and nothing
    else: length * layers * 2 * (key heads * their width) parameters (section 4.2). Initialised
    with the activations of real words (section 7.4), here of solved examples from the shots, the
    training begins at the in-context prompt and not at babble.

    Args:
        length: positions; with ``text`` at most so many, as whole examples fill them.
        init: ``text``: as many whole examples as fit, at least the end of one; or ``random``.
        projection: width of the paper's network P = MLP(P') (section 4.3), which is trained in
            place of the keys and values and then folded away; for ``random`` alone.
    """

    name: ClassVar[str] = "prefix"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"learning_rate": (5e-3, 1e-3, 1e-2)}
    after: ClassVar[str] = "lora"
    about: ClassVar[str] = "trained keys and values, begun as solved examples"

    length: int = Field(default=64, ge=2)
    init: Literal["text", "random"] = "text"
    projection: int | None = Field(default=None, ge=1)
    learning_rate: float = Field(default=5e-3, ge=0)

    @field_validator("projection")
    @classmethod
    def _of_random(cls, width: int | None, info: ValidationInfo) -> int | None:
        if width is not None and info.data.get("init") == "text":
            raise ValueError("none with init 'text', whose keys and values no network gives")
        return width

    def why_not(self, brief: Brief) -> str | None:
        """Also where a soft prompt cannot be kept or leaves no room, or no example is there."""
        if reason := super().why_not(brief) or why_no_soft_prompt(
            self.length, brief.abilities, brief.context
        ):
            return reason
        return None if brief.labelled else "needs at least one labelled example"

    def part(self, task: Task, shots: Shots, seed: int) -> SoftPrompt:
        """The keys and values: random, or what the base remembers of the first examples."""
        positions, begin = self._random, _as_made
        if self.init == "text":
            opening = self.opening(task, shots, seed)
            positions, begin = opening.positions, opening.begin
        return SoftPrompt(self.name, partial(self._config, positions), positions, begin)

    def data(self, task: Task, shots: Shots, seed: int) -> Answers:
        """The shots, of a prefix that begins as examples those that it does not show."""
        if self.init == "random":
            return Answers(task, self.format, shots.labelled)
        return Unshown(task, self.format, shots.labelled, self.opening(task, shots, seed))

    def opening(self, task: Task, shots: Shots, seed: int) -> Opening:
        """The examples in the order of ``few_shot``."""
        order = in_turn(shots.labelled, self.length, seed)
        return Opening(task, self.format, order, self.length)

    def _random(self, tokenizer: Any) -> int:
        return self.length

    def _config(self, positions: Callable[[Any], int], lent: Lent) -> Any:
        """PEFT's configuration."""
        from peft import PrefixTuningConfig

        return PrefixTuningConfig(
            task_type="CAUSAL_LM",
            num_virtual_tokens=positions(lent.tokenizer),
            prefix_projection=self.projection is not None,
            encoder_hidden_size=self.projection,
        )


def _as_made(module: Any, lent: Lent, seed: int) -> None:
    """A random prefix is PEFT's own."""


def _stratum(task: Task, example: Example) -> str:
    """Its label; all answers of a generate task are of one kind."""
    return example.label if task.has_labels else ""


def _opening(
    tokenizer: Any, task: Task, format: Format, demos: Sequence[Example]
) -> tuple[int, ...]:
    """Tokens of the in-context prompt up to where the input that is asked begins.

    They are the tokens of the whole prompt: where the tokenizer joins characters across that
    border, the opening ends before them.
    """
    from nshot.models.hf import tokens

    input = demos[-1].input  # any: only how it begins could matter
    whole = render(task, format, input, demos)
    before = tokens.render(tokenizer, _without(whole, render(task, format, input)), False)
    alone, joint = tokens.encode(tokenizer, [before, tokens.render(tokenizer, whole)])
    return alone[: tokens.shared(alone, joint)]


def _without(whole: Prompt, bare: Prompt) -> Prompt:
    """What stands before the asked input: `bare` is the same prompt without demonstrations."""
    if isinstance(whole, str) and isinstance(bare, str):
        block = bare.rpartition("\n\n")[2]  # after an instruction, which stands in front of all
        return whole.removesuffix(block)
    turns = sum(not isinstance(turn, str) and turn.role != "system" for turn in bare)
    return tuple(turn for turn in whole[:-turns] if not isinstance(turn, str))


def _write(module: Any, lent: Lent, tokens: Sequence[int]) -> None:
    """Make the prefix what the base remembers of `tokens`: PEFT keeps, of each position, every
    layer's key and value, heads side by side."""
    import torch

    from nshot.models.hf.cache import NOTHING, read
    from nshot.models.hf.tree import CHUNK

    weight = module.prompt_encoder["default"].embedding.weight
    with torch.no_grad():
        layers = read(lent.module, tokens, NOTHING, CHUNK).layers
        # (heads, positions, width) -> (positions, heads * width)
        sides = [side[0].transpose(0, 1).flatten(1) for layer in layers for side in layer]
        flat = torch.cat(sides, 1)
        if flat.shape != weight.shape:
            kind = lent.module.config.model_type
            raise CannotAdapt(f"prefix cannot be put on a {kind}: its layers differ in shape")
        weight.copy_(flat)
