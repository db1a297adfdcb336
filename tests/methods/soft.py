"""What every soft prompt must show, on tiny random models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lent import Lent
from taught import INPUTS, PROMPTS, SHOTS, TASK, put_on, scores

from families import tiny_family
from nshot.core.types import Example, Label, ModelRef, Shots, Task
from nshot.methods.trained import Trained
from nshot.models.base import Decoding
from nshot.models.hf.hf_engine import HFModels
from nshot.predictors.prompted import Prompted
from nshot.prompts.render import label_answers

TOPIC = Task("topic", "classify", (Label("card"), Label("film")))
"""The same task with labels of one token, which a random model learns faster."""
TOPICS = Shots(
    tuple(
        Example(e.id, e.input, ("card" if e.label == "positive" else "film",))
        for e in SHOTS.labelled
    )
)


def by_plain_peft(folder: Path, adapter: str) -> Any:
    """The saved folder in the hands of transformers and PEFT alone."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(folder)
    return PeftModel.from_pretrained(base, adapter).eval()


def row_logits(module: Any, ids: Sequence[int]) -> torch.Tensor:
    """(tokens, vocabulary), by PEFT's own forward pass or a base's."""
    with torch.no_grad():
        return module(input_ids=torch.tensor([list(ids)])).logits[0, -len(ids) :]


def check_plain_peft_answers_so(predictor: Prompted, folder: Path) -> None:
    """The scores of each label, from PEFT's own logits."""
    from transformers import AutoTokenizer

    module = by_plain_peft(folder, predictor.ref.deltas[0].folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = []
    for asked in INPUTS:
        prompt = f"Text: {asked.text}\nLabel:"
        start = len(tokenizer(prompt)["input_ids"])
        sums = []
        for answer in label_answers(predictor.task, "plain"):
            ids = tokenizer(prompt + answer)["input_ids"]
            logprobs = row_logits(module, ids).double().log_softmax(-1)
            sums.append(sum(float(logprobs[at - 1, ids[at]]) for at in range(start, len(ids))))
        found.append(torch.tensor(sums).log_softmax(0).numpy())
    np.testing.assert_allclose(scores(predictor), np.array(found), atol=1e-4)


def check_it_writes_as_without_a_cache(predictor: Prompted, folder: Path) -> None:
    """The likeliest token again and again, each time from the whole text through PEFT."""
    module = by_plain_peft(folder, predictor.ref.deltas[0].folder)
    view = predictor.models.open(predictor.ref)
    tokenizer = view._base.tokenizer
    for prompt, told in zip(PROMPTS, view.generate(PROMPTS, Decoding(6)), strict=True):
        ids = tokenizer(prompt)["input_ids"]
        start = len(ids)
        for _ in range(told.tokens_out):
            ids.append(int(row_logits(module, ids)[-1].argmax()))
        text = tokenizer.decode(ids[start:], skip_special_tokens=True)
        assert told.tokens_out == 6 or told.finished
        assert told.text == text


def check_what_learns(method: Trained, bench: Lent) -> None:
    """A gradient reaches every free parameter, all of the soft prompt, and nothing else."""
    from nshot.training.data.answers import encode
    from nshot.training.forward import Shared
    from nshot.training.objectives.nll import AnswerTokens

    with bench.models.lend(bench.base) as lent:
        module = put_on(method, lent)
        rows, _ = encode(TASK, "plain", SHOTS.labelled, lent.tokenizer, 128)
        AnswerTokens().total(Shared(module, "cpu"), rows).backward()
        free = {name for name, p in module.named_parameters() if p.requires_grad}
        reached = {n for n, p in module.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached == free
    assert free
    assert all(name.startswith("prompt_encoder.") for name in free)


def check_a_family(method: Trained, family: str, folder: Path) -> Prompted:
    """It trains, leaves the base alone, answers after reload and writes as PEFT would.

    Texts reach beyond the window of those families that have one.
    """
    place = tiny_family(folder / "model", family, window=28)
    bench = Lent(HFModels(), ModelRef("hf", str(place)), folder)
    before = bench.models.fingerprint(bench.base)
    predictor = method.adapt(TOPIC, TOPICS, bench)
    assert bench.models.fingerprint(bench.base) == before
    fresh = Prompted(TOPIC, HFModels(), predictor.ref)
    np.testing.assert_array_equal(scores(fresh), scores(predictor))
    check_plain_peft_answers_so(predictor, place)
    check_it_writes_as_without_a_cache(predictor, place)
    return predictor
