"""Measure what this machine does with a model, once: the ground of every forecast.

Rates are kept in the cache folder, by what computes and by the model. Facts of the model and the
lengths of the rows are of each run.
"""

from __future__ import annotations

from collections.abc import Callable

from nshot.bench.jobs.job import Body, Job
from nshot.bench.jobs.place import Workplace, pictures_of
from nshot.core import machine
from nshot.core.files import write_atomic
from nshot.core.serial import dumps, read_json, to_data
from nshot.core.types import ModelRef, digest
from nshot.models.base import Decoding, LanguageModel
from nshot.models.embedded.conversion import cache_folder

VERSION = "3"
"""Raised when more is measured: a run folder's older rates are then left."""
PICTURES = 8
"""Pictures by which a network's rate is measured."""
ROWS = 64
"""Rows whose lengths stand for all."""
FEW = 16
"""Rows by which a language model's rate is measured."""
ENDPOINT_TOKENS = 1000.0
"""Tokens a second of an endpoint, which is not asked for the sake of a forecast: about what four
requests at a time of a few hundred tokens come to at a second each."""


def do(job: Job, place: Workplace) -> Body:
    """Facts and tokens a second of the job's one model, and the lengths of the inputs in it.

    A picture counts one token: an encoder's rate is then in pictures.
    """
    if job.base is not None:
        return _language_model(job.base, place)
    return {} if job.encoder is None else _encoder(job.encoder, place)


def _encoder(ref: ModelRef, place: Workplace) -> Body:
    train = place.setting.split.train
    if place.setting.task.pictures:
        images = pictures_of(train[:PICTURES])
        network = place.engines.pictures(ref)
        rate = _kept(ref, place, lambda: _rate(lambda: network.encode(images), len(images)))
        return {"encoder_tokens": rate}
    rows = [example.input.text for example in train[:ROWS]]
    encoder = place.engines.encoder(ref)
    counts = encoder.count(rows)
    return {
        "encoder_tokens": _kept(
            ref, place, lambda: _rate(lambda: encoder.encode(rows), sum(counts))
        ),
        "tokens": sum(counts) / len(counts),
        "longest": max(counts),
    }


def _language_model(ref: ModelRef, place: Workplace) -> Body:
    model = place.engines.open(ref)
    facts = model.facts
    body: Body = {
        "abilities": sorted(facts.can),
        "architecture": facts.architecture,
        "context": facts.context,
        "layers": facts.layers,
        "parameters": facts.parameters,
    }
    if place.setting.task.pictures:
        return body
    rows = [example.input.text for example in place.setting.split.train[:ROWS]]
    counts = model.count(rows)
    rate = ENDPOINT_TOKENS
    if facts.local:
        few = rows[:FEW]
        tokens = sum(counts[:FEW])
        rate = _kept(ref, place, lambda: _rate(lambda: _read(model, few), tokens))
    lengths = {"tokens": sum(counts) / len(counts), "longest": max(counts)}
    return {**body, **lengths, "lm_tokens": rate}


def _read(model: LanguageModel, rows: list[str]) -> None:
    """Let the model read the rows: by scoring where it can, else by writing one token."""
    if "score" in model.facts.can:
        model.logprobs(rows, [[" yes", " no"]] * len(rows))
    elif "generate" in model.facts.can:
        model.generate(rows, Decoding(max_tokens=1))


def _kept(ref: ModelRef, place: Workplace, measure: Callable[[], float]) -> float:
    """The rate that was measured on this machine before, or as it is measured now."""
    computer = {**place.identity, "processor": machine.describe()["processor"]}
    name = digest("rate", VERSION, dumps(computer), dumps(to_data(ref)))
    path = cache_folder() / "rates" / f"{name}.json"
    if path.exists():
        return float(read_json(path))
    rate = measure()
    write_atomic(path, dumps(rate))
    return rate


def _rate(work: Callable[[], object], tokens: int) -> float:
    """Tokens a second of the faster of two runs: the first also warms."""
    seconds = []
    for _ in range(2):
        start = machine.cold_clock()
        work()
        seconds.append(machine.cold_clock() - start)
    return tokens / max(min(seconds), 1e-6)
