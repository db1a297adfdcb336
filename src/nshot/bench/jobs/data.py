"""Have a model make rows of data, through the ledger that stands beside them."""

from __future__ import annotations

from nshot.bench.jobs.job import Body, Job
from nshot.bench.jobs.place import Workplace
from nshot.core.errors import InputError
from nshot.core.serial import from_data, to_data
from nshot.core.types import ModelRef
from nshot.models.base import LanguageModel
from nshot.models.openai.chat_completions import RemoteLanguageModel
from nshot.models.openai.endpoint import Limits
from nshot.synthesis.files import make
from nshot.synthesis.requests import Asking, Generation, Translation

VERBS: dict[str, type[Generation] | type[Translation]] = {
    "generate": Generation,
    "translate": Translation,
}


def job_of(request: Generation | Translation, ref: ModelRef) -> Job:
    """The job that carries a request out with a model."""
    verb = next(verb for verb, cls in VERBS.items() if isinstance(request, cls))
    return Job("data", {"verb": verb, "request": to_data(request), "model": to_data(ref)})


def do(job: Job, place: Workplace) -> Body:
    """What is made, as `nshot.synthesis.files.Done`; ``faults`` where the endpoint refuses."""
    request = from_data(VERBS[job.spec["verb"]], job.spec["request"])
    ref = from_data(ModelRef, job.spec["model"])
    try:
        return {"done": to_data(make(request, ref, _opened(request, ref, place), place.progress))}
    except InputError as error:
        return {"faults": to_data(error.faults)}


def _opened(request: Asking, ref: ModelRef, place: Workplace) -> LanguageModel:
    if ref.engine != "openai":
        return place.models.open(ref)
    limits = Limits(concurrency=request.concurrency, per_minute=request.rpm)
    return RemoteLanguageModel(ref, limits, lambda text: place.progress(0, 0, text))
