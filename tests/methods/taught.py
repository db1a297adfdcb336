"""A small task that a tiny random model learns in seconds, for the tests of trained methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from lent import Lent, resumed

from nshot.core.types import Example, Input, Label, ModelRef, Shots, Task
from nshot.methods import TABLE, WHERE
from nshot.methods.trained import Trained
from nshot.models.base import Decoding
from nshot.predictors.prompted import Prompted

TASK = Task("film", "classify", (Label("positive"), Label("very_negative")))
WORDS = {"positive": ["warm", "funny", "fine", "lovely"], "very_negative": ["dull", "flat", "bad"]}


def example(i: int) -> Example:
    label = ("positive", "very_negative")[i % 2]
    word = WORDS[label][i // 2 % len(WORDS[label])]
    return Example(f"e{i}", Input((("text", f"a {word} film {i}"),)), (label,))


SHOTS = Shots(tuple(example(i) for i in range(12)))
INPUTS = [example(i).input for i in range(6)]
PROMPTS = [f"Text: {asked.text}\nLabel:" for asked in INPUTS[:3]]
QUICK = {"epochs": 15, "batch_size": 4}


def scores(predictor: Prompted) -> np.ndarray:
    return np.array([prediction.scores for prediction in predictor.predict(INPUTS)])


def _sureness(predictor: Prompted) -> float:
    """Mean log-probability, in nats, of the right label."""
    return float(np.mean([row[i % 2] for i, row in enumerate(scores(predictor))]))


def put_on(method: Trained, lent: Any, seed: int = 0) -> Any:
    """The module before its first step."""
    return method.part(TASK, SHOTS, seed).put_on(lent, seed)


def check_it_learns(method: Trained, bench: Lent) -> Prompted:
    """It learns its shots, gives the base back, and answers the same from a fresh process."""
    from nshot.models.hf.hf_engine import HFModels

    assert bench.base is not None
    before = bench.models.fingerprint(bench.base)
    untrained = _sureness(Prompted(TASK, bench.models, method.stands_on(bench.base)))
    predictor = method.adapt(TASK, SHOTS, bench)
    assert isinstance(predictor, Prompted)
    assert _sureness(predictor) > untrained + 1
    assert bench.models.fingerprint(bench.base) == before
    fresh = Prompted(TASK, HFModels(), predictor.ref)
    np.testing.assert_array_equal(scores(fresh), scores(predictor))
    return predictor


def check_it_generates(models: Any, ref: ModelRef) -> None:
    """With the cache it writes what it writes without one: the likeliest token, again and again."""
    import torch

    view = models.open(ref)
    written = view.generate(PROMPTS, Decoding(max_tokens=6))
    base = view._base
    with base.answering(ref.deltas) as live, torch.no_grad():
        for prompt, told in zip(PROMPTS, written, strict=True):
            ids = base.tokenizer(prompt)["input_ids"]
            start = len(ids)
            for _ in range(told.tokens_out):
                logits = live.module(input_ids=torch.tensor([ids]), use_cache=False).logits
                ids.append(int(logits[0, -1].argmax()))
            text = base.tokenizer.decode(ids[start:], skip_special_tokens=True)
            assert told.text.strip() == text.strip()


def check_a_kill_changes_nothing(method: Trained, bench: Lent, again: Lent, at: int = 60) -> None:
    """Killed after step `at` and started again, it ends with the same bytes."""

    whole = method.adapt(TASK, SHOTS, bench).ref.deltas[0].sha256
    taken_up = resumed(method, TASK, SHOTS, again, at=at)
    assert taken_up.ref.deltas[0].sha256 == whole
    assert again.steps[0][0] == 51


def learners(method: Trained, bench: Lent, steps: int = 2) -> tuple[set[str], set[str]]:
    """Names of parameters that a gradient reached within `steps`, and of all that are free."""
    import torch

    from nshot.training.data.answers import encode
    from nshot.training.forward import Whole
    from nshot.training.objectives.nll import AnswerTokens

    base = method.stands_on(bench.base)
    patterns = method.part(TASK, SHOTS, 0).free(bench.models.open(base).facts)
    with bench.models.lend(base, free=patterns) as lent:
        module = put_on(method, lent)
        rows, _ = encode(TASK, "plain", SHOTS.labelled, lent.tokenizer, 128)
        free = {name: p for name, p in module.named_parameters() if p.requires_grad}
        reached: set[str] = set()
        for _ in range(steps):
            AnswerTokens().total(Whole(module, "cpu"), rows).backward()
            for name, p in module.named_parameters():
                if p.grad is not None and p.grad.abs().sum() > 0:
                    reached.add(name)
            with torch.no_grad():
                for p in free.values():
                    if p.grad is not None:
                        p -= 0.01 * p.grad
                        p.grad = None
    return reached, set(free)


def logits(module: Any, tokenizer: Any, prompts: Sequence[str] = PROMPTS) -> np.ndarray:
    """Logits after the last token of each prompt."""
    import torch

    with torch.no_grad():
        return np.array(
            [
                module(input_ids=torch.tensor([tokenizer(p)["input_ids"]])).logits[0, -1].numpy()
                for p in prompts
            ]
        )


def start_difference(method: Trained, bench: Lent) -> float:
    """How far the logits before the first step are from the base's."""
    base = method.stands_on(bench.base)
    patterns = method.part(TASK, SHOTS, 0).free(bench.models.open(base).facts)
    with bench.models.lend(base, free=patterns) as lent:
        expected = logits(lent.module, lent.tokenizer)
        found = logits(put_on(method, lent).eval(), lent.tokenizer)
    return float(np.abs(found - expected).max())


RATES = {"p_tuning": 3e-3, "ia3": 0.1, "bitfit": 0.03, "llama_adapter": 0.05, "full": 3e-3}
"""Rates at which a method learns a tiny random model; 0.01 for those not named."""


def quick(name: str, epochs: int = 20) -> Trained:
    """A method of the table that learns `SHOTS` in seconds."""
    settings = {"learning_rate": RATES.get(name, 0.01), "epochs": epochs, "batch_size": 4}
    method = TABLE.build({"method": name, **settings})
    assert isinstance(method, Trained)
    return method


def trained(rungs: Sequence[str]) -> list[str]:
    """Names of the table's methods of these rungs that tune a language model, in its order."""
    return [n for n in WHERE if TABLE[n].rung in rungs and issubclass(TABLE[n], Trained)]
