"""Continuations of prompts: greedy or sampled, in batches by length.

What all prompts begin with (the demonstrations) is read once. A row that has ended leaves its
batch; no waiting row takes its place: streams have `nshot.models.hf.continuous`. A prompt that
stands in a batch several times is read once. Sampling draws from random numbers of its own for each
text, so that it does not depend on what else was asked for at the same time.
"""

from __future__ import annotations

import itertools
import math
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import numpy as np
import torch

from nshot.core.types import digest
from nshot.models.base import Completion, Decoding, Sample, Tokens
from nshot.models.hf.cache import CachedPrefix, Prefixes, kinds, read
from nshot.models.hf.grammar import Compiled, Place, compiled
from nshot.models.hf.room import position_bytes, roomy
from nshot.models.hf.score import batches
from nshot.models.hf.tokens import end_of_turn, shared
from nshot.models.hf.tree import CHUNK, WORTH
from nshot.models.texts import Drawn, Rules, Text

ROWS = 32
"""Rows of a batch, at most: on a CPU a token costs no less in more of them."""
CACHE_BYTES = 2**30
"""Keys and values of a batch, at most; one row may need more."""


def generate(
    module: Any,
    tokenizer: Any,
    prompts: Sequence[Tokens],
    prefix: Prefixes,
    how: Decoding,
    slots: Sequence[int] | None = None,
) -> list[Completion]:
    """A continuation of each prompt, without its stop string and end token.

    `prefix` stands before every prompt. `finished` is False where `how.max_tokens` ended the text.
    `slots` is the view that each prompt is read under (`nshot.models.hf.side_by_side`), of models
    with full attention; None: there is one. Raises `InputError` for a grammar that cannot be read,
    `CannotAdapt` for one whose shortest text has more tokens.
    """
    if not prompts:
        return []
    rules = Rules(tokenizer, ends(module, tokenizer), how)
    grammar = grammar_of(rules)
    texts = [begun(prompt, rules, grammar) for prompt in prompts]
    for text, slot in zip(texts, slots or (), strict=False):
        text.slot = slot
    if how.max_tokens > 0:
        _write(module, texts, prefix, rules)
    return [text.completion(rules) for text in texts]


def sample(
    module: Any,
    tokenizer: Any,
    prompts: Sequence[Tokens],
    prefix: CachedPrefix,
    how: Decoding,
    count: int,
    states: bool = False,
) -> list[list[Sample]]:
    """`count` continuations of each prompt, token by token; `how` has a temperature, no grammar.

    The k-th of a prompt depends on the seed, the prompt and k alone; where a prompt stands again,
    k goes on.
    """
    rules = Rules(tokenizer, ends(module, tokenizer), how, states)
    numbers: dict[Tokens, Iterator[int]] = defaultdict(itertools.count)
    groups = [
        [begun(prompt, rules, None, f"{next(numbers[prompt])}") for _ in range(count)]
        for prompt in prompts
    ]
    _write(module, [text for group in groups for text in group], prefix, rules)
    return [[_sample(text, rules) for text in group] for group in groups]


def _sample(text: Text, rules: Rules) -> Sample:
    """All of a text's tokens, the end token too."""
    end = [] if text.end is None else [text.end]
    tokens = (*text.tokens, *(drawn.token for drawn in end))
    logprobs = (*text.logprobs, *(drawn.logprob for drawn in end))
    states = torch.stack(text.states).float().cpu().numpy() if text.states else None
    return Sample(text.prompt, tokens, logprobs, rules.cut(text.tokens)[0], text.finished, states)


