"""The contract of an engine: what its facts say that it can, it does; the rest it refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

import numpy as np

from nshot.core.errors import CannotAdapt, NshotError
from nshot.core.types import Grammar, ModelRef, Prompt, Turn
from nshot.models.base import (
    Ability,
    Decoding,
    LanguageModel,
    Models,
    Question,
    TypedRequest,
)
from nshot.testing.contracts import CLOSE, promise, refused

PROMPTS: tuple[Prompt, ...] = (
    "Text: a warm and funny film\nLabel:",
    "Text: two dull hours, and the best joke was in the trailer\nLabel:",
    "",
    (Turn("system", "Answer in a word."), Turn("user", "the last scene, 마지막 장면?")),
)
ANSWERS = ((" good", " bad", " very bad"), (" good", " bad"), (" bad",), ("good", "bad"))
_QUESTIONS = (
    Question("choice", "Which colour?", (("red", "as blood"), ("green", ""), ("blue", ""))),
    Question("yes_no", "Is it a review?", (("yes", "it judges"), ("no", ""))),
    Question("levels", "How good?", (("bad", ""), ("fair", ""), ("good", "better than most"))),
)
REQUESTS = (
    *(TypedRequest(text, _QUESTIONS) for text in ("a warm film", "두 시간", "")),
    TypedRequest("one alone", _QUESTIONS[:1]),
)
_UNABLE: Mapping[Ability, Callable[[LanguageModel], object]] = {
    "score": lambda lm: lm.logprobs(PROMPTS, ANSWERS),
    "logits": lambda lm: lm.next_logits(PROMPTS),
    "generate": lambda lm: lm.generate(PROMPTS, Decoding(4)),
    "hidden": lambda lm: lm.hidden(PROMPTS, [1]),
    "decide": lambda lm: lm.decide(REQUESTS),
}


def check_engine(models: Models, ref: ModelRef) -> None:
    """Ask a language model of an engine all that there is to ask; raise `ContractBroken`.

    An endpoint must answer equal requests equally: let a scripted one stand for it.
    """
    before = models.fingerprint(ref)
    lm = models.open(ref)
    facts = lm.facts
    promise(facts.ref == ref, "its facts name the model that was opened")
    promise(facts.can <= set(get_args(Ability)), "what it can is known of")
    promise(facts.context > 0, "its context has a length")
    counts = lm.count(PROMPTS)
    promise(len(counts) == len(PROMPTS) and min(counts) >= 0, "it counts tokens of each prompt")
    for ability, ask in _UNABLE.items():
        if ability not in facts.can:
            promise(refused(CannotAdapt, lambda ask=ask: ask(lm)), f"without {ability}, refused")  # type: ignore[misc]
    for ability, check in _CHECKS.items():
        if ability in facts.can:
            check(lm)
    _check_rows(models, lm)
    if facts.local:
        _check_threads(lm, [ask for ability, ask in _UNABLE.items() if ability in facts.can])
    if "train" in facts.can:
        _check_lending(models, lm)
    else:
        promise(refused(CannotAdapt, lambda: _lend(models, ref)), "it refuses to be trained")
    promise(models.fingerprint(ref) == before, "nothing that it was asked has changed it")
    promise(all(size >= 0 for size in models.resident_bytes().values()), "its bytes are counted")


def _check_scores(lm: LanguageModel) -> None:
    scores = lm.logprobs(PROMPTS, ANSWERS)
    sizes = [one.logprobs.shape for one in scores]
    promise(sizes == [(len(given),) for given in ANSWERS], "one number for each answer")
    promise(all((one.logprobs <= CLOSE).all() for one in scores), "log-likelihoods, not above 0")
    promise(all(one.tokens_in > 0 for one in scores), "it counts what it was sent")
    alone = [lm.logprobs([p], [a])[0] for p, a in zip(PROMPTS, ANSWERS, strict=True)]
    promise(
        all(_close(a.logprobs, b.logprobs) for a, b in zip(scores, alone, strict=True)),
        "a prompt's scores do not depend on what else is asked",
    )
    promise(lm.logprobs([], []) == [], "no prompt, no scores")


def _check_logits(lm: LanguageModel) -> None:
    last = lm.next_logits(PROMPTS)
    promise(last.dtype == np.float32 and last.ndim == 2, "logits are (rows, vocabulary), float32")
    promise(len(last) == len(PROMPTS), "one row of logits for each prompt")
    alone = np.concatenate([lm.next_logits([prompt]) for prompt in PROMPTS])
    promise(_close(last, alone), "a prompt's logits do not depend on what else is asked")
    some = lm.next_logits(PROMPTS[:2], [[-1, 0, -1], []])
    promise(len(some) == 3, "one row of logits for each position")
    promise(_close(some[0], last[0]) and _close(some[2], last[0]), "-1 is the last token")


def _check_texts(lm: LanguageModel) -> None:
    for how in (Decoding(8), Decoding(8, temperature=1.0, seed=3)):
        texts = lm.generate(PROMPTS, how)
        promise(len(texts) == len(PROMPTS), "one text for each prompt")
        promise(texts == lm.generate(PROMPTS, how), "equal requests, equal texts")
        for prompt, one in zip(PROMPTS, texts, strict=True):
            promise(lm.generate([prompt], how)[0].text == one.text, "each text is its prompt's own")
            promise("".join(lm.stream(prompt, how)) == one.text, "a stream's pieces are the text")
    stop = texts[0].text[1:3]
    cut = lm.generate(PROMPTS[:1], Decoding(8, temperature=1.0, seed=3, stop=(stop,)))[0]
    promise(not stop or (stop not in cut.text and cut.finished), "a stop string ends the text")
    promise(lm.generate([], how) == [], "no prompt, no text")


def _check_formats(lm: LanguageModel) -> None:
    grammar = Grammar("choices", '["red", "green"]')
    for one in lm.generate(PROMPTS, Decoding(16, grammar=grammar)):
        promise(one.text in grammar.choices or not one.finished, "a text keeps to its grammar")


def _check_decisions(lm: LanguageModel) -> None:
    replies = lm.decide(REQUESTS)
    for request, reply in zip(REQUESTS, replies, strict=True):
        sizes = [len(some) for some in reply.probabilities]
        promise(sizes == [len(q.options) for q in request.questions], "a number for each option")
        sums = [abs(sum(some) - 1) < CLOSE for some in reply.probabilities]
        promise(all(sums), "probabilities, whose sum is 1")
        promise(reply.tokens_in > 0, "it counts what it was sent")
    promise([i for i, _ in sorted(lm.replies(REQUESTS))] == [*range(4)], "one reply a request")
    alone = [lm.decide([request])[0].probabilities for request in REQUESTS]
    promise(alone == [r.probabilities for r in replies], "a reply is its request's own")
    promise(lm.decide([]) == [], "no request, no reply")


def _check_states(lm: LanguageModel) -> None:
    depth = max(1, lm.facts.layers)
    states = lm.hidden(PROMPTS, [1, depth])
    promise(states.last.shape == states.mean.shape, "last and mean are of one shape")
    promise(states.last.shape[:2] == (len(PROMPTS), 2), "(prompts, layers, width)")
    alone = np.concatenate([lm.hidden([prompt], [1, depth]).mean for prompt in PROMPTS])
    promise(_close(states.mean, alone), "a prompt's states do not depend on what else is asked")


_CHECKS: Mapping[Ability, Callable[[LanguageModel], None]] = {
    "score": _check_scores,
    "logits": _check_logits,
    "generate": _check_texts,
    "constrain": _check_formats,
    "hidden": _check_states,
    "decide": _check_decisions,
}


def _check_rows(models: Models, lm: LanguageModel) -> None:
    rows = models.open_rows([lm.facts.ref] * len(PROMPTS))
    if "score" in lm.facts.can:
        pairs = zip(rows.logprobs(PROMPTS, ANSWERS), lm.logprobs(PROMPTS, ANSWERS), strict=True)
        promise(all(_close(a.logprobs, b.logprobs) for a, b in pairs), "rows of views score alike")
    if "hidden" in lm.facts.can:
        one, other = rows.hidden(PROMPTS, [1]), lm.hidden(PROMPTS, [1])
        promise(_close(one.last, other.last), "rows of views show the same states")
    if "generate" in lm.facts.can:
        texts = [model.generate(PROMPTS, Decoding(4)) for model in (rows, lm)]
        promise(texts[0] == texts[1], "rows of views write the same texts")


def _check_threads(lm: LanguageModel, asks: Sequence[Callable[[LanguageModel], object]]) -> None:
    expected = [repr(ask(lm)) for ask in asks]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda ask: repr(ask(lm)), [*asks] * 4))
    promise(answers == expected * 4, "threads that ask at once get what one gets")


def _check_lending(models: Models, lm: LanguageModel) -> None:
    ref, before = lm.facts.ref, models.fingerprint(lm.facts.ref)
    scores = lm.logprobs(PROMPTS, ANSWERS)
    with models.lend(ref) as lent:
        promise(lent.facts.ref == ref, "what is lent is the model that was asked for")
        same = zip(scores, lent.logprobs(PROMPTS, ANSWERS), strict=True)
        promise(all(_close(a.logprobs, b.logprobs) for a, b in same), "lent it answers the same")
        promise(refused(NshotError, lambda: lm.logprobs(PROMPTS, ANSWERS)), "lent, it is away")
        for parameter in lent.module.parameters():
            parameter.data = parameter.data + 1
    promise(models.fingerprint(ref) == before, "it is taken back unchanged")
    again = zip(scores, lm.logprobs(PROMPTS, ANSWERS), strict=True)
    promise(all((a.logprobs == b.logprobs).all() for a, b in again), "and answers as before")


def _lend(models: Models, ref: ModelRef) -> None:
    with models.lend(ref):
        pass


def _close(one: Any, other: Any) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=CLOSE, atol=CLOSE))