def _write(module: Any, texts: Sequence[Text], prefix: Prefixes, rules: Rules) -> None:
    """Write all texts to their ends."""
    prompts = [text.prompt for text in texts]
    with torch.no_grad():
        start, before = 0, prefix
        if isinstance(prefix, CachedPrefix) and (start := common_start(module, prompts)):
            before = read(module, prompts[0][:start], prefix, CHUNK)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i].prompt))
        # Padding behind a soft prompt would shift a sliding window: then only equals share a batch.
        apart = before.length > 0 and kinds(module.config) != {"full_attention"}
        lengths = [len(texts[i].prompt) - start for i in order]
        whole = [before.length + length + rules.how.max_tokens for length in lengths]
        for batch in batches(whole, max(1, CACHE_BYTES // position_bytes(module))):
            for _, some in groupby(batch, key=lambda i: lengths[i] if apart else 0):
                rows = [texts[order[i]] for i in some]
                for first in range(0, len(rows), ROWS):
                    _continue(module, rows[first : first + ROWS], start, before, rules)


def begun(prompt: Tokens, rules: Rules, grammar: Compiled | None, *number: str) -> Text:
    """Before the first token; the `number` of one of several to a prompt sets it apart.

    One that may have no token is over, and whole where its form allows an empty text.
    """
    rng = random.Random(digest(str(rules.how.seed), str(prompt), *number))
    text = Text(prompt, rng, grammar.start() if grammar else None)
    if rules.how.max_tokens < 1:
        text.close(0)
    return text


def ends(module: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens that end a text: the tokenizer's, those of the model's generation settings, and the
    one that closes an assistant's turn, whatever the others say.
    """
    eos = getattr(module.generation_config, "eos_token_id", None)
    listed = eos if isinstance(eos, list) else [eos]
    known = [*listed, tokenizer.eos_token_id, end_of_turn(tokenizer)]
    return frozenset(int(token) for token in known if token is not None)


def grammar_of(rules: Rules) -> Compiled | None:
    """The grammar that the texts keep to, made ready for this vocabulary.

    Raises `CannotAdapt` where its shortest text has more tokens than one may have.
    """
    if rules.how.grammar is None:
        return None
    grammar = compiled(rules.how.grammar, rules.tokenizer, rules.ends)
    grammar.require(rules.how.max_tokens)
    return grammar


def common_start(module: Any, prompts: Sequence[Tokens]) -> int:
    """Tokens with which all prompts begin, where reading them apart is right and pays.

    A sliding window counts positions in the cache, and padding between the start and the rest
    would shift it: there each prompt is read whole.
    """
    if len(prompts) < 2 or kinds(module.config) != {"full_attention"}:
        return 0
    first, last = min(prompts), max(prompts)
    start = min(shared(first, last), min(map(len, prompts)) - 1)
    return start if start >= WORTH else 0


def _continue(
    module: Any, texts: Sequence[Text], start: int, before: Prefixes, rules: Rules
) -> None:
    """Continue a batch of texts, of whose prompts the first `start` tokens are in `before`."""
    going = list(texts)
    different = dict.fromkeys((text.prompt, text.slot) for text in going)
    place = {one: i for i, one in enumerate(different)}
    prompts = [prompt[start:] for prompt, _ in place]
    here = before.before([slot for _, slot in place])
    step = first_step(module, prompts, here, rules.how.max_tokens)
    with _head_inputs(module, rules.states) as states:
        logits = module(**step, logits_to_keep=1).logits[:, -1]
        if len(place) < len(going):
            rows = [place[text.prompt, text.slot] for text in going]
            step, logits = _spread(step, rows), logits[rows]
            states[:] = [state[rows] for state in states]
        while going:
            for text, state in zip(going, states.pop() if states else (), strict=False):
                text.states.append(state)
            drawn = choose(logits, going, rules.how)
            goes_on = [text.add(one, rules) for text, one in zip(going, drawn, strict=True)]
            on = moved_up(goes_on)
            going = [going[i] for i in on]
            if going:
                step = next_step(step, on, [text.tokens[-1] for text in going])
                logits = module(**step, logits_to_keep=1).logits[:, -1]


@contextmanager
def _head_inputs(module: Any, on: bool) -> Iterator[list[torch.Tensor]]:
    """What the head reads at the last position, (rows, width) of each call inside, if `on`."""
    states: list[torch.Tensor] = []
    if not on:
        yield states
        return
    hook = module.get_output_embeddings().register_forward_hook(
        lambda _, inputs, __: states.append(inputs[0][:, -1])
    )
    try:
        yield states
    finally:
        hook.remove()


def moved_up(goes_on: Sequence[bool]) -> list[int]:
    """The rows that go on; the last of them take the places of those that have ended."""
    count = sum(goes_on)
    behind = [i for i in range(count, len(goes_on)) if goes_on[i]]
    return [i if goes_on[i] else behind.pop() for i in range(count)]


def first_step(
    module: Any, prompts: Sequence[Tokens], before: CachedPrefix, more: int
) -> dict[str, Any]:
    """Arguments of the pass that reads left-padded prompts behind `before`, for `more` to come."""
    width = max(map(len, prompts))
    ids = torch.zeros(len(prompts), width, dtype=torch.long)
    mask = torch.zeros(len(prompts), before.length + width, dtype=torch.long)
    mask[:, : before.length] = before.seen(len(prompts))
    for i, tokens in enumerate(prompts):
        ids[i, width - len(tokens) :] = torch.tensor(tokens)
        mask[i, before.length + width - len(tokens) :] = 1
    at = (mask.cumsum(1) - 1).clamp(min=0)[:, before.length :]
    return {
        "input_ids": ids.to(module.device),
        "attention_mask": mask.to(module.device),
        "position_ids": at.to(module.device),
        "past_key_values": roomy(before, len(prompts), before.length + width + more),
        "use_cache": True,
        **{name: value.to(module.device) for name, value in before.per_row.items()},
    }


_PER_ROW = ("input_ids", "attention_mask", "position_ids", "slots")
"""Arguments of a pass that have a line for each row; the last only where there are views."""


def _spread(step: dict[str, Any], rows: Sequence[int]) -> dict[str, Any]:
    """The arguments of a pass that has been made, as if each text had been read by itself."""
    cache, at = step["past_key_values"], torch.tensor(rows, device=step["input_ids"].device)
    cache.batch_repeat(at)
    return {**step, **{name: step[name][at] for name in _PER_ROW if name in step}}


def next_step(step: dict[str, Any], on: Sequence[int], tokens: Sequence[int]) -> dict[str, Any]:
    """Arguments of the pass that reads one more token of each text that goes on."""
    device = step["input_ids"].device
    rows = torch.tensor(on, device=device)
    if len(on) < len(step["input_ids"]):
        step["past_key_values"].batch_select_indices(rows)
    mask = step["attention_mask"][rows]
    return {
        **{name: step[name][rows] for name in ("slots",) if name in step},
        "input_ids": torch.tensor(tokens, device=device)[:, None],
        "attention_mask": torch.cat([mask, mask.new_ones(len(on), 1)], 1),
        "position_ids": step["position_ids"][rows, -1:] + 1,
        "past_key_values": step["past_key_values"],
        "use_cache": True,
    }


def choose(logits: torch.Tensor, texts: Sequence[Text], how: Decoding) -> list[Drawn | None]:
    """The next token of each text, of (texts, vocabulary): the most likely, or one drawn.

    None ends a text: its grammar is complete, and the model would go on with something else.
    """
    chosen = _drawn(logits, texts, how)
    return [
        one if text.place is None else _kept(text, text.place, one, row, how)
        for text, one, row in zip(texts, chosen, logits, strict=True)
    ]


def _kept(
    text: Text, place: Place, drawn: Drawn, logits: torch.Tensor, how: Decoding
) -> Drawn | None:
    """`drawn` where the grammar allows it, else one that it allows, or None where it is complete.

    To draw again among the allowed is to draw from the odds that the allowed have among themselves.
    """
    if place.allows(drawn.token):
        return drawn
    if place.complete:
        return None
    ruled_out = torch.from_numpy(~place.mask(len(logits))).to(logits.device)
    return _drawn(logits.masked_fill(ruled_out, -torch.inf)[None], [text], how)[0]


def _drawn(logits: torch.Tensor, texts: Sequence[Text], how: Decoding) -> list[Drawn]:
    """The most likely token of each text, or one drawn at the temperature."""
    if how.temperature <= 0:
        return [Drawn(int(token), 0.0) for token in logits.argmax(-1)]
    shares = (logits.double() / how.temperature).softmax(-1).cpu().numpy()
    drawn = []
    for row, odds, text in zip(shares, shares.cumsum(-1), texts, strict=True):
        at = np.searchsorted(odds, text.rng.random() * odds[-1], "right")
        token = min(int(at), len(odds) - 1)
        drawn.append(Drawn(token, math.log(row[token])))
    return drawn
